/** The shell on a real Electron 22, in front of a headless Lexora in today's Node. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import { build } from 'vite'
import type { DesktopSession } from './session.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const APP = join(ROOT, 'dist', 'legacy')

/** Where a machine keeps it: LEXORA_ELECTRON22, or the cache that test/desktop/electron/fetch-electron22.mjs fills. */
export const ELECTRON22 =
  process.env['LEXORA_ELECTRON22'] ?? join(homedir(), '.cache', 'lexora-e2e', 'electron22', 'electron')

/** What these tests need and this machine lacks; empty: nothing. */
export function lacks(): string[] {
  const has = (program: string): boolean => {
    try {
      execFileSync('which', [program], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  }
  return [
    ...(existsSync(ELECTRON22) ? [] : ['Electron 22']),
    ...['Xvfb', 'dbus-daemon'].filter((program) => !has(program)),
  ]
}

/** The shell as CommonJS with the window beside it, as a package has them. */
export async function buildLegacy(): Promise<void> {
  await build({ configFile: fileURLToPath(new URL('../legacy/vite.config.ts', import.meta.url)) })
  await build({ configFile: join(ROOT, 'vite.preload.config.ts'), build: { outDir: join(APP, 'dist', 'shell') } })
  rmSync(join(APP, 'resources'), { force: true })
  symlinkSync(join(ROOT, 'resources'), join(APP, 'resources'))
  rmSync(UI, { force: true, recursive: true })
  cpSync(join(ROOT, 'dist', 'ui'), UI, { recursive: true })
  const manifest = { name: 'lexora', productName: 'Lexora', version: '0.0.22', main: 'dist/shell/main.cjs' }
  mkdirSync(APP, { recursive: true })
  writeFileSync(join(APP, 'package.json'), JSON.stringify(manifest))
}

/** The window's files as the app finds them. */
export const UI = join(APP, 'dist', 'ui')

const SWITCHES = ['--disable-gpu', '--no-sandbox']

export type Shell = {
  app: ElectronApplication
  process: ChildProcess
  window: () => Promise<Page>
  /** The same, when it shows its frame. */
  frame: () => Promise<Page>
  ended: Promise<Exit>
}
export type Exit = { code: number | null; signal: NodeJS.Signals | null }

/** By Playwright, which sees into it. `home`: the LEXORA_HOME whose Lexora it attaches to. */
export async function openShell(session: DesktopSession, home: string, args: string[] = [], env = {}): Promise<Shell> {
  const launch = async (): Promise<ElectronApplication> =>
    await _electron.launch({
      executablePath: ELECTRON22,
      args: [...SWITCHES, APP, ...args],
      env: { ...session.env, LEXORA_HOME: home, LEXORA_TEST_HELD: '1', ...env },
      timeout: PATIENCE_MS,
    })
  // The two debuggers that Playwright attaches now and then miss each other; it ends what it started then.
  const app = await launch().catch(launch)
  app.context().setDefaultTimeout(PATIENCE_MS)
  const child = app.process()
  const ended = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const window = async (): Promise<Page> => await app.firstWindow({ timeout: PATIENCE_MS })
  const frame = async (): Promise<Page> => await frameOf(await window(), home)
  return { app, process: child, window, frame, ended }
}

/** As a person starts it, a second time for instance. What does not end by itself is ended, and says so. */
export async function startPlainly(
  session: DesktopSession,
  home: string,
  args: string[] = [],
  env = {},
): Promise<Exit & { said: string }> {
  const child = spawn(ELECTRON22, [...SWITCHES, APP, ...args], {
    env: { ...session.env, LEXORA_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const ended = new Promise<Exit>((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
  const exit = await ended
  clearTimeout(late)
  return { ...exit, said }
}

const PATIENCE_MS = 60_000

/** Where the window's frame does not come, tells what stands in its place and what the app wrote down. */
async function frameOf(page: Page, home: string): Promise<Page> {
  try {
    await page.locator('.app').waitFor()
    return page
  } catch (error) {
    const shown = await page
      .evaluate(() => `${location.href} ${document.readyState} ${document.body.innerHTML.slice(0, 2000)}`)
      .catch((trouble: unknown) => `nothing that answers: ${String(trouble)}`)
    const log = await readFile(join(home, 'logs', 'desktop.log'), 'utf8').catch(() => 'none')
    throw new Error(`${(error as Error).message}\nIt shows: ${shown}\nIts log: ${log}`)
  }
}
