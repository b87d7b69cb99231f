import { finishOf, finishOfAnswer } from './finish.ts'
import { DONE_EVENT, readEvents, type SseEvent } from './sse.ts'
import { mergeUsage, readUsage, type Usage } from './usage.ts'

/** How a stream says that it is complete: OpenAI's chunks, its responses events, or Anthropic's messages events. */
export type Dialect = 'chunks' | 'responses' | 'messages'

/** Why a stream is no good. `event` is the backend's own error event, relayed as it came. */
export type StreamFault =
  | { kind: 'error-event'; status: number | null; event: Buffer; data: string }
  | { kind: 'aborted' }
  | { kind: 'unfinished' }
  | { kind: 'garbled' }

export type Judged = {
  /** What may go to the client: the bytes as they came, less what must be hidden. */
  send: Buffer | null
  fault: StreamFault | null
}

const FINISH = Buffer.from('"finish_reason"')
const ERROR = Buffer.from('"error"')
const MESSAGES_SIGNS = [Buffer.from('message_'), ERROR]
const RESPONSES_SIGNS = ['response.completed', 'response.incomplete', 'response.failed', '"error"'].map((sign) =>
  Buffer.from(sign),
)
const RESPONSES_ENDS = new Set(['response.completed', 'response.incomplete', 'response.failed'])

/**
 * Watches whole events pass and knows at the end whether the answer was complete. Almost every event is passed by a
 * byte search alone; only the first one and those that finish, fail or count are parsed.
 */
export class StreamJudge {
  readonly dialect: Dialect
  private readonly hideUsage: boolean
  private readonly choices: number
  private started = false
  private finishedChoices = 0
  private done = false
  private faulty = false
  usage: Usage | null = null
  /** Why the model stopped, of a closed set; of several choices the first that said it. */
  finish: string | null = null

  /** `hideUsage`: the usage chunk was asked for by us, not by the client. `choices`: how many must finish (`n`). */
  constructor(dialect: Dialect, { hideUsage = false, choices = 1 } = {}) {
    this.dialect = dialect
    this.hideUsage = hideUsage
    this.choices = choices
  }

  /** Whether the first data event, a good one, has come. */
  get hasStarted(): boolean {
    return this.started
  }

  /** Whether the end-of-stream mark has come: nothing after it counts. */
  get isDone(): boolean {
    return this.done
  }

  /** Judges whole events, in order. After a fault everything more is dropped. */
  judge(events: Buffer): Judged {
    if (this.faulty || this.done) return { send: null, fault: null }
    if (this.started && this.finishedChoices === 0 && this.isPlain(events)) return { send: events, fault: null }
    return this.read(events)
  }

  /** The backend ended the stream in good order: null when it was complete, with the end mark that it left out, if any. */
  end(): { fault: StreamFault | null; send: Buffer | null } {
    if (this.faulty || this.done) return { fault: null, send: null }
    if (this.dialect === 'chunks' && this.finishedChoices >= this.choices) return { fault: null, send: DONE_EVENT }
    return { fault: { kind: 'unfinished' }, send: null }
  }

  private isPlain(events: Buffer): boolean {
    if (!endsInBrace(events)) return false
    if (this.dialect === 'chunks') return events.indexOf(ERROR) === -1 && !hasFinish(events)
    const signs = this.dialect === 'messages' ? MESSAGES_SIGNS : RESPONSES_SIGNS
    return signs.every((sign) => events.indexOf(sign) === -1)
  }

  private read(events: Buffer): Judged {
    const kept: Buffer[] = []
    let fault: StreamFault | null = null
    let dropped = false
    for (const event of readEvents(events)) {
      const verdict = this.readEvent(event, events)
      if (typeof verdict === 'object') {
        fault = verdict
        this.faulty = true
        dropped = true
        break
      }
      if (verdict === 'hide') dropped = true
      else kept.push(events.subarray(event.start, event.end))
      if (this.done) break
    }
    if (!dropped && !this.done) return { send: events, fault }
    return { send: kept.length > 0 ? Buffer.concat(kept) : null, fault }
  }

  private readEvent(event: SseEvent, bytes: Buffer): 'pass' | 'hide' | StreamFault {
    if (event.data === null) return 'pass'
    if (event.data === '[DONE]') {
      // The other dialects have ends of their own, after which nothing is read.
      if (this.dialect !== 'chunks' || this.finishedChoices < this.choices) return { kind: 'unfinished' }
      this.done = true
      return 'pass'
    }
    const payload = parseObject(event.data)
    if (payload === null) return { kind: 'garbled' }
    const error = event.name === 'error' ? (payload['error'] ?? payload) : payload['error']
    if (error !== undefined && error !== null && payload['object'] !== 'response') {
      const shown = bytes.subarray(event.start, event.end)
      return { kind: 'error-event', status: errorStatus(error), event: shown, data: event.data }
    }
    this.started = true
    return this.dialect === 'chunks' ? this.readChunk(payload) : this.readNamed(event.name ?? payload['type'], payload)
  }

  private readChunk(payload: Record<string, unknown>): 'pass' | 'hide' | StreamFault {
    const choices = Array.isArray(payload['choices']) ? payload['choices'] : []
    for (const choice of choices) {
      const reason = (choice as Record<string, unknown> | null)?.['finish_reason']
      if (reason === 'abort') return { kind: 'aborted' }
      // Some servers write an empty text where others write null.
      if (typeof reason !== 'string' || reason === '') continue
      this.finishedChoices++
      this.finish ??= finishOf(reason)
    }
    const usage = readUsage(payload['usage'])
    this.usage = mergeUsage(this.usage, usage)
    return this.hideUsage && usage !== null && choices.length === 0 ? 'hide' : 'pass'
  }

  private readNamed(type: unknown, payload: Record<string, unknown>): 'pass' {
    if (type === 'message_stop' || (typeof type === 'string' && RESPONSES_ENDS.has(type))) this.done = true
    const delta = payload['delta'] as Record<string, unknown> | null | undefined
    const inner = (payload['response'] ?? payload['message'] ?? payload) as Record<string, unknown>
    this.usage = mergeUsage(this.usage, readUsage(inner['usage']))
    this.finish ??= finishOf(delta?.['stop_reason']) ?? finishOfAnswer(inner)
    return 'pass'
  }
}

function endsInBrace(events: Buffer): boolean {
  let at = events.length - 1
  while (at >= 0 && (events[at] === 0x0a || events[at] === 0x0d)) at--
  return events[at] === 0x7d
}

/** Whether some `"finish_reason"` is not null. Inside a text the name's quotes are escaped, so it cannot match there. */
function hasFinish(events: Buffer): boolean {
  for (let at = events.indexOf(FINISH); at !== -1; at = events.indexOf(FINISH, at)) {
    at += FINISH.length
    while (events[at] === 0x20 || events[at] === 0x3a) at++
    if (events[at] !== 0x6e) return true
  }
  return false
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/** The status that an error object names in `code`, if any: a number from vLLM, often a word from others. */
export function errorStatus(error: unknown): number | null {
  const code = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)['code'] : null
  const status = typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : null
}
