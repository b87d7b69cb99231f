/** The pictures of the README, light and dark: `npm run screenshots` (after `npm run build`). A fake vLLM and GPU, a real Lexora. */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { keepBusy, USERS } from './callers.ts'
import { aMachine } from './machine.ts'
import { dropHome, openBrowser, openContext, openWindow, startLexora } from './rig.ts'

const FOLDER = fileURLToPath(new URL('../../resources/screenshots', import.meta.url))
/** So that there is something to see in every chart. */
const BUSY_MS = 75_000
const MOST_BYTES = 200_000

const machine = aMachine()
machine.addModel('Qwen/Qwen3-8B', 4_000_000)
const config = {
  engines: { main: { model: 'Qwen/Qwen3-8B', served_name: 'qwen3-8b', port: 18_431, autostart: true } },
}
const server = await startLexora(config, { env: machine.env })
const browser = await openBrowser()
try {
  mkdirSync(FOLDER, { recursive: true })
  const rest = keepBusy(server, USERS, 'qwen3-8b')
  await pause(BUSY_MS)
  for (const theme of ['light', 'dark'] as const) {
    const context = await openContext(browser, { width: 1440, height: 900, theme })
    const page = await openWindow(context, server)
    await page.evaluate(() => document.fonts.ready)
    await page.getByRole('radio', { name: '5 m', exact: true }).click()
    await pause(1500)
    const path = join(FOLDER, `dashboard-${theme}.png`)
    await page.screenshot({ path })
    const { size } = statSync(path)
    process.stdout.write(`${path}: ${size} bytes${size > MOST_BYTES ? ', which is too large' : ''}\n`)
    await context.close()
  }
  await rest()
} finally {
  await browser.close()
  await server.stop()
  dropHome(server.home)
  machine.dispose()
}
