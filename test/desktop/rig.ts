/** A real headless Lexora with the built window, fake vLLMs behind it, and a Chromium in front of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { adminClient } from '../../src/app/admin-client.ts'
import { findRunning } from '../../src/app/run-file.ts'
import { lexoraPaths } from '../../src/config/paths.ts'
import type { AppCommands } from '../../src/protocol/commands.ts'
import type { FakeVllm } from '../support/fake-vllm/server.ts'

const PROGRAM = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
const READY_MS = 60_000
const PATIENCE_MS = 60_000

export type Server = {
  home: string
  origin: string
  port: number
  commands: AppCommands
  out: () => string
  /** Ends it as an operator does, and resolves when it is gone. */
  stop: () => Promise<void>
  kill: () => Promise<void>
  /** The same again, at the same port and with the same home. */
  again: () => Promise<Server>
}

/** YAML of a configuration, as an object. */
type Document = Record<string, unknown>

export function routed(fakes: Record<string, FakeVllm>, more: Document = {}): Document {
  const backends = Object.fromEntries(
    Object.entries(fakes).map(([name, { url }]) => [name, { type: 'vllm', url, max_in_flight: 4 }]),
  )
  return { routing: { enabled: true, backends }, ...more }
}

/** `env`: what its environment holds beside the least. */
export async function startLexora(
  config: Document | null,
  { port = 0 as number | 'of the file', home = aHome(), env = {} as Record<string, string> } = {},
): Promise<Server> {
  const file = join(home, 'config.yaml')
  const argv = ['--no-ui', ...(port === 'of the file' ? [] : ['--port', String(port)])]
  if (config !== null) {
    mkdirSync(home, { recursive: true })
    writeFileSync(file, JSON.stringify(config))
    argv.push('--config', file)
  }
  const child = spawn(process.execPath, [PROGRAM, ...argv], {
    cwd: home,
    env: { PATH: process.env['PATH'], LEXORA_HOME: home, NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (out += text.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const target = await findTarget(home, child, () => out)
  const origin = `http://localhost:${new URL(target.address).port}`
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await ended
  }
  return {
    home,
    origin,
    port: Number(new URL(origin).port),
    commands: adminClient(target),
    out: () => out,
    stop: async () => await end('SIGTERM'),
    kill: async () => await end('SIGKILL'),
    again: async () => await startLexora(config, { home, env, port: Number(new URL(origin).port) }),
  }
}

async function findTarget(
  home: string,
  child: ChildProcess,
  told: () => string,
): Promise<{ address: string; key: string }> {
  const deadline = performance.now() + READY_MS
  for (;;) {
    const found = await findRunning(
      lexoraPaths({ env: { LEXORA_HOME: home }, platform: process.platform, home, cwd: home }).runFile,
    )
    if (found.is === 'running' && told().includes('ready'))
      return { address: found.record.address, key: found.record.token }
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`Lexora did not start: ${told()}`)
    await pause(30)
  }
}

export function aHome(): string {
  return mkdtempSync(join(tmpdir(), 'lexora-desktop-'))
}

export function dropHome(home: string): void {
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
}

export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
    timeout: PATIENCE_MS,
  })
}

export type Look = {
  width: number
  height: number
  theme: 'light' | 'dark'
  language?: string
  reducedMotion?: boolean
}

export const SMALL = { width: 880, height: 560 }
export const LARGE = { width: 1440, height: 900 }

export async function openContext(browser: Browser, look: Look): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width: look.width, height: look.height },
    colorScheme: look.theme,
    locale: look.language ?? 'en',
    reducedMotion: look.reducedMotion === false ? 'no-preference' : 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  context.setDefaultTimeout(PATIENCE_MS)
  return context
}

/** The window, opened by a fresh link as `lexora ui` prints it; past its first run, unless that is wanted. Complaints of its console are kept. */
export async function openWindow(
  context: BrowserContext,
  server: Server,
  { firstRun = false } = {},
): Promise<Page & { complaints: string[] }> {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  if (!firstRun) await page.addInitScript(() => localStorage.setItem('lexora.firstRun', '{"is":"done"}'))
  const { url } = await server.commands.uiLink()
  await page.goto(url)
  await page.locator('.app, .wiz').waitFor()
  // Keys are listened to from the first frame on.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))))
  return Object.assign(page, { complaints })
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds on this page as it stands. */
export async function violations(page: Page): Promise<string[]> {
  // The page's own policy lets no script in from here; the driver's world is not the page's.
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
