import { readdir, readFile, readlink } from 'node:fs/promises'

/** Who listens on a TCP port of this machine, where the system tells (Linux, own processes or as root); else null. */
export async function findPortHolder(port: number): Promise<{ pid: number; name: string } | null> {
  try {
    const inodes = await listeningInodes(port)
    if (inodes.size === 0) return null
    for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
      if (await holdsSocket(pid, inodes)) {
        const name = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim()
        return { pid: Number(pid), name }
      }
    }
    return null
  } catch {
    // Another system, or a process that ended while we looked: then we simply cannot tell.
    return null
  }
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
