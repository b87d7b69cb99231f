import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GuardSpec } from '../../src/engine/guard/protocol.ts'
import type { GuardProgram } from '../../src/engine/guard-link.ts'
import type { EngineFailure } from '../../src/protocol/engine.ts'

/** A failure; override what the test is about. */
export const aFailure = (more: Partial<EngineFailure> = {}): EngineFailure => ({
  class: 'unknown',
  cause: 'It ended.',
  fix: null,
  change: null,
  canHeal: true,
  lines: [],
  ...more,
})

/** The guard from its source, as the tests run everything. */
export const GUARD: GuardProgram = {
  command: process.execPath,
  entry: fileURLToPath(new URL('../../src/engine/guard/main.ts', import.meta.url)),
  env: { PATH: process.env.PATH ?? '', NODE_NO_WARNINGS: '1' },
}

export type Folder = { path: string; remove: () => void }

export function aFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'lx-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A guard's task around a small Node program; everything of it lies in `folder`. */
export function aSpec(folder: string, program: string, more: Partial<GuardSpec> = {}): GuardSpec {
  const runDir = join(folder, 'run')
  mkdirSync(runDir, { recursive: true })
  return {
    engine: 'main',
    marker: randomBytes(8).toString('hex'),
    token: 'a token',
    argv: [process.execPath, '-e', program],
    env: { PATH: process.env.PATH ?? '' },
    cwd: folder,
    runDir,
    socket: join(runDir, 'guard.sock'),
    recordFile: join(folder, 'records', 'main.json'),
    port: 8000,
    configHash: 'abc',
    key: 'the key',
    log: { path: join(folder, 'engine.log'), maxBytes: 1024 * 1024, files: 3 },
    leaseMs: 30_000,
    halt: null,
    about: { derived: {}, maxSequences: null, schedulesByPriority: false, gpus: [], command: null },
    ...more,
  }
}

/** A small server of the API, to be run by `node -e`, that is up after so long and serves this model. */
export const aServer = ({ readyMs = 0, model = 'mine', first = '' } = {}): string => `
  ${first}
  const { createServer } = require('node:http')
  const answer = (response, value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
  const server = createServer((request, response) => {
    if (request.url === '/v1/models') return answer(response, { data: [{ id: '${model}' }] })
    answer(response, { choices: [{ text: 'a' }] })
  })
  setTimeout(() => server.listen(Number(process.env.PORT), process.env.HOST), ${readyMs})
`

/** Waits for a fact, not for a time; names it when it does not come. */
export async function until<Value>(
  what: string,
  read: () => Value | null | undefined | false | Promise<Value | null | undefined | false>,
  ms = 30_000,
): Promise<Value> {
  const end = performance.now() + ms
  for (;;) {
    const value = await read()
    if (value !== null && value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** To one process and no other: 0 would be our own group. */
export function kill(pid: number | null | undefined, signal: NodeJS.Signals): void {
  if (typeof pid !== 'number' || pid <= 1) throw new Error(`there is no process to send ${signal} to: ${pid}`)
  process.kill(pid, signal)
}
