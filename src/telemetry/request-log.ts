import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LineBuffer } from './line-buffer.ts'
import type { Outcome } from './outcome.ts'

const FLUSH_MS = 250
/** Some 700 lines: a batch wakes threads twice, which at a quarter of that cost 4 % of a request under full load. */
const BUFFER_BYTES = 256 * 1024
/** For a disk that does not keep up. */
const MAX_BUFFERS = 16
/** Beyond one that is filled and one that is written, none is needed where a disk keeps up. */
const MAX_SPARE = 2
const FILE_NAME = /^requests-(\d{8})(?:\.(\d+))?\.jsonl$/
/** One file, and all of them together, whatever `keepDays` says: a loop of errors must not fill the disk. */
const MAX_FILE_BYTES = 256 * 1024 * 1024
const MAX_ALL_BYTES = 2 * 1024 * 1024 * 1024
const DAY_MS = 86_400_000

export type RequestLogState = { failing: string | null; dropped: number }

/**
 * One JSON line per request in `requests-YYYYMMDD.jsonl` (days are UTC), written in batches off the request path and
 * kept `keepDays`, but no more than a bound of bytes: a file that is full becomes `requests-YYYYMMDD.1.jsonl`, and the
 * oldest go first. Who renames or removes the file finds a new one at its place. A disk that is full or gone costs lines, never requests: it is told once, retried, and counted.
 */
export class RequestLog {
  private readonly dir: string
  private readonly keepDays: number
  private readonly onState: (state: RequestLogState) => void
  private filling = new LineBuffer(new ArrayBuffer(BUFFER_BYTES))
  private readonly full: LineBuffer[] = []
  private readonly spare: LineBuffer[] = []
  /** Buffers that are full, or are being written. */
  private held = 0
  private isWriting = false
  private timer: NodeJS.Timeout | null = null
  private writing: Promise<void> = Promise.resolve()
  private file: { day: string; handle: FileHandle; inode: number; size: number } | null = null
  private current: RequestLogState = { failing: null, dropped: 0 }

  private readonly maxBytes: { file: number; all: number }

  constructor(options: {
    dir: string
    keepDays: number
    onState: (state: RequestLogState) => void
    maxBytes?: { file: number; all: number }
  }) {
    this.dir = options.dir
    this.keepDays = options.keepDays
    this.maxBytes = options.maxBytes ?? { file: MAX_FILE_BYTES, all: MAX_ALL_BYTES }
    this.onState = options.onState
  }

  get state(): RequestLogState {
    return this.current
  }

  record(outcome: Outcome, at: Date): void {
    const line = logLine(outcome, at)
    if (!this.filling.add(line) && !this.addToNext(line)) {
      this.current = { ...this.current, dropped: this.current.dropped + 1 }
      return
    }
    if (this.full.length > 0 && !this.isWriting) this.flush()
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_MS)
  }

  private addToNext(line: string): boolean {
    if (this.held >= MAX_BUFFERS) return false
    this.setAside()
    if (!this.filling.add(line)) {
      this.filling.growFor(line)
      this.filling.add(line)
    }
    return true
  }

  private setAside(): void {
    if (this.filling.count === 0) return
    this.full.push(this.filling)
    this.held++
    this.filling = this.spare.pop() ?? new LineBuffer(new ArrayBuffer(BUFFER_BYTES))
  }

  /** Writes what is held and closes the file. */
  async close(): Promise<void> {
    await this.writing
    this.flush()
    await this.writing
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    await this.file?.handle.close()
    this.file = null
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    if (this.isWriting) return
    this.setAside()
    this.isWriting = true
    this.writing = this.writeAll().finally(() => {
      this.isWriting = false
      if (this.filling.count > 0) this.timer ??= setTimeout(() => this.flush(), FLUSH_MS)
    })
  }

  /** Until nothing waits. */
  private async writeAll(): Promise<void> {
    for (let buffer = this.full.shift(); buffer !== undefined; buffer = this.full.shift()) {
      await this.write(buffer, new Date())
      this.held--
      buffer.clear()
      if (this.spare.length < MAX_SPARE) this.spare.push(buffer)
    }
  }

  private async write(buffer: LineBuffer, now: Date): Promise<void> {
    try {
      const handle = await this.openFor(now.toISOString().slice(0, 10).replaceAll('-', ''))
      const bytes = buffer.read()
      await handle.appendFile(bytes)
      this.file!.size += bytes.length
      if (this.current.failing !== null) this.setState({ ...this.current, failing: null })
    } catch (error) {
      // The next batch starts from a fresh handle: a stream or handle does not recover from ENOSPC by itself.
      await this.file?.handle.close().catch(() => undefined)
      this.file = null
      const reason = (error as NodeJS.ErrnoException).code ?? String(error)
      const state = { failing: reason, dropped: this.current.dropped + buffer.count }
      if (this.current.failing === reason) this.current = state
      else this.setState(state)
    }
  }

  private setState(state: RequestLogState): void {
    this.current = state
    this.onState(state)
  }

  private async openFor(day: string): Promise<FileHandle> {
    const path = join(this.dir, `requests-${day}.jsonl`)
    if (this.file?.day === day && this.file.size < this.maxBytes.file) {
      // logrotate and people rename or remove it; what is written must be where they look.
      const there = await stat(path).catch(() => null)
      if (there?.ino === this.file.inode) return this.file.handle
    }
    await this.file?.handle.close()
    this.file = null
    await mkdir(this.dir, { recursive: true, mode: 0o700 })
    await this.setAsideFull(path, day)
    const handle = await open(path, 'a', 0o600)
    const { ino, size } = await handle.stat()
    this.file = { day, handle, inode: ino, size }
    await this.removeOld(new Date())
    return handle
  }

  private async setAsideFull(path: string, day: string): Promise<void> {
    const there = await stat(path).catch(() => null)
    if (there === null || there.size < this.maxBytes.file) return
    const taken = (await this.files()).filter((file) => file.day === day).map(({ part }) => part)
    const next = 1 + Math.max(0, ...taken.filter((part) => part !== Number.POSITIVE_INFINITY))
    await rename(path, join(this.dir, `requests-${day}.${next}.jsonl`))
  }

  /** The oldest first; the one that is written is the last part of its day. */
  private async files(): Promise<{ name: string; day: string; part: number }[]> {
    const found = (await readdir(this.dir)).flatMap((name) => {
      const [, day, part] = FILE_NAME.exec(name) ?? []
      return day === undefined
        ? []
        : [{ name, day, part: part === undefined ? Number.POSITIVE_INFINITY : Number(part) }]
    })
    return found.sort((a, b) => (a.day === b.day ? a.part - b.part : a.day < b.day ? -1 : 1))
  }

  private async removeOld(now: Date): Promise<void> {
    const oldest = new Date(now.getTime() - this.keepDays * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
    const files = await this.files()
    let room = this.maxBytes.all - this.maxBytes.file
    for (const { name, day, part } of files.reverse()) {
      const path = join(this.dir, name)
      const isOpen = part === Number.POSITIVE_INFINITY && day === this.file?.day
      if (!isOpen) room -= (await stat(path).catch(() => null))?.size ?? 0
      if (day < oldest || room < 0) await rm(path, { force: true })
    }
  }
}

/** The line as text: JSON.stringify over a second object of twenty fields cost as much as the rest of the bookkeeping. */
function logLine(outcome: Outcome, at: Date): string {
  const { usage } = outcome
  return (
    `{"ts":"${isoTime(at)}","req_id":${text(outcome.reqId)},"user":${user(outcome.user)},"key_id":${keyId(outcome.keyId)},` +
    `"task":${task(outcome.task)},"model":${model(outcome.model)},"backend":${backend(outcome.backend)},` +
    `"endpoint":"${outcome.endpoint}","stream":${outcome.stream},"status":${outcome.status},"outcome":"${outcome.outcome}",` +
    `"ok":${outcome.outcome === 'ok'},"error":${text(outcome.error)},"retries":${outcome.retries.length},` +
    `"fallback":${outcome.fallbacks.length > 0},"queue_ms":${Math.round(outcome.queueMs)},` +
    `"ttft_ms":${outcome.ttftMs === null ? null : Math.round(outcome.ttftMs)},"latency_ms":${Math.round(outcome.latencyMs)},` +
    `"usage_prompt":${usage?.prompt ?? null},"usage_completion":${usage?.completion ?? null},"usage_cached":${usage?.cached ?? null}}`
  )
}

let prefix = { second: Number.NaN, text: '' }

/** As toISOString, which takes longer than all the rest of the line; most lines share their second with the one before. */
function isoTime(at: Date): string {
  const ms = at.getTime()
  const second = Math.floor(ms / 1000)
  if (second !== prefix.second) prefix = { second, text: at.toISOString().slice(0, 20) }
  return `${prefix.text}${String(ms - second * 1000).padStart(3, '0')}Z`
}

const PLAIN = /^[\w./:@ -]*$/

const [user, keyId, task, model, backend] = [remembered(), remembered(), remembered(), remembered(), remembered()]

/** Most lines say what the one before said. */
function remembered(): typeof text {
  let last = { value: null as string | null, text: 'null' }
  return (value) => {
    if (value !== last.value) last = { value, text: text(value) }
    return last.text
  }
}

function text(value: string | null): string {
  if (value === null) return 'null'
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)
}
