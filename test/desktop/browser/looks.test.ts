/** Every view that shows what happens, in both themes and at both sizes: nothing that axe finds, nothing that scrolls sideways. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type FakeVllm, startFakeVllm } from '../../support/fake-vllm/server.ts'
import { aCable } from '../cable.ts'
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

const LOOKS: readonly (readonly [string, Look])[] = [
  ['880×560, light', { ...SMALL, theme: 'light', language: 'ja' }],
  ['880×560, dark', { ...SMALL, theme: 'dark', language: 'ko' }],
  ['1440×900, light', { ...LARGE, theme: 'light' }],
  ['1440×900, dark', { ...LARGE, theme: 'dark' }],
]
const SCREENS = ['/dashboard', '/requests/live', '/requests/history', '/requests/engine-log', '/requests/gateway-log']

let browser: Browser
let fakes: FakeVllm[]
let server: Server

beforeAll(async () => {
  browser = await openBrowser()
  fakes = [await startFakeVllm({ tokenMs: 20, models: ['tiny'] }), await startFakeVllm({ models: ['tiny'] })]
  const [main, second] = fakes
  server = await startLexora(routed({ main: main!, second: second! }, { retry: { base_delay: 0.1 } }))
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  for (const fake of fakes ?? []) await fake.close()
  if (server !== undefined) dropHome(server.home)
})

async function chat(changes: Record<string, unknown> = {}, user = 'kim'): Promise<number> {
  const response = await fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-lexora-user': user },
    body: JSON.stringify({ model: 'tiny', max_tokens: 5, messages: [{ role: 'user', content: 'Hello' }], ...changes }),
  })
  await response.text()
  return response.status
}

async function aWindow(look: Look, at = server): Promise<Page & { complaints: string[] }> {
  const context = await openContext(browser, look)
  onTestFinished(() => context.close())
  return await openWindow(context, at)
}

const goTo = async (page: Page, path: string): Promise<void> => {
  await page.evaluate((to) => {
    location.hash = to
  }, path)
}

async function isWell(page: Page): Promise<void> {
  expect(await violations(page)).toEqual([])
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  expect(wide).toBeLessThanOrEqual(window!)
}

describe.each(LOOKS)('at %s', (_, look) => {
  test.each(SCREENS)('%s is well', async (path) => {
    await chat()
    const page = await aWindow(look)
    await goTo(page, path)
    await page.locator('.main > *').first().waitFor()
    await isWell(page)
    expect(page.complaints).toEqual([])
  })

  test('so are the open drawers, menus and lists', async () => {
    await chat()
    const page = await aWindow(look)
    await goTo(page, '/requests/history')
    await page.locator('tbody tr[aria-selected]').first().click()
    await page.locator('.drawer .fall').waitFor()
    await isWell(page)
    await goTo(page, '/dashboard')
    await page.locator('figure.chart').first().waitFor()
    await page.keyboard.press('Control+t')
    await page.locator('.drawer textarea').first().waitFor()
    await isWell(page)
    await page.keyboard.type('Hello')
    await page.keyboard.press('Control+Enter')
    await page
      .locator('.drawer .figures')
      .getByText(/\d \+ \d/)
      .first()
      .waitFor()
    await isWell(page)
    await page.keyboard.press('Escape')
    await page.locator('.drawer').waitFor({ state: 'detached' })
    await page.locator('.nav-item').nth(1).click()
    await page.locator('dl.keys').waitFor()
    await isWell(page)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('Control+k')
    await page.locator('.palette').waitFor()
    await isWell(page)
    expect(page.complaints).toEqual([])
  })
})

test.each(LOOKS)('at %s an engine that failed is well shown', async (_, look) => {
  const own = await startLexora({
    engines: { big: { model: 'none/none', executable: '/nonexistent/vllm', autostart: true } },
  })
  onTestFinished(async () => {
    await own.stop()
    dropHome(own.home)
  })
  const page = await aWindow(look, own)
  await page.locator('.fail h1').waitFor()
  await isWell(page)
})

test('a request that was tried elsewhere shows each step, and is asked again from its drawer', async () => {
  fakes[0]!.fault({ do: 'status', status: 503 })
  fakes[1]!.fault({ do: 'status', status: 503 })
  expect(await chat({}, 'detour')).toBe(200)
  const page = await aWindow({ ...LARGE, theme: 'light' })
  await goTo(page, '/requests/history')
  await page.locator('tbody tr[aria-selected]').filter({ hasText: 'detour' }).click()
  const drawer = page.getByRole('complementary', { name: 'Request' })
  await drawer.getByText('try 1').waitFor()
  expect(await drawer.getByText(/^(main|second) failed: /).count()).toBeGreaterThan(0)
  await drawer.getByRole('button', { name: 'Copy as curl' }).click()
  const copied = await page.evaluate(() => navigator.clipboard.readText())
  expect(copied).toContain(`curl ${server.origin}/v1/chat/completions`)
  await drawer.getByRole('button', { name: 'Open in Try it' }).click()
  const again = page.getByRole('complementary', { name: 'Try it' })
  expect(await again.getByLabel('as', { exact: true }).inputValue()).toBe('detour')
})

test('a lane of the charts is taken away, and stays away', async () => {
  const page = await aWindow({ ...LARGE, theme: 'light' })
  const lanes = page.locator('.chart-plot')
  await lanes.first().waitFor()
  const before = await lanes.count()
  await page.getByRole('button', { name: 'Lanes' }).click()
  await page.getByRole('menuitem', { name: 'GPU: power' }).click()
  await page.keyboard.press('Escape')
  await expect.poll(async () => await lanes.count()).toBe(before - 1)
  await page.reload()
  await expect.poll(async () => await lanes.count()).toBe(before - 1)
})

test('a cable that is pulled out is said to be lost; put back, the window goes on without a login', async () => {
  const own = await startLexora(routed({ main: fakes[0]! }))
  const cable = await aCable(own.port)
  onTestFinished(async () => {
    await cable.close()
    await own.stop()
    dropHome(own.home)
  })
  const context = await openContext(browser, { ...LARGE, theme: 'light' })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  await page.goto((await own.commands.uiLink()).url.replace(`:${own.port}`, `:${cable.port}`))
  await page.getByRole('heading', { name: 'Serving tiny' }).waitFor()
  await cable.pull()
  await page.getByText(/^Connection lost at/).waitFor()
  await own.commands.pause()
  expect(await page.getByRole('heading', { name: 'Serving tiny' }).count()).toBe(1)
  await cable.plug()
  await page.getByRole('heading', { name: 'Paused' }).waitFor()
  await page.getByText(/^Connection lost at/).waitFor({ state: 'detached' })
})
