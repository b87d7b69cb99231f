import type { EngineStateName } from './engine.ts'
import type { ServerView } from './snapshot.ts'

/** Something an operator may want to know of afterwards. Faces say it in their own words. */
export type Happening = { seq: number; at: string } & WhatHappened

export type WhatHappened =
  /** `cause`: why, where it failed or crashed. */
  | { what: 'engine'; engine: string; state: EngineStateName; cause: string | null }
  | { what: 'backend'; backend: string; up: boolean; reason: string | null }
  | { what: 'gateway'; state: ServerView['state'] }
  | { what: 'gpu'; readable: boolean; reason: string | null }
  /** So many requests of a user were refused by his limits, one after another. */
  | { what: 'limited'; user: string; times: number }
  /** Another configuration is in force; dotted paths of what differs. */
  | { what: 'config'; paths: string[] }
  /** Other machines can connect now, or cannot any more. */
  | { what: 'network'; open: boolean }
