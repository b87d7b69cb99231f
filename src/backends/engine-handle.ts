import type { Problem } from '../protocol/errors.ts'

/** How an engine stands, as those see it who would send it requests. Milliseconds. */
export type EngineStanding =
  | { is: 'serving' }
  /** It is on its way; `leftMs` null: nobody knows how long. */
  | { is: 'coming'; leftMs: number | null }
  /** It is stopped, and a request for it starts it. */
  | { is: 'startable'; leftMs: number | null }
  /** It will not come by itself; `problem` says why, and what to do. */
  | { is: 'unavailable'; problem: Problem }

/** What is known of an engine that Lexora started, for its permits; null: to be learned. */
export type EngineFigures = { kvTokens: number | null; maxSequences: number | null; prefillRate: number | null }

/** The engine behind a backend. Requests wait for it instead of failing. */
export type EngineHandle = {
  standing(): EngineStanding
  /** Somebody waits for it: it is started where that is allowed. */
  want(): void
  /**
   * Null: the model can be asked now. Else resolves once it can, with null, or with why it cannot: an adapter is
   * loaded when it is first asked for.
   */
  prepare(model: string): Promise<Problem | null> | null
  figures(): EngineFigures
}
