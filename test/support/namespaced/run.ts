/** Programs of a test in a network and a set of mounts of their own, where this machine allows that. */
import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Whether what it takes is there: user namespaces, and a file system or a card of one's own in them. */
export function allows(what: 'network' | 'mounts'): boolean {
  const [flags, probe] = what === 'network' ? ['-rn', NETWORK] : ['-rm', mountAt('/mnt')]
  return process.platform === 'linux' && spawnSync('unshare', [flags!, 'sh', '-c', `set -e; ${probe}`]).status === 0
}

/** Two addresses of one card: who comes from the second is somebody else to what listens at the first. */
export const HERE = '10.77.0.1'
export const OUTSIDE = '10.77.0.2'
/** A place in the same network where nobody is. */
export const NOBODY = '10.77.0.9'
const NETWORK = [
  'ip link set lo up',
  'ip link add lx0 type bridge',
  // Else the system itself speaks there.
  'ip link set lx0 addrgenmode none',
  `ip addr add ${HERE}/24 dev lx0`,
  `ip addr add ${OUTSIDE}/24 dev lx0`,
  'ip link set lx0 up',
].join('; ')

const mountAt = (path: string): string => `mount -t tmpfs -o size=2m,mode=700 tmpfs '${path}'`

/** Runs the program beside this file in there, with `folder` as its own small disk or its home; answers what it tells. */
export async function inNamespace(program: 'network' | 'disk' | 'offline' | 'door', folder: string): Promise<unknown> {
  const [flags, setUp] = program === 'disk' ? ['-rm', mountAt(folder)] : ['-rn', NETWORK]
  const file = fileURLToPath(new URL(`./${program}.ts`, import.meta.url))
  const script = `set -e; ${setUp}; exec '${process.execPath}' '${file}' '${folder}'`
  return await new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1' }
    execFile('unshare', [flags!, 'sh', '-c', script], { env, timeout: 60_000 }, (error, out, err) => {
      if (error === null) resolve(JSON.parse(out))
      else reject(new Error(`${error.message}\n${out}\n${err}`))
    })
  })
}
