/** What was asked and answered, seen while it is captured; one question to two models. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type FakeVllm, startFakeVllm } from '../../support/fake-vllm/server.ts'
import {
  dropHome,
  LARGE,
  openBrowser,
  openContext,
  openWindow,
  routed,
  type Server,
  startLexora,
  violations,
} from '../rig.ts'

let browser: Browser
let fakes: FakeVllm[]
let server: Server

beforeAll(async () => {
  browser = await openBrowser()
  fakes = [
    await startFakeVllm({ tokenMs: 5, models: ['tiny'] }),
    await startFakeVllm({ tokenMs: 5, models: ['other'] }),
  ]
  server = await startLexora(routed({ main: fakes[0]!, second: fakes[1]! }))
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  for (const fake of fakes ?? []) await fake.close()
  if (server !== undefined) dropHome(server.home)
})

async function aWindow(path: string): Promise<Page & { complaints: string[] }> {
  const context = await openContext(browser, { ...LARGE, theme: 'light' })
  onTestFinished(() => context.close())
  const page = await openWindow(context, server)
  await page.evaluate((to) => {
    location.hash = to
  }, path)
  return page
}

async function chat(content: string): Promise<void> {
  const response = await fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-lexora-user': 'kim' },
    body: JSON.stringify({ model: 'tiny', max_tokens: 5, stream: true, messages: [{ role: 'user', content }] }),
  })
  await response.text()
}

test('a capture is started from a request, is seen on every screen, shows what was said, and is ended', async () => {
  await chat('before anybody looked')
  const page = await aWindow('/requests/history')
  const rows = page.locator('tbody tr[aria-selected]')
  await rows.filter({ hasText: 'kim' }).first().click()
  const drawer = page.getByRole('complementary', { name: 'Request' })
  await drawer.getByText('Prompt and answer are not kept.').waitFor()
  await drawer.getByRole('button', { name: 'Capture kim for 10 min' }).click()
  const banner = page.getByRole('status').filter({ hasText: 'What kim asks and is answered is kept in memory' })
  await banner.waitFor()
  await drawer.getByText('This request was not captured.').waitFor()
  await chat('Where do herons sleep?')
  await page.reload()
  await banner.waitFor()
  await rows.nth(1).waitFor()
  await rows.first().click()
  await drawer.getByText('Where do herons sleep?').waitFor()
  expect(await violations(page)).toEqual([])
  await drawer
    .getByRole('radio', { name: 'Raw' })
    .or(drawer.getByRole('button', { name: 'Raw' }))
    .first()
    .click()
  await drawer.locator('pre').filter({ hasText: '[DONE]' }).waitFor()
  await drawer.getByRole('button', { name: 'Replay in Try it' }).click()
  const again = page.getByRole('complementary', { name: 'Try it' })
  expect(await again.getByLabel('Message').inputValue()).toBe('Where do herons sleep?')
  await page.keyboard.press('Escape')
  await again.waitFor({ state: 'detached' })
  await banner.getByRole('button', { name: 'Stop and forget' }).click()
  await banner.waitFor({ state: 'detached' })
  expect(await server.commands.listCaptures()).toEqual({ capturing: null, kept: [] })
  expect(page.complaints).toEqual([])
})

test('one message goes to two models, and each shows its answer, times and tokens', async () => {
  const page = await aWindow('/dashboard')
  await page.locator('.verdict h1').waitFor()
  await page.keyboard.press('Control+t')
  const drawer = page.getByRole('complementary', { name: 'Try it' })
  await drawer.getByRole('button', { name: 'Compare' }).click()
  await drawer.getByText('Send one message to both').first().waitFor()
  await drawer.getByLabel('Message').fill('Say something')
  await page.keyboard.press('Control+Enter')
  for (const name of [/^1: /, /^2: /]) {
    const side = drawer.getByRole('region', { name })
    await side
      .locator('.figures')
      .getByText(/\d \+ \d/)
      .waitFor()
    expect(await side.locator('.talk').last().textContent()).not.toBe('')
  }
  const names = await drawer.getByRole('region').evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')))
  expect(names.map((name) => name?.slice(3)).sort()).toEqual(['other', 'tiny'])
  expect(await violations(page)).toEqual([])
  await drawer.getByRole('button', { name: 'One model' }).click()
  await expect.poll(async () => await drawer.getByRole('region').count()).toBe(0)
  expect(page.complaints).toEqual([])
})
