/** A Lexora started by a program in a namespace, found as the CLI finds it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../../src/bin.ts', import.meta.url))

export type Started = { child: ChildProcess; port: number; stop: () => Promise<void> }

/** With this configuration, in `home`; gives up after half a minute. */
export async function startWith(home: string, config: string): Promise<Started> {
  writeFileSync(join(home, 'lexora_config.yaml'), config, { mode: 0o600 })
  return await startIn(home)
}

/** With the configuration that lies there. */
export async function startIn(home: string): Promise<Started> {
  const file = join(home, 'lexora_config.yaml')
  const child = lexora(home, ['--no-ui', '--engine', 'none', '--log-format', 'json', '--config', file])
  let out = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text: Buffer) => (out += text.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  for (let i = 0; !out.includes('"ready"'); i++) {
    if (i > 600 || child.exitCode !== null) throw new Error(`Lexora did not start: ${out}`)
    await pause(50)
  }
  const port = Number(/"address":"http:\/\/[^"]*?:(\d+)/.exec(out)![1])
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(late)
  }
  return { child, port, stop }
}

/** Runs one command of the CLI and answers what it printed. */
export async function command(home: string, argv: readonly string[]): Promise<string> {
  const child = lexora(home, argv)
  let out = ''
  child.stdout!.on('data', (text: Buffer) => (out += text.toString()))
  await new Promise((resolve) => child.once('close', resolve))
  return out
}

function lexora(home: string, argv: readonly string[]): ChildProcess {
  const env = { PATH: process.env['PATH'], LEXORA_HOME: home, NODE_NO_WARNINGS: '1' }
  return spawn(process.execPath, [PROGRAM, ...argv], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
}
