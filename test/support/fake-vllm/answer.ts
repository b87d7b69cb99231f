import type { Settings } from './options.ts'
import type { ServerState } from './state.ts'

export type Header = [name: string, value: string]

/** What the routes see of a request. */
export type Call = {
  method: string
  path: string
  query: URLSearchParams
  headers: Record<string, string>
  body: Buffer
}

/** What the routes may read besides: how this server is set up, and what it holds. */
export type Context = { settings: Settings; state: ServerState }

/** One thing that happens while a body is sent. Faults are written in these words too. */
export type Step =
  | { do: 'send'; text: string | Buffer; token?: boolean }
  /** Sends the first half of an event, its chunk header promising the whole. */
  | { do: 'tear'; text: string | Buffer }
  /** Waits for the client to take what was sent before. */
  | { do: 'drain' }
  | { do: 'wait'; ms: number }
  | { do: 'fin' | 'rst' }
  /** Sends nothing more and keeps the connection. */
  | { do: 'hang' }

/** An answer that is ready. A body of steps is a stream. */
export type Answer = {
  is: 'answer'
  status: number
  /** Headers that come before content-length, as with uvicorn. */
  headers: Header[]
  contentType: string | null
  body: string | Buffer | Iterable<Step>
  /** Whether the CORS layer added its `vary: Origin`: every answer but those of the key guard and the preflight. */
  vary: boolean
}

/** An answer that has to run in the engine first; it holds a place there until it is sent. */
export type Work = {
  is: 'work'
  stream: boolean
  /** Places it takes in the batch: prompts times n. */
  sequences: number
  promptTokens: number
  completionTokens: number
  finish: string
  /** A whole answer, and the same as events: which one is sent is for `stream` to say, or for a fault. */
  whole: () => Answer
  events: () => Iterable<Step>
}

export type Handler = (call: Call, context: Context) => Answer | Work

/** Thrown where a request is refused; holds the answer. */
export class Refusal extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super(`refused with ${answer.status}`)
    this.answer = answer
  }
}

export function json(value: unknown, status = 200, headers: Header[] = []): Answer {
  return text(JSON.stringify(value), 'application/json', status, headers)
}

export function text(body: string, contentType: string | null, status = 200, headers: Header[] = []): Answer {
  return { is: 'answer', status, headers, contentType, body, vary: true }
}

export function eventStream(steps: Iterable<Step>): Answer {
  return { ...text('', 'text/event-stream; charset=utf-8'), body: steps }
}

export function dataEvent(value: unknown): Step {
  return { do: 'send', text: `data: ${JSON.stringify(value)}\n\n` }
}

/** An event that carries a token: it waits for its turn in the engine. */
export function tokenEvent(value: unknown): Step {
  return { ...(dataEvent(value) as Step & { do: 'send' }), token: true }
}

export const doneEvent: Step = { do: 'send', text: 'data: [DONE]\n\n' }
