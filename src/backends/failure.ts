import type { Failure } from '../policy/retry.ts'
import { problem } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import { wasReused } from './connector.ts'

/** The reason of a failure to connect that was ours. */
export const EXHAUSTED_REASON = 'exhausted'

/** How far an attempt had come when it failed. */
export type Progress = { sent: boolean; headSeen: boolean }

const UNREACHABLE: Record<string, string> = {
  ECONNREFUSED: say('refused the connection'),
  ENOTFOUND: say('has a host name that does not resolve'),
  EAI_AGAIN: say('has a host name that does not resolve now'),
  EHOSTUNREACH: say('has no route to its host'),
  ENETUNREACH: say('has no route to its network'),
  EADDRNOTAVAIL: say('has an address that cannot be reached from here'),
  ENOENT: say('has no socket at its path'),
  CERT_HAS_EXPIRED: say('shows an expired certificate'),
  DEPTH_ZERO_SELF_SIGNED_CERT: say('shows a self-signed certificate (name its CA file in `ca`)'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: say('shows a certificate that cannot be verified (name its CA file in `ca`)'),
  ERR_TLS_CERT_ALTNAME_INVALID: say('shows a certificate for another host'),
}

/** What this process, or this machine, has no more of. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOBUFS'])

const CONNECT_TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])

/** Turns what undici threw into a failure. The error's own text stays out of the message: it may hold addresses. */
export function failureFromError(error: Error, backend: string, progress: Progress): Failure {
  const code = codeOf(error)
  if (isExhausted(error, code)) return exhaustedFailure()
  if (!progress.sent || (!progress.headSeen && code in UNREACHABLE)) {
    if (CONNECT_TIMEOUTS.has(code))
      return timeoutFailure(backend, say('did not accept a connection in time'), 'connect_timeout')
    const what = UNREACHABLE[code] ?? say('could not be reached')
    const reason = code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? 'dns' : 'unreachable'
    return failure('unreachable', problem('backend_unreachable', say`Backend '${backend}' ${what}.`), reason)
  }
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' || error.message === 'bad upgrade') {
    return invalidFailure(backend, say('sent something that is not HTTP'))
  }
  if (!progress.headSeen) {
    const kind = wasReused(error) ? 'stale' : 'lost'
    return failure(
      kind,
      problem('backend_unreachable', say`Backend '${backend}' closed the connection before it answered.`),
      kind,
    )
  }
  return truncatedFailure(backend)
}

/** No fault of the backend: its breaker does not hear of it. */
function exhaustedFailure(): Failure {
  const message = say('This machine has no sockets left for another connection (see ulimit -n). Try again.')
  return failure('unreachable', problem('overloaded', message), EXHAUSTED_REASON)
}

/** Without a free local port a connection over IPv4 fails as one to an address that is nowhere does over IPv6. */
function isExhausted(error: Error, code: string): boolean {
  if (EXHAUSTED.has(code)) return true
  return code === 'EADDRNOTAVAIL' && /^\d+(\.\d+){3}$/.test((error as { address?: string }).address ?? '')
}

export function timeoutFailure(backend: string, what: string, reason = 'timeout'): Failure {
  return failure('timeout', problem('backend_timeout', say`Backend '${backend}' ${what}.`), reason)
}

export function invalidFailure(backend: string, what: string): Failure {
  return failure('invalid', problem('backend_invalid_response', say`Backend '${backend}' ${what}.`), 'invalid')
}

export function truncatedFailure(backend: string): Failure {
  return failure(
    'lost',
    problem('backend_truncated', say`Backend '${backend}' ended its answer half-way.`),
    'truncated',
  )
}

/** An error that the backend told in words: by status, inside a 200, or as an event of a stream. */
export function statusFailure(
  backend: string,
  told: { status: number; retryAfterMs: number | null; answer: Failure['answer']; garbledRetryAfter?: boolean },
): Failure {
  const { status } = told
  const { garbledRetryAfter = false } = told
  const overflow = isOverflow(told.answer)
  const base = { status, retryAfterMs: told.retryAfterMs, garbledRetryAfter, answer: told.answer, overflow }
  if (status === 401 || status === 403) {
    const refused = problem('backend_auth', say`Backend '${backend}' refused Lexora's credentials (${status}).`)
    return { ...failure('auth', refused, 'auth'), ...base, answer: null }
  }
  if (isEngineDeath(told.answer)) {
    const died = problem('backend_unreachable', say`The engine of backend '${backend}' died.`)
    return { ...failure('lost', died, 'engine_died'), ...base }
  }
  const retryAfterMs = told.retryAfterMs ?? undefined
  // Without a JSON body of its own a failed answer is ours to word: 503 stays 503, anything else is a broken backend.
  const code = status === 503 ? 'overloaded' : 'backend_invalid_response'
  const reason = status === 429 ? 'rate_limited' : `status_${status}`
  return {
    ...failure('status', problem(code, say`Backend '${backend}' answered ${status}.`, { retryAfterMs }), reason),
    ...base,
  }
}

function failure(kind: Failure['kind'], told: Failure['problem'], reason: string): Failure {
  return {
    kind,
    problem: told,
    status: null,
    retryAfterMs: null,
    garbledRetryAfter: false,
    answer: null,
    overflow: false,
    reason,
  }
}

/** As vLLM, llama.cpp, Ollama and OpenAI word it. */
const OVERFLOW =
  /context_length_exceeded|exceed_context_size|(maximum|exceeds?|longer than)[^"]{0,80}context (length|size|window)/i
const OVERFLOW_STATUSES = new Set([400, 413, 422])

/** A vLLM whose engine is gone says so once to each request that it had, and ends (reference/vllm.md 6). */
const ENGINE_DEATH = 'EngineCore encountered an issue'

function isEngineDeath(answer: Failure['answer']): boolean {
  return answer?.status === 500 && answer.body.includes(ENGINE_DEATH)
}

/** Whether the backend says that the prompt does not fit its context. */
function isOverflow(answer: Failure['answer']): boolean {
  if (answer === null || !OVERFLOW_STATUSES.has(answer.status)) return false
  return OVERFLOW.test(answer.body.toString('latin1', 0, 2048))
}

function codeOf(error: Error): string {
  const own = (error as NodeJS.ErrnoException).code
  if (own !== undefined) return own
  const inner = (error as AggregateError).errors as NodeJS.ErrnoException[] | undefined
  return inner?.find((each) => each.code !== undefined)?.code ?? ''
}
