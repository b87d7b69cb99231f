/** Starts the built Lexora as a process of its own, in a home of its own, and ends both. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** `LEXORA_TEST_PROGRAM` names another build, to compare two. */
const PROGRAM = process.env.LEXORA_TEST_PROGRAM ?? fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
const READY_WITHIN_MS = 20_000
const STOP_WITHIN_MS = 5_000

export type LexoraProcess = {
  port: number
  pid: number
  /** What it has printed so far. */
  output: () => string
  stop: () => Promise<void>
}

type Start = {
  /** The configuration file; none where the environment says it all. */
  config?: Record<string, unknown>
  env?: Record<string, string>
  /** How node is run: pinned to a core, say. */
  launch?: (args: string[]) => { command: string; args: string[] }
}

export const lexoraIsBuilt = () => existsSync(PROGRAM)

/** Resolves once it answers on /healthz; the environment's own LEXORA_ settings do not reach it. */
export async function startLexora({ config, env = {}, launch = plainly }: Start): Promise<LexoraProcess> {
  const home = mkdtempSync(join(tmpdir(), 'lexora-home-'))
  const port = await freePort()
  const given = join(home, 'given.yaml')
  if (config) writeFileSync(given, JSON.stringify(config, null, 2)) // JSON is YAML

  const log = join(home, 'output.log')
  const output = openSync(log, 'w')
  const options = ['--no-ui', '--port', String(port), ...(config ? ['--config', given] : [])]
  const { command, args } = launch([PROGRAM, ...options])
  const child = spawn(command, args, {
    stdio: ['ignore', output, output],
    env: { ...withoutLexora(process.env), ...env, LEXORA_HOME: home },
    cwd: home,
  })
  closeSync(output)

  const lexora = {
    port,
    pid: child.pid ?? 0,
    output: () => readFileSync(log, 'utf8'),
    stop: async () => {
      await end(child)
      rmSync(home, { recursive: true, force: true })
    },
  }
  try {
    await ready(child, port)
    return lexora
  } catch (cause) {
    const said = lexora.output().slice(-2000)
    await lexora.stop()
    throw new Error(`Lexora did not get ready. It said:\n${said}`, { cause })
  }
}

const plainly = (args: string[]) => ({ command: process.execPath, args })

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
    await pause(50)
  }
}

export async function freePort(): Promise<number> {
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
