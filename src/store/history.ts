import { rm } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { BackupReport, HistoryRow, ReasonRow, UsageRow } from '../protocol/users.ts'
import type { Outcome } from '../telemetry/outcome.ts'
import type { Prepared, StoreFiles } from './backup.ts'
import { BatchWriter } from './history-batch.ts'
import type { HistoryBounds, HistoryQuery, Memory, ReasonsQuery, UsageQuery } from './history-tables.ts'
import type { FromWorker, Question, ToWorker, WorkerStart } from './history-worker.ts'

/** A crash costs what came since the last time, so less than a second of it. */
const FLUSH_MS = 500
const FLUSH_ROWS = 2000
/** On their way to a disk that does not keep up: beyond these they are dropped and counted. */
const MAX_UNWRITTEN = 50_000
const RESTART_MS = 5000
const CLOSE_MS = 5000

export type HistoryState = { failing: string | null; dropped: number }

export type HistoryOptions = {
  /** The thread's program. */
  entry: string
  path: string
  bounds: HistoryBounds
  /** Told when writing begins to fail, for another reason than before, and when it works again. */
  onState: (state: HistoryState) => void
  onSetAside: (keptAs: string, reason: string) => void
}

/**
 * What has happened, kept by a thread of its own. To record a request costs some numbers in a buffer; the buffer is
 * handed over twice a second.
 */
export class History {
  private readonly options: HistoryOptions
  private readonly writer = new BatchWriter()
  private worker: Worker | null = null
  private startedAt = Number.NEGATIVE_INFINITY
  private timer: NodeJS.Timeout | null = null
  private unwritten = 0
  private current: HistoryState = { failing: null, dropped: 0 }
  private readonly asked = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  private questions = 0
  private closing = false

  constructor(options: HistoryOptions) {
    this.options = options
    this.start()
  }

  get state(): HistoryState {
    return this.current
  }

  get path(): string {
    return this.options.path
  }

  /** `atMs`: milliseconds since 1970. `isKnown`: the operator knows its user. `engineModel`: what the engine that had it runs. */
  record(outcome: Outcome, atMs: number, isKnown: boolean, engineModel: string | null = null): void {
    if (this.unwritten >= MAX_UNWRITTEN) {
      this.current = { ...this.current, dropped: this.current.dropped + 1 }
      return
    }
    this.unwritten++
    this.writer.add(outcome, atMs, isKnown, engineModel)
    if (this.writer.count >= FLUSH_ROWS) this.flush()
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref()
  }

  async requests(query: HistoryQuery): Promise<{ rows: HistoryRow[]; next: string | null }> {
    return (await this.ask({ about: 'requests', query })) as { rows: HistoryRow[]; next: string | null }
  }

  async usage(query: UsageQuery): Promise<UsageRow[]> {
    return (await this.ask({ about: 'usage', query })) as UsageRow[]
  }

  async reasons(query: ReasonsQuery): Promise<ReasonRow[]> {
    return (await this.ask({ about: 'reasons', query })) as ReasonRow[]
  }

  async memory(nowMs: number): Promise<Memory> {
    return (await this.ask({ about: 'memory', nowMs })) as Memory
  }

  /** Forgets single requests, and gives their place on the disk back. What users have used stays counted. */
  async clear(): Promise<void> {
    await this.ask({ about: 'clear' })
  }

  /** Rejects with the reason in words for who named the file. */
  async backup(files: StoreFiles, file: string): Promise<BackupReport> {
    return (await this.ask({ about: 'backup', files, file })) as BackupReport
  }

  async prepareRestore(file: string, folder: string): Promise<Prepared> {
    return (await this.ask({ about: 'prepare', file, folder })) as Prepared
  }

  async restore(prepared: Prepared): Promise<void> {
    await this.ask({ about: 'restore', prepared })
  }

  /** The copy that a restore was made from. */
  async discard({ copy }: Prepared): Promise<void> {
    await rm(copy, { force: true })
  }

  /** Has everything on the disk, or gives up after a while. */
  async close(): Promise<void> {
    this.flush()
    this.closing = true
    const { worker } = this
    if (worker === null) return
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    this.send({ do: 'close' })
    const timer = setTimeout(() => void worker.terminate(), CLOSE_MS)
    await ended
    clearTimeout(timer)
  }

  private start(): void {
    const { entry, path, bounds } = this.options
    this.startedAt = performance.now()
    const workerData: WorkerStart = { path, bounds }
    // It needs nothing of the environment, which holds secrets.
    const worker = new Worker(entry, { workerData, env: {}, execArgv: [], name: 'history' })
    worker.unref()
    worker.on('message', (message: FromWorker) => this.hear(message))
    worker.on('error', (error) => this.setFailing((error as Error).message))
    worker.on('exit', () => {
      if (this.worker === worker) this.worker = null
      for (const { reject } of this.asked.values()) reject(new Error(this.current.failing ?? 'the history is closed'))
      this.asked.clear()
      this.drop(this.unwritten - this.writer.count)
    })
    this.worker = worker
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    if (this.writer.count === 0) return
    this.restart()
    const batch = this.writer.take()
    if (this.worker === null) this.drop(batch.count)
    else this.worker.postMessage({ do: 'write', batch } satisfies ToWorker, [batch.numbers.buffer, batch.ids.buffer])
  }

  /** A thread that ended is started again, but not in a hurry. */
  private restart(): void {
    if (this.worker === null && !this.closing && performance.now() - this.startedAt >= RESTART_MS) this.start()
  }

  private hear(message: FromWorker): void {
    switch (message.is) {
      case 'written':
        this.unwritten -= message.count
        this.writer.reuse(message.memory)
        if (message.failing !== null) this.current = { ...this.current, dropped: this.current.dropped + message.count }
        return this.setFailing(message.failing)
      case 'set-aside':
        return this.options.onSetAside(message.keptAs, message.reason)
      case 'answer':
        this.asked.get(message.id)?.resolve(message.result)
        break
      case 'refused':
        this.asked.get(message.id)?.reject(new Error(message.message))
    }
    this.asked.delete(message.id)
    if (this.asked.size === 0) this.worker?.unref()
  }

  private async ask(question: Question): Promise<unknown> {
    this.flush()
    this.restart()
    if (this.worker === null) throw new Error(this.current.failing ?? 'the history is closed')
    const id = ++this.questions
    return await new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject })
      this.worker!.ref()
      this.send({ do: 'answer', id, question })
    })
  }

  private send(message: ToWorker): void {
    this.worker?.postMessage(message)
  }

  private drop(count: number): void {
    this.unwritten -= count
    this.current = { ...this.current, dropped: this.current.dropped + count }
  }

  private setFailing(failing: string | null): void {
    if (failing === this.current.failing) return
    this.current = { ...this.current, failing }
    this.options.onState(this.current)
  }
}
