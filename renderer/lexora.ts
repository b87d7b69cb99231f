import type { AppCommands } from '../src/protocol/commands.ts'
import type { DesktopBridge } from '../src/protocol/desktop.ts'
import type { Problem } from '../src/protocol/errors.ts'
import type { AppSnapshot } from '../src/protocol/snapshot.ts'
import type { DataNews, DataRequest, WindowBridge, WindowPlatform } from '../src/protocol/window.ts'
import { bridgeClient } from './transport/bridge.ts'
import { httpClient } from './transport/http.ts'

/** How the window stands with its Lexora. Times in ms since 1970. */
export type Link =
  | { is: 'connecting' }
  | { is: 'live' }
  | { is: 'lost'; since: number; retryAt: number }
  /** A browser without a session. `told`: why a link or a key was not taken. */
  | { is: 'signed-out'; told: Problem | null }

export type LexoraClient = {
  commands: AppCommands
  /** Tells of every snapshot and of every change of the link. Returns what ends it. */
  subscribe: (onSnapshot: (snapshot: AppSnapshot) => void, onLink: (link: Link) => void) => () => void
  /** One request to the data plane. Returns what ends it. */
  send: (request: DataRequest, listener: (news: DataNews) => void) => () => void
  /** Null in a browser. */
  platform: WindowPlatform | null
  /** The desktop app around this window; null in a browser. */
  desktop: DesktopBridge | null
  /** Only in a browser. */
  signIn: ((key: string) => Promise<void>) | null
  signOut: (() => Promise<void>) | null
}

declare global {
  interface Window {
    lexora?: WindowBridge
  }
}

/** The only place that knows which transport serves this window. */
export function connect(): LexoraClient {
  return window.lexora === undefined ? httpClient() : bridgeClient(window.lexora)
}
