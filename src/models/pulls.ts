import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isPullOpen, type PullView } from '../protocol/models.ts'
import { say } from '../protocol/sentence.ts'
import { parseRepository } from './choose-files.ts'
import { type Hub, HubError } from './hub.ts'
import { type PullFile, type PullTiming, pull } from './pull.ts'

export type PullsOptions = {
  /** Made anew for each pull, since a token may come meanwhile. Throws HubError while nothing may be fetched. */
  hub: () => Hub
  /** Why nothing may be fetched now; null: it may. Then pulls wait. */
  off?: () => HubError | null
  hubCache: string
  /** Where unfinished pulls are written down, so that a restart goes on with them; null: nowhere. */
  journal: string | null
  timing: PullTiming
  /** Of a folder's disk; for tests. */
  freeBytes?: (folder: string) => number
  /** Told when one has ended well: there is a new model. */
  onDone: (repo: string) => void
  onFailed: (repo: string, cause: string) => void
  /** The disk is full: it waits until somebody resumes it. */
  onFull: (repo: string, cause: string) => void
}

type Wanted = {
  id: string
  repo: string
  revision: string
  patterns: string[]
  held?: boolean
  problem?: PullView['problem']
}
type Entry = Wanted & {
  state: PullView['state']
  files: readonly PullFile[]
  problem: PullView['problem']
  verifying: number
  cancel: AbortController
  /** Where the rate is counted from. */
  mark: { at: number; bytes: number }
  rate: number | null
}

const KEPT = 20
const MAX_WAITING = 50
const RATE_MS = 3000
const NO_RATE = { rate: null, mark: { at: 0, bytes: 0 } }

/** All pulls of this process, one after another. They end with it, and go on with the next one. */
export class Pulls {
  private readonly options: PullsOptions
  private readonly entries = new Map<string, Entry>()
  private running: Promise<void> | null = null
  private closing = false

  constructor(options: PullsOptions) {
    this.options = options
    for (const wanted of readJournal(options.journal)) this.enter(wanted)
    this.next()
  }

  /** Throws HubError for what cannot be one. A second ask for the same is the first one. */
  add(asked: { repo: string; revision: string; files: readonly string[] }): PullView {
    const { repo, patterns: named } = parseRepository(asked.repo)
    const patterns = [...named, ...asked.files]
    if (this.off !== null) throw this.off
    const same = [...this.entries.values()].find(
      (one) =>
        isPullOpen(one) &&
        one.repo === repo &&
        one.revision === asked.revision &&
        String(one.patterns) === String(patterns),
    )
    if (same !== undefined) return this.resume(same.id)!
    if (this.open.length >= MAX_WAITING)
      throw new HubError(say`${MAX_WAITING} pulls wait already.`, say('Cancel some of them.'))
    const entry = this.enter({ id: randomBytes(4).toString('hex'), repo, revision: asked.revision, patterns })
    this.write()
    this.next()
    return this.viewOf(entry)
  }

  /** Undefined: there is none of that id. What has come stays for the next try. */
  cancel(id: string): PullView | undefined {
    const entry = this.entries.get(id)
    if (entry === undefined) return undefined
    if (isPullOpen(entry)) {
      entry.state = 'cancelled'
      entry.cancel.abort(new Error('cancelled'))
      this.write()
    }
    return this.viewOf(entry)
  }

  /** It waits until somebody resumes it, whatever happens to this process. Undefined: there is none of that id. */
  pause(id: string): PullView | undefined {
    const entry = this.entries.get(id)
    if (entry !== undefined && isPullOpen(entry) && entry.state !== 'held') {
      Object.assign(entry, { state: 'held', problem: null, ...NO_RATE })
      entry.cancel.abort(new Error('held'))
      this.write()
    }
    return entry && this.viewOf(entry)
  }

  /** Undefined: there is none of that id. */
  resume(id: string): PullView | undefined {
    const entry = this.entries.get(id)
    if (entry?.state === 'held') {
      Object.assign(entry, { state: 'queued', problem: null, cancel: new AbortController() })
      this.write()
      this.next()
    }
    return entry && this.viewOf(entry)
  }

  /** What may be fetched has changed: what runs waits from now on, or what waits goes on. */
  offChanged(): void {
    if (this.off === null) return this.next()
    this.putBack()
  }

  /** What runs stops, and goes on where it was once it has its turn. */
  putBack(): void {
    for (const entry of this.open) {
      if (entry.state !== 'running' && entry.state !== 'paused') continue
      entry.cancel.abort(new Error('off'))
      Object.assign(entry, { state: 'queued', problem: null, ...NO_RATE, cancel: new AbortController() })
    }
  }

  views(): PullView[] {
    return [...this.entries.values()].map((entry) => this.viewOf(entry))
  }

  /** Those that are not over. */
  get open(): Entry[] {
    return [...this.entries.values()].filter(isPullOpen)
  }

  private get off(): HubError | null {
    return this.options.off?.() ?? null
  }

  /** Ends what runs; the journal keeps it. */
  async close(): Promise<void> {
    this.closing = true
    for (const entry of this.open) entry.cancel.abort(new Error('closing'))
    await this.running
  }

  private enter({ held = false, problem = null, ...wanted }: Wanted): Entry {
    const entry: Entry = {
      ...wanted,
      state: held ? 'held' : 'queued',
      files: [],
      problem,
      verifying: 0,
      cancel: new AbortController(),
      ...NO_RATE,
    }
    this.entries.set(entry.id, entry)
    for (const old of [...this.entries.values()].filter((one) => !isPullOpen(one)).slice(0, -KEPT))
      this.entries.delete(old.id)
    return entry
  }

  private next(): void {
    if (this.running !== null || this.closing || this.off !== null) return
    const entry = this.open.find(({ state }) => state === 'queued')
    if (entry === undefined) return
    this.running = this.run(entry).finally(() => {
      this.running = null
      this.next()
    })
  }

  private async run(entry: Entry): Promise<void> {
    // A pull that is held and resumed gets another one, while this run may still be ending.
    const { repo, revision, patterns, cancel } = entry
    const { hubCache, timing, freeBytes } = this.options
    entry.state = 'running'
    try {
      await pull({
        hub: this.options.hub(),
        hubCache,
        repo,
        revision,
        patterns,
        timing,
        ...(freeBytes === undefined ? {} : { freeBytes }),
        signal: cancel.signal,
        onFiles: (files) => {
          if (!cancel.signal.aborted) measure(entry, files)
        },
        onWait: (error) => {
          if (cancel.signal.aborted) return
          entry.state = error === null ? 'running' : 'paused'
          entry.problem = error === null ? null : problemOf(error)
        },
        onVerify: (isVerifying) => {
          entry.verifying += isVerifying ? 1 : -1
        },
      })
      Object.assign(entry, { state: 'done', problem: null })
      this.options.onDone(repo)
    } catch (error) {
      // Cancelled or held it says so already; of one that a closing ends, the journal knows.
      if (cancel.signal.aborted) return
      const problem = problemOf(error)
      const isFull = error instanceof HubError && error.diskFull
      Object.assign(entry, { state: isFull ? 'held' : 'failed', problem, ...NO_RATE })
      if (isFull) this.options.onFull(repo, problem.cause)
      else this.options.onFailed(repo, problem.cause)
    } finally {
      if (!this.closing) this.write()
    }
  }

  private viewOf(entry: Entry): PullView {
    const { id, repo, revision, files, rate } = entry
    const off = entry.state === 'queued' ? this.off : null
    const problem = off === null ? entry.problem : problemOf(off)
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    const total = files.length > 0 ? files.reduce((sum, file) => sum + file.total, 0) : null
    const isRunning = entry.state === 'running'
    const left = files.length > 0 && files.every((file) => file.bytes === file.total || file.done)
    const state = off !== null ? 'paused' : isRunning && entry.verifying > 0 && left ? 'verifying' : entry.state
    const bytesPerSecond = isRunning && rate !== null ? Math.round(rate) : null
    return {
      id,
      repo,
      revision,
      state,
      bytes,
      total,
      bytesPerSecond,
      etaSeconds: bytesPerSecond && total !== null ? Math.ceil((total - bytes) / bytesPerSecond) : null,
      files: files.map((file) => ({ ...file })),
      problem,
      ...(off === null ? {} : { offline: true }),
    }
  }

  private write(): void {
    const { journal } = this.options
    if (journal === null) return
    const open = this.open.map(({ id, repo, revision, patterns, state, problem }) => ({
      ...{ id, repo, revision, patterns },
      ...(state === 'held' ? { held: true, problem } : {}),
    }))
    try {
      if (open.length === 0) return rmSync(journal, { force: true })
      mkdirSync(dirname(journal), { recursive: true, mode: 0o700 })
      writeFileSync(`${journal}.new`, JSON.stringify(open), { mode: 0o600 })
      renameSync(`${journal}.new`, journal)
    } catch {
      // It only costs that a restart does not go on by itself.
    }
  }
}

/** A moving rate: half of it is the last three seconds. */
function measure(entry: Entry, files: readonly PullFile[]): void {
  entry.files = files
  const now = performance.now()
  const { mark, rate } = entry
  const since = now - mark.at
  // Every piece that comes asks; few of them may cost something.
  if (mark.at > 0 && since < (rate === null ? RATE_MS / 10 : RATE_MS)) return
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  if (mark.at > 0) {
    const latest = (1000 * Math.max(0, bytes - mark.bytes)) / since
    entry.rate = rate === null ? latest : (rate + latest) / 2
  }
  entry.mark = { at: now, bytes }
}

function problemOf(error: unknown): NonNullable<PullView['problem']> {
  if (error instanceof HubError)
    return { cause: error.message, fix: error.fix, ...(error.terms === null ? {} : { terms: error.terms }) }
  return { cause: `It failed unexpectedly: ${error instanceof Error ? error.message : String(error)}`, fix: null }
}

/** A journal that cannot be read, or that somebody else wrote, is none. */
function readJournal(path: string | null): Wanted[] {
  if (path === null) return []
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return (Array.isArray(found) ? found : []).flatMap((one: Partial<Wanted> | null) => {
      const { id, repo, revision, patterns, held, problem } = one ?? {}
      const isWhole =
        typeof id === 'string' && typeof repo === 'string' && typeof revision === 'string' && Array.isArray(patterns)
      if (!isWhole) return []
      const wanted = { id, repo: parseRepository(repo).repo, revision, patterns: patterns.map(String) }
      return [{ ...wanted, held: held === true, problem: held === true ? readProblem(problem) : null }]
    })
  } catch {
    return []
  }
}

function readProblem(found: unknown): PullView['problem'] {
  const { cause, fix } = (found ?? {}) as Record<string, unknown>
  return typeof cause === 'string' ? { cause, fix: typeof fix === 'string' ? fix : null } : null
}
