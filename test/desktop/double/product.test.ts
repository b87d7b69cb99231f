/** The whole product, gateway and supervisor inside, with a double of Electron: Node 24 runs main, Chromium the window. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { adminClient } from '../../../src/app/admin-client.ts'
import { findRunning } from '../../../src/app/run-file.ts'
import { lexoraPaths } from '../../../src/config/paths.ts'
import { instanceAddress } from '../../../src/shell/instance.ts'
import { startFake } from '../../support/app.ts'
import { aChat } from '../../support/requests.ts'
import { inTerminal } from '../../support/terminal.ts'
import { until } from '../electron/until.ts'
import { aHome, dropHome, startLexora } from '../rig.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const DOUBLE = join(ROOT, 'test', 'desktop', 'double', 'electron')
const LAUNCH_MS = 60_000

let home = ''
let app: ElectronApplication | null = null
let main: ChildProcess | null = null
let ended: Promise<number | null> = Promise.resolve(null)
let page: Page | null = null
/** What main has printed. */
let said = ''

/** The file of the core in the build. Where a test that was ended has left it moved away, it is put back. */
function builtCore(): string {
  const folder = join(ROOT, 'dist', 'shell')
  const files = existsSync(folder) ? readdirSync(folder) : []
  const core = files.find((name) => /^hosted-.*\.js$/.test(name))
  const away = files.find((name) => /^hosted-.*\.js\.away$/.test(name))
  if (core === undefined && away === undefined) throw new Error(`${folder} has no core: build first`)
  const path = join(folder, core ?? away!.slice(0, -'.away'.length))
  if (core === undefined) renameSync(`${path}.away`, path)
  else if (away !== undefined) rmSync(join(folder, away))
  return path
}

beforeAll(() => void builtCore())

beforeEach(() => {
  home = aHome()
})

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    const shown = await page?.locator('body').textContent({ timeout: 2000 }).catch(String)
    process.stderr.write(`the window shows: ${shown}\nmain has said: ${said}\n`)
  }
  if (main !== null && main.exitCode === null) {
    main.kill('SIGTERM')
    await ended
  }
  main = null
  app = null
  page = null
  said = ''
  dropHome(home)
})

const environment = (): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: home,
  LEXORA_HOME: home,
  LANG: 'en',
  DOUBLE_NODE: process.execPath,
  CHROMIUM: process.env['CHROMIUM'] ?? 'chromium',
})

async function open(args: string[] = []): Promise<Page> {
  const env = environment()
  const launch = async (): Promise<ElectronApplication> =>
    await _electron.launch({ executablePath: DOUBLE, args: [ROOT, ...args], env, cwd: home, timeout: LAUNCH_MS })
  app = await launch()
  main = app.process()
  ended = new Promise((resolve) => main!.once('exit', (code) => resolve(code)))
  for (const stream of [main.stdout, main.stderr])
    stream?.on('data', (text: Buffer) => {
      said += text
    })
  page = await app.firstWindow()
  return page
}

/** With a file of its own, so that nobody is asked what a first run asks. */
async function openConfigured(more = ''): Promise<Page> {
  writeFileSync(join(home, 'lexora_config.yaml'), `server: {port: 0}\n${more}`)
  return await open()
}

const paths = () => lexoraPaths({ env: { LEXORA_HOME: home }, platform: process.platform, home, cwd: home })

async function commands() {
  const found = await until(
    async () => await findRunning(paths().runFile),
    ({ is }) => is === 'running',
  )
  if (found.is !== 'running') throw new Error(found.is)
  return { record: found.record, ...adminClient({ address: found.record.address, key: found.record.token }) }
}

test('the window, the gateway and an engine live in one app; quitting ends all of them', async () => {
  const page = await openConfigured()
  await page.locator('.app').waitFor()
  const { record, listEngines } = await commands()
  expect(record.pid).toBe(main!.pid)
  const [engine] = await until(
    async () => (await listEngines()).engines,
    (engines) => engines[0]?.state.is === 'ready',
  )
  const answer = await fetch(`${record.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo-chat', messages: [{ role: 'user', content: 'Hello' }] }),
  })
  expect(answer.status).toBe(200)
  await page.getByText('Serving').first().waitFor()
  expect(await page.evaluate(() => window.lexora!.platform.attached)).toBe(false)
  const enginePid = engine!.pid!
  expect(await app!.evaluate(({ Menu }) => Menu.getApplicationMenu())).toBeNull()
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill('quit')
  await page.getByRole('option', { name: 'Stop engine & quit' }).click()
  expect(await ended).toBe(0)
  expect(() => process.kill(enginePid, 0)).toThrow()
  expect((await findRunning(paths().runFile)).is).toBe('absent')
})

test('without the files of its core it says so, and can be quit', async () => {
  const core = builtCore()
  renameSync(core, `${core}.away`)
  try {
    const page = await openConfigured()
    await page.getByRole('heading', { name: 'Lexora could not start' }).waitFor()
    expect(await page.locator('pre').textContent()).toContain('hosted-')
    await page.getByRole('link', { name: 'Quit' }).click()
    await ended
  } finally {
    renameSync(`${core}.away`, core)
  }
})

test('a quit waits for what runs, counts it, and a second one does not wait', async () => {
  // A minute's answer, so that it still runs whenever one looks.
  const fake = await startFake({ tokenMs: 100, tokens: 600, maxModelLen: 4096 })
  await (await openConfigured(`vllm: {url: "${fake.url}"}\n`)).locator('.app').waitFor()
  const { record } = await commands()
  const answer = await fetch(`${record.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(aChat({ stream: true, max_tokens: 600 })),
  })
  const read = answer.text().catch(() => 'cut')
  main!.kill('SIGTERM')
  const title = async (): Promise<string> =>
    await app!.evaluate(({ BrowserWindow }) => (BrowserWindow.getAllWindows()[0] as unknown as { title: string }).title)
  await until(title, (text) => text === 'Lexora – finishing 1')
  await expect(fetch(`${record.address}/v1/models`)).resolves.toMatchObject({ status: 200 })
  // Two at once are one: the second must be somebody's own.
  const again = setInterval(() => main!.kill('SIGTERM'), 250)
  expect(await ended).toBe(0)
  clearInterval(again)
  expect(await read).not.toContain('[DONE]')
})

test('`lexora quit` ends the whole app and its engine', async () => {
  await (await openConfigured()).locator('.app').waitFor()
  const { listEngines } = await commands()
  const [engine] = await until(
    async () => (await listEngines()).engines,
    (engines) => engines[0]?.state.is === 'ready',
  )
  expect(await inTerminal(home, 'quit')).toEqual({ code: 0, out: 'Lexora ends now.\n', err: '' })
  expect(await ended).toBe(0)
  expect(() => process.kill(engine!.pid!, 0)).toThrow()
})

test('what waits for a restart has a button that drains, ends the app and starts it again as it was started', async () => {
  writeFileSync(join(home, 'lexora_config.yaml'), 'server: {port: 0}\n')
  const page = await open(['--log-format', 'json', 'lexora://settings/network'])
  await page.locator('.app').waitFor()
  const { setConfig } = await commands()
  await setConfig({ changes: [{ path: 'cache.memory_mb', value: 128 }] })
  await page.getByRole('button', { name: 'Restart Lexora' }).click()
  expect(await ended).toBe(0)
  const { args } = JSON.parse(/^relaunch (.*)$/m.exec(said)![1]!)
  expect(args).toEqual([ROOT.replace(/\/$/, ''), '--log-format', 'json'])
  expect((await findRunning(paths().runFile)).is).toBe('absent')
})

test('a configuration that is wrong is told in the window; once it is right, Try again serves', async () => {
  const config = join(home, 'lexora_config.yaml')
  writeFileSync(config, 'server: {prot: 8001}\n')
  const page = await open()
  await page.getByRole('heading', { name: 'Lexora could not start' }).waitFor()
  await page.getByText('server.prot').waitFor()
  writeFileSync(config, 'server: {port: 0}\n')
  await page.getByRole('link', { name: 'Try again' }).click()
  await commands()
})

test('a port that is taken is told with who has it', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const page = await open(['--port', String(port)])
  await page.getByText(`${port} is in use`).waitFor()
  await page.getByRole('link', { name: 'Quit' }).click()
  expect(await ended).toBe(0)
  other.close()
})

test('a configuration that breaks while it runs changes nothing, is shown, and is mended in the window', async () => {
  const config = join(home, 'lexora_config.yaml')
  writeFileSync(config, 'server: {port: 0}\n')
  const page = await open()
  await page.locator('.app').waitFor()
  const { reload, snapshot } = await commands()
  writeFileSync(config, 'server: {port: many}\n')
  await expect(reload()).rejects.toThrow(/server\.port/)
  expect((await snapshot()).server.state).toBe('serving')
  const banner = page.getByRole('alert').filter({ hasText: 'server.port' })
  await banner.getByRole('link', { name: 'Open it' }).click()
  const text = page.getByLabel('Text of the configuration')
  await until(
    () => text.inputValue(),
    (value) => value.includes('port: many'),
  )
  await text.fill('server: {port: 0}\n')
  await page.getByRole('button', { name: 'Save and apply' }).click()
  await banner.waitFor({ state: 'detached' })
  expect(readFileSync(config, 'utf8')).toBe('server: {port: 0}\n')
})

test('it attaches to the Lexora that serves already, and leaves it', async () => {
  const server = await startLexora(null, { home })
  const page = await open(['--engine', 'none'])
  await page.getByText('attached to a running Lexora').waitFor()
  main!.kill('SIGTERM')
  expect(await ended).toBe(0)
  const log = readFileSync(join(paths().logDir, 'desktop.log'), 'utf8')
  expect(log).toContain('it goes on as it is: options of this start were not applied options="--engine"')
  expect((await server.commands.snapshot()).server.state).toBe('serving')
  await server.stop()
})

test('a first one that hangs is ended when the second is asked to recover, and one engine runs then', async () => {
  await (await openConfigured()).locator('.app').waitFor()
  const first = await commands()
  const [engine] = await until(
    async () => (await first.listEngines()).engines,
    (engines) => engines[0]?.state.is === 'ready',
  )
  // The double's Chromium is a child of its own, and would outlive it.
  const browsers = readFileSync(`/proc/${main!.pid}/task/${main!.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '' && /chrom/.test(readFileSync(`/proc/${pid}/comm`, 'utf8')))
  const firstEnded = ended
  main!.kill('SIGSTOP')
  try {
    const page = await open()
    await page.locator('.app').waitFor()
    expect(await firstEnded).toBeNull()
    const second = await commands()
    expect(second.record.pid).toBe(main!.pid)
    const [taken] = await until(
      async () => (await second.listEngines()).engines,
      (engines) => engines[0]?.state.is === 'ready',
    )
    // Taken over or ended by its record: never both at once.
    if (taken!.pid !== engine!.pid) expect(() => process.kill(engine!.pid!, 0)).toThrow()
  } finally {
    for (const pid of browsers) process.kill(Number(pid), 'SIGKILL')
  }
})

test('a first one that hangs and cannot be ended is left alone, and that is said', async () => {
  const address = instanceAddress({
    stateDir: paths().stateDir,
    env: { LEXORA_HOME: home },
    platform: process.platform,
  })
  mkdirSync(paths().stateDir, { recursive: true })
  // It takes every call, and answers none.
  const deaf = createServer(() => {})
  await new Promise<void>((resolve) => deaf.listen(address, resolve))
  writeFileSync(join(paths().stateDir, 'desktop.json'), JSON.stringify({ pid: process.pid, startTime: null }))
  const child = spawn(DOUBLE, [ROOT], { env: { ...environment(), DBUS_SESSION_BUS_ADDRESS: '' }, cwd: home })
  let told = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      told += text
    })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  deaf.close()
  expect(code).toBe(1)
  expect([...told.matchAll(/^dialog (.*)$/gm)].map(([, message]) => message)).toEqual([
    'Another Lexora window of yours does not answer.',
    'It could not be ended',
  ])
})

test('when the session ends it ends in order, and its engine with it', async () => {
  await (await openConfigured()).locator('.app').waitFor()
  const { listEngines } = await commands()
  const [engine] = await until(
    async () => (await listEngines()).engines,
    (engines) => engines[0]?.state.is === 'ready',
  )
  await app!.evaluate(({ BrowserWindow }) => void BrowserWindow.getAllWindows()[0]!.emit('session-end'))
  expect(await ended).toBe(0)
  expect(() => process.kill(engine!.pid!, 0)).toThrow()
})

test('a display that is taken away gives its window back', async () => {
  await (await openConfigured()).locator('.app').waitFor()
  const place = async (withSecond: boolean): Promise<number[]> =>
    await app!.evaluate(({ screen, BrowserWindow }, hasSecond) => {
      const [window] = BrowserWindow.getAllWindows()
      const double = screen as unknown as { displays: { workArea: Electron.Rectangle }[] } & NodeJS.EventEmitter
      const area = (x: number) => ({ workArea: { x, y: 0, width: 1920, height: 1080 } })
      double.displays = hasSecond ? [area(0), area(1920)] : [area(0)]
      if (hasSecond) window!.setBounds({ x: 2400, y: 100, width: 1000, height: 600 })
      else double.emit('display-removed')
      const { x, y, width, height } = window!.getNormalBounds()
      return [x, y, width, height]
    }, withSecond)
  expect(await place(true)).toEqual([2400, 100, 1000, 600])
  expect(await place(false)).toEqual([460, 240, 1000, 600])
  expect(await place(false)).toEqual([460, 240, 1000, 600])
})

test('one that it watched and that is gone is replaced by one of its own, when it is asked to', async () => {
  writeFileSync(join(home, 'lexora_config.yaml'), 'server: {port: 0}\n')
  const server = await startLexora(null, { home })
  const page = await open()
  await page.getByText('attached to a running Lexora').waitFor()
  await server.kill()
  await page.getByText(/^Connection lost at/).waitFor()
  const fresh = app!.waitForEvent('window', { timeout: LAUNCH_MS })
  await page.getByRole('button', { name: 'Start Lexora here' }).click()
  const own = await fresh
  await own.locator('.app').waitFor()
  expect(await own.evaluate(() => window.lexora!.platform.attached)).toBe(false)
  const { record, listEngines } = await commands()
  expect(record.pid).toBe(main!.pid)
  await until(
    async () => (await listEngines()).engines[0]?.state.is,
    (is) => is === 'ready',
  )
})

test('opened and closed 200 times, the window leaves no listener behind', async () => {
  const page = await openConfigured()
  await page.locator('.app').waitFor()
  const count = async (): Promise<number[]> =>
    await app!.evaluate(({ BrowserWindow, app }) => {
      const [window] = BrowserWindow.getAllWindows()
      const of = (one: NodeJS.EventEmitter): number =>
        one.eventNames().reduce((sum, name) => sum + one.listenerCount(name), 0)
      return [BrowserWindow.getAllWindows().length, of(window!), of(window!.webContents), of(app)]
    })
  const before = await count()
  await app!.evaluate(({ BrowserWindow, app }) => {
    for (let round = 0; round < 200; round++) {
      BrowserWindow.getAllWindows()[0]!.hide()
      app.emit('activate')
    }
  })
  expect(await count()).toEqual(before)
})

test('SIGHUP reads the configuration again', async () => {
  const config = join(home, 'lexora_config.yaml')
  writeFileSync(config, 'server: {port: 0}\n')
  await (await open()).locator('.app').waitFor()
  await commands()
  writeFileSync(config, 'server: {port: 0}\nqueue: {max_size: 7}\n')
  main!.kill('SIGHUP')
  await until(
    () => readFileSync(join(paths().logDir, 'desktop.log'), 'utf8'),
    (log) => /reload|configuration/i.test(log.slice(log.indexOf('ready'))),
  )
})

declare global {
  interface Window {
    lexora?: import('../../../src/protocol/window.ts').WindowBridge
  }
}
