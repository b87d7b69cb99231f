import type { Usage } from '../wire/usage.ts'

/** How a request ended, in one word: the closed set behind the metric's label and the log's `outcome`. */
export type OutcomeKind =
  | 'ok'
  /** Refused by us before any backend saw it, or refused by the backend as the caller's mistake. */
  | 'client_error'
  /** Every attempt failed before the client was shown anything. */
  | 'backend_error'
  /** The stream broke after the client had seen content. */
  | 'stream_error'
  | 'client_closed'

/** The one record of a finished request, from which metrics, statistics and the request log are made. Milliseconds. */
export type Outcome = {
  reqId: string
  user: string | null
  keyId: string | null
  /** The program that asked, as it says of itself; null: nothing was said. */
  app: string | null
  /** Of the machine that asked; null: its connection was gone. */
  address: string | null
  /** That is another machine. */
  remote: boolean
  task: string | null
  /** The resolved model; `other` where the name is not one of ours, so that labels stay a closed set. */
  model: string
  backend: string | null
  endpoint: string
  stream: boolean
  /** The status the client saw; 499 where it had left. */
  status: number
  outcome: OutcomeKind
  error: string | null
  /** Reasons of the attempts that were repeated, by backend, how long after the request's begin they had failed; the fallbacks taken. */
  retries: { backend: string; reason: string; afterMs: number }[]
  fallbacks: { from: string; to: string }[]
  /** The band it waited for its turn in; null: it was never to wait. */
  band: string | null
  /** Time in Lexora's own queue. */
  queueMs: number
  ttftMs: number | null
  latencyMs: number
  /** Time spent with a backend or waiting to try again. */
  awayMs: number
  usage: Usage | null
  /** Why the model stopped, of a closed set; null: it did not, or nothing was said. */
  finish: string | null
  /** Of the body that was asked; null: it was refused before it was read. */
  requestBytes: number | null
  /** Of what a backend answered, as far as the client was handed it; null: nothing of it. */
  answerBytes: number | null
  /** Which of the caller's limits refused it: requests, tokens or concurrency. */
  limit?: string
}
