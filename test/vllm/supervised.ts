/** A Lexora as a program of its own that starts, watches and ends a real vLLM. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { freePort } from '../bench/lexora-process.ts'

/** A start of a minute, on a machine that does something else beside it. */
export const START_MS = 280_000

/** What the tiny model needs to start on a CPU within a minute. */
export const TINY_ARGS = {
  'load-format': 'dummy',
  dtype: 'float32',
  'max-model-len': 4096,
  'max-num-seqs': 8,
  'enforce-eager': true,
}

export function tinyEnvironment(cacheRoot: string): Record<string, string> {
  return {
    VLLM_CPU_KVCACHE_SPACE: '1',
    VLLM_CPU_OMP_THREADS_BIND: 'nobind',
    VLLM_CPU_CI_ENV: '1',
    TORCHDYNAMO_DISABLE: '1',
    OMP_NUM_THREADS: '1',
    HF_HUB_OFFLINE: '1',
    VLLM_CACHE_ROOT: cacheRoot,
  }
}

const PROGRAM = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
export type Engine = Record<string, unknown>
type Engines = Record<string, Engine>

/** A Lexora in a home that outlives it, so that a second one finds what the first one left. */
export class Lexora {
  readonly home = mkdtempSync(join(tmpdir(), 'lexora-engine-'))
  private child: ChildProcess | null = null
  private printed = ''
  port = 0

  constructor(engines: Engines) {
    const config = { engines, logging: { format: 'json' } }
    writeFileSync(join(this.home, 'lexora_config.yaml'), JSON.stringify(config))
  }

  async start(): Promise<void> {
    this.port = await freePort()
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEXORA_')))
    this.child = spawn(process.execPath, [PROGRAM, '--no-ui', '--port', String(this.port)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, LEXORA_HOME: this.home },
      cwd: this.home,
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.printed += chunk.toString()
      })
    }
    await vi.waitFor(async () => expect((await fetch(`${this.base}/healthz`)).status).toBe(200), { timeout: 20_000 })
  }

  get base(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What it printed last, for a failure's report. */
  get output(): string {
    return this.printed.slice(-4000)
  }

  /** One call of the admin API, as the CLI makes it: with the token of the run file. */
  async admin(path: string, body?: Engine): Promise<unknown> {
    const { token } = JSON.parse(readFileSync(join(this.home, 'run.json'), 'utf8')) as { token: string }
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
    const answer = await fetch(`${this.base}${path}`, init)
    expect(answer.ok, `${path}: ${answer.status}`).toBe(true)
    return await answer.json()
  }

  async snapshot(): Promise<AppSnapshot> {
    return (await this.admin('/admin/snapshot')) as AppSnapshot
  }

  async engine(): Promise<AppSnapshot['engines'][number]> {
    return (await this.snapshot()).engines[0]!
  }

  async reaches(state: string, ms = START_MS): Promise<void> {
    await vi.waitFor(async () => expect((await this.engine()).state.is).toBe(state), { timeout: ms, interval: 250 })
  }

  /** SIGTERM and its end; SIGKILL says nothing to anybody. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { child } = this
    this.child = null
    if (child === null || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true })
  }
}
