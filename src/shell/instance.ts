import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { awakeTimer } from '../app/awake-timer.ts'
import { ensureDir } from '../config/paths.ts'
import { readProcess } from '../engine/processes.ts'
import type { ShellRequest } from './request.ts'

/** One desktop app per user and home. A second one hands over what it was asked for, and ends. */
export type Claim =
  | { is: 'first'; release: () => void }
  /** The other one took the request. */
  | { is: 'handed' }
  /** The other one holds its place and does not answer. `pid` null: it left no record that can be believed. */
  | { is: 'hung'; pid: number | null; recover: () => Promise<boolean> }

/** A window that does not answer for this long is as good as gone. */
const HANG_MS = 3000
const END_MS = 5000
const LOOK_MS = 50
const MAX_REQUEST = 16 * 1024

const requestShape = z.strictObject({
  screen: z.string().max(200).nullable(),
  start: z.string().max(128).nullable(),
  stop: z.string().max(128).nullable(),
  model: z.string().max(256).nullable(),
  hidden: z.boolean(),
}) satisfies z.ZodType<ShellRequest>

const recordShape = z.object({ pid: z.number().int().positive(), startTime: z.string().nullable() })

type Place = { stateDir: string; env: Readonly<Record<string, string | undefined>>; platform: NodeJS.Platform }

/** `onRequest` hears what later starts ask for, for as long as this one lives. */
export async function claimInstance(
  place: Place,
  request: ShellRequest,
  onRequest: (request: ShellRequest) => void,
): Promise<Claim> {
  ensureDir(place.stateDir)
  const address = instanceAddress(place)
  const record = join(place.stateDir, 'desktop.json')
  // Two tries: what was stale is taken away once, and whoever binds first then is the first.
  for (let attempt = 0; attempt < 3; attempt++) {
    const server = await listen(address, onRequest)
    if (server !== null) return first(server, address, record, place.platform)
    const answer = await handOver(address, request)
    if (answer === 'taken') return { is: 'handed' }
    if (answer === 'silent') return hung(record)
    if (place.platform !== 'win32') rmSync(address, { force: true })
  }
  return hung(record)
}

/** Short, since a Unix socket's path is; the same for all starts of one user with one home. */
export function instanceAddress({ stateDir, env, platform }: Place): string {
  const name = `lexora-${createHash('sha256').update(stateDir).digest('hex').slice(0, 12)}`
  if (platform === 'win32') return `\\\\.\\pipe\\${name}`
  const folder = [env['XDG_RUNTIME_DIR'], stateDir].find((one) => one !== undefined && one !== '' && isOurs(one))
  const path = join(folder ?? stateDir, `${name}.sock`)
  return path.length < 100 ? path : join(tmpdir(), `${name}-${process.getuid?.() ?? 0}.sock`)
}

function isOurs(folder: string): boolean {
  const stat = statSync(folder, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === process.getuid?.()
}

/** Null: the address is taken. */
async function listen(address: string, onRequest: (request: ShellRequest) => void): Promise<Server | null> {
  const server = createServer((socket) => {
    let told = ''
    socket.setEncoding('utf8')
    socket.setTimeout(HANG_MS, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      told += text
      if (told.length > MAX_REQUEST) return void socket.destroy()
      if (!told.endsWith('\n')) return
      const asked = readRequest(told)
      socket.end(asked === null ? 'no\n' : 'ok\n')
      if (asked !== null) onRequest(asked)
    })
  })
  return await new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else reject(error)
    })
    server.listen(address, () => {
      server.unref()
      resolve(server)
    })
  })
}

function readRequest(text: string): ShellRequest | null {
  try {
    const parsed = requestShape.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

function first(server: Server, address: string, record: string, platform: NodeJS.Platform): Claim {
  if (platform !== 'win32') chmodSync(address, 0o600)
  const { pid } = process
  writeFileSync(record, JSON.stringify({ pid, startTime: readProcess(pid)?.startTime ?? null }), { mode: 0o600 })
  const release = (): void => {
    server.close()
    if (readRecord(record)?.pid === pid) rmSync(record, { force: true })
  }
  return { is: 'first', release }
}

/** `gone`: nobody is behind the address any more. */
async function handOver(address: string, request: ShellRequest): Promise<'taken' | 'silent' | 'gone'> {
  return await new Promise((resolve) => {
    const socket = connect(address)
    let told = ''
    const rest = awakeTimer(HANG_MS, () => {
      resolve('silent')
      socket.destroy()
    })
    socket.setEncoding('utf8')
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (text: string) => {
      told += text
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      rest()
      resolve(error.code === 'EAGAIN' ? 'silent' : 'gone')
    })
    socket.once('close', () => {
      rest()
      resolve(told.startsWith('ok') ? 'taken' : 'gone')
    })
  })
}

function hung(record: string): Claim {
  const found = readRecord(record)
  const pid = found !== null && isSame(found) ? found.pid : null
  return { is: 'hung', pid, recover: async () => found !== null && (await end(found)) }
}

type Recorded = z.infer<typeof recordShape>

function readRecord(path: string): Recorded | null {
  try {
    const parsed = recordShape.safeParse(JSON.parse(readFileSync(path, 'utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** A pid alone may be another program's by now. */
function isSame({ pid, startTime }: Recorded): boolean {
  const now = readProcess(pid)
  return now !== null && !now.isZombie && now.startTime === startTime
}

/** Ends it for sure; its engines' guards notice, and the next start takes over or ends what they hold. */
async function end(record: Recorded): Promise<boolean> {
  // Where the system does not tell since when a process runs, its pid may be anybody's.
  if (record.startTime === null) return false
  if (!isSame(record)) return true
  try {
    process.kill(record.pid, 'SIGKILL')
  } catch {
    return false
  }
  for (let waited = 0; waited < END_MS; waited += LOOK_MS) {
    if (!isSame(record)) return true
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return false
}
