import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { LogLines } from '../../policy/log-lines.ts'
import { LogFile } from './log-file.ts'
import type { LogText } from './protocol.ts'

const HEAD_LINES = 1000
const TAIL_LINES = 400

/**
 * What an engine prints: read without a pause, since 64 KiB that nobody takes block it whole. Every line goes to the
 * log file; the first and the last ones are kept for an owner that joins later.
 */
export class EngineOutput {
  readonly head: LogText[] = []
  tail: LogText[] = []
  /** Both streams have ended, which they do only when everything that held them has. */
  readonly ended: Promise<void>
  private readonly file: LogFile
  private readonly onLines: (lines: LogText[]) => void
  private readonly streams: { lines: LogLines; stream: LogText['stream'] }[] = []
  private open = 2
  private end = (): void => {}

  constructor(log: ConstructorParameters<typeof LogFile>[0], onLines: (lines: LogText[]) => void) {
    this.file = new LogFile(log)
    this.onLines = onLines
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  /** A line of our own, in the file only: what reads causes out of the engine's words never meets it. */
  note(text: string): void {
    this.file.write(`${new Date().toISOString()} L ${text}`)
  }

  read(source: Readable, stream: LogText['stream']): void {
    const decoder = new StringDecoder('utf8')
    const lines = new LogLines()
    this.streams.push({ lines, stream })
    source.on('data', (bytes: Buffer) => this.take(lines.push(decoder.write(bytes)), stream))
    source.on('error', () => {})
    source.on('close', () => {
      if (--this.open === 0) this.end()
    })
  }

  /** Lines without an end count as whole now. */
  flush(): void {
    for (const { lines, stream } of this.streams) this.take(lines.push('\n'), stream)
  }

  async close(): Promise<void> {
    this.flush()
    await this.file.close()
  }

  private take(texts: readonly string[], stream: LogText['stream']): void {
    if (texts.length === 0) return
    const at = new Date().toISOString()
    const lines = texts.map((text): LogText => ({ stream, text }))
    for (const { text } of lines) this.file.write(`${at} ${stream} ${text}`)
    const first = HEAD_LINES - this.head.length
    this.head.push(...lines.slice(0, first))
    this.tail = [...this.tail, ...lines.slice(first)].slice(-TAIL_LINES)
    this.onLines(lines)
  }
}
