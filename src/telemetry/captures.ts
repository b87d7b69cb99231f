import type { Captured, CapturedText, CaptureReport, CaptureView } from '../protocol/captures.ts'
import type { Redactor } from './redact.ts'

/** How long it goes on, and how long each request is kept. */
const MINUTES_MS = 10 * 60_000
const MOST_KEPT = 200
const MOST_BYTES = 16 * 1024 * 1024
/** Of one body. */
const MOST_BODY_BYTES = 256 * 1024

/** Headers that tell something; of the others the name is not even kept. */
const SHOWN =
  /^(accept|content-type|content-length|user-agent|origin|x-request-id|x-stainless-.*|x-lexora-.*|anthropic-.*|openai-.*)$/
const SECRET = new Set(['authorization', 'x-api-key', 'api-key', 'cookie'])

export type CaptureSubject = {
  id: string
  user: string | null
  endpoint: string
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: Buffer
}

/** One request that is being written down. */
export class Capture {
  readonly subject: Omit<CaptureSubject, 'body' | 'headers'>
  readonly headers: Record<string, string>
  readonly atMs: number
  readonly request = new Kept()
  readonly answer = new Kept()
  private readonly onGrown: (bytes: number) => void

  constructor({ id, user, endpoint, headers, body }: CaptureSubject, atMs: number, onGrown: (bytes: number) => void) {
    this.subject = { id, user, endpoint }
    this.headers = shownHeaders(headers)
    this.atMs = atMs
    this.onGrown = onGrown
    this.request.add(body)
  }

  /** More of the answer. Its bytes are copied: the buffer is the stream's own. */
  answered(bytes: Buffer): void {
    this.onGrown(this.answer.add(bytes))
  }

  get bytes(): number {
    return this.request.held + this.answer.held
  }
}

/** The beginning of a body. */
class Kept {
  private readonly pieces: Buffer[] = []
  bytes = 0
  held = 0

  /** Answers how much of it is kept. */
  add(piece: Buffer): number {
    const kept = Buffer.from(piece.subarray(0, MOST_BODY_BYTES - this.held))
    this.bytes += piece.length
    this.held += kept.length
    if (kept.length > 0) this.pieces.push(kept)
    return kept.length
  }

  text(redactor: Redactor): CapturedText {
    const text = redactor.redact(Buffer.concat(this.pieces).toString('utf8'))
    return { text, bytes: this.bytes, cut: this.held < this.bytes }
  }
}

/**
 * What requests and answers say, while an operator wants it: off until then, ten minutes long, in memory, bounded in
 * number and bytes. Each is forgotten ten minutes after it came, whether or not anybody looked.
 */
export class Captures {
  private readonly redactor: Redactor
  private readonly now: () => number
  private wanted: { user: string | null; untilMs: number } | null = null
  /** The oldest first. */
  private kept = new Map<string, Capture>()
  private bytes = 0
  private timer: NodeJS.Timeout | null = null

  /** `now`: milliseconds since 1970. */
  constructor(redactor: Redactor, now: () => number = Date.now) {
    this.redactor = redactor
    this.now = now
  }

  get view(): CaptureView | null {
    const { wanted } = this
    if (wanted === null || this.now() >= wanted.untilMs) return null
    return { user: wanted.user, endsAt: new Date(wanted.untilMs).toISOString() }
  }

  /** For ten minutes from now; in place of one that goes on. */
  start(user: string | null): void {
    this.wanted = { user, untilMs: this.now() + MINUTES_MS }
    this.wake(MINUTES_MS)
  }

  /** Nothing is left of it. */
  stop(): void {
    this.wanted = null
    this.kept = new Map()
    this.bytes = 0
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  /** Null for nearly every request: nobody wants to know. */
  begin(subject: () => CaptureSubject, user: string | null): Capture | null {
    if (this.wanted === null) return null
    const now = this.now()
    if (now >= this.wanted.untilMs || (this.wanted.user !== null && this.wanted.user !== user)) return null
    const given = subject()
    this.forget(given.id)
    const capture: Capture = new Capture(given, now, (bytes) => {
      // One that was forgotten meanwhile counts no more.
      if (this.kept.get(given.id) === capture) this.grown(bytes)
    })
    this.kept.set(given.id, capture)
    this.grown(capture.bytes)
    if (this.kept.size > MOST_KEPT) this.forget(this.oldest()!)
    this.wake(MINUTES_MS)
    return capture
  }

  report(): CaptureReport {
    this.expire()
    const kept = [...this.kept.values()].reverse().map(({ subject, atMs, request, answer }) => ({
      ...subject,
      at: new Date(atMs).toISOString(),
      requestBytes: request.bytes,
      answerBytes: answer.bytes,
    }))
    return { capturing: this.view, kept }
  }

  read(id: string): Captured | null {
    this.expire()
    const capture = this.kept.get(id)
    if (capture === undefined) return null
    const { subject, headers, atMs, request, answer } = capture
    const shown = Object.entries(headers).map(([name, value]) => [name, this.redactor.redact(value)])
    return {
      ...subject,
      at: new Date(atMs).toISOString(),
      headers: Object.fromEntries(shown),
      request: request.text(this.redactor),
      answer: answer.text(this.redactor),
    }
  }

  private grown(bytes: number): void {
    this.bytes += bytes
    while (this.bytes > MOST_BYTES && this.kept.size > 1) this.forget(this.oldest()!)
  }

  private oldest(): string | undefined {
    return this.kept.keys().next().value
  }

  private forget(id: string): void {
    this.bytes -= this.kept.get(id)?.bytes ?? 0
    this.kept.delete(id)
  }

  /** What is old goes by itself, so that it does not wait for somebody to ask. */
  private wake(afterMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = null
      this.expire()
    }, afterMs).unref()
  }

  private expire(): void {
    const now = this.now()
    if (this.wanted !== null && now >= this.wanted.untilMs) this.wanted = null
    for (const [id, { atMs }] of this.kept) {
      if (atMs + MINUTES_MS > now) return this.wake(atMs + MINUTES_MS - now)
      this.forget(id)
    }
    if (this.wanted !== null) this.wake(this.wanted.untilMs - now)
  }
}

function shownHeaders(headers: CaptureSubject['headers']): Record<string, string> {
  const shown: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (SECRET.has(name)) shown[name] = '***'
    else if (SHOWN.test(name) && value !== undefined) shown[name] = String(value)
  }
  return shown
}
