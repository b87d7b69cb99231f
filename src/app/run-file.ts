import { randomBytes } from 'node:crypto'
import { constants, copyFileSync, linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { ensureDir } from '../config/paths.ts'
import { awakeTimer } from './awake-timer.ts'

/** What a running Lexora leaves for the faces of its user. */
export type RunRecord = {
  /** Of the first listener, without a path: `http://127.0.0.1:8001`. */
  address: string
  /** Opens the admin API, from this machine only. */
  token: string
  pid: number
  /** When the process began, as the system counts it; null where it does not tell. Pids are used again, this is not. */
  process: string | null
  startedAt: string
  version: string
  /** What it shows of itself where it speaks TLS, PEM: who can read this file need not ask anybody else. */
  certificate?: string | null
}

export type Found = { is: 'running'; record: RunRecord } | { is: 'absent' } | { is: 'refused'; reason: string }

const REACH_MS = 1000

/**
 * The run file of one Lexora (DESIGN 3): written when it listens, gone when it has stopped. Where another one of the
 * same user holds the name already, that one keeps it, and this one goes without.
 */
export class RunFile {
  private readonly path: string
  /** The session that the gateway is to accept. */
  readonly token = randomBytes(32).toString('base64url')

  constructor(path: string) {
    this.path = path
  }

  /** Null when it is ours now, else who holds it. Rejects where it cannot be written. */
  async claim(record: Pick<RunRecord, 'address' | 'startedAt' | 'version' | 'certificate'>): Promise<RunRecord | null> {
    ensureDir(dirname(this.path))
    const seen = readText(this.path)
    const holder = await readLive(this.path)
    if (holder !== null) return holder
    const own = { ...record, token: this.token, pid: process.pid, process: processIdentity(process.pid) }
    const draft = `${this.path}.${process.pid}`
    rmSync(draft, { force: true })
    writeFileSync(draft, `${JSON.stringify(own)}\n`, { mode: 0o600, flag: 'wx' })
    // What was seen is stale. Another one may have claimed the name since; a link never replaces, so that one wins.
    if (seen !== null && readText(this.path) === seen) rmSync(this.path, { force: true })
    linkOrCopy(draft, this.path)
    rmSync(draft, { force: true })
    const winner = parseRecord(readText(this.path))
    if (winner === null) throw new Error(`${this.path} cannot be replaced`)
    return winner.token === this.token ? null : winner
  }

  /** It serves elsewhere now, or shows another certificate. Nothing where the file is not ours. */
  move(to: Pick<RunRecord, 'address' | 'certificate'>): void {
    const record = parseRecord(readText(this.path))
    if (record?.token !== this.token) return
    const draft = `${this.path}.${process.pid}`
    rmSync(draft, { force: true })
    writeFileSync(draft, `${JSON.stringify({ ...record, ...to })}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(draft, this.path)
  }

  /** Removes it if it is ours. Synchronous, so that it still runs when the process is about to exit. */
  release(): void {
    if (parseRecord(readText(this.path))?.token === this.token) rmSync(this.path, { force: true })
  }
}

/** Who serves for this user, as the run file says and the system confirms. A file that others could read or write is not believed. */
export async function findRunning(path: string): Promise<Found> {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return { is: 'absent' }
  if (process.platform !== 'win32') {
    if (stat.uid !== process.getuid?.()) return { is: 'refused', reason: `${path} belongs to another user` }
    if ((stat.mode & 0o077) !== 0)
      return { is: 'refused', reason: `${path} is open to other users; start Lexora again, which writes it anew` }
  }
  const record = await readLive(path)
  return record === null ? { is: 'absent' } : { is: 'running', record }
}

async function readLive(path: string): Promise<RunRecord | null> {
  const record = parseRecord(readText(path))
  return record !== null && isAlive(record) && (await answers(record.address)) ? record : null
}

/** `link` never replaces; where a file system has no links, neither does this copy. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
    copyFileSync(from, to, constants.COPYFILE_EXCL)
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Not there, gone between two looks, or not ours to read.
    return null
  }
}

/** Null for one that was cut off when the machine went down, too. */
function parseRecord(text: string | null): RunRecord | null {
  try {
    const record: unknown = JSON.parse(text ?? '')
    return isRecord(record) ? record : null
  } catch {
    return null
  }
}

function isRecord(value: unknown): value is RunRecord {
  if (typeof value !== 'object' || value === null) return false
  const { address, token, pid } = value as Partial<RunRecord>
  return typeof address === 'string' && URL.canParse(address) && typeof token === 'string' && Number.isInteger(pid)
}

function isAlive({ pid, process: identity }: RunRecord): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    // Gone (ESRCH), or of another user by now (EPERM).
    return false
  }
  return identity === null || identity === processIdentity(pid)
}

/** Boot and start tick of a process (man 5 proc), or null where the system does not tell. */
function processIdentity(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in field 2 may hold spaces and brackets; the start time is field 22.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return ticks === undefined ? null : `${boot}:${ticks}`
  } catch {
    return null
  }
}

/** A pid that is alive may be another program's where the system tells no start time: then nobody listens there. */
async function answers(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address)
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 80 })
    const tell = (is: boolean): void => {
      rest()
      socket.destroy()
      resolve(is)
    }
    // A desktop app is busy for seconds while it starts, and would serve a second time.
    const rest = awakeTimer(REACH_MS, () => tell(false))
    socket.once('connect', () => tell(true))
    socket.once('error', () => tell(false))
  })
}
