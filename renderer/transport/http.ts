import { type CommandRow, pathArguments } from '../../src/protocol/command-row.ts'
import { type AppCommands, COMMANDS, CommandError, EVENTS_PATH } from '../../src/protocol/commands.ts'
import { type Problem, problem } from '../../src/protocol/errors.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { type DataNews, type DataRequest, SHOWN_HEADERS } from '../../src/protocol/window.ts'
import type { LexoraClient, Link } from '../lexora.ts'
import { EventReader } from './sse.ts'

const ANSWER_MS = 30_000
/** The server comments every 15 s, so that this much silence is a dead connection. */
const SILENCE_MS = 40_000
const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 15_000

class SignedOut extends Error {}

/** The admin API of the Lexora that served this page: commands by fetch, snapshots as server-sent events. */
export function httpClient(): LexoraClient {
  let wake: (() => void) | null = null
  const calls = Object.entries<CommandCall>(COMMANDS).map(([name, row]) => [
    name,
    (args: Record<string, unknown> = {}) => call(row, args),
  ])
  return {
    commands: Object.fromEntries(calls) as AppCommands,
    subscribe: (onSnapshot, onLink) => {
      const ended = new AbortController()
      void follow(onSnapshot, onLink, ended.signal, (again) => {
        wake = again
      })
      return () => ended.abort()
    },
    send,
    platform: null,
    desktop: null,
    signIn: async (key) => {
      await enter({ key })
      wake?.()
    },
    signOut: async () => {
      await post('/ui/session/end', {})
      location.reload()
    },
  }
}

/** Connects again for as long as the window is open, later and later while nobody answers. */
async function follow(
  onSnapshot: (snapshot: AppSnapshot) => void,
  onLink: (link: Link) => void,
  ended: AbortSignal,
  onWaiting: (again: () => void) => void,
): Promise<void> {
  onLink({ is: 'connecting' })
  let told = await takeLink()
  let waitMs = FIRST_RETRY_MS
  let since: number | null = null
  while (!ended.aborted) {
    try {
      await watch(ended, (snapshot) => {
        waitMs = FIRST_RETRY_MS
        since = null
        onLink({ is: 'live' })
        onSnapshot(snapshot)
      })
    } catch (error) {
      if (error instanceof SignedOut) {
        onLink({ is: 'signed-out', told })
        told = null
        await new Promise<void>((resolve) => onWaiting(resolve))
        onLink({ is: 'connecting' })
        continue
      }
    }
    if (ended.aborted) return
    since ??= Date.now()
    onLink({ is: 'lost', since, retryAt: Date.now() + waitMs })
    await pause(waitMs, onWaiting)
    waitMs = Math.min(MAX_RETRY_MS, waitMs * 2)
  }
}

async function watch(ended: AbortSignal, onSnapshot: (snapshot: AppSnapshot) => void): Promise<void> {
  const silent = new AbortController()
  const stop = (): void => silent.abort()
  ended.addEventListener('abort', stop, { once: true })
  let timer = setTimeout(stop, SILENCE_MS)
  try {
    const response = await fetch(EVENTS_PATH, { signal: silent.signal, headers: { accept: 'text/event-stream' } })
    if (response.status === 401 || response.status === 403) throw new SignedOut()
    if (!response.ok || response.body === null) return
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    const events = new EventReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(stop, SILENCE_MS)
      const snapshots = events.push(value).filter(({ name }) => name === 'snapshot')
      // Every one is whole, so that only the newest of a burst needs to be drawn.
      const last = snapshots.at(-1)
      if (last !== undefined) onSnapshot(JSON.parse(last.data) as AppSnapshot)
    }
  } finally {
    clearTimeout(timer)
    ended.removeEventListener('abort', stop)
  }
}

async function pause(ms: number, onWaiting: (again: () => void) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    const again = (): void => {
      clearTimeout(timer)
      resolve()
    }
    onWaiting(again)
    addEventListener('online', again, { once: true })
  })
}

/** A link of `lexora ui` holds its token behind the `#`. It is taken out of the address before it is used. */
async function takeLink(): Promise<Problem | null> {
  const found = /^#link=([\w-]+)$/.exec(location.hash)
  if (found === null) return null
  history.replaceState(null, '', location.pathname)
  return await enter({ link: found[1]! }).then(
    () => null,
    (error: CommandError) => error.problem,
  )
}

async function enter(entry: { link: string } | { key: string }): Promise<void> {
  await post('/ui/session', entry)
}

/** What the built window knows of a command. */
type CommandCall = Pick<CommandRow, 'method' | 'path' | 'answersWithinMs'>

async function call(row: CommandCall, args: Record<string, unknown>): Promise<unknown> {
  const rest = { ...args }
  let path: string = row.path
  for (const name of pathArguments(row)) {
    path = path.replace(`{${name}}`, encodeURIComponent(String(args[name])))
    delete rest[name]
  }
  const limitMs = row.answersWithinMs ?? ANSWER_MS
  if (row.method === 'POST') return await post(path, rest, limitMs)
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.set(name, String(value))
  return await answer(query.size === 0 ? path : `${path}?${query}`, { method: 'GET' }, limitMs)
}

async function post(path: string, body: object, limitMs = ANSWER_MS): Promise<unknown> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  return await answer(path, init, limitMs)
}

async function answer(path: string, init: RequestInit, limitMs: number): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(limitMs) })
  } catch {
    throw new CommandError(problem('backend_unreachable', 'Lexora does not answer.'))
  }
  const told = (await response.json().catch(() => null)) as { error?: Partial<Problem> } | null
  if (response.ok) return told
  const { code = 'internal_error', message = `HTTP ${response.status}`, param = null } = told?.error ?? {}
  throw new CommandError(problem(code, message, { param }))
}

/** Straight to the data plane, as any client would. */
function send({ path, body, headers, key }: DataRequest, listener: (news: DataNews) => void): () => void {
  const ended = new AbortController()
  const sent = { ...headers, 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) }
  void (async () => {
    try {
      const response = await fetch(path, { method: 'POST', headers: sent, body, signal: ended.signal })
      const shown = SHOWN_HEADERS.flatMap((name) => {
        const value = response.headers.get(name)
        return value === null ? [] : [[name, value]]
      })
      listener({ is: 'head', status: response.status, headers: Object.fromEntries(shown) })
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const piece = await reader?.read()
        if (piece === undefined || piece.done) break
        listener({ is: 'chunk', text: piece.value })
      }
      listener({ is: 'end' })
    } catch (error) {
      if (!ended.signal.aborted) listener({ is: 'failed', reason: (error as Error).message })
    }
  })()
  return () => ended.abort()
}
