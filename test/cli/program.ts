/** The program as it is started by hand. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../../src/bin.ts', import.meta.url))

export type Run = { child: ChildProcess; out: () => string; ended: Promise<number | null> }

/**
 * `lexora` with these words; what it prints on both streams is told together. Ended when the test ends. `shell`: a script
 * that prepares the way and ends with `exec "$0" "$@"`.
 */
export function lexora(home: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}, shell?: string): Run {
  const words = [process.execPath, PROGRAM, ...argv]
  const [program, ...rest] = shell === undefined ? words : ['sh', '-c', shell, ...words]
  const child = spawn(program!, rest, {
    cwd: home,
    env: { PATH: process.env['PATH'], LEXORA_HOME: home, NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text: Buffer) => (out += text.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, out: () => out, ended }
}

export function aHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return home
}

/** Waits for what other processes do, which may take its time on a busy machine. */
export async function waitFor(what: string, holds: () => boolean, told: () => string = () => ''): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`timed out: ${what} ${told()}`)
    await pause(20)
  }
}
