/**
 * How late the event loop of the desktop app's main process is, with the window open on the Dashboard and 200 requests
 * a second through the gateway inside. On the double of Electron (Node 24, Chromium beside it).
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { _electron, type ElectronApplication } from 'playwright-core'
import { findRunning } from '../../../src/app/run-file.ts'
import { startFakeVllm } from '../../support/fake-vllm/server.ts'
import { type Bench, type Measured, pause, quietly, until } from '../measure.ts'
import { median } from '../numbers.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const RATE = 200
const STEP_MS = 20
const RESOLUTION_MS = 5
const LAUNCH_MS = 60_000

type Delays = { p50Ms: number; p99Ms: number; maxMs: number }

export async function desktop(bench: Bench): Promise<Measured> {
  const { settings } = bench
  if (!existsSync(join(ROOT, 'dist/shell/main.js'))) return { rows: [], notes: ['the desktop app is not built'] }
  if (!existsSync(process.env['CHROMIUM'] ?? '/usr/bin/chromium')) return { rows: [], notes: ['there is no Chromium'] }
  const home = mkdtempSync(join(tmpdir(), 'lexora-loop-'))
  const fake = await startFakeVllm({ models: ['tiny'], tokenMs: 5 })
  // A bench that was held up for a second sends what it owes at once: places enough, so that none of it is refused.
  const config = {
    server: { port: 0 },
    rate_limit: { enabled: false },
    queue: { max_size: 10_000 },
    routing: { enabled: true, backends: { main: { type: 'vllm', url: fake.url, max_in_flight: 64 } } },
  }
  writeFileSync(join(home, 'lexora_config.yaml'), JSON.stringify(config))
  const path = process.env['PATH'] ?? ''
  const app = await _electron.launch({
    executablePath: join(ROOT, 'test/desktop/double/electron'),
    args: [ROOT],
    env: { PATH: path, HOME: home, LEXORA_HOME: home, LANG: 'en', DOUBLE_NODE: process.execPath },
    cwd: home,
    timeout: LAUNCH_MS,
  })
  try {
    const page = await app.firstWindow({ timeout: LAUNCH_MS })
    await page.locator('.app').waitFor({ timeout: LAUNCH_MS })
    const found = await until(
      'Lexora',
      () => findRunning(join(home, 'run.json')),
      ({ is }) => is === 'running',
    )
    if (found.is !== 'running') throw new Error('Lexora does not run')
    const url = `${found.record.address}/v1/chat/completions`
    await load(url, settings.settleMs)
    const quiet = quietly(bench)
    const taken: (Delays & { failed: number })[] = []
    for (let round = 0; round < settings.rounds; round++) {
      taken.push(
        await quiet.take(async () => {
          await watch(app)
          const failed = await load(url, settings.windowMs)
          return { ...(await read(app)), failed }
        }),
      )
    }
    const of = (name: keyof Delays): number => median(taken.map((one) => one[name]))
    const failed = taken.reduce((sum, one) => sum + one.failed, 0)
    const figures = { loopP50Ms: of('p50Ms'), loopP99Ms: of('p99Ms'), loopMaxMs: of('maxMs'), failed }
    return { rows: [{ target: 'lexora', figures }], notes: [`${RATE} requests a second`, ...quiet.notes()] }
  } finally {
    await app.close()
    await fake.close()
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function watch(app: ElectronApplication): Promise<void> {
  await app.evaluate((_electron, resolution) => {
    const world = globalThis as unknown as { delay?: ReturnType<typeof monitorEventLoopDelay> }
    const hooks = require('node:perf_hooks') as { monitorEventLoopDelay: typeof monitorEventLoopDelay }
    world.delay?.disable()
    world.delay = hooks.monitorEventLoopDelay({ resolution })
    world.delay.enable()
  }, RESOLUTION_MS)
}

async function read(app: ElectronApplication): Promise<Delays> {
  const [p50, p99, max] = await app.evaluate(() => {
    const { delay } = globalThis as unknown as { delay: ReturnType<typeof monitorEventLoopDelay> }
    return [delay.percentile(50), delay.percentile(99), delay.max] as const
  })
  const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS)
  return { p50Ms: late(p50), p99Ms: late(p99), maxMs: late(max) }
}

/** So many a second, whatever they take; resolves with how many were not answered with 200. */
async function load(url: string, ms: number): Promise<number> {
  let failed = 0
  const body = JSON.stringify({ model: 'tiny', max_tokens: 8, messages: [{ role: 'user', content: 'Hello' }] })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const open: Promise<void>[] = []
  const began = performance.now()
  for (let sent = 0; performance.now() - began < ms; ) {
    for (const due = ((performance.now() - began) / 1000) * RATE; sent < due; sent++) {
      const one = fetch(url, init).then(async (answer) => {
        await answer.arrayBuffer()
        if (!answer.ok) failed++
      })
      open.push(one.catch(() => void failed++))
    }
    await pause(STEP_MS)
  }
  await Promise.all(open)
  return failed
}
