/**
 * Pictures of the window for people: `node test/desktop/screenshots.ts [FOLDER] [NAME…]`. Every screen, both themes, both
 * sizes, three languages; empty, busy and broken. Nothing is compared: somebody looks.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { type FakeVllm, startFakeVllm } from '../support/fake-vllm/server.ts'
import { keepBusy, USERS } from './callers.ts'
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
} from './rig.ts'

const [folder = 'dist/screenshots', ...wanted] = process.argv.slice(2)

type Scene = { name: string; go: (page: Page, server: Server) => Promise<void> }

const settle = async (page: Page): Promise<void> => {
  await page.evaluate(() => document.fonts.ready)
  await pause(700)
}

const at = (hash: string) => async (page: Page) => {
  await page.evaluate((to) => {
    location.hash = to
  }, hash)
}

const SCENES: readonly Scene[] = [
  { name: 'dashboard', go: at('/dashboard') },
  { name: 'live', go: at('/requests/live') },
  {
    name: 'history',
    go: async (page) => {
      await at('/requests/history')(page)
      const row = page.locator('tbody tr').nth(2)
      if ((await row.count()) > 0) await row.click()
    },
  },
  { name: 'engine-log', go: at('/requests/engine-log') },
  { name: 'gateway-log', go: at('/requests/gateway-log') },
  {
    name: 'try-it',
    go: async (page) => {
      await at('/dashboard')(page)
      await page.keyboard.press('Control+t')
      const box = page.locator('.drawer textarea')
      await box.fill('Why is the second answer faster than the first?')
      await box.press('Control+Enter')
      await pause(1500)
    },
  },
  {
    name: 'palette',
    go: async (page) => {
      await at('/dashboard')(page)
      await page.keyboard.press('Control+k')
    },
  },
  {
    name: 'keys',
    go: async (page) => {
      await at('/dashboard')(page)
      await page.locator('.nav-item').nth(1).click()
    },
  },
  {
    name: 'popover',
    go: async (page) => {
      await at('/dashboard')(page)
      await page.locator('.chip').first().click()
    },
  },
]

const LOOKS: readonly (Look & { name: string })[] = [
  { name: '1440-light', ...LARGE, theme: 'light' },
  { name: '1440-dark', ...LARGE, theme: 'dark' },
  { name: '880-light', ...SMALL, theme: 'light' },
  { name: '880-dark', ...SMALL, theme: 'dark' },
  { name: '1440-light-ja', ...LARGE, theme: 'light', language: 'ja' },
  { name: '880-dark-ko', ...SMALL, theme: 'dark', language: 'ko' },
]

async function shoot(browser: Browser, server: Server, state: string): Promise<void> {
  for (const look of LOOKS) {
    const scenes = SCENES.map((scene) => ({ ...scene, name: `${state}-${scene.name}-${look.name}` })).filter(
      ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
    )
    if (scenes.length === 0) continue
    const context = await openContext(browser, look)
    const page = await openWindow(context, server)
    for (const { name, go } of scenes) {
      await page.reload()
      await page.locator('.app').waitFor()
      await go(page, server)
      await settle(page)
      await page.screenshot({ path: join(folder, `${name}.png`) })
      if (page.complaints.length > 0) process.stdout.write(`${name}: ${page.complaints.splice(0).join(' | ')}\n`)
    }
    await context.close()
  }
}

async function withLexora(
  config: Record<string, unknown> | null,
  use: (server: Server) => Promise<void>,
): Promise<void> {
  const server = await startLexora(config)
  try {
    await use(server)
  } finally {
    await server.stop()
    dropHome(server.home)
  }
}

mkdirSync(folder, { recursive: true })
const browser = await openBrowser()
const fakes: FakeVllm[] = []
try {
  await withLexora(null, async (server) => {
    await pause(2500)
    await shoot(browser, server, 'empty')
  })
  const main = await startFakeVllm({ tokenMs: 25, models: ['tiny'] })
  const second = await startFakeVllm({ tokenMs: 40, models: ['tiny'] })
  fakes.push(main, second)
  await withLexora(routed({ main, second }), async (server) => {
    const rest = keepBusy(server, USERS, 'tiny')
    await pause(15_000)
    for (const fake of fakes) fake.fault({ do: 'status', status: 503 })
    await pause(10_000)
    await shoot(browser, server, 'busy')
    await rest()
  })
  const broken = {
    engines: { big: { model: 'no-such-org/no-such-model', executable: '/nonexistent/vllm', autostart: true } },
  }
  await withLexora(broken, async (server) => {
    await pause(2500)
    await shoot(browser, server, 'broken')
  })
} finally {
  await browser.close()
  for (const fake of fakes) await fake.close()
}
