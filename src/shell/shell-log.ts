import { createWriteStream, renameSync, statSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { ensureDir } from '../config/paths.ts'

const MOST_BYTES = 10 * 1024 * 1024

/** A window has no terminal: what headless prints goes to this file, too, and one older one is kept. */
export class ShellLog {
  private readonly path: string
  private stream: WriteStream
  private bytes: number

  constructor(folder: string) {
    ensureDir(folder)
    this.path = join(folder, 'desktop.log')
    this.bytes = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
    if (this.bytes > MOST_BYTES) this.turn()
    this.stream = this.open()
    // The terminal that it was started from may be gone.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  }

  /** Text as the core prints it. */
  readonly write = (text: string): void => {
    process.stdout.write(text)
    this.stream.write(text)
    this.bytes += text.length
    if (this.bytes <= MOST_BYTES) return
    this.stream.end()
    this.turn()
    this.stream = this.open()
  }

  readonly say = (message: string, fields: Record<string, unknown> = {}): void => {
    const more = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
    this.write(`${new Date().toISOString()} desktop: ${message}${more.join('')}\n`)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.stream.end(() => resolve()))
  }

  private open(): WriteStream {
    const stream = createWriteStream(this.path, { flags: 'a', mode: 0o600 })
    stream.on('error', () => {})
    return stream
  }

  private turn(): void {
    renameSync(this.path, `${this.path}.1`)
    this.bytes = 0
  }
}
