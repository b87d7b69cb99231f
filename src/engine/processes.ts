import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** A process for sure: a pid alone may be somebody else's by now, but not one that began at the same moment. */
export type ProcessId = { pid: number; startTime: string }

export type ProcessInfo = ProcessId & {
  parent: number
  group: number
  session: number
  /** As the kernel shows it, at most 15 letters on Linux. */
  program: string
  /** Ended, and only not waited for: it holds nothing any more. */
  isZombie: boolean
  cpuMs: number
}

/** Field 14 and 15 of /proc/PID/stat count in these, on every Linux that Node runs on (man 5 proc, USER_HZ). */
const MS_PER_TICK = 10

/** All processes of the machine. Empty on Windows, where the tree is ended by `taskkill`. */
export function listProcesses(): ProcessInfo[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readProcess(Number(name)) ?? []) : []))
  }
  return process.platform === 'win32' ? [] : listByPs([])
}

export function readProcess(pid: number): ProcessInfo | null {
  if (process.platform !== 'linux') return process.platform === 'win32' ? null : (listByPs([pid])[0] ?? null)
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return null
  }
}

/** man 5 proc; the name in parentheses may hold spaces and parentheses. */
function parseStat(pid: number, stat: string): ProcessInfo {
  const nameEnds = stat.lastIndexOf(')')
  const fields = stat.slice(nameEnds + 2).split(' ')
  return {
    pid,
    startTime: fields[19]!,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    program: stat.slice(stat.indexOf('(') + 1, nameEnds),
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
  }
}

/** For systems without /proc. `lstart` has seconds only, which is enough beside the pid. */
function listByPs(pids: readonly number[]): ProcessInfo[] {
  const which = pids.length > 0 ? ['-p', pids.join(',')] : ['-A']
  try {
    const text = execFileSync('ps', [...which, '-o', 'pid=,ppid=,pgid=,sess=,stat=,time=,lstart=,comm='], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return text.split('\n').flatMap((line) => parsePs(line) ?? [])
  } catch {
    // `ps -p` of nobody exits with 1.
    return []
  }
}

function parsePs(line: string): ProcessInfo | null {
  const found = /^\s*(\d+) +(\d+) +(\d+) +(\S+) +(\S+) +([\d:.-]+) +(\w{3} +\w{3} +\d+ +[\d:]+ +\d{4}) +(.*)$/.exec(
    line,
  )
  if (found === null) return null
  const [, pid, parent, group, session, stat = '', time = '', startTime = '', command = ''] = found
  const [seconds = 0, minutes = 0, hours = 0] = time.split(/[:-]/).toReversed().map(Number)
  return {
    pid: Number(pid),
    startTime,
    parent: Number(parent),
    group: Number(group),
    session: Number(session) || 0,
    program: command.slice(command.lastIndexOf('/') + 1),
    isZombie: stat.startsWith('Z'),
    cpuMs: ((hours * 60 + minutes) * 60 + seconds) * 1000,
  }
}

export function isAlive({ pid, startTime }: ProcessId): boolean {
  const found = readProcess(pid)
  return found !== null && found.startTime === startTime && !found.isZombie
}

/** Tells the boots of this machine apart: after another one no recorded pid means anything. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // To the minute, since the clock may be set while it runs.
    return `up-since-${Math.round((Date.now() / 1000 - uptime()) / 60)}`
  }
}

/** Whether it was started with this variable, where the system shows that: to its own user, on Linux. */
export function hasVariable(pid: number, assignment: string): boolean {
  if (process.platform !== 'linux') return false
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${assignment}\0`)
  } catch {
    return false
  }
}

/** Files below /dev/shm that a process has mapped. */
export function sharedMemoryOf(pid: number): string[] {
  if (process.platform !== 'linux') return []
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'latin1')
    return [...new Set([...maps.matchAll(/ (\/dev\/shm\/[^/\n]+?)(?: \(deleted\))?$/gm)].map(([, path]) => path!))]
  } catch {
    return []
  }
}
