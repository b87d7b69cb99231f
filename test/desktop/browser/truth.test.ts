/** What the window says where a careless one would lie: a start, a stop, a port that is taken, places that are free. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type FakeVllm, startFakeVllm } from '../../support/fake-vllm/server.ts'
import { aMachine } from '../machine.ts'
import {
  dropHome,
  LARGE,
  type Look,
  openBrowser,
  openContext,
  openWindow,
  routed,
  type Server,
  SMALL,
  startLexora,
  violations,
} from '../rig.ts'

const BIG: Look = { ...LARGE, theme: 'light' }

let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
})

type Opened = { server: Server; page: Page & { complaints: string[] } }

async function open(config: Record<string, unknown>, { look = BIG, env = {} } = {}): Promise<Opened> {
  const server = await startLexora(config, { env })
  onTestFinished(async () => {
    await server.stop()
    dropHome(server.home)
  })
  const context = await openContext(browser, look)
  onTestFinished(() => context.close())
  return { server, page: await openWindow(context, server) }
}

async function aFake(options: Parameters<typeof startFakeVllm>[0] = {}): Promise<FakeVllm> {
  const fake = await startFakeVllm({ models: ['tiny'], ...options })
  onTestFinished(() => fake.close())
  return fake
}

const ask = async (server: Server, model: string, tokens = 4): Promise<Response> =>
  await fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: tokens, stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
  })

/** Of the stroke above each that stands there. */
const colours = async (page: Page, which: string): Promise<string[]> =>
  await page.locator(which).evaluateAll((all) => all.map((one) => getComputedStyle(one, '::before').backgroundColor))

test('a free place of the gate is not drawn like one that is taken', async () => {
  const fake = await aFake({ tokenMs: 500 })
  const { server, page } = await open(routed({ main: fake }))
  const running = await ask(server, 'tiny', 400)
  onTestFinished(() => running.body?.cancel())
  await page.locator('.gate-in li:not(.is-free)').first().waitFor()
  await expect.poll(() => page.locator('.gate-in li').count()).toBe(4)
  const [taken] = await colours(page, '.gate-in li:not(.is-free)')
  const free = await colours(page, '.gate-in li.is-free')
  expect(free).toHaveLength(3)
  expect(free).not.toContain(taken)
})

test('an engine that loads is not said to serve; its start is told as it goes', async () => {
  const machine = aMachine()
  onTestFinished(() => machine.dispose())
  machine.addModel('acme/small', 8e9)
  machine.host.vllm({ weightsMib: 7630, holdAt: { text: 'Capturing CUDA graphs', ms: 600_000 } })
  const config = { engines: { small: { model: 'acme/small', port: 0, autostart: true } } }
  const { page } = await open(config, { env: machine.env })
  const start = page.getByRole('region', { name: 'Last start' })
  await start.getByText(/^Starting [345]\/5 · /).waitFor()
  await start.getByText(/ so far/).waitFor()
  await start.locator('.start-line').waitFor()
  await page.getByRole('heading', { name: 'acme/small is starting' }).waitFor()
  expect(await page.getByRole('heading', { name: /^Serving/ }).count()).toBe(0)
  expect(await violations(page)).toEqual([])
})

test('beside an engine that cannot run the gate stays, and says who serves', async () => {
  const fake = await aFake()
  const engines = { big: { model: 'none/none', executable: '/nonexistent/vllm', autostart: true } }
  const { page } = await open({ ...routed({ main: fake }), engines })
  await page.locator('.fail.is-beside h2').waitFor()
  await page.getByRole('heading', { name: /^Serving tiny|others serve$/ }).waitFor()
  expect(await page.locator('.gate').count()).toBe(1)
  expect(await violations(page)).toEqual([])
})

test('what the core says is read in the language of the window: a cause, what helps, and every check', async () => {
  const engines = { big: { model: 'none/none', executable: '/nonexistent/vllm', autostart: true } }
  const { server, page } = await open({ engines }, { look: { ...BIG, language: 'ja' } })
  const trouble = page.getByRole('alert').filter({ hasText: '/nonexistent/vllm がありません。' })
  await trouble.getByText('インストールするか、`executable` か `venv` に場所を設定してください。').waitFor()
  await page.goto(`${server.origin}/ui/#/diagnostics`)
  const rows = page.locator('.checks li')
  await rows.filter({ hasText: '動いています（pid' }).waitFor()
  const told = await rows.evaluateAll((all) =>
    all.map((row) => [...row.lastElementChild!.childNodes].slice(1).map((node) => node.textContent!.trim())),
  )
  const sentences = told.flat().filter((text) => text !== '')
  expect(sentences.length).toBeGreaterThan(5)
  expect(sentences.filter((text) => !/[\u3002\u3040-\u30ff\u4e00-\u9fff]/.test(text))).toEqual([])
  expect(await violations(page)).toEqual([])
})

test('a port that is taken: who has it, and the next free one by one button', async () => {
  const machine = aMachine()
  onTestFinished(() => machine.dispose())
  machine.addModel('acme/small', 8e9)
  const holder = await aFake()
  const port = Number(new URL(holder.url).port)
  const config = { engines: { small: { model: 'acme/small', port, autostart: true } } }
  const { server, page } = await open(config, { env: machine.env })
  const trouble = page.getByRole('alert').filter({ hasText: `holds port ${port}` })
  await trouble.getByRole('button', { name: 'Use it as a backend' }).waitFor()
  const use = trouble.getByRole('button', { name: /^Use port \d+$/ })
  await use.waitFor()
  expect(await violations(page)).toEqual([])
  const chosen = Number(/\d+/.exec((await use.textContent()) ?? '')?.[0])
  expect(chosen).toBeGreaterThan(port)
  await use.click()
  await expect
    .poll(async () => (await server.commands.snapshot()).engines[0]?.state.is, { timeout: 50_000 })
    .toMatch(/^(ready|busy)$/)
  expect((await server.commands.snapshot()).engines[0]?.port).toBe(chosen)
}, 120_000)

test('with nothing configured the next steps are buttons', async () => {
  const { page } = await open({
    routing: { enabled: true, backends: { far: { url: 'http://192.0.2.1:9' } } },
    privacy: { offline: true },
  })
  await page.getByRole('heading', { name: 'Nothing to serve yet' }).waitFor()
  await page.getByRole('button', { name: 'Install…' }).click()
  await page.getByRole('complementary', { name: 'Engine versions' }).waitFor()
})

test('in the smallest window no tile is wider than its place', async () => {
  const fake = await aFake({ ttftMs: 1200 })
  const { server, page } = await open(routed({ main: fake }), { look: { ...SMALL, theme: 'light' } })
  await (await ask(server, 'tiny')).text()
  await page.locator('.tile-p95').waitFor()
  const over = await page
    .locator('.tile')
    .evaluateAll((tiles) =>
      tiles
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ textContent, scrollWidth, clientWidth }) => `${textContent}: ${scrollWidth} of ${clientWidth}`),
    )
  expect(over).toEqual([])
})

test('F6 goes from region to region although there are messages, F8 goes to them, Ctrl+, to the settings', async () => {
  const { page } = await open(routed({ main: await aFake() }))
  // A message that stays until it is closed.
  await page.evaluate(() => {
    navigator.clipboard.writeText = async () => await Promise.reject(new Error('not allowed'))
  })
  await page.getByRole('button', { name: /^Copy the address/ }).click()
  await page.locator('.toast').waitFor()
  const at = async (): Promise<string | null> =>
    await page.evaluate(() => document.activeElement?.closest('[data-region], .toasts')?.className ?? null)
  await page.keyboard.press('F8')
  expect(await at()).toContain('toasts')
  await page.locator('.header button').first().focus()
  await page.keyboard.press('F6')
  expect(await at()).toBe('nav')
  await page.keyboard.press('Control+,')
  await expect.poll(() => page.evaluate(() => location.hash)).toBe('#/settings')
})

test('a GPU that cannot be read says so, and why, with a command to look for oneself; then whose its memory is', async () => {
  const machine = aMachine()
  onTestFinished(() => machine.dispose())
  machine.host.smi({ mode: 'mismatch' })
  const { page } = await open({}, { env: machine.env })
  const status = page.getByRole('contentinfo').getByText('GPU not readable')
  await status.waitFor()
  expect(await status.getAttribute('title')).toBe(
    'nvidia-smi: The driver was updated under the running system: restart the computer.',
  )
  const tile = page.locator('.tile').filter({ hasText: 'VRAM' })
  await tile.getByText('GPU not readable').waitFor()
  await tile.getByRole('button', { name: 'nvidia-smi Copy' }).click()
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('nvidia-smi')
  expect(await violations(page)).toEqual([])
  machine.host.smi({ mode: 'ok' })
  await page.locator('.parts-foot').waitFor({ timeout: 50_000 })
  const label = async () => await page.locator('.parts-foot').getAttribute('aria-label')
  await expect.poll(label, { timeout: 20_000 }).toBe('used 1.2 · free 30.6 GiB; whose it is, nobody told yet')
  machine.host.smi({ others: [{ pid: process.pid, name: 'python', mib: 820, gpu: 0 }] })
  await expect.poll(label, { timeout: 40_000 }).toBe('engine 0.0 · other 1.2 · free 30.6 GiB')
  expect([await status.count(), await tile.getByRole('button').count()]).toEqual([0, 0])
})

test('events that cannot be read are said to be, until they can', async () => {
  const { page } = await open({})
  const events = page.getByRole('region', { name: 'Events' })
  await events.waitFor()
  expect(await events.getByRole('status').count()).toBe(0)
  await page.route('**/admin/recent*', (route) => route.abort())
  await events.getByRole('status').filter({ hasText: 'The events cannot be read. Trying again.' }).waitFor()
  expect(await violations(page)).toEqual([])
  await page.unroute('**/admin/recent*')
  await expect.poll(() => events.getByRole('status').count(), { timeout: 20_000 }).toBe(0)
})

test('of several messages one is shown at a time, the newest', async () => {
  const { page } = await open({})
  // Both stay until they are closed.
  await page.route('**/admin/pause', (route) => route.abort())
  await page.evaluate(() => {
    navigator.clipboard.writeText = async () => await Promise.reject(new Error('not allowed'))
  })
  const shown = page.locator('.toast:visible')
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('menuitem', { name: 'Pause gateway' }).click()
  await shown.filter({ hasText: 'That did not work' }).waitFor()
  await page.getByRole('button', { name: /^Copy the address/ }).click()
  await shown.filter({ hasText: 'did not allow copying' }).waitFor()
  expect(await shown.count()).toBe(1)
  await shown.locator('button').click()
  await shown.filter({ hasText: 'That did not work' }).waitFor()
})

test('a row of the models names its repository beside what its engine does, and its menu leads to what it says', async () => {
  const machine = aMachine()
  onTestFinished(() => machine.dispose())
  machine.addModel('acme/small', 8e9)
  const config = { engines: { small: { model: 'acme/small', port: 0 } } }
  const { page } = await open(config, { env: machine.env })
  await page.evaluate(() => {
    location.hash = '#/models'
  })
  await page.getByText('acme/small · Stopped').waitFor()
  await page.getByRole('button', { name: 'More for small' }).click()
  expect(await page.getByRole('menuitem', { name: 'Restart engine' }).count()).toBe(0)
  await page.getByRole('menuitem', { name: 'Are the files whole?' }).click()
  await page.getByRole('button', { name: 'Verify' }).waitFor()
  await page.getByRole('button', { name: 'More for small' }).click()
  await page.getByRole('menuitem', { name: 'Copy id' }).click()
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('acme/small')
  expect(await violations(page)).toEqual([])
})
