import { Agent, type Dispatcher, request } from 'undici'
import { type CommandRow, pathArguments } from '../protocol/command-row.ts'
import { type AppCommands, COMMANDS, CommandError, EVENTS_PATH } from '../protocol/commands.ts'
import { ERRORS, type ErrorCode, type Problem, problem } from '../protocol/errors.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { readEvents, SseFramer } from '../wire/sse.ts'

/** A Lexora elsewhere: `address` without a path, `key` a session or the admin key. */
export type AdminTarget = { address: string; key: string | null; certificate?: string | null }

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
    const { body } = await send(target, 'GET', EVENTS_PATH, {}, AbortSignal.any([signal, silence.signal]))
    const framer = new SseFramer()
    for await (const chunk of body) {
      timer.refresh()
      const events = framer.push(chunk as Buffer)
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
  const signal = AbortSignal.timeout(row.answersWithinMs ?? ANSWER_MS)
  if (row.method === 'POST') return await (await send(target, 'POST', path, rest, signal)).body.json()
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(rest)) query.set(name, String(value))
  return await (await send(target, 'GET', query.size === 0 ? path : `${path}?${query}`, {}, signal)).body.json()
}

/** undici's own request, since `fetch` refuses the ports that browsers do. Redirects are not followed. */
async function send(
  { address, key, certificate = null }: AdminTarget,
  method: 'GET' | 'POST',
  path: string,
  body: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
  const text = Object.keys(body).length === 0 ? null : JSON.stringify(body)
  if (text !== null) headers['content-type'] = 'application/json'
  let response: Dispatcher.ResponseData
  try {
    const trust = certificate === null ? {} : { dispatcher: trusting(certificate) }
    response = await request(address + path, { method, headers, body: text, signal, bodyTimeout: 0, ...trust })
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    throw new UnreachableError(`Nothing answers at ${address} (${code ?? name}).`)
  }
  if (response.statusCode === 200) return response
  throw new CommandError(await readProblem(response, address))
}

const TRUSTING = new Map<string, Agent>()

/** Believes this one certificate, whatever name it bears: it was read from our own run file. */
function trusting(certificate: string): Agent {
  let agent = TRUSTING.get(certificate)
  if (agent === undefined) {
    const connect = { ca: certificate, allowPartialTrustChain: true, checkServerIdentity: () => undefined }
    agent = new Agent({ connect })
    TRUSTING.set(certificate, agent)
  }
  return agent
}

/** The error object of DESIGN 4.2, back as the value that it was. */
async function readProblem({ statusCode, body }: Dispatcher.ResponseData, address: string): Promise<Problem> {
  const told = (await body.json().catch(() => null)) as { error?: Partial<Record<string, unknown>> } | null
  const { code, message, param } = told?.error ?? {}
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code) || typeof message !== 'string') {
    throw new UnreachableError(`What answers at ${address} is not a Lexora (HTTP ${statusCode}).`)
  }
  return problem(code as ErrorCode, message, typeof param === 'string' ? { param } : {})
}
