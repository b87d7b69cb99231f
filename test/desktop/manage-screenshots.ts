/**
 * Pictures of Models, Users, Settings and the first run for people: `node test/desktop/manage-screenshots.ts [FOLDER]
 * [NAME…]`. Both themes, both sizes, three languages; empty, busy and broken. Nothing is compared: somebody looks.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { aMachine } from './machine.ts'
import {
  dropHome,
  LARGE,
  type Look,
  openBrowser,
  openContext,
  openWindow,
  type Server,
  SMALL,
  startLexora,
} from './rig.ts'

const [folder = 'dist/screenshots', ...wanted] = process.argv.slice(2)

const LOOKS: readonly (Look & { name: string })[] = [
  { name: '1440-light', ...LARGE, theme: 'light' },
  { name: '880-dark', ...SMALL, theme: 'dark' },
  { name: '1440-dark-ja', ...LARGE, theme: 'dark', language: 'ja' },
  { name: '880-light-ko', ...SMALL, theme: 'light', language: 'ko' },
]

const SCENES: readonly { name: string; hash: string; click?: string }[] = [
  { name: 'models', hash: '/models' },
  { name: 'models-hub', hash: '/models', click: '.seg-item >> nth=2' },
  { name: 'model-fit', hash: '/models/acme%2Ftiny-8B' },
  { name: 'model-launch', hash: '/models/acme%2Ftiny-8B', click: '.drawer [role=tab] >> nth=1' },
  { name: 'model-files', hash: '/models/acme%2Ftiny-8B', click: '.drawer [role=tab] >> nth=2' },
  { name: 'model-bench', hash: '/models/acme%2Ftiny-8B', click: '.drawer [role=tab] >> nth=3' },
  { name: 'versions', hash: '/models/engine-versions' },
  { name: 'add', hash: '/models', click: '.bar-tall .btn-first' },
  { name: 'users', hash: '/users' },
  { name: 'user', hash: '/users/kim' },
  { name: 'new-user', hash: '/users', click: '.bar-tall .btn-first' },
  { name: 'general', hash: '/settings/general' },
  { name: 'network', hash: '/settings/network' },
  { name: 'engines', hash: '/settings/engines' },
  { name: 'data', hash: '/settings/data' },
  { name: 'privacy', hash: '/settings/privacy' },
  { name: 'advanced', hash: '/settings/advanced' },
  { name: 'first-run', hash: '/first-run' },
]

async function shoot(browser: Browser, server: Server, state: string): Promise<void> {
  for (const look of LOOKS) {
    const named = SCENES.map((scene) => ({ ...scene, file: `${state}-${scene.name}-${look.name}` }))
    const scenes = named.filter(({ file }) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    if (scenes.length === 0) continue
    const context = await openContext(browser, look)
    const page: Page & { complaints: string[] } = await openWindow(context, server)
    for (const { hash, click, file } of scenes) {
      await page.evaluate((to) => {
        location.hash = to
      }, hash)
      await pause(400)
      if (click !== undefined)
        await page
          .locator(click)
          .first()
          .click({ timeout: 3000 })
          .catch(() => undefined)
      await pause(900)
      await page.screenshot({ path: join(folder, `${file}.png`) })
      await page.keyboard.press('Escape')
    }
    if (page.complaints.length > 0) process.stdout.write(`${state} ${look.name}: ${page.complaints.join(' | ')}\n`)
    await context.close()
  }
}

mkdirSync(folder, { recursive: true })
const browser = await openBrowser()
const machine = aMachine()
try {
  const empty = await startLexora(null, { env: machine.env })
  await pause(1500)
  await shoot(browser, empty, 'empty')
  await empty.stop()
  dropHome(empty.home)
  machine.addModel('acme/tiny-8B', 16_000_000_000)
  machine.addModel('acme/Coder-30B-Instruct-FP8', 31_200_000_000, { max_position_embeddings: 262_144 })
  machine.addModel('acme/Vision-with-a-very-long-name-that-does-not-fit-14B-Instruct', 27_000_000_000)
  const busy = await startLexora(
    {
      engines: { tiny: { model: 'acme/tiny-8B', served_name: 'tiny', port: 0 }, gone: { model: 'acme/gone', port: 0 } },
      rate_limit: { users: { 'from-the-file': { requests_per_minute: 10 } } },
    },
    { env: { ...machine.env, LEXORA_QUEUE__MAX_SIZE: '50' } },
  )
  for (const [name, more] of [
    ['kim', { requests_per_minute: 60, tokens_per_minute: 2000, max_concurrent: 4, max_priority: 'high' }],
    ['sato', { tokens_per_minute: 400_000, models: ['tiny'], note: 'Lab 3' }],
    ['ci-batch', { requests_per_minute: 600, max_priority: 'low', disabled: true }],
  ] as const) {
    await busy.commands.createUser({ name, ...more } as Parameters<typeof busy.commands.createUser>[0])
    const { secret } = await busy.commands.createKey({ user: name, label: 'laptop' })
    for (let i = 0; i < 4; i++) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` }
      const body = JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content: 'Hello '.repeat(200) }] })
      await fetch(`${busy.origin}/v1/chat/completions`, { method: 'POST', headers, body }).then((all) => all.text())
    }
  }
  await shoot(browser, busy, 'busy')
  await busy.stop()
  dropHome(busy.home)
  const broken = await startLexora(
    { engines: { tiny: { model: 'acme/tiny-8B', executable: '/nonexistent/vllm', autostart: true, port: 0 } } },
    { env: machine.env },
  )
  await pause(1500)
  await shoot(browser, broken, 'broken')
  await broken.stop()
  dropHome(broken.home)
} finally {
  await browser.close()
  machine.dispose()
}
