/** Models, Users, Settings and the first run in a real Chromium: a real headless Lexora, a fake vLLM, GPU and hub. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { encode } from 'uqr'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { pathOfModules } from '../../../renderer/view-models/qr.ts'
import { FakeHub } from '../../support/fake-hub.ts'
import { type FakeVllm, startFakeVllm } from '../../support/fake-vllm/server.ts'
import { aMachine, hubFiles } from '../machine.ts'
import {
  aHome,
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
} from '../rig.ts'

/** Programs that start, and answers that are measured. */
const SLOW_MS = 120_000

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let browser: Browser
let fake: FakeVllm
let server: Server

beforeAll(async () => {
  browser = await openBrowser()
  fake = await startFakeVllm({ tokenMs: 5, models: ['tiny'] })
  server = await startLexora(routed({ main: fake }))
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  await fake?.close()
  if (server !== undefined) dropHome(server.home)
})

async function aWindow(at: Server, look: Partial<Look> = {}, firstRun = false) {
  const context = await openContext(browser, { ...LARGE, theme: 'light', ...look })
  onTestFinished(() => context.close())
  return await openWindow(context, at, { firstRun })
}

/** Whether somebody listens beyond 127.0.0.1 and ::1: only an address that takes all in answers to 127.0.0.2. */
async function isReached(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.2')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

async function own(
  config: Record<string, unknown> | null,
  more: { env?: Record<string, string>; home?: string; port?: 'of the file' } = {},
) {
  const started = await startLexora(config, more)
  onTestFinished(async () => {
    await started.stop()
    dropHome(started.home)
  })
  return started
}

const goTo = async (page: Page, path: string): Promise<void> => {
  await page.evaluate((to) => {
    location.hash = to
  }, path)
}

async function ask(at: Server, key: string | null): Promise<number> {
  const response = await fetch(`${at.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ model: 'tiny', max_tokens: 4, messages: [{ role: 'user', content: 'Hello' }] }),
  })
  await response.text()
  return response.status
}

async function violations(page: Page): Promise<string[]> {
  const client = await page.context().newCDPSession(page)
  await client.send('Page.setBypassCSP', { enabled: true })
  await page.evaluate(AXE)
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    return (await axe.run()).violations
  })
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
}

describe('users', () => {
  test('a user is made, his key is shown once and works; his limit is met, the key is rotated and revoked', async () => {
    const page = await aWindow(server)
    await goTo(page, '/users')
    await page.getByRole('button', { name: 'New user' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'New user' })
    await dialog.getByLabel('Name').fill('kim')
    await dialog.getByLabel('Requests a minute').fill('3')
    await dialog.getByRole('button', { name: 'Create and show the key' }).click()
    const shown = page.getByRole('dialog', { name: 'The key of kim' })
    const key = ((await shown.locator('[data-secret]').textContent()) ?? '').trim()
    expect(key).toMatch(/^lx-/)
    expect(await violations(page)).toEqual([])

    await shown.getByText('OPENAI_API_KEY').waitFor()
    // Who closes without copying is asked, and can go back.
    const leaveAndComeBack = async (): Promise<void> => {
      await shown.getByRole('button', { name: 'Close' }).click()
      await page
        .getByRole('dialog', { name: /^Close without copying/ })
        .getByRole('button', { name: 'Back to the key' })
        .click()
    }
    await leaveAndComeBack()
    // A copy that does not work is none.
    await page.evaluate(() => {
      const writeText = async (): Promise<void> => await Promise.reject(new Error('not allowed'))
      Object.defineProperty(navigator.clipboard, 'writeText', { value: writeText, configurable: true })
    })
    await shown.getByRole('button', { name: 'Copy the key' }).click()
    await leaveAndComeBack()
    await page.evaluate(() => Reflect.deleteProperty(navigator.clipboard, 'writeText'))
    await shown.getByRole('button', { name: 'Copy the key' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key)
    await shown.getByRole('button', { name: 'Close' }).click()
    await shown.waitFor({ state: 'detached' })
    expect(await page.content()).not.toContain(key)

    const statuses: number[] = []
    for (let i = 0; i < 30 && statuses.at(-1) !== 429; i++) statuses.push(await ask(server, key))
    expect(statuses).toContain(200)
    expect(statuses.at(-1)).toBe(429)
    const row = page.getByRole('row').filter({ hasText: 'kim' })
    await row.getByText('now').waitFor()

    await page.getByRole('complementary', { name: 'kim' }).getByText('7 days').waitFor()
    await page.getByRole('link', { name: 'Requests of this user' }).click()
    await page.locator('tbody tr[aria-selected]').filter({ hasText: '429' }).first().waitFor()
    await goTo(page, '/users/kim')
    const drawer = page.getByRole('complementary', { name: 'kim' })
    await drawer.getByText('rate_limit_exceeded').waitFor()
    await drawer.getByText('now · this computer').waitFor()
    await drawer.getByRole('button', { name: 'Rotate' }).click()
    await page
      .getByRole('dialog', { name: /^Rotate/ })
      .getByRole('button', { name: 'Rotate' })
      .click()
    const rotated = ((await page.locator('[data-secret]').textContent()) ?? '').trim()
    expect(rotated).not.toBe(key)
    await page.getByRole('button', { name: 'Show as a QR code' }).click()
    const code = page.getByRole('img', { name: 'QR code of the address and the key' })
    const drawn = pathOfModules(encode(rotated, { ecc: 'M', border: 4 }).data)
    expect(await code.locator('path').last().getAttribute('d')).toBe(drawn)
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Copy the key' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    expect([await ask(server, key), await ask(server, rotated)].every((status) => [200, 429].includes(status))).toBe(
      true,
    )
    await expect.poll(async () => await drawer.getByRole('button', { name: 'Revoke' }).count()).toBe(2)
    await drawer.getByRole('button', { name: 'Revoke' }).first().click()
    await page
      .getByRole('dialog', { name: /^Revoke/ })
      .getByRole('button', { name: 'Revoke' })
      .click()
    await expect.poll(async () => await drawer.getByRole('button', { name: 'Revoke' }).count()).toBe(1)
    expect([await ask(server, key), await ask(server, rotated)]).toContain(401)
  })

  test('limits are edited in place, the switch shuts a user out, and he is deleted', async () => {
    await server.commands.createUser({ name: 'sato', note: 'lab' })
    const { secret } = await server.commands.createKey({ user: 'sato' })
    const page = await aWindow(server)
    await goTo(page, '/users/sato')
    const drawer = page.getByRole('complementary', { name: 'sato' })
    await drawer.getByRole('button', { name: 'Edit' }).click()
    const dialog = page.getByRole('dialog', { name: 'Limits of sato' })
    await dialog.getByLabel('Tokens a minute').fill('many')
    await dialog.getByText('Must be a number above 0').waitFor()
    await dialog.getByLabel('Tokens a minute').fill('50 000')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    const { users } = await server.commands.listUsers()
    expect(users.find(({ name }) => name === 'sato')?.limits.tokens_per_minute).toBe(50_000)
    await page.getByRole('switch', { name: 'sato' }).click()
    await page.getByText('sato is shut out.').waitFor()
    expect(await ask(server, secret)).toBe(403)
    await drawer.getByRole('button', { name: 'Delete user' }).click()
    await page.getByRole('dialog', { name: 'Delete sato?' }).getByRole('button', { name: 'Delete user' }).click()
    await page.getByRole('row').filter({ hasText: 'sato' }).waitFor({ state: 'detached' })
  })

  test('who may call without a key stands in the list, and is switched there', async () => {
    const at = await own(routed({ main: fake }))
    const page = await aWindow(at)
    await goTo(page, '/users')
    await page.getByText('Only this computer can use the gateway.').waitFor()
    await page.getByText('may call without a key').waitFor()
    await page.getByText('cannot reach it').waitFor()
    expect(await ask(at, null)).toBe(200)
    await page.getByRole('switch', { name: 'this computer' }).click()
    await page.getByText('refused with 401').waitFor()
    expect(await ask(at, null)).toBe(401)
  })
})

test('the versions that can be installed are asked for, listed and installed from the list', async () => {
  const files = ['0.11.0', '0.10.2'].map((version) => ({ filename: `vllm-${version}.tar.gz` }))
  const asked: string[] = []
  const index = createServer(({ url = '' }, response) => {
    asked.push(url)
    response.end(JSON.stringify({ files }))
  })
  await new Promise<void>((resolve) => index.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void index.close())
  const { port } = index.address() as AddressInfo
  const home = aHome()
  // A machine without uv, whatever this one has.
  const env = { UV_DEFAULT_INDEX: `http://127.0.0.1:${port}/simple`, HOME: home, PATH: home }
  const at = await own(routed({ main: fake }), { env, home })
  const page = await aWindow(at)
  await goTo(page, '/models/engine-versions')
  const show = page.getByRole('button', { name: 'Show what can be installed' })
  await show.waitFor()
  expect(asked).toEqual([])
  await show.click()
  const list = page.getByRole('list', { name: 'Show what can be installed' })
  await list.getByText('0.11.0').waitFor()
  expect([asked, await list.getByRole('listitem').count()]).toEqual([['/simple/vllm/'], 2])
  expect(await violations(page)).toEqual([])
  await list.getByRole('listitem').filter({ hasText: '0.10.2' }).getByRole('button', { name: 'Install' }).click()
  await page.getByText('0.10.2 was not installed.').waitFor()
  await page.getByText('There is no `uv` on this machine').waitFor()
})

describe('settings', () => {
  test('a changed setting is in force and in the file, whose comments stay; a wrong one changes nothing', async () => {
    const home = aHome()
    const file = join(home, 'lexora_config.yaml')
    writeFileSync(file, '# my own words\nqueue:\n  max_size: 7 # few\nlogging: {level: INFO}\n', { mode: 0o600 })
    const at = await own(null, { home })
    const page = await aWindow(at)
    await goTo(page, '/settings/limits')
    const row = page.locator('[data-path="queue.max_size"]')
    const field = row.getByRole('textbox', { name: 'Places in the queue' })
    await field.fill('0')
    await field.press('Enter')
    await row.getByRole('alert').waitFor()
    expect(await row.getByRole('alert').textContent()).toContain('The old value stays in force.')
    expect(readFileSync(file, 'utf8')).toContain('max_size: 7 # few')
    await field.press('Escape')
    await expect.poll(async () => await field.inputValue()).toBe('7')
    await field.fill('9')
    await row.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Places in the queue: saved, and in force.').waitFor()
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('# my own words')
    expect(text).toContain('max_size: 9 # few')
    await row.getByRole('button', { name: 'reset' }).click()
    await expect.poll(async () => await field.inputValue()).toBe('100')

    await page.keyboard.press('Control+f')
    await page.keyboard.type('keepalive')
    await page.locator('[data-path="timeouts.keepalive_comment_after"]').waitFor()
    // Each letter leaves fewer of them.
    await expect.poll(async () => await page.locator('.set').count()).toBe(1)
  })

  test('a search finds rows that no file holds; what this release does not have cannot be changed', async () => {
    const page = await aWindow(server)
    await goTo(page, '/settings/limits')
    const search = page.getByLabel('Find a setting')
    await search.fill('theme')
    await page.getByText('Light or dark.').waitFor()
    await search.fill('where things lie')
    await page.getByRole('region', { name: 'Where things lie' }).waitFor()
    await search.fill('cache.enabled')
    const row = page.locator('[data-path="cache.enabled"]')
    await row.getByText('Not in this release: it does nothing yet.').waitFor()
    expect(await row.getByRole('switch').count()).toBe(0)
    await search.fill('no such thing')
    await page.getByText('No setting is called so.').waitFor()
  })

  test('what a variable holds is locked, and the variable is named', async () => {
    const at = await own(routed({ main: fake }), { env: { LEXORA_QUEUE__MAX_SIZE: '11' } })
    const page = await aWindow(at)
    await goTo(page, '/settings/limits')
    const row = page.locator('[data-path="queue.max_size"]')
    await row.getByText('LEXORA_QUEUE__MAX_SIZE').waitFor()
    expect(await row.getByRole('textbox').count()).toBe(0)
  })

  test('the network opens only when somebody has a key, and closes at once', async () => {
    const at = await own(routed({ main: fake }, { server: { host: '127.0.0.1' } }))
    const page = await aWindow(at)
    await goTo(page, '/settings/network')
    const door = page.getByRole('switch', { name: 'Reachable from the network' })
    await door.click()
    const dialog = page.getByRole('dialog', { name: 'Open Lexora to the network?' })
    await dialog.getByText('Somebody has a key.').waitFor()
    expect(await dialog.getByRole('button', { name: 'Open to the network' }).isDisabled()).toBe(true)
    await at.commands.createUser({ name: 'kim' })
    await at.commands.createKey({ user: 'kim' })
    await expect
      .poll(async () => await dialog.getByRole('button', { name: 'Open to the network' }).isEnabled())
      .toBe(true)
    expect(await violations(page)).toEqual([])
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    const port = Number(new URL(page.url()).port)
    expect(await isReached(port)).toBe(false)
    await door.click()
    await dialog.getByRole('button', { name: 'Open to the network' }).click()
    await page.getByText('Other machines can connect now, with a key.').waitFor()
    await expect.poll(async () => await door.getAttribute('aria-checked')).toBe('true')
    expect(await isReached(port)).toBe(true)
    const [own4] = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4')
    if (own4 !== undefined)
      await page.getByText(`${own4.address} (`).getByText('answers, and asks for a key.').waitFor()
    await door.click()
    await page.getByText('Only this computer can connect now.').waitFor()
    await expect.poll(async () => await door.getAttribute('aria-checked')).toBe('false')
    expect(await isReached(port)).toBe(false)
  })

  test('the history filters all that is kept, and a page of it that cannot be read is asked for again', async () => {
    const at = await own(routed({ main: fake }, { rate_limit: { enabled: false } }))
    const ask = async (user: string) =>
      (await fetch(`${at.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-lexora-user': user },
        body: JSON.stringify({ model: user === 'odd' ? 'none' : 'tiny', max_tokens: 1, messages: [] }),
      }).then(async (answer) => await answer.text())) !== ''
    await ask('odd')
    for (let i = 0; i < 13; i++) await Promise.all(Array.from({ length: 10 }, async () => await ask('kim')))
    await expect.poll(async () => (await at.commands.requestHistory({ user: 'odd' })).rows.length).toBe(1)
    await expect.poll(async () => (await at.commands.requestHistory({ limit: 200 })).rows.length).toBe(131)
    const page = await aWindow(at)
    let isBroken = true
    await page.route(/history\?.*before=/, async (route) => await (isBroken ? route.abort() : route.continue()))
    await goTo(page, '/requests/history')
    await page.getByText('100+ requests').waitFor()
    await page.getByRole('region', { name: 'History' }).focus()
    for (let i = 0; i < 6; i++) await page.keyboard.press('PageDown')
    const trouble = page.getByRole('alert').filter({ hasText: 'The request history cannot be read' })
    await trouble.waitFor()
    isBroken = false
    await trouble.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('131 requests').waitFor()
    await trouble.waitFor({ state: 'detached' })
    const filter = page.getByLabel('Add a filter')
    await filter.fill('usr:odd')
    await filter.press('Enter')
    await page.getByText('Not a filter: usr:odd.').waitFor()
    // The oldest of all, beyond the first page.
    await filter.fill('status:404')
    await filter.press('Enter')
    await page.getByText('1 request', { exact: true }).waitFor()
    await page.getByRole('row').filter({ hasText: 'odd' }).waitFor()
  })

  test('a certificate is made for this machine, a bad one is refused, and TLS is switched off again', async () => {
    const at = await own(routed({ main: fake }))
    const page = await aWindow(at)
    await goTo(page, '/settings/network')
    const row = page.getByRole('region', { name: 'Encrypted connections (TLS)' })
    await row.getByText('Clients connect by plain http.').waitFor()
    const search = page.getByLabel('Find a setting')
    await search.fill('timeouts')
    await row.waitFor({ state: 'detached' })
    await search.fill('TLS')
    await row.waitFor()
    await search.fill('')
    await row.getByRole('button', { name: 'Use a certificate of mine' }).click()
    const ask = page.getByRole('dialog', { name: 'Use a certificate of mine' })
    await ask.getByLabel('File of the certificate').fill('/nowhere/cert.pem')
    await ask.getByLabel('File of its private key').fill('/nowhere/key.pem')
    await ask.getByRole('button', { name: 'Use a certificate of mine' }).click()
    await ask.getByRole('alert').filter({ hasText: 'cannot be read' }).waitFor()
    expect(await ask.getByLabel('File of the certificate').inputValue()).toBe('/nowhere/cert.pem')
    expect(await violations(page)).toEqual([])
    await page.keyboard.press('Escape')
    await row.getByRole('button', { name: 'Make a certificate' }).click()
    const make = page.getByRole('dialog', { name: 'Make a certificate' })
    await make.getByLabel('More names or addresses, by commas').fill('gpu.example')
    await make.getByRole('button', { name: 'Make a certificate' }).click()
    await make.waitFor({ state: 'detached' })
    await row.getByText(/localhost.*gpu\.example/).waitFor()
    const { certificate, pendingRestart } = await at.commands.readTls()
    await row.getByText(certificate!.fingerprint).waitFor()
    expect(pendingRestart).toBe(true)
    await row.getByRole('button', { name: 'Switch TLS off' }).click()
    await row.getByText('Clients connect by plain http.').waitFor()
    expect((await at.commands.readTls()).certificate).toBe(null)
  })

  test('a page that was turned away waits below the allowed origins, is allowed there, and another is dismissed', async () => {
    const at = await own(routed({ main: fake }))
    const statusOf = async (origin: string): Promise<number> =>
      (await fetch(`${at.origin}/healthz`, { headers: { origin } })).status
    expect(await statusOf('https://app.example')).toBe(403)
    expect(await statusOf('https://other.example')).toBe(403)
    const page = await aWindow(at)
    await goTo(page, '/settings/network')
    const waiting = page.getByRole('region', { name: 'Waiting for approval' })
    const row = (origin: string) => waiting.getByRole('listitem').filter({ hasText: origin })
    const badge = page.locator('.nav a[href="#/settings"] .badge')
    await badge.getByText('2', { exact: true }).waitFor()
    expect(await badge.getAttribute('title')).toBe('Waiting for approval: 2')
    await row('https://app.example').waitFor()
    expect(await violations(page)).toEqual([])
    await row('https://app.example').getByRole('button', { name: 'Allow' }).click()
    await page.getByText('Pages of https://app.example may call now.').waitFor()
    expect(await statusOf('https://app.example')).toBe(200)
    await row('https://other.example').getByRole('button', { name: 'Dismiss' }).click()
    await waiting.waitFor({ state: 'detached' })
    await badge.waitFor({ state: 'detached' })
    expect(await statusOf('https://other.example')).toBe(403)
    const field = page.locator('[data-path="server.cors_origins"]').getByRole('textbox')
    await expect.poll(async () => await field.inputValue()).toBe('https://app.example')
  })

  test('a computer that Lexora speaks to is blocked in its row, and let in again', async () => {
    const far = routed({ far: fake }) as { routing: { backends: { far: object } } }
    Object.assign(far.routing.backends.far, { remote: true })
    const at = await own({ ...far, privacy: { blocked: ['never.example'] } })
    const { host } = new URL(fake.url)
    const page = await aWindow(at)
    await goTo(page, '/settings/privacy')
    const list = page.getByRole('region', { name: 'Outbound connections' })
    const row = (name: string) => list.getByRole('row').filter({ hasText: name })
    await row(host)
      .getByText(/\d.k?B$/)
      .first()
      .waitFor()
    await row('never.example').getByText('never yet').waitFor()
    const allowed = row(host).getByRole('switch')
    expect(await violations(page)).toEqual([])
    await allowed.click()
    await expect.poll(async () => (await at.commands.snapshot()).server.blocked).toEqual(['never.example', host])
    expect((await at.commands.snapshot()).backends).toEqual([])
    await expect.poll(async () => await allowed.isChecked()).toBe(false)
    await allowed.click()
    await expect.poll(async () => (await at.commands.snapshot()).backends.map(({ name }) => name)).toEqual(['far'])
    await row('never.example').getByRole('switch').click()
    await row('never.example').waitFor({ state: 'detached' })
  })

  test('the environment of an engine is changed name by name, and what it holds is never shown', async () => {
    const env = { HF_TOKEN: 'hf_secret_of_ann', NCCL_DEBUG: 'INFO' }
    const at = await own({ engines: { tiny: { model: 'acme/tiny', env }, big: { model: 'acme/big', port: 8123 } } })
    const held = () => {
      const { engines } = parse(readFileSync(join(at.home, 'config.yaml'), 'utf8')) as {
        engines: Record<string, { env?: object; autostart?: boolean }>
      }
      return engines
    }
    const page = await aWindow(at)
    await goTo(page, '/settings/engines')
    const list = page.locator('[data-path="engines.tiny.env"]').getByRole('list', { name: 'Environment' })
    await list.getByLabel('Value HF_TOKEN').waitFor()
    expect(await page.content()).not.toContain('hf_secret_of_ann')
    expect(await violations(page)).toEqual([])
    await list.getByLabel('Value HF_TOKEN').fill('hf_other')
    await list.getByRole('button', { name: 'Save' }).click()
    await expect.poll(() => held()['tiny']?.env).toEqual({ ...env, HF_TOKEN: 'hf_other' })
    await list.getByRole('button', { name: 'Remove NCCL_DEBUG' }).click()
    await expect.poll(() => held()['tiny']?.env).toEqual({ HF_TOKEN: 'hf_other' })
    await list.getByLabel('Environment: Name').fill('no name')
    await list.getByLabel('Value no name').fill('1')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'must be the name of an environment variable' }).waitFor()
    await list.getByLabel('Environment: Name').fill('OMP_NUM_THREADS')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await expect.poll(() => held()['tiny']?.env).toEqual({ HF_TOKEN: 'hf_other', OMP_NUM_THREADS: '1' })
    await list.getByLabel('Value OMP_NUM_THREADS').waitFor()
    await goTo(page, '/settings/general')
    const all = page.getByRole('switch', { name: 'Start engines with Lexora' })
    await page.getByText('Now for 0 of 2.').waitFor()
    await all.click()
    await page.getByText('Now for 2 of 2.').waitFor()
    expect(Object.values(held()).map(({ autostart }) => autostart)).toEqual([true, true])
    expect(await all.isChecked()).toBe(true)
  })

  test('what lies on the disk is told with its size, and old logs go when that was asked', async () => {
    const at = await own(routed({ main: fake }))
    const old = join(at.home, 'logs', 'requests-20200101.jsonl')
    mkdirSync(join(at.home, 'logs'), { recursive: true })
    writeFileSync(old, 'x'.repeat(50_000))
    const page = await aWindow(at)
    await goTo(page, '/settings/data')
    const places = page.getByRole('region', { name: 'Where things lie' })
    const row = places.getByRole('row').filter({ hasText: join(at.home, 'logs') })
    await row.getByText(/^\d\d.kB$/).waitFor()
    await row.getByRole('button', { name: 'Clear' }).click()
    const asks = page.getByRole('dialog', { name: 'Clear Logs' })
    expect(await violations(page)).toEqual([])
    await asks.getByRole('button', { name: 'Clear now' }).click()
    await asks.waitFor({ state: 'detached' })
    await page.getByText(/50.kB are free again/).waitFor()
    expect(existsSync(old)).toBe(false)
  })

  test('the port says who has it, while it is typed', async () => {
    const at = await own(routed({ main: fake }, { server: { port: 0 } }), { port: 'of the file' })
    const page = await aWindow(at)
    await goTo(page, '/settings/network')
    const row = page.locator('[data-path="server.port"]')
    const field = row.getByRole('textbox')
    await field.fill(new URL(at.origin).port)
    await row.getByText('this Lexora').waitFor()
    await field.fill(new URL(fake.url).port)
    await row.getByText(`(pid ${process.pid})`).waitFor()
    expect(await violations(page)).toEqual([])
    await field.fill('65536')
    await row.locator('.remark').waitFor({ state: 'detached' })
  })

  test('a change that waits for the next start can be taken back where that is said', async () => {
    const at = await own(routed({ main: fake }))
    const page = await aWindow(at)
    await goTo(page, '/settings/network')
    await at.commands.setConfig({ changes: [{ path: 'ui.enabled', value: false }] })
    const waits = page.getByText('1 change waits for the next start')
    await waits.waitFor()
    await page.getByRole('button', { name: 'Take the last change back' }).click()
    await waits.waitFor({ state: 'detached' })
    expect((await at.commands.getConfig()).pendingRestart).toEqual([])
    expect(await violations(page)).toEqual([])
  })

  test('a section goes back to its defaults, and what else the file says stays', async () => {
    const at = await own(routed({ main: fake }, { queue: { max_size: 7 }, logging: { level: 'DEBUG' } }))
    const page = await aWindow(at)
    await goTo(page, '/settings/limits')
    await page.getByRole('button', { name: 'Reset this section' }).click()
    const dialog = page.getByRole('dialog', { name: 'Reset this section' })
    await dialog.getByText('queue.max_size').waitFor()
    await dialog.getByRole('button', { name: 'Reset this section' }).click()
    await dialog.waitFor({ state: 'detached' })
    const held = async (path: string) =>
      (await at.commands.getConfig()).entries.find((entry) => entry.path === path)?.value
    await expect.poll(async () => await held('queue.max_size')).toBe(100)
    expect(await held('logging.level')).toBe('DEBUG')
    await page.getByRole('button', { name: 'Reset this section' }).waitFor({ state: 'detached' })
  })

  test('the file is shown without its secrets, checked line by line, written, and taken back', async () => {
    const at = await own(routed({ main: fake }, { auth: { admin_key: 'an-admin-key-of-ours' } }))
    const page = await aWindow(at)
    await goTo(page, '/settings/advanced')
    const text = page.getByLabel('Text of the configuration')
    await text.waitFor()
    const before = await text.inputValue()
    expect(before).toContain('<secret-1>')
    expect(before).not.toContain('an-admin-key-of-ours')
    await text.fill(`# mine\n${before}\n`.replace('"routing"', '"qeue":{},"routing"'))
    await page.getByRole('button', { name: 'Check', exact: true }).click()
    const issue = page.locator('.raw-issues li').filter({ hasText: 'qeue' })
    await issue.getByRole('button', { name: /^line 2:/ }).click()
    expect(await text.evaluate((area: HTMLTextAreaElement) => area.selectionStart)).toBe('# mine\n'.length)
    await text.fill(`# mine\n${before}\n`.replace('"routing"', '"queue":{"max_size":7},"routing"'))
    await page.getByRole('button', { name: 'Save and apply' }).click()
    await page.getByRole('status').filter({ hasText: 'queue.max_size' }).waitFor()
    const file = () => readFileSync(join(at.home, 'config.yaml'), 'utf8')
    expect(file()).toContain('# mine\n')
    expect(file()).toContain('an-admin-key-of-ours')
    await expect.poll(async () => await text.inputValue()).toContain('# mine')
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Take the last change back' }).click()
    await expect.poll(async () => await text.inputValue()).toBe(before)
    expect(file()).not.toContain('# mine')
    await text.fill(`# late\n${before}\n`)
    // Who looks elsewhere meanwhile finds it again.
    await goTo(page, '/settings/network')
    await text.waitFor({ state: 'detached' })
    await goTo(page, '/users')
    await goTo(page, '/settings/advanced')
    await page.getByText('Draft, not saved').waitFor()
    expect(await text.inputValue()).toContain('# late')
    writeFileSync(join(at.home, 'config.yaml'), file().replace('{', '{ '))
    await page.getByRole('button', { name: 'Save and apply' }).click()
    await page.getByText('The file has changed meanwhile.').waitFor()
    expect(await text.inputValue()).toContain('# late')
    expect(file()).not.toContain('# late')
    await page.getByRole('button', { name: 'Discard changes' }).click()
    await page.getByText('Draft, not saved').waitFor({ state: 'detached' })
    await expect.poll(async () => await text.inputValue()).toBe(file().replace('"an-admin-key-of-ours"', '<secret-1>'))
  })
})

describe('models', () => {
  test('a download that meets a full disk waits in a banner, and is resumed there', async () => {
    const files = hubFiles(400_000)
    const hub = await FakeHub.start({ 'acme/tiny-chat': { files } })
    const machine = aMachine({ hub: hub.address })
    onTestFinished(() => machine.dispose())
    const blobs = join(machine.env['HF_HOME']!, 'hub', 'models--acme--tiny-chat', 'blobs')
    const part = join(blobs, `${createHash('sha256').update(files['model.safetensors']!).digest('hex')}.incomplete`)
    mkdirSync(blobs, { recursive: true })
    // A file that is always full: every write to it is refused with ENOSPC.
    symlinkSync('/dev/full', part)
    const at = await own(null, { env: machine.env })
    const page = await aWindow(at)
    await goTo(page, '/models')
    await at.commands.pullModel({ repo: 'acme/tiny-chat' })
    const banner = page.getByRole('alert').filter({ hasText: 'tiny-chat is paused, for the disk is full' })
    await banner.waitFor()
    const row = page.getByRole('row').filter({ hasText: 'tiny-chat' })
    await row.getByText('The disk is full').waitFor()
    expect(await row.getByRole('button', { name: 'Start' }).count()).toBe(0)
    expect(await violations(page)).toEqual([])
    rmSync(part)
    await banner.getByRole('button', { name: 'Resume' }).click()
    await banner.waitFor({ state: 'detached' })
    await row.getByText('Fits').waitFor({ timeout: SLOW_MS })
  })

  test('are put in another order by a title, with a key as with a click', async () => {
    const hub = await FakeHub.start({
      'acme/big-chat': { files: hubFiles(800_000) },
      'acme/tiny-chat': { files: hubFiles(400_000) },
    })
    const machine = aMachine({ hub: hub.address })
    onTestFinished(() => machine.dispose())
    const at = await own(null, { env: machine.env })
    for (const repo of ['acme/tiny-chat', 'acme/big-chat']) await at.commands.pullModel({ repo })
    const page = await aWindow(at)
    await goTo(page, '/models')
    const names = page
      .getByRole('row')
      .locator('.name')
      .filter({ hasText: /^(big|tiny)-chat$/ })
    const title = page.getByRole('columnheader', { name: 'size' })
    const reads = async (sort: string | null, order: string[]): Promise<void> => {
      const seen = async () => [await title.getAttribute('aria-sort'), ...(await names.allTextContents())]
      await expect.poll(seen, { timeout: SLOW_MS }).toEqual([sort, ...order])
    }
    await title.waitFor()
    await reads(null, ['big-chat', 'tiny-chat'])
    await title.getByRole('button').focus()
    await page.keyboard.press('Enter')
    await reads('descending', ['big-chat', 'tiny-chat'])
    await page.keyboard.press('Enter')
    await reads('ascending', ['tiny-chat', 'big-chat'])
    expect(await violations(page)).toEqual([])
    await page.reload()
    await reads('ascending', ['tiny-chat', 'big-chat'])
    await title.getByRole('button').click()
    await reads(null, ['big-chat', 'tiny-chat'])
  })

  test('one is fetched from the hub while its progress shows, then fits, starts, is measured and removed', async () => {
    const hub = await FakeHub.start({ 'acme/tiny-chat': { files: hubFiles(400_000) } })
    hub.fault = (path, nth) => (path === 'model.safetensors' && nth <= 2 ? { stallAfter: 100_000 } : null)
    const machine = aMachine({ hub: hub.address })
    onTestFinished(() => machine.dispose())
    const at = await own(null, { env: machine.env })
    const page = await aWindow(at)
    await goTo(page, '/models')
    await page
      .getByRole('heading', { name: 'No models on this computer yet' })
      .or(page.getByRole('row').filter({ hasText: 'demo' }))
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Add a model' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'Add a model' })
    await dialog.getByLabel(/^Name at the hub/).fill('https://huggingface.co/acme/tiny-chat')
    await dialog.getByRole('button', { name: 'Fetch' }).click()
    await dialog.waitFor({ state: 'detached' })
    const row = page.getByRole('row').filter({ hasText: 'tiny-chat' })
    await row.getByRole('progressbar').waitFor()
    await page.getByText(/\d\s(GB|MB|TB) free$/).waitFor()
    // The hub stands still. Paused, it waits for a person; cancelled, it goes on later from where it was.
    await row.getByRole('button', { name: 'Pause the download' }).click()
    await row.getByText(/^paused · /).waitFor()
    expect((await at.commands.listPulls()).pulls).toMatchObject([{ repo: 'acme/tiny-chat', state: 'held' }])
    expect(await violations(page)).toEqual([])
    await row.getByRole('button', { name: 'Resume the download' }).click()
    await row.getByRole('button', { name: 'Pause the download' }).waitFor()
    await row.getByRole('button', { name: 'Cancel' }).click()
    await row.getByRole('progressbar').waitFor({ state: 'detached' })
    await at.commands.pullModel({ repo: 'acme/tiny-chat' })
    await row.getByText('Fits').waitFor({ timeout: SLOW_MS })
    await row.getByText('never', { exact: true }).waitFor()
    await row.click()
    const drawer = page.getByRole('complementary', { name: 'tiny-chat' })
    await drawer.getByText('GPU memory with these settings').waitFor()
    const slider = drawer.getByRole('slider', { name: 'at once' })
    await slider.focus()
    await page.keyboard.press('ArrowRight')
    await expect.poll(async () => await slider.inputValue()).toBe('2')
    await drawer.getByRole('tab', { name: 'Files' }).click()
    await drawer.getByRole('row', { name: /config\.json .* not verified/ }).waitFor()
    await drawer.getByRole('button', { name: 'Verify' }).click()
    await drawer.getByText(/files are whole/).waitFor()
    await drawer.getByRole('row', { name: /model\.safetensors 400 kB whole by its hash/ }).waitFor()

    await row.getByRole('button', { name: 'Start' }).click()
    await row.getByText('Ready').waitFor({ timeout: SLOW_MS })
    expect(readFileSync(join(at.home, 'lexora_config.yaml'), 'utf8')).toContain('tiny-chat')
    await drawer.getByRole('tab', { name: 'Bench' }).click()
    await drawer.getByRole('button', { name: 'Measure' }).click()
    await drawer.getByRole('button', { name: 'Copy as Markdown' }).waitFor({ timeout: SLOW_MS })
    await drawer.getByRole('button', { name: 'Copy as Markdown' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('| tiny-chat | 4 | 100 |')
    await drawer.getByRole('radio', { name: 'prompt 1k' }).click()
    for (const rows of [2, 3]) {
      await drawer.getByRole('button', { name: 'Measure' }).click()
      await expect.poll(async () => await drawer.locator('tbody tr').count(), { timeout: SLOW_MS }).toBe(rows)
    }
    await drawer.getByRole('row', { name: /^\d.* 4 1k .*%/ }).waitFor()
    await drawer
      .getByTitle(/^against the last one/)
      .first()
      .waitFor()
    expect(await violations(page)).toEqual([])
    const { models } = await at.commands.listModels()
    expect(models).toMatchObject([{ id: 'acme/tiny-chat', lastUsed: expect.stringMatching(/^\d{4}-.*Z$/) }])
    await drawer.getByRole('tab', { name: 'Log' }).click()
    await drawer
      .getByRole('log')
      .getByText(/vLLM|INFO|Loading/)
      .first()
      .waitFor()
    await drawer.getByRole('tab', { name: 'Launch' }).click()
    await drawer.getByText('--gpu-memory-utilization').first().waitFor()
    // What is typed shows in the command; saved only, it waits; applied, it restarts the engine.
    const engine = async () => (await at.commands.listEngines()).engines[0]!
    const { name, pid } = await engine()
    await drawer.getByLabel('at once').fill('many')
    await drawer.getByText('many is no number.').waitFor()
    await drawer.getByLabel('at once').fill('8')
    await drawer.getByText('+ --max-num-seqs 8').waitFor()
    await drawer.getByLabel(/one “name: value” a line/).fill('max-model-le: 1')
    await drawer.getByText(/Did you mean `max-model-len`\?/).waitFor()
    await drawer.getByLabel(/one “name: value” a line/).fill('seed: 7')
    await drawer.getByLabel(/^Environment: /).fill('MY_FLAG: 1')
    expect(await violations(page)).toEqual([])
    await drawer.getByRole('button', { name: 'Save only' }).click()
    await page.getByText(`Saved. ${name} goes over to it at its next start.`).waitFor()
    await drawer.getByText('+ --seed 7').waitFor()
    expect(await engine()).toMatchObject({ pid, state: { is: 'ready' } })
    expect(readFileSync(join(at.home, 'lexora_config.yaml'), 'utf8')).toMatch(/max-num-seqs: 8\s+seed: 7/)
    await drawer.getByLabel('at once').fill('4')
    await drawer.getByRole('button', { name: 'Apply and restart' }).click()
    await expect.poll(async () => (await engine()).pid, { timeout: SLOW_MS }).not.toBe(pid)
    await row.getByText('Ready').waitFor({ timeout: SLOW_MS })
    expect((await at.commands.engineCommand()).running).toEqual(
      expect.arrayContaining(['--max-num-seqs 4', '--seed 7', 'MY_FLAG=***']),
    )
    await drawer.getByText('Its next start against what runs').waitFor({ state: 'detached' })
    await drawer.getByRole('tab', { name: 'Fit' }).click()
    const share = drawer.getByRole('slider', { name: 'memory share' })
    const percent = Number(await share.inputValue()) - 1
    await share.focus()
    await page.keyboard.press('ArrowLeft')
    await drawer.getByText(`--gpu-memory-utilization ${percent / 100}`).waitFor()
    const news = page.getByText(`Saved. ${name} restarts when its requests end.`)
    await news.waitFor({ state: 'detached' })
    const { pid: second } = await engine()
    await drawer.getByRole('button', { name: 'Apply and restart' }).click()
    await news.waitFor()
    await expect.poll(async () => (await engine()).pid, { timeout: SLOW_MS }).not.toBe(second)
    await row.getByText('Ready').waitFor({ timeout: SLOW_MS })
    expect((await at.commands.engineCommand()).running).toContain(`--gpu-memory-utilization ${percent / 100}`)
    await expect.poll(async () => await share.inputValue()).toBe(String(percent))

    await row.getByRole('button', { name: 'Stop' }).click()
    await row.getByText('Stopped').waitFor({ timeout: SLOW_MS })
    await drawer.getByRole('tab', { name: 'Files' }).click()
    await drawer.getByRole('button', { name: 'Remove from the disk' }).click()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^Remove / })
      .click()
    await page.getByText(/is removed;/).waitFor()
    expect((await at.commands.listModels()).models).toEqual([])
  }, 600_000)

  test('a gated model asks for a token where it failed, and comes with the right one', async () => {
    const gated = { status: 403, token: 'hf_right' } as const
    const hub = await FakeHub.start({ 'acme/gated': { files: hubFiles(200_000), gated } })
    const machine = aMachine({ hub: hub.address })
    onTestFinished(() => machine.dispose())
    const at = await own(routed({ main: fake }), { env: machine.env })
    await at.commands.pullModel({ repo: 'acme/gated' })
    const page = await aWindow(at)
    await goTo(page, '/models')
    await page.getByRole('button', { name: 'Token…' }).click({ timeout: SLOW_MS })
    const dialog = page.getByRole('dialog')
    expect(await dialog.getByRole('link').getAttribute('href')).toBe(`${hub.address}/acme/gated`)
    expect(await violations(page)).toEqual([])
    await dialog.getByLabel('Token of your account').fill('hf_right')
    await dialog.getByRole('button', { name: 'Keep it and try again' }).click()
    await dialog.waitFor({ state: 'detached' })
    await expect
      .poll(async () => (await at.commands.listModels()).models.map(({ id, complete }) => [id, complete]), {
        timeout: SLOW_MS,
      })
      .toEqual([['acme/gated', true]])
    expect(await page.content()).not.toContain('hf_right')
  })

  test('a model that is proposed can be fetched, and a refusal of the hub is said', async () => {
    const machine = aMachine()
    onTestFinished(() => machine.dispose())
    const at = await own(routed({ main: fake }), { env: { ...machine.env, HF_HUB_OFFLINE: '1' } })
    const page = await aWindow(at)
    await goTo(page, '/models')
    await page.getByRole('button', { name: 'Choose one to begin with' }).click()
    await page.getByRole('button', { name: 'Fetch' }).first().click()
    await page
      .getByText(/^That did not work:/)
      .first()
      .waitFor()
  })
})

describe('the first run', () => {
  test('without a GPU is not all green, and a user is made where the door to the network asks for one', async () => {
    const machine = aMachine({ gpu: false })
    onTestFinished(() => machine.dispose())
    const at = await own(null, { env: machine.env })
    const page = await aWindow(at, {}, true)
    const next = page.getByRole('button', { name: 'Next' })
    await page.getByText('No GPU is read').waitFor()
    await page.getByRole('button', { name: 'Look again' }).click()
    await page.getByRole('button', { name: 'Copy' }).click()
    await expect
      .poll(async () => await page.evaluate(() => navigator.clipboard.readText()))
      .toMatch(/^(warn|ok) {2}gpu:/m)
    expect(await violations(page)).toEqual([])
    for (const heading of ['What runs models', 'Choose a model', 'Send a first request', 'Last choices']) {
      await next.click()
      await page.getByRole('heading', { name: heading, exact: true }).waitFor()
    }
    const steps = page.getByRole('complementary', { name: 'Steps' }).getByRole('listitem')
    expect(await steps.filter({ hasText: 'skipped' }).count()).toBe(2)
    await page.getByRole('switch', { name: 'Reachable from the network' }).click()
    const door = page.getByRole('dialog', { name: 'Open Lexora to the network?' })
    await door.getByRole('button', { name: 'New user' }).click()
    const dialog = page.getByRole('dialog', { name: 'New user' })
    await dialog.getByLabel('Name').fill('kim')
    await dialog.getByRole('button', { name: 'Create and show the key' }).click()
    const shown = page.getByRole('dialog', { name: 'The key of kim' })
    await shown.getByRole('button', { name: 'Copy the key' }).click()
    await shown.getByRole('button', { name: 'Close' }).click()
    await door.getByText('Keys that work: 1').waitFor()
    expect(await door.getByRole('button', { name: 'New user' }).count()).toBe(0)
    expect(await violations(page)).toEqual([])
    expect(page.complaints).toEqual([])
  })

  test('a start is called off, and begun anew', async () => {
    const machine = aMachine()
    onTestFinished(() => machine.dispose())
    machine.addModel('acme/tiny-8B', 16_000_000_000)
    machine.host.vllm({ timeScale: 1000 })
    const at = await own(null, { env: machine.env })
    const page = await aWindow(at, {}, true)
    const next = page.getByRole('button', { name: 'Next' })
    await next.click()
    await page.getByRole('heading', { name: 'What runs models' }).waitFor()
    await next.click()
    await page.getByRole('button', { name: 'Start this one' }).click()
    await page.getByRole('button', { name: 'Cancel start' }).click({ timeout: SLOW_MS })
    await page.getByRole('status').getByText('Stopped').waitFor({ timeout: SLOW_MS })
    machine.host.vllm({ timeScale: 0.01 })
    await page.getByRole('button', { name: 'Start engine' }).click()
    await page.getByRole('status').getByText('Ready').waitFor({ timeout: SLOW_MS })
  }, 600_000)

  test('leads from nothing to a first answer, goes on where it was left, and does not come again', async () => {
    const machine = aMachine()
    onTestFinished(() => machine.dispose())
    machine.addModel('acme/tiny-8B', 16_000_000_000)
    const at = await own(null, { env: machine.env })
    const page = await aWindow(at, {}, true)
    const next = page.getByRole('button', { name: 'Next' })
    await page.getByRole('heading', { name: 'This machine' }).waitFor()
    await page.getByText('NVIDIA GeForce RTX 5090').first().waitFor()
    expect(await violations(page)).toEqual([])
    await next.click()
    await page.getByText('Install vLLM aside').waitFor()
    await page.getByText(join(machine.host.bin, 'vllm')).waitFor()
    await next.click()
    await page.getByRole('heading', { name: 'Choose a model' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Choose a model' }).waitFor()
    await page.getByText('Fits', { exact: true }).first().waitFor()
    await page.getByRole('button', { name: 'Start this one' }).click()
    await page.getByRole('heading', { name: 'Starting' }).waitFor()
    await page.getByRole('status').getByText('Ready').waitFor({ timeout: SLOW_MS })
    await next.click()
    await page.getByRole('button', { name: 'Run it here' }).click()
    await page.getByText(/^200 · .* tok · /).waitFor({ timeout: SLOW_MS })
    await next.click()
    await page.getByRole('switch', { name: /together with Lexora$/ }).click()
    await expect.poll(() => readFileSync(join(at.home, 'lexora_config.yaml'), 'utf8')).toContain('autostart: true')
    await page.getByRole('button', { name: 'Finish', exact: true }).click()
    await page.getByRole('heading', { name: /^Serving/ }).waitFor()
    await page.goto(`${at.origin}/ui/`)
    await page.getByRole('heading', { name: /^Serving/ }).waitFor()
    await goTo(page, '/settings/general')
    await page.getByRole('button', { name: 'Open it again' }).click()
    await page.getByRole('heading', { name: 'This machine' }).waitFor()
    expect(page.complaints).toEqual([])
  }, 600_000)

  test('can be left for later, and then does not come by itself', async () => {
    const machine = aMachine({ gpu: false })
    onTestFinished(() => machine.dispose())
    const at = await own(null, { env: machine.env })
    const page = await aWindow(at, SMALL, true)
    await page.getByRole('button', { name: 'Finish later' }).click()
    await page.locator('.verdict h1').waitFor()
    await page.goto(`${at.origin}/ui/`)
    await page.locator('.verdict h1').waitFor()
  })
})

const SCREENS = [
  '/models',
  '/models/engine-versions',
  '/models/acme%2Ftiny-8B',
  '/models/acme%2Ftiny-8B/launch',
  '/models/acme%2Ftiny-8B/files',
  '/models/acme%2Ftiny-8B/bench',
  '/users',
  '/users/kim',
  '/settings/general',
  '/settings/network',
  '/settings/engines',
  '/settings/limits',
  '/settings/data',
  '/settings/privacy',
  '/settings/advanced',
  '/first-run',
]

describe.each([
  ['880×560, light', { ...SMALL, theme: 'light' }],
  ['1440×900, dark', { ...LARGE, theme: 'dark' }],
  ['880×560, dark, Korean', { ...SMALL, theme: 'dark', language: 'ko' }],
  ['880×560, light, Japanese', { ...SMALL, theme: 'light', language: 'ja' }],
] as const)('at %s', (_, look) => {
  test('nothing is found by axe, nothing scrolls sideways, and nothing is complained of', async () => {
    const machine = aMachine()
    onTestFinished(() => machine.dispose())
    machine.addModel('acme/tiny-8B', 16_000_000_000)
    const at = await own(
      routed(
        { main: fake },
        { engines: { big: { model: 'acme/tiny-8B', port: 0 } }, rate_limit: { users: { filed: { rate: 1 } } } },
      ),
      { env: machine.env },
    )
    await at.commands.createUser({ name: 'kim', tokens_per_minute: 1000 })
    await at.commands.createKey({ user: 'kim', label: 'laptop' })
    const page = await aWindow(at, look)
    const found: [string, string[]][] = []
    for (const path of SCREENS) {
      await goTo(page, path)
      await page.locator('.main > *, .wiz-b > *').first().waitFor()
      await expect.poll(async () => await page.locator('.skeleton').count()).toBe(0)
      found.push([path, await violations(page)])
      const beyond = await page.evaluate(() =>
        [...document.querySelectorAll('.setbody .set > *')].flatMap((cell) => {
          const { right } = cell.getBoundingClientRect()
          return [...cell.querySelectorAll(':scope *:not(.sr, svg *)')]
            .filter((one) => one.getBoundingClientRect().right > right + 1)
            .map(({ outerHTML }) => outerHTML.slice(0, 160))
        }),
      )
      expect(beyond).toEqual([])
      const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
      expect(wide[0]).toBeLessThanOrEqual(wide[1]!)
    }
    expect(found.filter(([, list]) => list.length > 0)).toEqual([])
    expect(page.complaints).toEqual([])
  }, 600_000)
})
