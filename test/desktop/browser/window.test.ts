/** The window in a real Chromium, in front of a real headless Lexora with fake vLLMs. Waits for states, never for time. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type FakeVllm, startFakeVllm } from '../../support/fake-vllm/server.ts'
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

let browser: Browser
let fake: FakeVllm
let server: Server

beforeAll(async () => {
  browser = await openBrowser()
  fake = await startFakeVllm({ tokenMs: 20, models: ['tiny'] })
  server = await startLexora(routed({ main: fake }))
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  await fake?.close()
  if (server !== undefined) dropHome(server.home)
})

async function aWindow(look: Partial<Look> = {}, at: Server = server): Promise<Page & { complaints: string[] }> {
  const context = await openContext(browser, { ...LARGE, theme: 'light', ...look })
  onTestFinished(() => context.close())
  return await openWindow(context, at)
}

const goTo = async (page: Page, path: string): Promise<void> => {
  await page.evaluate((to) => {
    location.hash = to
  }, path)
}

/** A caller's request, whose answer is read to its end. */
async function chat(changes: Record<string, unknown> = {}, user = 'kim'): Promise<void> {
  const response = await fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-lexora-user': user },
    body: JSON.stringify({ model: 'tiny', max_tokens: 5, messages: [{ role: 'user', content: 'Hello' }], ...changes }),
  })
  await response.text()
}

describe('the door', () => {
  test('opens by its link, which leaves no trace in the address, and stays open for a reload', async () => {
    const page = await aWindow()
    expect(page.url()).not.toContain('link=')
    await page.reload()
    await page.locator('.verdict h1').waitFor()
    expect(page.complaints).toEqual([])
  })

  test('without a link asks for one, or for the admin key', async () => {
    const context = await openContext(browser, { ...SMALL, theme: 'light' })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${server.origin}/ui/`)
    await page.getByText('lexora ui').waitFor()
    await page.getByLabel('Or type the admin key.').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    expect(await violations(page)).toEqual([])
  })

  test('says in its language why a link or a key is not taken', async () => {
    const context = await openContext(browser, { ...SMALL, theme: 'light', language: 'ja' })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${server.origin}/ui/#link=usedlongago`)
    await page.getByRole('alert').filter({ hasText: 'このリンクは使用済み' }).waitFor()
    await page.locator('#key').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: '管理キーでも' }).waitFor()
  })

  test('opens by the admin key, and closes again', async () => {
    const own = await startLexora(routed({ main: fake }, { auth: { admin_key: 'admin-secret-0123456789' } }))
    onTestFinished(async () => {
      await own.stop()
      dropHome(own.home)
    })
    const context = await openContext(browser, { ...LARGE, theme: 'dark' })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${own.origin}/ui/`)
    await page.getByLabel('Or type the admin key.').fill('admin-secret-0123456789')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.locator('.verdict h1').waitFor()
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByText('lexora ui').waitFor()
  })
})

describe('the dashboard', () => {
  test('says what is served, and runs the snippet that it shows', async () => {
    const page = await aWindow()
    await page.getByRole('heading', { name: 'Serving tiny' }).waitFor()
    await page.getByRole('button', { name: 'Run it here' }).click()
    await page.getByText(/^200 · .* tok · /).waitFor()
    const code = page.locator('pre.code')
    expect(await code.textContent()).toContain(`curl ${server.origin}/v1/chat/completions`)
    await page.getByRole('radio', { name: 'Python' }).click()
    await code.getByText('from openai import OpenAI').waitFor()
    // What was run was another snippet than the one that is shown now.
    await page.getByText('Not run as it stands now.').waitFor()
    expect(await page.getByText(/^200 · .* tok · /).count()).toBe(0)
    const sent = page.waitForRequest(/chat\/completions/)
    await page.getByRole('button', { name: 'Run it here' }).click()
    expect(await (await sent).postDataJSON()).toEqual({
      model: 'tiny',
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 256,
    })
    await page.getByText(/^200 · .* tok · /).waitFor()
    expect(await code.textContent()).toContain('max_tokens=256')
  })

  test('copies a snippet with a new key of a user, which it never shows', async () => {
    await server.commands.createUser({ name: 'mia' })
    const page = await aWindow()
    const connect = page.getByRole('region', { name: 'Connect an app' })
    await connect.getByRole('radio', { name: 'Editor' }).click()
    await connect.getByText('~/.continue/config.yaml').waitFor()
    expect(await connect.getByRole('button', { name: 'Run it here' }).count()).toBe(0)
    await connect.getByRole('combobox', { name: 'Key' }).click()
    await page.getByRole('option', { name: 'new key of mia' }).click()
    await connect.getByText('apiKey: ••••').waitFor()
    await connect.getByRole('button', { name: 'Copy' }).click()
    const asked = page.getByRole('dialog', { name: 'Copy with a new key of mia?' })
    expect(await violations(page)).toEqual([])
    await asked.getByRole('button', { name: 'Make it and copy' }).click()
    await asked.waitFor({ state: 'detached' })
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    const [, secret = ''] = /apiKey: (lx-\S+)/.exec(copied) ?? []
    const answer = await fetch(`${server.origin}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })
    expect(answer.status).toBe(200)
    expect(await page.content()).not.toContain(secret)
    // What cannot be copied leaves no key behind.
    await page.evaluate(() => {
      const writeText = async (): Promise<void> => await Promise.reject(new Error('not allowed'))
      Object.defineProperty(navigator.clipboard, 'writeText', { value: writeText, configurable: true })
    })
    await connect.getByRole('button', { name: 'Copy' }).click()
    await asked.getByRole('button', { name: 'Make it and copy' }).click()
    await asked.waitFor({ state: 'detached' })
    const { keys } = await server.commands.listKeys({ user: 'mia' })
    const states = keys.map(({ revoked }) => revoked === null)
    expect(states.sort()).toEqual([false, true])
  })

  test('draws the same values as a table', async () => {
    await chat()
    const page = await aWindow()
    await page.getByRole('button', { name: 'View as table', exact: true }).click()
    await page.locator('.values-table tbody tr').first().waitFor()
    expect(await page.locator('.values-table thead th').count()).toBeGreaterThan(10)
    await page.getByRole('button', { name: 'View as charts', exact: true }).click()
    await page.locator('figure.chart').first().focus()
    await page.keyboard.press('ArrowLeft')
    const plots = await page.locator('.plot').count()
    expect(plots).toBeGreaterThan(0)
    await expect.poll(async () => await page.locator('.cross').count()).toBe(plots)
  })

  test('draws one chart as a table, beside the others', async () => {
    const page = await aWindow()
    const latency = page.locator('figure.chart', { has: page.getByRole('heading', { name: 'Latency' }) })
    await latency.getByRole('button', { name: 'Latency: View as table' }).click()
    await latency.locator('tbody tr').first().waitFor()
    expect(await latency.locator('thead th').allTextContents()).toEqual(['time', 'total p95', 'p95', 'p50'])
    expect(await page.locator('.values-table').count()).toBe(1)
    await latency.focus()
    await page.keyboard.press('t')
    await page.locator('.values-table').waitFor({ state: 'detached' })
  })

  test('pauses the gateway and resumes it from the header', async () => {
    const page = await aWindow()
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Pause gateway' }).click()
    await page.getByRole('heading', { name: 'Paused' }).waitFor()
    await page.locator('.header').getByRole('button', { name: 'Resume gateway' }).click()
    await page.getByRole('heading', { name: 'Serving tiny' }).waitFor()
  })
})

describe('requests', () => {
  test('that run are seen, and cancelled', async () => {
    const page = await aWindow()
    await goTo(page, '/requests/live')
    fake.fault({ do: 'stall', afterEvents: 3 })
    const running = chat({ stream: true }, 'cancel-me')
    const row = page.getByRole('row').filter({ hasText: 'cancel-me' })
    await row.waitFor()
    await row.getByRole('button', { name: /^Cancel the request/ }).click()
    await running
    await row.waitFor({ state: 'detached' })
  })

  test('that ended are found by a filter, opened by keys, and exported', async () => {
    await chat({}, 'kim')
    await chat({}, 'raj')
    const page = await aWindow()
    await goTo(page, '/requests/history')
    const rows = page.locator('tbody tr[aria-selected]')
    await rows.filter({ hasText: 'raj' }).first().waitFor()
    await page.keyboard.press('Control+f')
    await page.keyboard.type('user:kim')
    await page.keyboard.press('Enter')
    await rows.filter({ hasText: 'raj' }).first().waitFor({ state: 'detached' })
    await rows.filter({ hasText: 'kim' }).first().waitFor()
    await page.getByRole('region', { name: 'History' }).focus()
    await page.keyboard.press('ArrowDown')
    const drawer = page.getByRole('complementary', { name: 'Request' })
    await drawer.getByText('Where the time went').waitFor()
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Export' }).click()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: 'As CSV' }).click(),
    ])
    expect(readFileSync(await file.path(), 'utf8')).toMatch(/^at,id,user,/)
  })

  test('are marked and copied by keys, as text', async () => {
    for (const user of ['ada', 'bob', 'cyd']) await chat({}, user)
    const page = await aWindow()
    await goTo(page, '/requests/history')
    const chosen = page.locator('tbody tr[aria-selected="true"]')
    await page.locator('tbody tr').filter({ hasText: 'cyd' }).first().waitFor()
    const copied = async (): Promise<string[][]> => {
      await page.evaluate(() => navigator.clipboard.writeText(''))
      await page.keyboard.press('Control+c')
      const read = async (): Promise<string> => await page.evaluate(() => navigator.clipboard.readText())
      await expect.poll(read).not.toBe('')
      return (await read()).split('\n').map((line) => line.split('\t'))
    }
    await page.getByRole('region', { name: 'History' }).focus()
    await page.keyboard.press('Enter')
    await chosen.filter({ hasText: 'cyd' }).waitFor()
    expect(await copied()).toEqual([expect.arrayContaining(['cyd', 'tiny', '200'])])
    await page.keyboard.press(' ')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await chosen.filter({ hasText: 'ada' }).waitFor()
    await page.keyboard.press(' ')
    expect(await page.locator('tr.is-marked').count()).toBe(2)
    expect((await copied()).map(([, user]) => user)).toEqual(['cyd', 'ada'])
    await page.keyboard.press(' ')
    await expect.poll(async () => (await copied()).map(([, user]) => user)).toEqual(['cyd'])
  })

  test('have columns that are hidden and moved by keys, and stay so', async () => {
    await chat()
    const page = await aWindow()
    await goTo(page, '/requests/history')
    const titles = page.locator('thead th')
    await titles.first().waitFor()
    const first = await titles.allTextContents()
    expect(first.slice(0, 3)).toEqual(['time', 'user', 'model'])
    await page.getByRole('button', { name: 'Columns' }).focus()
    await page.keyboard.press('Enter')
    const chooser = page.getByRole('dialog', { name: 'Columns' })
    const down = chooser.getByRole('button', { name: 'Move time down' })
    await down.focus()
    await page.keyboard.press('Enter')
    await chooser.getByText('time is column 2 of').waitFor()
    const colours = await chooser
      .getByRole('switch', { name: /^(time|user)$/ })
      .evaluateAll((switches) => switches.map((one) => getComputedStyle(one).backgroundColor))
    // Both are on; the time cannot be hidden, and its switch says so.
    expect(new Set(colours).size).toBe(2)
    // The row was moved, and the button is still the one that has the focus.
    await page.keyboard.press('Enter')
    await chooser.getByText('time is column 3 of').waitFor()
    await chooser.getByRole('switch', { name: 'model' }).click()
    await page.getByRole('columnheader', { name: 'model' }).waitFor({ state: 'detached' })
    expect(await violations(page)).toEqual([])
    const next = ['user', 'time', ...first.slice(3)]
    expect(await titles.allTextContents()).toEqual(next)
    await page.keyboard.press('Escape')
    await chooser.waitFor({ state: 'detached' })
    await page.reload()
    await titles.first().waitFor()
    expect(await titles.allTextContents()).toEqual(next)
    expect(page.complaints).toEqual([])
  })
})

describe('try it', () => {
  test('streams an answer by the door of all clients, and tells what it cost', async () => {
    await server.commands.createUser({ name: 'lee' })
    const page = await aWindow()
    await page.keyboard.press('Control+t')
    const drawer = page.getByRole('complementary', { name: 'Try it' })
    await page.keyboard.type('Say something')
    await drawer.getByRole('button', { name: 'Parameters' }).click()
    await drawer.locator('#try-user-list option[value="lee"]').waitFor({ state: 'attached' })
    await drawer.getByLabel('as', { exact: true }).fill('lee')
    await drawer.getByLabel('system').fill('Be brief.\nBe kind.')
    const sent = page.waitForRequest(/chat\/completions/)
    await page.keyboard.press('Control+Enter')
    const request = await sent
    expect(request.headers()['x-lexora-user']).toBe('lee')
    expect(request.postDataJSON()).toMatchObject({ messages: [{ role: 'system', content: 'Be brief.\nBe kind.' }, {}] })
    await drawer
      .locator('.figures')
      .getByText(/\d \+ \d/)
      .waitFor()
    expect(await drawer.locator('.talk').last().textContent()).not.toBe('')
    await drawer.getByRole('button', { name: 'View code' }).click()
    await drawer.locator('pre').getByText('curl ').waitFor()
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
  })
})

test('a log that cannot be read on says so, and which line came last; then it goes on', async () => {
  const page = await aWindow()
  let isBroken = false
  await page.route(/admin\/logs\/gateway/, async (route) => await (isBroken ? route.abort() : route.continue()))
  await goTo(page, '/requests/gateway-log')
  await page.locator('.log-line').first().waitFor()
  isBroken = true
  const banner = page.getByRole('status').filter({ hasText: /^Reconnecting\. The last line that came is [1-9]/ })
  await banner.waitFor()
  expect(await page.locator('.log-line').count()).toBeGreaterThan(0)
  isBroken = false
  await banner.waitFor({ state: 'detached' })
})

test('a Lexora that goes away is said to be lost, what was read stays, and it is found again', async () => {
  const own = await startLexora(routed({ main: fake }))
  const page = await aWindow({}, own)
  await page.getByRole('heading', { name: 'Serving tiny' }).waitFor()
  await own.kill()
  await page.getByText(/^Connection lost at/).waitFor()
  expect(await page.getByRole('heading', { name: 'Serving tiny' }).count()).toBe(1)
  const again = await own.again()
  onTestFinished(async () => {
    await again.stop()
    dropHome(again.home)
  })
  // Sessions end with the process: the door opens, and a new link leads in.
  await page.getByText('lexora ui').waitFor()
  await page.goto((await again.commands.uiLink()).url)
  await page.reload()
  await page.getByRole('heading', { name: 'Serving tiny' }).waitFor()
})

describe('a log of 100,000 lines', () => {
  test('is held, searched and scrolled with a screenful of elements', async () => {
    const own = await startLexora({
      engines: { big: { kind: 'command', model: 'none', args: {}, autostart: false } },
    }).catch(() => null)
    const at = own ?? (await startLexora({ engines: { big: { model: 'none', autostart: false } } }))
    onTestFinished(async () => {
      await at.stop()
      dropHome(at.home)
    })
    const file = join(at.home, 'logs', 'engine-big.log')
    mkdirSync(join(at.home, 'logs'), { recursive: true })
    const lines = (from: number, count: number): string =>
      Array.from(
        { length: count },
        (_, i) => `INFO 11-21 12:00:00 [core.py:1] line ${from + i}${(from + i) % 1000 === 0 ? ' needle' : ''}\n`,
      ).join('')
    writeFileSync(file, lines(0, 2000))
    const page = await aWindow({}, at)
    await goTo(page, '/requests/engine-log')
    await page.getByText('2\u202f000 lines').waitFor()
    for (let from = 2000; from < 100_000; from += 2000) {
      appendFileSync(file, lines(from, 2000))
      const wanted = String(from + 2000).replace(/\B(?=(\d{3})+$)/g, '\u202f')
      await page.getByText(`${wanted} lines`).waitFor()
    }
    expect(await page.locator('.log-line').count()).toBeLessThan(200)
    await page.keyboard.press('Control+f')
    await page.keyboard.type('needle')
    await page.getByText(/^1 of 100$/).waitFor()
    await page.keyboard.press('Enter')
    await page.getByText(/^2 of 100$/).waitFor()
    await page.getByText('3 files of 8.4 MB are kept.').waitFor()
    await page.getByRole('button', { name: 'Matches only' }).click()
    await page.getByText('100 lines', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Matches only' }).click()
    const frames = await page.evaluate(async () => {
      const box = document.querySelector('.log-scroll')!
      let longest = 0
      let last = performance.now()
      for (let i = 0; i < 60; i++) {
        box.scrollTop = (box.scrollHeight * i) / 60
        await new Promise((resolve) => requestAnimationFrame(resolve))
        const now = performance.now()
        longest = Math.max(longest, now - last)
        last = now
      }
      return longest
    })
    process.stderr.write(`100,000 lines: longest frame while scrolling ${Math.round(frames)} ms\n`)
    expect(await page.locator('.log-line').count()).toBeLessThan(200)
  }, 600_000)
})

describe('by keys alone', () => {
  test('every screen, list and command is reached, and Escape leads back', async () => {
    const page = await aWindow()
    const screens = await page.locator('.nav a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))
    await page.keyboard.press(`Control+${screens.indexOf('#/requests') + 1}`)
    await page.getByRole('tab', { name: 'Live' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.keyboard.type('gateway log')
    await page.keyboard.press('Enter')
    await page.getByRole('log').waitFor()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    const regions = new Set<string>()
    for (let i = 0; i < 5; i++) {
      await page.keyboard.press('F6')
      regions.add(await page.evaluate(() => document.activeElement?.closest('[data-region]')?.className ?? ''))
    }
    expect(regions.size).toBeGreaterThanOrEqual(4)
  })

  test('the look and the language are chosen, and kept', async () => {
    const page = await aWindow()
    const choose = async (words: string): Promise<void> => {
      await page.keyboard.press('Control+k')
      await page.keyboard.type(words)
      await page.keyboard.press('Enter')
    }
    await choose('Theme: Dark')
    await choose('Language: 日本語')
    await page.reload()
    await page.getByRole('link', { name: 'ダッシュボード' }).waitFor()
    expect(
      await page.evaluate(() => [document.documentElement.dataset['theme'], document.documentElement.lang]),
    ).toEqual(['dark', 'ja'])
  })
})
