/** An engine that fails, and the button that mends it: what was computed is written, and the engine serves. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { aMachine } from '../machine.ts'
import { dropHome, LARGE, openBrowser, openContext, openWindow, startLexora, violations } from '../rig.ts'

const GB = 1e9

let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
})

/** A vLLM that fails in this way at its first start, and a window in front of it. */
async function aFailure(fail: string, args: Record<string, unknown>) {
  const machine = aMachine()
  onTestFinished(() => machine.dispose())
  machine.addModel('acme/small', 8 * GB, { max_position_embeddings: 131_072 })
  machine.host.vllm({ fail, failTimes: 1, weightsMib: 7_630 })
  const server = await startLexora(
    { engines: { small: { model: 'acme/small', port: 0, autostart: true, args } } },
    { env: machine.env },
  )
  onTestFinished(async () => {
    await server.stop()
    dropHome(server.home)
  })
  const context = await openContext(browser, { ...LARGE, theme: 'light' })
  onTestFinished(() => context.close())
  const page = await openWindow(context, server)
  const settings = () =>
    (parse(readFileSync(join(server.home, 'config.yaml'), 'utf8')) as { engines: { small: { args: object } } }).engines
      .small.args
  return { machine, server, page, settings }
}

test.each<[what: string, fail: string, args: Record<string, unknown>, button: string, mended: Record<string, unknown>]>(
  [
    [
      'the memory runs out while it warms up',
      'oom-sampler',
      { 'max-num-seqs': 256 },
      'Set args.max-num-seqs to 128 and start',
      { 'max-num-seqs': 128 },
    ],
    [
      'the memory runs out while graphs are captured',
      'oom-graphs',
      { 'gpu-memory-utilization': 0.9 },
      'Set args.gpu-memory-utilization to 0.86 and start',
      { 'gpu-memory-utilization': 0.86 },
    ],
  ],
)(
  '%s: the button lowers what was asked for, and the engine is ready',
  async (_, fail, args, button, mended) => {
    const { machine, server, page, settings } = await aFailure(fail, args)
    const trouble = page.getByRole('alert').filter({ hasText: 'acme/small cannot run' })
    await trouble.getByRole('button', { name: button }).waitFor()
    expect(await violations(page)).toEqual([])
    expect(settings()).toEqual(args)
    await trouble.getByRole('button', { name: button }).click()
    await trouble.waitFor({ state: 'detached' })
    await expect
      .poll(async () => (await server.commands.snapshot()).engines[0]?.state.is, { timeout: 50_000 })
      .toMatch(/^(ready|busy)$/)
    expect(settings()).toEqual(mended)
    const [[setting, value]] = Object.entries(mended) as [[string, unknown]]
    const argv = machine.host.runs().at(-1)!.argv
    expect(argv[argv.indexOf(`--${setting}`) + 1]).toBe(String(value))
    await page.getByRole('heading', { name: /^Serving / }).waitFor()
    const answer = await fetch(`${server.origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'acme/small', max_tokens: 4, messages: [{ role: 'user', content: 'Hello' }] }),
    })
    expect([answer.status, page.complaints]).toEqual([200, []])
  },
  120_000,
)
