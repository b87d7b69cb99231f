/** The shell on a real Electron 22.3.25, attached to a headless Lexora: what a desktop sees and can do. */
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server as TcpServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { WindowBridge } from '../../../src/protocol/window.ts'
import { aHome, dropHome, type Server, startLexora } from '../rig.ts'
import { openNoticeHost } from './notice-host.ts'
import { buildLegacy, lacks, openShell, type Shell, startPlainly, UI } from './rig.ts'
import { type DesktopSession, openSession } from './session.ts'
import { type MenuRow, TrayHost } from './tray-host.ts'
import { until } from './until.ts'

declare global {
  interface Window {
    lexora?: WindowBridge
  }
}

const missing = lacks()
if (missing.length > 0)
  process.stderr.write(`Left out here: the shell on a real Electron 22 (no ${missing.join(', no ')})\n`)

let session: DesktopSession
let tray: TrayHost | null = null
let lexora: Server | null = null
let shell: Shell | null = null
let holder: TcpServer | null = null
const extra: (() => void)[] = []

beforeAll(async () => {
  if (missing.length === 0) await buildLegacy()
})

beforeEach(async () => {
  if (missing.length === 0) session = await openSession()
})

afterEach(async () => {
  if (shell !== null && shell.process.exitCode === null && shell.process.signalCode === null) {
    shell.process.kill('SIGKILL')
    await shell.ended
  }
  shell = null
  for (const close of extra.splice(0)) close()
  tray?.close()
  tray = null
  await lexora?.stop()
  const faults = lexora === null ? [] : await faultsTold(lexora.home)
  if (lexora !== null) dropHome(lexora.home)
  lexora = null
  holder?.close()
  holder = null
  if (missing.length === 0) await session.stop()
  expect(faults).toEqual([])
})

/** What the app itself did not expect: an exception in a listener leaves the rest of it undone. */
async function faultsTold(home: string): Promise<string[]> {
  const log = await readFile(join(home, 'logs', 'desktop.log'), 'utf8').catch(() => '')
  return log.split('\n').filter((text) => text.includes(' desktop: fault'))
}

/** Somebody else's server, that engines find on their port. */
async function aTakenPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  holder = server
  return (server.address() as { port: number }).port
}

/** A Lexora with this one engine, a panel, and the shell in front of it. */
async function open(engine: Record<string, unknown> | null = null, args: string[] = []): Promise<Shell> {
  tray = await TrayHost.open(session.address)
  lexora = await startLexora(engine === null ? null : { engines: { main: { port: 0, ...engine } } })
  shell = await openShell(session, lexora.home, args)
  // A bus that answers late leaves the app without a tray for some seconds; what closing does hangs on it.
  await until(lines, (all) => all.length > 0)
  return shell
}

const DEMO = { kind: 'demo', model: 'demo-chat', autostart: true }
const labels = (rows: MenuRow[]): string[] => rows.map(({ label }) => label)
const lines = async (): Promise<string[]> => labels(await tray!.menu())
const line = async (): Promise<string> => (await lines())[0]!
const engineIs = async (): Promise<string> => (await lexora!.commands.listEngines()).engines[0]!.state.is
const route = async (): Promise<string> => {
  const page = await shell!.window()
  return await page.evaluate(() => location.hash)
}
const isVisible = async (): Promise<boolean[]> =>
  await shell!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().map((one) => one.isVisible()))
const closeWindow = async (): Promise<void> =>
  await shell!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
const isHidden = async (): Promise<unknown> => await until(isVisible, (all) => all.length === 1 && !all[0])

describe.skipIf(missing.length > 0)('on a real Electron 22', () => {
  test('the window shows the Lexora that serves, and has nothing of Node', async () => {
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    expect(page.url()).toBe('app://lexora/index.html')
    const seen = await page.evaluate(() => ({
      node: [typeof globalThis.require, typeof (globalThis as { process?: unknown }).process],
      keys: Object.keys(window.lexora!).sort(),
      os: window.lexora!.platform.os,
      attached: window.lexora!.platform.attached,
    }))
    expect(seen).toEqual({
      node: ['undefined', 'undefined'],
      keys: ['call', 'desktop', 'platform', 'send', 'subscribe'],
      os: 'linux',
      attached: true,
    })
    await until(
      () => page.evaluate(async () => (await window.lexora!.desktop.read()).hasTray),
      (hasTray) => hasTray,
    )
    const size = await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.getSize())
    expect(size).toEqual([1120, 720])
  })

  test('goes nowhere, opens nothing and is granted nothing', async () => {
    let arrived = 0
    const outside = createServer((socket) => {
      arrived++
      socket.destroy()
    })
    await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
    extra.push(() => outside.close())
    const elsewhere = `http://127.0.0.1:${(outside.address() as { port: number }).port}/`
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    // What main decides is judged by what main saw: ours is the last listener, and hears what the first has made of it.
    await app.evaluate(({ BrowserWindow }) => {
      const navigations: [string, boolean][] = []
      Object.assign(globalThis, { navigations })
      BrowserWindow.getAllWindows()[0]!.webContents.on('will-navigate', (event, url) => {
        navigations.push([url, event.defaultPrevented])
      })
    })
    const navigations = async (): Promise<[string, boolean][]> =>
      await app.evaluate(() => (globalThis as unknown as { navigations: [string, boolean][] }).navigations)

    await app.evaluate(({ shell }) => {
      const led: string[] = []
      Object.assign(globalThis, { led })
      shell.openExternal = async (url) => void led.push(url)
    })
    expect(await page.evaluate((url) => window.open(url) === null, elsewhere)).toBe(true)
    expect(await page.evaluate(() => window.open('https://huggingface.co/a/b') === null)).toBe(true)
    await until(
      async () => await app.evaluate(() => (globalThis as unknown as { led: string[] }).led),
      (led) => led.length > 0,
    )
    // The place that Lexora names goes to the person's browser, and only that.
    expect(await app.evaluate(() => (globalThis as unknown as { led: string[] }).led)).toEqual([
      'https://huggingface.co/a/b',
    ])
    expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1)

    // After the answer to this call, which a navigation could cut.
    await page.evaluate((url) => void setTimeout(() => location.assign(url)), elsewhere)
    await until(navigations, ({ length }) => length > 0)
    expect(await navigations()).toEqual([[elsewhere, true]])
    expect(await page.evaluate(() => location.origin)).toBe('app://lexora')
    expect(await page.locator('.app').count()).toBe(1)

    const geolocation = async (): Promise<string> =>
      (await navigator.permissions.query({ name: 'geolocation' as PermissionName })).state
    expect(await page.evaluate(geolocation)).toBe('denied')
    expect(await page.evaluate(async () => await Notification.requestPermission())).toBe('denied')

    const spoke = async (url: string): Promise<string> =>
      await fetch(url).then(
        () => 'spoke',
        () => 'refused',
      )
    expect(await page.evaluate(spoke, elsewhere)).toBe('refused')
    // The debugger's own call is allowed everything until it first waits.
    const run = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve))
      try {
        return String(new Function('return "ran"')())
      } catch {
        return 'refused'
      }
    }
    expect(await page.evaluate(run)).toBe('refused')
    expect(arrived).toBe(0)
  })

  test('commands, data and preferences go through the bridge, and what is wrong is named', async () => {
    await open(DEMO)
    const page = await shell!.frame()
    await until(engineIs, (is) => is === 'ready')
    const answers = await page.evaluate(async () => {
      const { call, send, desktop } = window.lexora!
      const body = JSON.stringify({ model: 'demo-chat', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
      const request = { path: '/v1/chat/completions', body, headers: {}, key: null }
      const news = await new Promise<string[]>((resolve) => {
        const kinds: string[] = []
        send(request, (one) => {
          if (kinds.at(-1) !== one.is) kinds.push(one.is)
          if (one.is === 'end' || one.is === 'failed') resolve(kinds)
        })
      })
      const outside = await new Promise((resolve) => send({ ...request, path: '/admin/snapshot' }, resolve))
      return {
        good: (await call('pause', {})).ok,
        back: (await call('resume', {})).ok,
        wrong: await call('cancelRequest', { id: 'no id' }),
        unknown: await call('toString' as 'pause', {}),
        news,
        outside: (outside as { is: string }).is,
        changed: await desktop.change({ language: 'xx' as 'en' }),
        kept: await desktop.change({ notifications: { 'gpu-hot': false } }),
      }
    })
    expect(answers).toMatchObject({
      good: true,
      back: true,
      wrong: { ok: false, problem: { code: 'invalid_request', param: 'id' } },
      unknown: { ok: false, problem: { code: 'not_found' } },
      news: ['head', 'chunk', 'end'],
      outside: 'failed',
      changed: { ok: false, message: expect.stringMatching(/^language: is none of/) },
      kept: { ok: true, view: { preferences: { notifications: { 'gpu-hot': false, copied: true } } } },
    })
  })

  test('every item of the tray does what it says', async () => {
    const notices = await openNoticeHost(session.address)
    extra.push(notices.close)
    const { app } = await open(DEMO)
    await shell!.frame()
    await until(line, (text) => text.startsWith('● Running'))

    await tray!.click('Copy address')
    const copied = await until(
      () => app.evaluate(({ clipboard }) => clipboard.readText()),
      (text) => text !== '',
    )
    expect(copied).toBe(`${lexora!.origin}/v1`)
    await until(
      () => notices.told.map(({ title, body }) => `${title}: ${body}`),
      (told) => told.includes(`Copied: ${copied}`),
    )

    await tray!.click('Pause gateway')
    await until(lines, (all) => all.includes('Resume gateway'))
    expect((await lexora!.commands.snapshot()).server.state).toBe('paused')
    await tray!.click('Resume gateway')
    await until(lines, (all) => all.includes('Pause gateway'))

    for (const [item, hash] of [
      ['LAN: off', '#/settings/network'],
      ['Logs…', '#/requests/gateway-log'],
      ['Report a problem…', '#/diagnostics'],
      ['● Running', '#/dashboard'],
    ] as const) {
      await tray!.click(item)
      await until(route, (at) => at === hash)
    }
    await tray!.click('Model', 'More…')
    await until(route, (at) => at === '#/models')

    await closeWindow()
    await isHidden()
    await tray!.click('Open Lexora')
    await until(isVisible, ([seen]) => seen === true)

    await tray!.click('Stop engine')
    await until(engineIs, (is) => is === 'stopped')
    await until(lines, (all) => all.includes('Start engine'))
    await tray!.click('Start engine')
    await until(engineIs, (is) => is === 'ready')
    await until(lines, (all) => all.includes('Stop engine'))
    await tray!.click('Free the GPU now')
    await until(engineIs, (is) => is === 'stopped')
    await until(
      () => notices.told.map(({ title }) => title),
      (told) => told.includes('GPU freed'),
    )
    await until(lines, (all) => all.includes('Start engine'))
    await tray!.click('Model', 'demo-chat')
    await until(engineIs, (is) => is === 'ready')

    await until(lines, (all) => all.at(-1) === 'Quit, leave Lexora serving')
    await tray!.click('Quit')
    expect(await shell!.ended).toEqual({ code: 0, signal: null })
    expect((await lexora!.commands.snapshot()).server.state).toBe('serving')
  })

  const sleeper = (): string => {
    const path = join(aHome(), 'sleeper')
    writeFileSync(path, '#!/bin/sh\nexec sleep 600\n')
    chmodSync(path, 0o755)
    return path
  }

  test.each<
    [
      is: string,
      engine: () => Promise<Record<string, unknown>> | Record<string, unknown>,
      first: RegExp,
      verb: string,
      then: string,
    ]
  >([
    [
      'not-installed',
      () => ({ kind: 'vllm', model: 'a/b', executable: '/nonexistent/vllm', autostart: true }),
      /^○ Not installed/,
      'Install an engine…',
      '#/models',
    ],
    ['stopped', () => ({ ...DEMO, autostart: false }), /^○ Stopped/, 'Start engine', 'ready'],
    [
      'starting',
      () => ({ kind: 'command', model: 'c', executable: sleeper(), autostart: true }),
      /^◐ /,
      'Cancel start',
      'stopped',
    ],
    [
      'foreign',
      async () => ({ ...DEMO, port: await aTakenPort() }),
      /^▲ Port \d+ is taken/,
      'What went wrong…',
      '#/dashboard',
    ],
  ])('in the state %s it shows its shape and offers its verb', async (is, engine, first, verb, then) => {
    await open(await engine())
    await until(engineIs, (state) => state === is)
    await until(line, (text) => first.test(text))
    await tray!.click(verb)
    if (then.startsWith('#')) await until(route, (at) => at === then)
    else await until(engineIs, (state) => state === then)
  })

  test('an engine that is given up shows so, and leads to what went wrong', async () => {
    await open({ kind: 'command', model: 'c', executable: '/bin/false', autostart: false })
    await lexora!.commands.startEngine()
    // An impatient operator: five crashes and it is given up.
    const hurried = async (): Promise<string> => {
      const is = await engineIs()
      if (is === 'backoff') await lexora!.commands.startEngine()
      return is
    }
    await until(hurried, (is) => is === 'failed')
    await until(line, (text) => text.startsWith('✕ Failed'))
    await tray!.click('What went wrong…')
    await until(route, (at) => at === '#/dashboard')
  })

  test('the icon is another picture for another state', async () => {
    const { app } = await open({ ...DEMO, autostart: false })
    await until(line, (text) => text.startsWith('○'))
    await app.evaluate(({ nativeImage }) => {
      const drawn: string[] = []
      Object.assign(globalThis, { drawn })
      const { createFromPath } = nativeImage
      nativeImage.createFromPath = (path) => {
        drawn.push(path)
        return createFromPath(path)
      }
    })
    const pictures = new Set<string>()
    const look = async (): Promise<number> => pictures.add(await tray!.iconPixels()).size
    await until(look, (count) => count > 0)
    await lexora!.commands.startEngine()
    // An icon changes at most every five seconds: what was ready before it is drawn late.
    const drawn = async (): Promise<string[]> =>
      await app.evaluate(() => (globalThis as unknown as { drawn: string[] }).drawn)
    await until(drawn, (paths) => paths.some((path) => /ready-24\.png$/.test(path)))
    await until(look, (count) => count > 1)
  })

  test('a second start hands over and ends; the first does it', async () => {
    await open(DEMO)
    await shell!.frame()
    await closeWindow()
    await isHidden()
    const second = await startPlainly(session, lexora!.home, ['lexora://requests/history', '--port', '8100'])
    expect(second.code).toBe(0)
    expect(second.said).toContain('lexora: one runs already, and goes on as it is: --port not applied.')
    await until(isVisible, ([seen]) => seen === true)
    await until(route, (at) => at === '#/requests/history')
    await until(engineIs, (is) => is === 'ready')
    expect((await startPlainly(session, lexora!.home, ['--hidden', '--stop'])).code).toBe(0)
    await until(engineIs, (is) => is === 'stopped')
    expect((await startPlainly(session, lexora!.home, ['--hidden', '--model', 'demo-chat'])).code).toBe(0)
    await until(engineIs, (is) => is === 'ready')
  })

  test('an option that is wrong is told, with exit code 2', async () => {
    const { code, said } = await startPlainly(session, aHome(), ['--port', 'many'])
    expect([code, said]).toEqual([2, expect.stringContaining('--port must be a number')])
  })

  test('hidden it begins in the tray alone', async () => {
    await open(DEMO, ['--hidden'])
    await until(lines, (all) => all.includes('Open Lexora'))
    expect(await isVisible()).toEqual([])
    await tray!.activate()
    await until(isVisible, ([seen]) => seen === true)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends it in order and leaves the Lexora that it watched',
    async (signal) => {
      await open(DEMO)
      await shell!.frame()
      shell!.process.kill(signal)
      expect(await shell!.ended).toEqual({ code: 0, signal: null })
      expect((await lexora!.commands.snapshot()).server.state).toBe('serving')
    },
  )

  test('SIGHUP is no end', async () => {
    await open(DEMO)
    await shell!.frame()
    shell!.process.kill('SIGHUP')
    await tray!.click('Logs…')
    await until(route, (at) => at === '#/requests/gateway-log')
    expect(shell!.process.exitCode).toBeNull()
  })

  test('a crash of an engine is told once; a click on it opens the window', async () => {
    const notices = await openNoticeHost(session.address)
    extra.push(notices.close)
    await open({ kind: 'command', model: 'c', executable: '/bin/false', autostart: false }, ['--hidden'])
    await until(line, (text) => text.startsWith('○ Stopped'))
    await lexora!.commands.startEngine()
    // A machine may have other news: its disk may be nearly full.
    const notice = await until(
      () => notices.told.find(({ title }) => title === 'main crashed'),
      (told) => told !== undefined,
    )
    await until(engineIs, (is) => is === 'backoff')
    notices.click(notice!.id)
    await until(isVisible, ([seen]) => seen === true)
    expect(notices.told.filter(({ title }) => title === 'main crashed')).toHaveLength(1)
  })

  test('a switch keeps its notification away', async () => {
    const notices = await openNoticeHost(session.address)
    extra.push(notices.close)
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    await app.evaluate(({ clipboard }) => clipboard.clear())
    await page.evaluate(() => window.lexora!.desktop.change({ notifications: { copied: false } }))
    await tray!.click('Copy address')
    // It is copied before it is told.
    await until(
      () => app.evaluate(({ clipboard }) => clipboard.readText()),
      (text) => text !== '',
    )
    await page.evaluate(() => window.lexora!.desktop.change({ notifications: { copied: true } }))
    await tray!.click('Copy address')
    const copies = () => notices.told.filter(({ title }) => title === 'Copied')
    await until(copies, ({ length }) => length > 0)
    expect(copies()).toHaveLength(1)
  })

  test('without a panel the window asks once before it hides, and a second start brings it back', async () => {
    lexora = await startLexora({ logging: { level: 'INFO' } })
    shell = await openShell(session, lexora.home)
    const page = await shell.frame()
    await page.getByText('This desktop shows no tray icon.').waitFor()
    await shell.app.evaluate(({ dialog }) => {
      const asked: string[] = []
      Object.assign(globalThis, { asked })
      dialog.showMessageBox = (async (options: { message: string }) => {
        asked.push(options.message)
        return { response: 0, checkboxChecked: false }
      }) as typeof dialog.showMessageBox
    })
    await closeWindow()
    await isHidden()
    expect((await startPlainly(session, lexora.home)).code).toBe(0)
    await until(isVisible, ([seen]) => seen === true)
    await closeWindow()
    await isHidden()
    expect(await shell.app.evaluate(() => (globalThis as unknown as { asked: string[] }).asked)).toHaveLength(1)
  })

  test('a panel that comes late, goes and comes back has the icon each time, and nobody is told that there is none', async () => {
    const notices = await openNoticeHost(session.address)
    extra.push(notices.close)
    lexora = await startLexora({ logging: { level: 'INFO' } })
    shell = await openShell(session, lexora.home)
    const page = await shell.window()
    const banner = page.getByText('This desktop shows no tray icon.')
    await banner.waitFor()
    for (let round = 0; round < 2; round++) {
      tray = await TrayHost.open(session.address)
      await until(lines, (all) => all.includes('Open Lexora'))
      await banner.waitFor({ state: 'detached' })
      tray.close()
      await banner.waitFor()
    }
    tray = null
    expect(notices.told.filter(({ title }) => title === 'No tray on this desktop')).toEqual([])
    const kept = await readFile(join(lexora.home, 'desktop', 'preferences.json'), 'utf8').catch(() => '')
    expect(kept).not.toContain('"noTrayTold": true')
  })

  test('hidden where no icon can ever be seen, it shows its window all the same', async () => {
    lexora = await startLexora({ logging: { level: 'INFO' } })
    shell = await openShell(session, lexora.home, ['--hidden'], { DBUS_SESSION_BUS_ADDRESS: 'disabled:' })
    await (await shell.window()).getByText('This desktop shows no tray icon.').waitFor()
    await until(isVisible, ([seen]) => seen === true)
  })

  test('the window ends the app as the tray does, in the same words', async () => {
    await open(DEMO)
    const page = await shell!.frame()
    await page.keyboard.press('Control+k')
    const palette = page.getByPlaceholder('Type a command')
    await palette.fill('Quit')
    await page.getByRole('option', { name: 'Quit, leave Lexora serving' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Quit, leave Lexora serving' }).click()
    expect(await shell!.ended).toEqual({ code: 0, signal: null })
    expect((await lexora!.commands.snapshot()).server.state).toBe('serving')
  })

  test('the language that is chosen in the window is the tray’s, at once', async () => {
    await open(DEMO)
    const page = await shell!.frame()
    for (const [language, item] of [
      ['日本語', 'Lexora を開く'],
      ['한국어', 'Lexora 열기'],
      ['English', 'Open Lexora'],
    ] as const) {
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').fill(language)
      await page.getByRole('option', { name: language }).click()
      await until(lines, (all) => all.includes(item))
    }
  })

  test('another kind of icon and another theme are drawn at once', async () => {
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    await until(line, (text) => text.startsWith('● Running'))
    await app.evaluate(({ nativeImage, nativeTheme }) => {
      const drawn: string[] = []
      Object.assign(globalThis, { drawn })
      const { createFromPath } = nativeImage
      nativeImage.createFromPath = (path) => {
        drawn.push(path)
        return createFromPath(path)
      }
      nativeTheme.themeSource = 'light'
    })
    const drawn = async (): Promise<string[]> =>
      await app.evaluate(() => (globalThis as unknown as { drawn: string[] }).drawn)
    await page.evaluate(() => window.lexora!.desktop.change({ trayIcon: 'mono' }))
    await until(drawn, (paths) => paths.some((path) => /\/mono\/\w+-24\.png$/.test(path)))
    await app.evaluate(({ nativeTheme }) => {
      nativeTheme.themeSource = 'dark'
    })
    await until(drawn, (paths) => paths.some((path) => /\/mono-light\/\w+-24\.png$/.test(path)))
  })

  test('it has no menu of Electron’s; the page grows and shrinks by its keys all the same', async () => {
    const { app } = await open(DEMO)
    await shell!.frame()
    expect(await app.evaluate(({ Menu }) => Menu.getApplicationMenu())).toBeNull()
    const press = async (keyCode: string): Promise<number> =>
      await app.evaluate(async ({ BrowserWindow }, key) => {
        const { webContents } = BrowserWindow.getAllWindows()[0]!
        webContents.sendInputEvent({ type: 'keyDown', keyCode: key, modifiers: ['control'] })
        webContents.sendInputEvent({ type: 'keyUp', keyCode: key, modifiers: ['control'] })
        await new Promise((resolve) => setTimeout(resolve, 50))
        return webContents.getZoomLevel()
      }, keyCode)
    await until(
      () => press('='),
      (level) => level > 0,
    )
    await until(
      () => press('0'),
      (level) => level === 0,
    )
  })

  test('an update that is ready is on Settings in the navigation, and its notification leads to it', async () => {
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    const view = await page.evaluate(() => window.lexora!.desktop.read())
    const ready = { ...view, updates: { is: 'ready', version: '9.9.9', asked: false } }
    await app.evaluate(({ BrowserWindow }, told) => {
      BrowserWindow.getAllWindows()[0]!.webContents.send('lexora:desktop-told', told)
    }, ready)
    await page.locator('nav a[href="#/settings"] .badge').waitFor()
    await page.evaluate(() => {
      location.hash = '#/settings/updates'
    })
    await page.getByRole('heading', { name: 'Updates' }).waitFor()
    await page.getByText('Version 9.9.9 is installed when you quit or restart.').waitFor()
    await page.getByRole('button', { name: 'Restart when idle' }).waitFor()
  })

  test('Settings open the configuration and the logs', async () => {
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    await app.evaluate(({ shell: system }) => {
      const opened: string[] = []
      Object.assign(globalThis, { opened })
      system.openPath = async (path) => {
        opened.push(path)
        return ''
      }
    })
    const opened = async (): Promise<string[]> =>
      await app.evaluate(() => (globalThis as unknown as { opened: string[] }).opened)
    for (const [section, count] of [
      ['data', 2],
      ['advanced', 4],
    ] as const) {
      await page.evaluate((name) => {
        location.hash = `#/settings/${name}`
      }, section)
      await page.getByRole('button', { name: 'Open the configuration' }).click()
      await page.getByRole('button', { name: 'Open the logs' }).click()
      await until(opened, ({ length }) => length === count)
    }
    const both = [join(lexora!.home, 'config.yaml'), join(lexora!.home, 'logs')]
    expect((await opened()).toSorted()).toEqual([...both, ...both].toSorted())
  })

  test('start at login is a file with --hidden; taken away by hand it stays away, and the switch follows', async () => {
    await open(DEMO)
    const entry = join(session.env['XDG_CONFIG_HOME']!, 'autostart', 'ai.lexora.Lexora.desktop')
    const isWritten = async (): Promise<boolean> => {
      const text = await readFile(entry, 'utf8').catch(() => '')
      return /^Exec=\S.* --hidden$/m.test(text)
    }
    const click = async (): Promise<void> => {
      const page = await shell!.frame()
      await page.evaluate(() => {
        location.hash = '#/settings/general'
      })
      await page.getByRole('switch', { name: 'Start at login' }).click()
    }
    const isWanted = async (): Promise<boolean> => {
      const page = await shell!.window()
      return await page.evaluate(async () => (await window.lexora!.desktop.read()).preferences.startAtLogin)
    }
    const again = async (): Promise<void> => {
      shell!.process.kill('SIGTERM')
      await shell!.ended
      shell = await openShell(session, lexora!.home)
      await shell.frame()
    }
    await click()
    await until(isWritten, (is) => is)
    await again()
    await until(isWritten, (is) => is)
    expect(await isWanted()).toBe(true)
    rmSync(entry)
    await again()
    await until(isWanted, (is) => !is)
    expect(existsSync(entry)).toBe(false)
    await click()
    await until(isWritten, (is) => is)
    await click()
    await until(
      () => existsSync(entry),
      (is) => !is,
    )
    expect(await isWanted()).toBe(false)
  })

  test('a renderer that crashes comes back; one that crashes again says so, with a way on', async () => {
    const { app } = await open(DEMO)
    await shell!.frame()
    await app.evaluate(({ BrowserWindow }) => {
      const told = { crashes: 0 }
      Object.assign(globalThis, { told })
      BrowserWindow.getAllWindows()[0]!.webContents.on('render-process-gone', () => {
        told.crashes++
      })
    })
    // One that has not died yet would still answer for the next one.
    const crash = async (): Promise<void> => {
      const crashes = async (): Promise<number> =>
        await app.evaluate(() => (globalThis as unknown as { told: { crashes: number } }).told.crashes)
      const before = await crashes()
      await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.webContents.forcefullyCrashRenderer())
      await until(crashes, (count) => count > before)
    }
    // A page that has just died answers never.
    const see = async (): Promise<string> =>
      await app.evaluate(async ({ BrowserWindow }) => {
        const { webContents } = BrowserWindow.getAllWindows()[0]!
        const read = webContents.executeJavaScript('document.body.innerText') as Promise<string>
        return await Promise.race([read, new Promise<string>((resolve) => setTimeout(() => resolve(''), 2000))])
      })
    await crash()
    await until(see, (text) => text.includes('Dashboard'))
    await crash()
    await until(see, (text) => text.includes('The window crashed'))
    await app.evaluate(
      async ({ BrowserWindow }) =>
        await BrowserWindow.getAllWindows()[0]!.webContents.executeJavaScript('document.querySelector("a").click()'),
    )
    await until(see, (text) => text.includes('Dashboard'))
  })

  test('without its files the window says what is missing, and the tray goes on', async () => {
    renameSync(join(UI, 'index.html'), join(UI, 'index.away'))
    try {
      await open(DEMO)
      const page = await shell!.window()
      await page.getByText('The window is not installed completely').waitFor()
      await until(lines, (all) => all.includes('Pause gateway'))
    } finally {
      renameSync(join(UI, 'index.away'), join(UI, 'index.html'))
    }
    const page = await shell!.window()
    await page.getByRole('link', { name: 'Open the window again' }).click()
    await page.locator('.app').waitFor()
  })

  test('a Lexora that goes is told and looked for; when it comes back it is watched again', async () => {
    await open(DEMO)
    await shell!.frame()
    await lexora!.kill()
    await until(lines, (all) => all[0] === '▲ Lexora is not reachable' && all.includes('Start Lexora here'))
    lexora = await lexora!.again()
    await until(line, (text) => text.startsWith('● Running'))
  })

  test('a configuration that breaks is shown in the tray, with the way to its text, until it is mended', async () => {
    await open(DEMO)
    await shell!.frame()
    const file = join(lexora!.home, 'config.yaml')
    const good = await readFile(file, 'utf8')
    writeFileSync(file, 'server: {prot: 1}\n')
    await expect(lexora!.commands.reload()).rejects.toThrow(/server\.prot/)
    await tray!.click('The configuration has an error…')
    await until(route, (at) => at === '#/settings/advanced')
    writeFileSync(file, good)
    await lexora!.commands.reload()
    await until(lines, (all) => all.includes('Open Lexora') && !all.includes('The configuration has an error…'))
  })

  test('when the system goes down it ends in order, and leaves the Lexora that it watched', async () => {
    const { app } = await open(DEMO)
    await shell!.frame()
    await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('shutdown'))
    expect(await shell!.ended).toEqual({ code: 0, signal: null })
    expect((await lexora!.commands.snapshot()).server.state).toBe('serving')
  })

  test('when its display is gone it ends, the gateway does not, and a later start shows it again', async () => {
    await open(DEMO)
    await shell!.frame()
    await session.loseDisplay()
    await shell!.ended
    expect((await lexora!.commands.snapshot()).server.state).toBe('serving')
    tray!.close()
    tray = null
    await session.stop()
    session = await openSession()
    shell = await openShell(session, lexora!.home)
    await (await shell.window()).getByText('attached to a running Lexora').waitFor()
  })

  test('when the session bus is gone the Lexora that it watched serves on; the window too, if Chromium lets it', async () => {
    await open(DEMO)
    const page = await shell!.frame()
    await session.loseBus()
    await lexora!.commands.pause()
    const { process: own } = shell!
    const isOver = (): boolean => own.exitCode !== null || own.signalCode !== null
    await until(
      async () => isOver() || (await page.getByRole('heading', { name: 'Paused' }).count()) > 0,
      (told) => told,
    )
    expect((await lexora!.commands.snapshot()).server.state).toBe('paused')
  })

  test('without a display it ends at once', async () => {
    const { code, signal } = await startPlainly(session, aHome(), [], { DISPLAY: '' })
    expect(code === 0 && signal === null).toBe(false)
  })

  test('opened and closed 200 times it holds no more listeners and no more memory than before', async () => {
    const { app } = await open(DEMO)
    const page = await shell!.frame()
    await page.evaluate(() => {
      location.hash = '#/users'
    })
    await until(engineIs, (is) => is === 'ready')
    const client = await page.context().newCDPSession(page)
    await client.send('Performance.enable')
    const openAndClose = async (times: number): Promise<void> =>
      await app.evaluate(async ({ app: own, BrowserWindow }, count) => {
        const [window] = BrowserWindow.getAllWindows()
        const is = async (visible: boolean): Promise<void> => {
          for (let looks = 0; window!.isVisible() !== visible; looks++) {
            if (looks > 10_000) throw new Error(`the window ${visible ? 'does not open' : 'does not close'}`)
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        }
        for (let i = 0; i < count; i++) {
          window!.close()
          await is(false)
          own.emit('activate')
          await is(true)
        }
      }, times)
    const held = async () => {
      await client.send('HeapProfiler.collectGarbage')
      const { metrics } = await client.send('Performance.getMetrics')
      const of = (name: string): number => metrics.find((metric) => metric.name === name)!.value
      const main = await app.evaluate((electron) => {
        const { setFlagsFromString } = process.mainModule!.require('v8') as typeof import('node:v8')
        const { runInNewContext } = process.mainModule!.require('vm') as typeof import('node:vm')
        setFlagsFromString('--expose-gc')
        ;(runInNewContext('gc') as () => void)()
        const [window] = electron.BrowserWindow.getAllWindows()
        const emitters = [window!, window!.webContents, electron.app, electron.screen, electron.ipcMain] as const
        const listeners = (emitters as readonly NodeJS.EventEmitter[]).map((one) =>
          one.eventNames().reduce((sum, name) => sum + one.listenerCount(name), 0),
        )
        return { listeners, bytes: process.memoryUsage().heapUsed }
      })
      return { ...main, pageListeners: of('JSEventListeners'), pageBytes: of('JSHeapUsedSize') }
    }
    await openAndClose(20)
    const before = await held()
    await openAndClose(200)
    const after = await held()
    expect(after.listeners).toEqual(before.listeners)
    // Elements come and go with what the screen shows; one listener of each opening would be 200.
    expect(after.pageListeners - before.pageListeners).toBeLessThan(150)
    // What time alone brings, as figures for the charts, is a fraction of it; a leak of each opening is not.
    expect(after.bytes - before.bytes).toBeLessThan(10_000_000)
    expect(after.pageBytes - before.pageBytes).toBeLessThan(10_000_000)
  })

  test('where the window was is remembered, and forgotten with its display', async () => {
    const { app } = await open(DEMO)
    await shell!.frame()
    await app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]!.setBounds({ x: 60, y: 40, width: 1000, height: 640 }),
    )
    await until(readPlace, (place) => place?.width === 1000 && place.x === 60 && place.y === 40)
    shell!.process.kill('SIGTERM')
    await shell!.ended
    shell = await openShell(session, lexora!.home)
    await shell.frame()
    await until(
      () => shell!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.getBounds()),
      ({ x, y, width, height }) => [x, y, width, height].join() === '60,40,1000,640',
    )
  })
})

async function readPlace(): Promise<{ x: number; y: number; width: number } | null> {
  const text = await readFile(join(lexora!.home, 'desktop', 'preferences.json'), 'utf8').catch(() => '{}')
  return (
    (
      JSON.parse(text) as {
        remembered?: { window?: { x: number; y: number; width: number } }
      }
    ).remembered?.window ?? null
  )
}
