import type { AppCommands } from '../protocol/commands.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'

/** The Lexora behind this window: the one in this process, or one that another program started. */
export type Core = {
  is: 'hosted' | 'attached'
  commands: AppCommands
  /** Tells how things are at once, and then of every change; null: it cannot be reached. Returns what ends it. */
  subscribe: (listener: (snapshot: AppSnapshot | null) => void) => () => void
  /** Where its data plane answers: an address without a path, and what it shows of itself where it speaks TLS. */
  place: () => Promise<{ address: string; certificate: string | null }>
  /** Whom it belongs to, where it is not this process. */
  owner: () => { pid: number; address: string } | null
  /** Drains and stops what is ours; resolves when it is over. What is attached goes on. */
  stop: () => Promise<void>
  /** Waits for nothing any more. */
  hurry: () => void
  /** The configuration is to be read again. */
  reload: () => void
}

/** How a hosted one came out. `said`: what it told, for people. */
export type Hosted = { is: 'up'; core: Core; ended: Promise<Ended> } | ({ is: 'refused' } & Ended)

export type Ended = { code: number; said: string }
