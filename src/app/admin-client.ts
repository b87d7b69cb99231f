import {
  type AppCommands,
  COMMANDS,
  CommandError,
  type CommandRow,
  EVENTS_PATH,
  pathArguments,
} from '../protocol/commands.ts'
import { ERRORS, type ErrorCode, type Problem, problem } from '../protocol/errors.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { readEvents, SseFramer } from '../wire/sse.ts'

/** A Lexora elsewhere: `address` without a path, `key` a session or the admin key. */
export type AdminTarget = { address: string; key: string | null }

/** Nobody answers there, or nobody that speaks as Lexora does. */
export class UnreachableError extends Error {}

const ANSWER_MS = 30_000
/** Comments come every 15 s, so this much silence is a connection that died without a word. */
const SILENCE_MS = 45_000
const MAX_EVENT_BYTES = 16 * 1024 * 1024

/** The commands of a Lexora in another process, by its admin API. Rejects with CommandError as the core itself does. */
export function adminClient(target: AdminTarget): AppCommands {
  const calls = Object.entries(COMMANDS).map(([name, row]) => [
    name,
    (args: Record<string, unknown> = {}) => call(target, row, args),
  ])
  return Object.fromEntries(calls) as AppCommands
}

/** Hands on every snapshot until the stream ends, which it tells by returning; rejects as a command does. */
export async function watchSnapshots(
  target: AdminTarget,
  onSnapshot: (snapshot: AppSnapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), SILENCE_MS)
  try {
    const response = await send(target, 'GET', EVENTS_PATH, null, AbortSignal.any([signal, silence.signal]))
    if (response.body === null) return
    const framer = new SseFramer()
    for await (const chunk of response.body) {
      timer.refresh()
      const events = framer.push(Buffer.from(chunk))
      if (framer.pending > MAX_EVENT_BYTES) throw new UnreachableError(`${target.address} sends no end of an event.`)
      if (events === null) continue
      for (const { name, data } of readEvents(events)) {
        if (name === 'snapshot' && data !== null) onSnapshot(JSON.parse(data) as AppSnapshot)
      }
    }
  } catch (error) {
    if (error instanceof CommandError || error instanceof UnreachableError) throw error
    // Asked to stop, silent for too long, or cut: the stream is over either way.
  } finally {
    clearTimeout(timer)
  }
}

async function call(target: AdminTarget, row: CommandRow, args: Record<string, unknown>): Promise<unknown> {
  const rest = { ...args }
  let path: string = row.path
  for (const name of pathArguments(row)) {
    path = path.replace(`{${name}}`, encodeURIComponent(String(args[name])))
    delete rest[name]
  }
  const signal = AbortSignal.timeout(ANSWER_MS)
  if (row.method === 'POST') return await (await send(target, 'POST', path, rest, signal)).json()
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(rest)) query.set(name, String(value))
  return await (await send(target, 'GET', query.size === 0 ? path : `${path}?${query}`, null, signal)).json()
}

async function send(
  { address, key }: AdminTarget,
  method: string,
  path: string,
  body: Record<string, unknown> | null,
  signal: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
  const hasBody = body !== null && Object.keys(body).length > 0
  if (hasBody) headers['content-type'] = 'application/json'
  let response: Response
  try {
    const init: RequestInit = { method, headers, signal, redirect: 'error' }
    response = await fetch(address + path, hasBody ? { ...init, body: JSON.stringify(body) } : init)
  } catch (error) {
    throw new UnreachableError(`Nothing answers at ${address} (${causeOf(error)}).`)
  }
  if (response.ok) return response
  throw new CommandError(await readProblem(response, address))
}

/** The error object of DESIGN 4.2, back as the value that it was. */
async function readProblem(response: Response, address: string): Promise<Problem> {
  const body = (await response.json().catch(() => null)) as { error?: Partial<Record<string, unknown>> } | null
  const { code, message, param } = body?.error ?? {}
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code) || typeof message !== 'string') {
    throw new UnreachableError(`What answers at ${address} is not a Lexora (HTTP ${response.status}).`)
  }
  return problem(code as ErrorCode, message, typeof param === 'string' ? { param } : {})
}

function causeOf(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: string } }
  return cause?.code ?? name
}
