import type { Arm } from '../../src/policy/choose-backend.ts'
import type { Failure, RetryPolicy, Tried } from '../../src/policy/retry.ts'
import type { Asked, BackendView, RouteTable } from '../../src/policy/route.ts'
import { problem } from '../../src/protocol/errors.ts'

/** The policy that an empty configuration gives (DESIGN 3). */
export function aPolicy(changes: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    maxRetries: 3,
    baseDelayMs: 1000,
    maxDelayMs: 30_000,
    exponentialBase: 2,
    respectRetryAfter: true,
    maxRetryAfterMs: 60_000,
    defaultRetryAfterMs: 30_000,
    fallback: { enabled: true, onRateLimit: true, onContextOverflow: false },
    ...changes,
  }
}

export function aFailure(kind: Failure['kind'], changes: Partial<Failure> = {}): Failure {
  return {
    kind,
    problem: problem('backend_unreachable', `a backend failed: ${kind}`),
    status: null,
    retryAfterMs: null,
    answer: null,
    garbledRetryAfter: false,
    overflow: false,
    reason: kind,
    ...changes,
  }
}

/** A backend's answer with an error status, with the reason that attempts give it. */
export function aStatus(status: number, changes: Partial<Failure> = {}): Failure {
  return aFailure('status', { status, reason: status === 429 ? 'rate_limited' : `status_${status}`, ...changes })
}

/** A first attempt that failed, with nowhere else to go and ten minutes left. */
export function aTry(changes: Partial<Tried> = {}): Tried {
  return {
    retries: 0,
    lost: 0,
    staleRetried: false,
    untriedPeers: 0,
    untriedFallbacks: 0,
    remainingMs: 600_000,
    repeatable: true,
    ...changes,
  }
}

/** What a request asks for that names nothing but what is given. */
export function asking(changes: Partial<Asked> = {}): Asked {
  return { model: null, task: null, unit: 'somebody', allowRemote: false, ...changes }
}

type ViewChanges = Omit<Partial<BackendView>, 'models' | 'modelMapping'> & {
  models?: Iterable<string>
  modelMapping?: Record<string, string>
}

/** A healthy idle backend; its mapped names count among its models, as they do in the registry. */
export function aView(name: string, { models = [], modelMapping = {}, ...changes }: ViewChanges = {}): BackendView {
  return {
    name,
    soleModel: null,
    fallbackBackends: [],
    usable: true,
    modelsKnown: true,
    inFlight: 0,
    remote: false,
    spent: false,
    ...changes,
    models: new Set([...models, ...Object.keys(modelMapping)]),
    modelMapping: new Map(Object.entries(modelMapping)),
  }
}

type TableChanges = {
  aliases?: Record<string, string | readonly Arm[]>
  tasks?: Record<string, { primary: string; fallback: readonly string[] }>
  defaultBackend?: string | null
  defaultModel?: string | null
  blocked?: readonly string[]
}

export function aTable({
  aliases = {},
  tasks = {},
  defaultBackend = null,
  defaultModel = null,
  blocked = [],
}: TableChanges = {}) {
  return {
    aliases: new Map(Object.entries(aliases)),
    tasks: new Map(Object.entries(tasks)),
    defaultBackend,
    defaultModel,
    blocked,
  } satisfies RouteTable
}
