import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

const MAX_WAITING_BYTES = 4 * 1024 * 1024

/**
 * A log of bounded size: at `maxBytes` the file becomes `.1`, that one `.2`, and so on for `files` of them. A disk that
 * is full or slow costs lines, which are counted in the log itself once it can be written again; it never holds up the
 * one who writes.
 */
export class LogFile {
  private readonly options: { path: string; maxBytes: number; files: number }
  private waiting: string[] = []
  private waitingBytes = 0
  private lost = 0
  private handle: FileHandle | null = null
  private size = 0
  private writing: Promise<void> | null = null

  constructor(options: { path: string; maxBytes: number; files: number }) {
    this.options = options
  }

  write(line: string): void {
    if (this.waitingBytes > MAX_WAITING_BYTES) {
      this.lost++
      return
    }
    this.waiting.push(line)
    this.waitingBytes += line.length
    this.writing ??= this.drain()
  }

  /** Writes what waits, and closes the file. */
  async close(): Promise<void> {
    await this.writing
    await this.handle?.close().catch(() => undefined)
    this.handle = null
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const lines = this.waiting
      this.waiting = []
      this.waitingBytes = 0
      try {
        await this.append(lines)
      } catch {
        this.lost += lines.length
        // The next lines begin with a fresh handle: one does not recover from ENOSPC by itself.
        await this.handle?.close().catch(() => undefined)
        this.handle = null
      }
    }
    this.writing = null
  }

  private async append(lines: readonly string[]): Promise<void> {
    const told = this.lost > 0 ? [`${this.lost} lines are missing here: they could not be written`, ...lines] : lines
    const bytes = Buffer.from(`${told.join('\n')}\n`)
    const handle = await this.openFor(bytes.length)
    await handle.appendFile(bytes)
    this.size += bytes.length
    this.lost = 0
  }

  private async openFor(bytes: number): Promise<FileHandle> {
    const { path, maxBytes } = this.options
    if (this.handle === null) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      this.handle = await open(path, 'a', 0o600)
      this.size = (await this.handle.stat()).size
    }
    if (this.size === 0 || this.size + bytes <= maxBytes) return this.handle
    await this.handle.close()
    this.handle = null
    await this.turn()
    return await this.openFor(bytes)
  }

  private async turn(): Promise<void> {
    const { path, files } = this.options
    const names = Array.from({ length: files }, (_, age) => (age === 0 ? path : `${path}.${age}`))
    await rm(names.at(-1)!, { force: true })
    for (let age = files - 2; age >= 0; age--) {
      await rename(names[age]!, names[age + 1]!).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
    }
  }
}
