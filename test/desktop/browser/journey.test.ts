/** One person's whole way through the window, from a machine where nothing is configured to the last answer. */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { aMachine } from '../machine.ts'
import { dropHome, LARGE, openBrowser, openContext, openWindow, type Server, startLexora } from '../rig.ts'

const SLOW_MS = 120_000
const WHOLE_WAY_MS = 900_000

const hasCurl = (() => {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
if (!hasCurl) process.stderr.write('Left out here: the shown snippet in a terminal (no curl)\n')

let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
})

async function begin(env: Record<string, string>): Promise<{ server: Server; page: Page & { complaints: string[] } }> {
  const server = await startLexora(null, { env })
  onTestFinished(async () => {
    await server.stop()
    dropHome(server.home)
  })
  const context = await openContext(browser, { ...LARGE, theme: 'light' })
  onTestFinished(() => context.close())
  return { server, page: await openWindow(context, server, { firstRun: true }) }
}

const goTo = async (page: Page, path: string): Promise<void> => {
  await page.evaluate((to) => {
    location.hash = to
  }, path)
}

async function post(server: Server, key: string, model: string, more: object): Promise<Response> {
  return await fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], ...more }),
  })
}

const engineOf = async (server: Server) => (await server.commands.listEngines()).engines[0]!

async function engineIs(server: Server, is: string): Promise<void> {
  await expect.poll(async () => (await engineOf(server)).state.is, { timeout: SLOW_MS }).toBe(is)
}

/** Makes a user by hand, and reads the key that is shown this once. */
async function makeUser(page: Page, name: string, requestsPerMinute: number): Promise<string> {
  await goTo(page, '/users')
  await page.getByRole('button', { name: 'New user' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New user' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Requests a minute').fill(String(requestsPerMinute))
  await dialog.getByRole('button', { name: 'Create and show the key' }).click()
  const shown = page.getByRole('dialog', { name: `The key of ${name}` })
  const key = ((await shown.locator('[data-secret]').textContent()) ?? '').trim()
  await shown.getByRole('button', { name: 'Copy the key' }).click()
  await shown.getByRole('button', { name: 'Close' }).click()
  await shown.waitFor({ state: 'detached' })
  return key
}

test(
  'first run, model, user, key, a request seen live, a limit met, the log found, an engine killed and healed, the end',
  async () => {
    const machine = aMachine()
    onTestFinished(() => machine.dispose())
    machine.addModel('acme/tiny-8B', 16_000_000_000)
    machine.host.vllm({ tokenMs: 40 })
    const { server, page } = await begin(machine.env)

    const next = page.getByRole('button', { name: 'Next' })
    await page.getByRole('heading', { name: 'This machine' }).waitFor()
    await next.click()
    await page.getByText('Install vLLM aside').waitFor()
    await next.click()
    await page.getByText('Fits', { exact: true }).first().waitFor()
    await page.getByRole('button', { name: 'Start this one' }).click()
    await page.getByRole('status').getByText('Ready').waitFor({ timeout: SLOW_MS })
    await next.click()
    await page.getByRole('button', { name: 'Run it here' }).click()
    await page.getByText(/^200 · .* tok · /).waitFor({ timeout: SLOW_MS })
    await next.click()
    await page.getByRole('button', { name: 'Finish', exact: true }).click()
    await page.getByRole('heading', { name: /^Serving/ }).waitFor()
    const { name, model } = await engineOf(server)

    const key = await makeUser(page, 'kim', 3)

    await goTo(page, '/requests/live')
    const running = post(server, key, model!, { stream: true, max_tokens: 20_000 }).then((answer) => answer.text())
    const row = page.getByRole('row').filter({ hasText: 'kim' })
    await row.waitFor()
    await row.getByRole('button', { name: /^Cancel the request/ }).click()
    await row.waitFor({ state: 'detached' })
    expect(await running).not.toContain('[DONE]')

    let status = 0
    for (let i = 0; i < 30 && status !== 429; i++) {
      const answer = await post(server, key, model!, { max_tokens: 1 })
      await answer.text()
      status = answer.status
    }
    expect(status).toBe(429)
    await goTo(page, '/requests/history')
    await page
      .locator('tbody tr[aria-selected]')
      .filter({ hasText: 'kim' })
      .filter({ hasText: '429' })
      .first()
      .waitFor()
    await goTo(page, '/dashboard')
    await page.getByText(/^kim met a limit/).waitFor()

    await goTo(page, '/requests/engine-log')
    await page.locator('.log-line').first().waitFor()
    await page.keyboard.press('Control+f')
    await page.keyboard.type('Loading')
    await page.getByText(/^1 of \d+$/).waitFor()

    const killed = await engineOf(server)
    process.kill(killed.pid!, 'SIGKILL')
    await expect.poll(async () => (await engineOf(server)).restarts, { timeout: SLOW_MS }).toBe(1)
    await engineIs(server, 'ready')
    expect((await engineOf(server)).pid).not.toBe(killed.pid)
    await goTo(page, '/dashboard')
    await page.getByText(new RegExp(`^${name} crashed:`)).waitFor()
    await page.getByRole('heading', { name: /^Serving/ }).waitFor()
    await page.getByRole('button', { name: 'Run it here' }).click()
    await page.getByText(/^200 · .* tok · /).waitFor({ timeout: SLOW_MS })

    const { pid } = await engineOf(server)
    await server.stop()
    await page.getByText(/^Connection lost at/).waitFor()
    expect(() => process.kill(pid!, 0)).toThrow()
    expect(page.complaints).toEqual([])
  },
  WHOLE_WAY_MS,
)

test.skipIf(!hasCurl)(
  'nothing configured: the demo answers, its first message is seen, the shown snippet works in a terminal, and why an engine failed is found',
  async () => {
    const machine = aMachine()
    onTestFinished(() => machine.dispose())
    machine.addModel('acme/tiny-8B', 16_000_000_000)
    machine.host.vllm({ fail: 'unknown-arch' })
    const { server, page } = await begin(machine.env)

    // The demo serves while nobody has chosen anything.
    await page.getByRole('button', { name: 'Finish later' }).click()
    await page.getByRole('heading', { name: /^Serving/ }).waitFor({ timeout: SLOW_MS })
    await page.keyboard.press('Control+t')
    const drawer = page.getByRole('complementary', { name: 'Try it' })
    await drawer.locator('textarea').first().waitFor()
    await page.keyboard.type('Say something')
    await page.keyboard.press('Control+Enter')
    await drawer
      .locator('.figures')
      .getByText(/\d \+ \d/)
      .waitFor({ timeout: SLOW_MS })
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    await goTo(page, '/requests/history')
    await page.locator('tbody tr[aria-selected]').filter({ hasText: '200' }).first().waitFor()

    const key = await makeUser(page, 'raj', 60)
    await goTo(page, '/dashboard')
    const code = (await page.locator('pre.code').first().textContent()) ?? ''
    const inTerminal = async (text: string): Promise<string> =>
      (await promisify(execFile)('sh', ['-c', text], { env: { PATH: process.env['PATH'] }, timeout: SLOW_MS })).stdout
    expect(JSON.parse(await inTerminal(code))).toMatchObject({ choices: [{ finish_reason: 'stop' }] })
    const asRaj = code.replace('curl ', `curl -H "Authorization: Bearer ${key}" `)
    expect(JSON.parse(await inTerminal(asRaj))).toMatchObject({ choices: [{ finish_reason: 'stop' }] })
    await goTo(page, '/requests/history')
    await page.locator('tbody tr[aria-selected]').filter({ hasText: 'raj' }).first().waitFor()

    await goTo(page, '/models')
    const row = page.getByRole('row').filter({ hasText: 'tiny-8B' })
    await row.getByRole('button', { name: 'Start' }).click()
    await expect
      .poll(async () => (await server.commands.listEngines()).engines.some(({ state }) => state.is === 'failed'), {
        timeout: SLOW_MS,
      })
      .toBe(true)
    await goTo(page, '/dashboard')
    await page.locator('.fail h1').getByText('cannot run').waitFor()
    const { engines } = await server.commands.listEngines()
    const failed = engines.find(({ state }) => state.is === 'failed')!
    const { cause } = (failed.state as Extract<typeof failed.state, { is: 'failed' }>).failure
    await page.locator('.fail').getByText(cause).first().waitFor()
    await page.getByRole('link', { name: 'Engine log' }).first().click()
    await page.locator('.log-line').first().waitFor()
    expect(page.complaints).toEqual([])
  },
  WHOLE_WAY_MS,
)
