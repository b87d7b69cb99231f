import { mkdirSync, statfsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { say } from '../protocol/sentence.ts'
import { repositoryFolder } from './catalogue.ts'
import { chooseFiles } from './choose-files.ts'
import { hashFile } from './hash-file.ts'
import { type Hub, HubError, type HubFile } from './hub.ts'

export type PullTiming = {
  /** Before the first, second … try that follows one without progress; after the last of them it is given up. */
  retryMs: readonly number[]
}

export const PULL_TIMING: PullTiming = { retryMs: [1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000] }

export type PullFile = { name: string; bytes: number; total: number; done: boolean }

/** What is told while it goes on. */
export type PullEvents = {
  onFiles: (files: readonly PullFile[]) => void
  /** `null`: it goes on again. */
  onWait: (error: HubError | null) => void
  onVerify: (isVerifying: boolean) => void
}

type Job = {
  hub: Hub
  hubCache: string
  repo: string
  revision: string
  patterns: readonly string[]
  timing: PullTiming
  signal: AbortSignal
  /** Of a folder's disk. */
  freeBytes?: (folder: string) => number
} & PullEvents

/** Files that come at once: one connection seldom fills the line. */
const AT_ONCE = 3
/** Left for everybody else on the disk. */
const SPARE_BYTES = 512 * 2 ** 20

/**
 * Fetches a repository into the hub's cache as its own tools lay it out: content by its hash in `blobs`, links to it in
 * `snapshots/COMMIT`, and `refs/REVISION` last. A file gets its place only when its hash is right. Resolves with the
 * folder of the snapshot; rejects with HubError, or with the signal's reason.
 */
export async function pull(job: Job): Promise<string> {
  const { hub, repo, revision, patterns, signal } = job
  const listing = await again(job, async () => await hub.list(repo, revision, signal))
  const chosen = chooseFiles(listing.files, patterns, repo)
  const folder = join(job.hubCache, repositoryFolder(repo))
  const files: FileJob[] = []
  let unlock: (() => Promise<void>) | null = null
  try {
    unlock = await lock(folder, repo)
    files.push(...(await Promise.all(chosen.map(async (file) => await fileJob(folder, file)))))
    job.onFiles(files.map(({ told }) => told))
    checkRoom(job, folder, files)
    await fetchAll(job, listing.commit, files)
    const snapshot = join(folder, 'snapshots', listing.commit)
    for (const { file, blob } of files) await link(blob, join(snapshot, ...file.path.split('/')))
    await writeRef(folder, revision, listing.commit)
    return snapshot
  } catch (error) {
    throw explained(error, job, folder, files)
  } finally {
    await unlock?.()
  }
}

type FileJob = { file: HubFile; blob: string; part: string; told: PullFile }

async function fileJob(folder: string, file: HubFile): Promise<FileJob> {
  const blob = join(folder, 'blobs', file.hash.hex)
  const part = `${blob}.incomplete`
  const isThere = (await sizeOf(blob)) === file.size
  const bytes = isThere ? file.size : Math.min(file.size, (await sizeOf(part)) ?? 0)
  return { file, blob, part, told: { name: file.path, bytes, total: file.size, done: isThere } }
}

async function fetchAll(job: Job, commit: string, files: readonly FileJob[]): Promise<void> {
  const all = files.map(({ told }) => told)
  const tell = (): void => job.onFiles(all)
  tell()
  // The same content may have two names: it comes once.
  const waiting = [...new Map(files.filter(({ told }) => !told.done).map((one) => [one.blob, one])).values()]
  waiting.sort((one, other) => one.file.size - other.file.size)
  const stopped = new AbortController()
  const signal = AbortSignal.any([job.signal, stopped.signal])
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await fetchFile({ ...job, signal }, commit, next, tell)
      for (const same of files)
        if (same.blob === next.blob) Object.assign(same.told, { bytes: same.told.total, done: true })
      tell()
    }
  }
  const workers = Array.from({ length: AT_ONCE }, async () => {
    try {
      await worker()
    } catch (error) {
      // One that fails ends the others, and its reason is the one that is told.
      stopped.abort(error)
      throw error
    }
  })
  const failed = (await Promise.allSettled(workers)).find((end) => end.status === 'rejected')
  if (failed !== undefined) throw stopped.signal.aborted ? (stopped.signal.reason as Error) : failed.reason
}

async function fetchFile(job: Job, commit: string, own: FileJob, tell: () => void): Promise<void> {
  await mkdir(dirname(own.blob), { recursive: true })
  for (let tries = 1; ; tries++) {
    await again(
      job,
      async () => await fetchRest(job, commit, own, tell),
      () => own.told.bytes,
    )
    job.onVerify(true)
    const found = await hashFile(own.part, own.file.hash.kind, job.signal).finally(() => job.onVerify(false))
    if (found === own.file.hash.hex) break
    await rm(own.part, { force: true })
    own.told.bytes = 0
    if (tries >= 2) {
      throw new HubError(
        say`What comes as ${own.file.path} is not what the hub says it is: its hash is wrong, twice.`,
        say('A proxy or a mirror may change it; try again later, or set HF_ENDPOINT to another address.'),
      )
    }
  }
  await rename(own.part, own.blob)
}

/** From where it was cut off to its end, or to the next cut. */
async function fetchRest(job: Job, commit: string, own: FileJob, tell: () => void): Promise<void> {
  const { hub, repo, signal } = job
  const { file, part, told } = own
  const have = (await sizeOf(part)) ?? 0
  if (have > file.size) await rm(part, { force: true })
  let at = have > file.size ? 0 : have
  told.bytes = at
  if (at === file.size && at > 0) return
  const answer = await hub.open(repo, commit, file.path, at, signal)
  if (answer === null || answer.from > at) {
    await answer?.body.dump().catch(() => undefined)
    await rm(part, { force: true })
    throw new HubError(say`The hub does not go on where ${file.path} was cut off.`, null, { again: true })
  }
  at = answer.from
  const output = await open(part, at === 0 ? 'w' : 'r+')
  try {
    job.onWait(null)
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (at + chunk.length > file.size)
        throw new HubError(say`The hub sends more of ${file.path} than it has listed.`, null)
      // A disk that is nearly full takes the beginning of a piece.
      for (let written = 0; written < chunk.length; )
        written += (await output.write(chunk, written, chunk.length - written, at + written)).bytesWritten
      at += chunk.length
      told.bytes = at
      tell()
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof HubError || isDiskError(error)) throw error
    throw new HubError(say`The connection to the hub broke (${codeOf(error)}).`, say('Check the network.'), {
      again: true,
    })
  } finally {
    await output.close()
  }
  if (at < file.size)
    throw new HubError(say`The hub ended ${file.path} early.`, say('Try again later.'), { again: true })
}

/** Tries until it works, with growing waits between tries that brought nothing. */
async function again<Result>(job: Job, work: () => Promise<Result>, progress: () => number = () => 0): Promise<Result> {
  let idle = 0
  for (;;) {
    const before = progress()
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof HubError) || !error.again) throw error
      idle = progress() > before ? 0 : idle + 1
      const wait = job.timing.retryMs[Math.max(0, idle - 1)]
      if (wait === undefined) throw error
      job.onWait(error)
      await pause(error.afterMs ?? wait, undefined, { signal: job.signal })
    }
  }
}

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function checkRoom(job: Job, folder: string, files: readonly FileJob[]): void {
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  const needed = bytesToCome(files)
  if (needed > 0 && needed + SPARE_BYTES > (job.freeBytes ?? freeBytesOf)(folder)) throw fullDisk(job, folder, files)
}

function bytesToCome(files: readonly FileJob[]): number {
  return files.reduce((sum, { told }) => sum + told.total - told.bytes, 0)
}

/** Of a quota that is used up the disk may say that there is room. */
function fullDisk({ freeBytes = freeBytesOf }: Job, folder: string, files: readonly FileJob[]): HubError {
  const [more, spare] = [gib(bytesToCome(files)), gib(SPARE_BYTES)]
  return new HubError(
    files.length === 0
      ? say`The disk is full: ${folder}.`
      : say`The disk is full: ${more} more are needed in ${folder}, where ${gib(freeBytes(folder))} are free and ${spare} of them stay so.`,
    say('Make room (`lexora models rm`), and it goes on where it was; or set HF_HOME to another disk.'),
    { diskFull: true },
  )
}

/** A link as the hub's tools make it; where links are not allowed the file itself, as they do there. */
async function link(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
  try {
    await symlink(relative(dirname(path), blob), path)
  } catch (error) {
    if (!['EPERM', 'ENOSYS', 'EINVAL'].includes(codeOf(error))) throw error
    await rename(blob, path)
  }
}

async function writeRef(folder: string, revision: string, commit: string): Promise<void> {
  if (revision === commit) return
  const path = join(folder, 'refs', ...revision.split('/'))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.new`, commit)
  await rename(`${path}.new`, path)
}

/** Two programs would write into one file. One that is gone holds nothing. */
async function lock(folder: string, repo: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, 'lexora.lock')
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' })
      return async () => await rm(path, { force: true })
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => ''))
    if (holder > 0 && isAlive(holder)) {
      throw new HubError(
        say`Another Lexora (pid ${holder}) is fetching ${repo}.`,
        say('Wait for it, or cancel it there.'),
      )
    }
    await rm(path, { force: true })
  }
  throw new HubError(say`The folder of ${repo} is locked.`, say`Remove ${path}.`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

const DISK_FIXES: Record<string, string> = {
  EACCES: say('Give yourself the right to write there, or set HF_HOME to a folder of yours.'),
  EPERM: say('Give yourself the right to write there, or set HF_HOME to a folder of yours.'),
  EROFS: say('The disk is read-only: set HF_HOME to another one.'),
  EIO: say('The disk reports errors: check it.'),
  ENOTDIR: say('Something that is no folder is in the way.'),
  EEXIST: say('Something that is no folder is in the way.'),
}

const FULL = new Set(['ENOSPC', 'EDQUOT'])

function isDiskError(error: unknown): boolean {
  return FULL.has(codeOf(error)) || Object.hasOwn(DISK_FIXES, codeOf(error))
}

function explained(error: unknown, job: Job, folder: string, files: readonly FileJob[]): unknown {
  const code = codeOf(error)
  if (error instanceof HubError || !isDiskError(error)) return error
  if (FULL.has(code)) return fullDisk(job, folder, files)
  return new HubError(say`It cannot be written: ${folder} (${code}).`, DISK_FIXES[code]!)
}

function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException
  return code ?? name ?? 'error'
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.size ?? null
}

function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}
