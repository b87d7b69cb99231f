import { readdir, readFile, readlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { PortHolder } from '../protocol/engine.ts'
import { getJson } from './http.ts'

const CONNECT_WITHIN_MS = 1000

/** A free port of the loopback, as the system gives it. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Whether anybody answers there. A port that is bound without listening refuses, as an engine's does while it loads. */
export async function hasListener(port: number): Promise<boolean> {
  const answer = await new Promise<'yes' | 'no' | 'late'>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const done = (found: 'yes' | 'no' | 'late'): void => {
      socket.destroy()
      resolve(found)
    }
    socket.setTimeout(CONNECT_WITHIN_MS, () => done('late'))
    socket.once('connect', () => done('yes'))
    socket.once('error', () => done('no'))
  })
  if (answer !== 'late') return answer === 'yes'
  // It may be full, or this machine may be too busy to have heard of the refusal.
  return process.platform !== 'linux' || (await listeningInodes(port)).size > 0
}

/** Who listens on a port, as far as the system and the server itself tell. */
export async function identifyHolder(port: number): Promise<PortHolder> {
  const [pid = null] = await listeningPids(port)
  return { port, pid, program: await programOf(pid), models: await servedBy(port) }
}

/** Who listens on a port, at whatever address of this machine, without a word to him. Null: nobody. */
export async function findListener(port: number): Promise<Pick<PortHolder, 'pid' | 'program'> | null> {
  const inodes = await listeningInodes(port)
  if (inodes.size === 0 && !(await hasListener(port))) return null
  const [pid = null] = await holdersOf(inodes)
  return { pid, program: await programOf(pid) }
}

async function programOf(pid: number | null): Promise<string | null> {
  return pid === null ? null : (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() || null
}

async function servedBy(port: number): Promise<string[] | null> {
  const answer = await getJson(port, '/v1/models', null, CONNECT_WITHIN_MS)
  const data = answer.status === 200 ? (answer.body as { data?: unknown } | null)?.data : null
  if (!Array.isArray(data)) return null
  return data.flatMap((entry: { id?: unknown } | null) => (typeof entry?.id === 'string' ? [entry.id] : []))
}

/** Processes that hold a listening socket of this port: on Linux, own processes or as root; else nobody. */
export async function listeningPids(port: number): Promise<number[]> {
  return await holdersOf(await listeningInodes(port))
}

async function holdersOf(inodes: ReadonlySet<string>): Promise<number[]> {
  if (inodes.size === 0) return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const holds = await Promise.all(pids.map((pid) => holdsSocket(pid, inodes)))
  return pids.flatMap((pid, i) => (holds[i] ? [Number(pid)] : []))
}

async function listeningInodes(port: number): Promise<Set<string>> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)
    for (const line of lines) {
      const fields = line.trim().split(/\s+/)
      // Field 1 is the local address, 3 the state (0A: listening), 9 the inode (man 5 proc).
      if (fields[1]?.endsWith(suffix) && fields[3] === '0A' && fields[9] !== undefined) inodes.add(fields[9])
    }
  }
  return inodes
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const fd of fds) {
    const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1]
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}
