/** Lexora as its users run it, with everything on, in a home of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
export const API_KEY = 'lx-bench-0123456789abcdef0123456789abcdef'
const READY_WITHIN_MS = 20_000
const STOP_WITHIN_MS = 5_000

export type Lexora = { port: number; pid: number; stop: () => Promise<void> }
type Launch = (args: string[]) => { command: string; args: string[] }

export const lexoraIsBuilt = () => existsSync(PROGRAM)

export async function startLexora({ upstreamPort, launch }: { upstreamPort: number; launch: Launch }): Promise<Lexora> {
  const home = mkdtempSync(join(tmpdir(), 'lexora-bench-'))
  const port = await freePort()
  const config = join(home, 'lexora_config.yaml')
  writeFileSync(config, JSON.stringify(everythingOn(port, upstreamPort), null, 2)) // JSON is YAML

  const output = join(home, 'output.log')
  const log = openSync(output, 'w')
  const { command, args } = launch([PROGRAM, '--no-ui', '--config', config])
  const env = { ...withoutLexora(process.env), LEXORA_HOME: home }
  const child = spawn(command, args, { stdio: ['ignore', log, log], env })
  closeSync(log)

  const stop = async () => {
    await end(child)
    rmSync(home, { recursive: true, force: true })
  }
  try {
    await ready(child, port)
  } catch (cause) {
    const said = readFileSync(output, 'utf8').slice(-2000)
    await stop()
    throw new Error(`Lexora did not get ready. It said:\n${said}`, { cause })
  }
  return { port, pid: child.pid ?? 0, stop }
}

/** Every feature that costs something is on; limits and queue are there and wide, so that none of them refuses. */
function everythingOn(port: number, upstreamPort: number) {
  const wide = 1_000_000
  return {
    server: { host: '127.0.0.1', port },
    auth: { mode: 'required', api_keys: [{ key: API_KEY, user: 'bench' }] },
    rate_limit: {
      enabled: true,
      default_rate: wide,
      default_burst: wide,
      users: { bench: { rate: wide, burst: wide, tokens_per_minute: 1_000_000_000, max_concurrent: 20_000 } },
    },
    queue: { max_size: 20_000 },
    routing: {
      enabled: true,
      default_backend: 'mock',
      backends: { mock: { type: 'vllm', url: `http://127.0.0.1:${upstreamPort}`, max_in_flight: 20_000 } },
    },
    metrics: { enabled: true, request_log: { enabled: true } },
    logging: { level: 'INFO', format: 'json' },
  }
}

function withoutLexora(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('LEXORA_')))
}

async function ready(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`)
    if (performance.now() > deadline) throw new Error(`no answer on /healthz within ${READY_WITHIN_MS / 1000} s`)
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** Asks it to drain and exit, and ends it if it does not. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  child.kill('SIGTERM')
  await exited
  clearTimeout(impatience)
}
