import type { CommandName } from './commands.ts'
import type { DesktopBridge } from './desktop.ts'
import type { Problem } from './errors.ts'
import type { AppSnapshot } from './snapshot.ts'

/**
 * What the desktop's preload gives the window as `window.lexora`: plain values and functions only, so that they cross
 * the isolated worlds. In a browser the window finds none and uses the admin API.
 */
export type WindowBridge = {
  /** A failed command is a value, since an Error loses its fields on the way. */
  call: (name: CommandName, args: Record<string, unknown>) => Promise<CallResult>
  /** Tells how things are at once, and then of every change; null: the connection to a Lexora elsewhere is lost. */
  subscribe: (listener: (snapshot: AppSnapshot | null) => void) => () => void
  /** One request to the data plane on the user's behalf, for Try it. Returns what ends it. */
  send: (request: DataRequest, listener: (news: DataNews) => void) => () => void
  platform: WindowPlatform
  /** The desktop app around the window: its preferences, and how it ends. */
  desktop: DesktopBridge
}

export type CallResult = { ok: true; result: unknown } | { ok: false; problem: Problem }

/** `path` begins with `/v1/`; `key` is typed by the user and kept nowhere. */
export type DataRequest = { path: string; body: string; headers: Record<string, string>; key: string | null }

export type DataNews =
  | { is: 'head'; status: number; headers: Record<string, string> }
  | { is: 'chunk'; text: string }
  | { is: 'end' }
  | { is: 'failed'; reason: string }

export type WindowPlatform = {
  os: 'linux' | 'windows' | 'macos' | 'other'
  /** It watches a Lexora that another program started. */
  attached: boolean
}

/** The part of an answer's headers that faces show. */
export const SHOWN_HEADERS = [
  'x-request-id',
  'x-lexora-backend',
  'x-lexora-model',
  'x-lexora-attempts',
  'x-lexora-queue-ms',
  'retry-after',
] as const
