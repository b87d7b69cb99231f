/** What Linux says of processes, cores and sockets. Everything the bench claims about cost is read here. */
import { readdirSync, readFileSync } from 'node:fs'

/** Ticks of /proc/PID/stat per second: AT_CLKTCK of the auxiliary vector, so no tool and no guess is needed. */
function clockTicksPerSecond(): number {
  const AT_CLKTCK = 17n
  const auxv = readFileSync('/proc/self/auxv')
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readBigUInt64LE(at) === AT_CLKTCK) return Number(auxv.readBigUInt64LE(at + 8))
  }
  throw new Error('/proc/self/auxv names no clock tick')
}

/** `reapedUs`: of the children it has waited for. */
type Stat = { parent: number; us: number; reapedUs: number }

const US_PER_TICK = 1e6 / clockTicksPerSecond()

/** The fields after the name, which stands in parentheses and may hold blanks. */
function readStat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // 14-17 in proc(5): user and system, of itself and of the children it has waited for
    const [user = 0, system = 0, childrensUser = 0, childrensSystem = 0] = fields.slice(11, 15).map(Number)
    const own = threadMicroseconds(pid) ?? (user + system) * US_PER_TICK
    return { parent: Number(fields[1]), us: own, reapedUs: (childrensUser + childrensSystem) * US_PER_TICK }
  } catch {
    return null // it ended between the listing and the reading
  }
}

/**
 * To the nanosecond, where the kernel counts so: the ticks of `stat` are samples, and a program that wakes by a timer
 * is awake when they are taken. A thread that has ended is not in it. Null where the kernel does not tell.
 */
function threadMicroseconds(pid: number): number | null {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0])
    } catch {
      return null
    }
  }
  return nanoseconds / 1000
}

function processes(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

/** A process and everything below it. */
function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const pid of processes()) {
    const stat = readStat(pid)
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** User and system time of a process tree so far, in µs. */
export const cpuMicroseconds = (root: number): number => wholeMicroseconds(processTree(root))

function wholeMicroseconds(pids: readonly number[]): number {
  return pids.map(readStat).reduce((sum, stat) => sum + (stat === null ? 0 : stat.us + stat.reapedUs), 0)
}

/** User and system time of these processes alone, without what they started, in µs. */
export function ownMicroseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (readStat(pid)?.us ?? 0), 0)
}

/** What a process has started itself and still runs. */
export function childrenOf(parent: number): number[] {
  return processes().filter((pid) => readStat(pid)?.parent === parent)
}

/** Resident memory of a process tree, in bytes. */
export function residentBytes(root: number): number {
  return processTree(root).reduce((sum, pid) => {
    try {
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
      return sum + Number(kilobytes ?? 0) * 1024
    } catch {
      return sum
    }
  }, 0)
}

/**
 * What everybody else took from this machine's cores so far, in µs: all processes outside our tree, and the
 * neighbours on the same host (steal). Not the totals of /proc/stat: they are sampled, and count the kernel's network
 * work done for us apart. For the same reason kernel threads are left out.
 */
export function foreignMicroseconds(ourRoot: number): number {
  const KERNEL_THREADS = 2
  const ours = new Set([ourRoot, KERNEL_THREADS].flatMap(processTree))
  const stolen = Number(readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]?.trim().split(/\s+/)[8] ?? 0)
  return wholeMicroseconds(processes().filter((pid) => !ours.has(pid))) + stolen * US_PER_TICK
}

/** The cores this process may run on, from a list like `0-1,4`. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

export type SocketQueues = { unsentBytes: number; unreadBytes: number }

/**
 * What the kernel holds for each TCP socket of this machine, by `localPort:remotePort`: written and not yet
 * acknowledged, received and not yet read.
 */
export function socketQueues(): Map<string, SocketQueues> {
  const queues = new Map<string, SocketQueues>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readTable(table)) {
      const [, local = '', remote = '', , counts = ''] = line.trim().split(/\s+/)
      const [unsent = '0', unread = '0'] = counts.split(':')
      queues.set(`${port(local)}:${port(remote)}`, {
        unsentBytes: Number.parseInt(unsent, 16),
        unreadBytes: Number.parseInt(unread, 16),
      })
    }
  }
  return queues
}

function readTable(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').trim().split('\n').slice(1)
  } catch {
    return [] // a kernel without IPv6
  }
}

const port = (address: string) => Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16)
