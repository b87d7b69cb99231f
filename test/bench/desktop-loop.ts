/**
 * `node test/bench/desktop-loop.ts [SECONDS]`: how late the event loop of the desktop app's main process is, with the
 * window open on the Dashboard and 200 requests a second through the gateway inside. On the double of Electron (Node 24,
 * Chromium beside it); Electron 45 itself is not on such machines. Goal: p99 at most 20 ms.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { _electron } from 'playwright-core'
import { findRunning } from '../../src/app/run-file.ts'
import { startFakeVllm } from '../support/fake-vllm/server.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const RATE = 200
const STEP_MS = 20
const RESOLUTION_MS = 5
const seconds = Number(process.argv[2] ?? 15)

const home = mkdtempSync(join(tmpdir(), 'lexora-loop-'))
const fake = await startFakeVllm({ models: ['tiny'], tokenMs: 5 })
const backends = { main: { type: 'vllm', url: fake.url, max_in_flight: 64 } }
const config = { server: { port: 0 }, rate_limit: { enabled: false }, routing: { enabled: true, backends } }
writeFileSync(join(home, 'lexora_config.yaml'), JSON.stringify(config))
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: home,
  LEXORA_HOME: home,
  LANG: 'en',
  DOUBLE_NODE: process.execPath,
}
const app = await _electron.launch({
  executablePath: join(ROOT, 'test/desktop/double/electron'),
  args: [ROOT],
  env,
  cwd: home,
})
try {
  const page = await app.firstWindow()
  await page.locator('.app').waitFor()
  const found = await findRunning(join(home, 'run.json'))
  if (found.is !== 'running') throw new Error('Lexora does not run')
  await app.evaluate((_electron, resolution) => {
    const hooks = require('node:perf_hooks') as { monitorEventLoopDelay: typeof monitorEventLoopDelay }
    const delay = hooks.monitorEventLoopDelay({ resolution })
    delay.enable()
    Object.assign(globalThis, { delay })
  }, RESOLUTION_MS)
  const sent = await load(`${found.record.address}/v1/chat/completions`)
  const [p50, p99, max] = await app.evaluate(() => {
    const { delay } = globalThis as unknown as { delay: ReturnType<typeof monitorEventLoopDelay> }
    return [delay.percentile(50), delay.percentile(99), delay.max]
  })
  const late = (ns: number): string => `${Math.max(0, ns / 1e6 - RESOLUTION_MS).toFixed(1)} ms`
  console.log(
    `main's event loop with the window open: p50 ${late(p50!)}, p99 ${late(p99!)}, max ${late(max!)}; ` +
      `${sent.ok} answers in ${seconds} s (${(sent.ok / seconds).toFixed(0)} a second), ${sent.failed} failed`,
  )
} finally {
  await app.close()
  await fake.close()
  rmSync(home, { recursive: true, force: true })
}

/** So many a second, whatever they take. */
async function load(url: string): Promise<{ ok: number; failed: number }> {
  const counts = { ok: 0, failed: 0 }
  const body = JSON.stringify({ model: 'tiny', max_tokens: 8, messages: [{ role: 'user', content: 'Hello' }] })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const open: Promise<void>[] = []
  const began = performance.now()
  for (let sent = 0; performance.now() - began < seconds * 1000; ) {
    for (const due = ((performance.now() - began) / 1000) * RATE; sent < due; sent++) {
      const one = fetch(url, init).then(async (answer) => {
        await answer.arrayBuffer()
        if (answer.ok) counts.ok++
        else counts.failed++
      })
      open.push(one.catch(() => void counts.failed++))
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS))
  }
  await Promise.all(open)
  return counts
}
