/**
 * Installers with the real Electron 22 in them: what they hold, and that what they install starts, answers, shows its
 * window and goes without a trace. As root the deb is really installed; else it is unpacked and started from there.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRunning, type RunRecord } from '../../../src/app/run-file.ts'
import { lexoraPaths } from '../../../src/config/paths.ts'
import type { WindowBridge } from '../../../src/protocol/window.ts'
import { buildLegacy } from '../electron/rig.ts'
import { type DesktopSession, openSession } from '../electron/session.ts'
import { until } from '../electron/until.ts'
import { aHome, dropHome } from '../rig.ts'
import {
  appImageTools,
  asarOf,
  CANARY,
  canMakeAppImage,
  canMakeRpm,
  dist,
  entriesOf,
  filesBelow,
  fusesOfBinary,
  inPath,
  lacks,
  legacyApp,
  openDebFeed,
  ROOT,
  runningBelow,
} from './rig.ts'

declare global {
  interface Window {
    lexora?: WindowBridge
  }
}

const missing = lacks()
if (missing.length > 0) process.stderr.write(`Left out here: packages (no ${missing.join(', no ')})\n`)

const isRoot = process.getuid?.() === 0
/** rpm goes into the folder that it installs below. */
const canChroot = isRoot && spawnSync('chroot', ['/', 'true']).status === 0
const isInstalled = (name = 'lexora'): boolean => spawnSync('dpkg', ['-s', name]).status === 0
const installs = missing.length === 0 && isRoot && inPath('dpkg') !== null && !isInstalled()
const TARGETS = ['tar.gz', 'deb', ...(canMakeRpm ? ['rpm'] : []), ...(canMakeAppImage ? ['AppImage'] : [])]
const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version
const ICONS = [16, 24, 32, 48, 64, 128, 256, 512]

/** What no package may hold. */
const NEVER = /\.map$|\.lexora-build$|\.tsx?$|(^|\/)(test|tests|node_modules|default_app\.asar|\.git)(\/|$)/

describe.skipIf(missing.length > 0)('packages', () => {
  const out = mkdtempSync(join(tmpdir(), 'lexora-package-'))
  const product = join(out, 'product', 'linux-unpacked')
  const made = join(out, 'made')
  const deb = join(made, `lexora_${VERSION}_amd64.deb`)
  const tarball = join(made, `lexora-${VERSION}.tar.gz`)
  const tree = join(out, 'tree')
  const homes: string[] = []
  const newHome = (): string => {
    homes.push(aHome())
    return homes.at(-1)!
  }

  beforeAll(async () => {
    await buildLegacy()
    legacyApp(join(out, 'app'))
    const own = await dist(join(out, 'product'), ['dir'])
    if (own.status !== 0) throw new Error(own.said)
    const env = canMakeAppImage ? { APPIMAGE_TOOLS_PATH: appImageTools(join(out, 'tools')) } : {}
    const all = await dist(made, TARGETS, [`-c.directories.app=${join(out, 'app')}`], {
      ...env,
      LEXORA_PACK_DRIVEN: '1',
    })
    if (all.status !== 0) throw new Error(all.said)
    rmSync(join(made, 'linux-unpacked'), { recursive: true })
    mkdirSync(tree)
    execFileSync('dpkg-deb', ['-x', deb, tree])
  }, 900_000)

  afterAll(() => {
    rmSync(out, { recursive: true, force: true })
    for (const home of homes) dropHome(home)
  })

  describe('the unpacked folder', () => {
    test('holds the product: its main process in the archive, programs outside it, and a Node of their own', () => {
      const { names, text } = asarOf(join(product, 'resources', 'app.asar'))
      const { main } = JSON.parse(text('package.json')) as { main: string }
      expect(names).toEqual(expect.arrayContaining([main, 'dist/shell/preload.cjs', 'resources/icons/256x256.png']))
      expect(names.filter((name) => NEVER.test(name))).toEqual([])
      expect(filesBelow(join(product, 'resources', 'headless'))).toEqual(
        expect.arrayContaining(['bin.js', 'demo.js', 'guard.js', 'history.js', 'node', 'ui/index.html']),
      )
      expect(existsSync(join(product, 'lexora-bin'))).toBe(true)
    })

    test('names no folder of the machine that made it, and holds no maps and no tests', () => {
      const files = filesBelow(product)
      expect(files.filter((name) => NEVER.test(name))).toEqual([])
      const texts = files.filter((name) => /\.(c?js|html|css|ya?ml|json|asar|service)$/.test(name))
      const tells = texts.filter((name) => readFileSync(join(product, name)).includes(ROOT))
      expect(tells).toEqual([])
    })

    test('has a binary whose doors are closed as the list says; what tests drive has its inspector besides', async () => {
      const own = await fusesOfBinary(join(product, 'lexora-bin'))
      expect(Object.keys(own.wanted).length).toBeGreaterThan(5)
      // An Electron has fuses that nobody has named yet: those are left as they come.
      expect(own.is).toMatchObject(own.wanted)
      const driven = await fusesOfBinary(join(tree, 'opt', 'Lexora', 'lexora-bin'), { driven: true })
      expect(driven.is).toMatchObject(driven.wanted)
      expect(driven.is).not.toEqual(own.is)
    })

    test('brings the licences of all that is in it', () => {
      const resources = join(product, 'resources')
      expect(readFileSync(join(resources, 'LICENSE.txt'), 'utf8')).toContain('Apache License')
      const others = readFileSync(join(resources, 'LICENSES.third-party.txt'), 'utf8')
      for (const name of ['express', 'undici', 'react', 'zod', 'electron-store', 'Node.js'])
        expect(others).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(.+\\)$`, 'm'))
      expect(existsSync(join(product, 'LICENSES.chromium.html'))).toBe(true)
    })

    test('answers commands without Chromium, a display or an environment', () => {
      const home = newHome()
      const lexora = (...argv: string[]) =>
        spawnSync(join(product, 'lexora'), argv, { env: { LEXORA_HOME: home }, encoding: 'utf8', timeout: 60_000 })
      expect(lexora('--version')).toMatchObject({ status: 0, stdout: `${VERSION}\n` })
      expect(lexora('status').status).toBe(3)
      // An AppImage adds this word where user namespaces are forbidden.
      expect(lexora('--no-sandbox', 'status').status).toBe(3)
      expect(lexora('--no-sandbox', '--version')).toMatchObject({ status: 0, stdout: `${VERSION}\n` })
      expect(lexora('--no-ui', '--port', 'many').status).toBe(2)
      for (const argv of [['--no-ui'], []]) {
        const bad = lexora(...argv, '--config', '/nonexistent.yaml')
        expect([bad.status, bad.stderr]).toEqual([78, expect.stringContaining('/nonexistent.yaml')])
      }
    })
  })

  describe('the tar.gz', () => {
    test('holds one folder, all of it root’s and readable by everybody', () => {
      const entries = entriesOf('tar', ['-tvf', tarball])
      expect(entries.filter(({ path }) => !path.startsWith(`lexora-${VERSION}/`))).toEqual([])
      expect(entries.filter(({ owner }) => !/^(0\/0|root\/root)$/.test(owner))).toEqual([])
      expect(entries.filter(({ mode }) => !/^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x)$/.test(mode))).toEqual([])
      expect(entries.filter(({ path }) => NEVER.test(path))).toEqual([])
    })

    test('starts where it was unpacked', () => {
      const to = join(out, 'unpacked')
      mkdirSync(to)
      execFileSync('tar', ['-xzf', tarball, '-C', to])
      const program = join(to, `lexora-${VERSION}`, 'lexora')
      expect(spawnSync(program, ['--version'], { env: {}, encoding: 'utf8' }).stdout).toBe(`${VERSION}\n`)
      rmSync(to, { recursive: true })
    })
  })

  describe('the deb', () => {
    test('is root’s, and nothing in it is written by others or runs as its owner', () => {
      const entries = entriesOf('dpkg-deb', ['-c', deb])
      expect(entries.filter(({ owner }) => owner !== 'root/root')).toEqual([])
      expect(entries.filter(({ mode }) => !/^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x)$/.test(mode))).toEqual([])
      expect(entries.filter(({ path }) => NEVER.test(path))).toEqual([])
      const outside = entries.map(({ path }) => path).filter((path) => !/^\.\/(opt\/Lexora\/.*)?$/.test(path))
      expect(outside.filter((path) => !path.endsWith('/')).sort()).toEqual(
        [
          './usr/lib/systemd/system/lexora.service',
          './usr/share/applications/ai.lexora.Lexora.desktop',
          './usr/share/doc/lexora/copyright',
          ...ICONS.map((size) => `./usr/share/icons/hicolor/${size}x${size}/apps/lexora.png`),
        ].sort(),
      )
    })

    test('says what it is, what it needs, and brings sound scripts', () => {
      const field = (name: string): string => execFileSync('dpkg-deb', ['-f', deb, name], { encoding: 'utf8' }).trim()
      expect(['Package', 'Version', 'Architecture', 'License'].map(field)).toEqual([
        'lexora',
        VERSION,
        'amd64',
        'Apache-2.0',
      ])
      expect(field('Depends')).toContain('libgtk-3-0')
      expect(Number(field('Installed-Size'))).toBeGreaterThan(100_000)
      const scripts = join(out, 'scripts')
      execFileSync('dpkg-deb', ['-e', deb, scripts])
      for (const name of ['postinst', 'prerm', 'postrm']) {
        expect(lstatSync(join(scripts, name)).mode & 0o777).toBe(0o755)
        expect(readFileSync(join(scripts, name), 'utf8')).not.toContain('${')
        expect(spawnSync('sh', ['-n', join(scripts, name)]).status).toBe(0)
      }
    })

    test('has an entry for menus that opens links, too', () => {
      const path = join(tree, 'usr/share/applications/ai.lexora.Lexora.desktop')
      const lines = readFileSync(path, 'utf8').split('\n')
      expect(lines).toEqual(
        expect.arrayContaining(['Exec=/opt/Lexora/lexora %U', 'Icon=lexora', 'MimeType=x-scheme-handler/lexora;']),
      )
      if (inPath('desktop-file-validate') !== null)
        expect(spawnSync('desktop-file-validate', [path], { encoding: 'utf8' })).toMatchObject({
          status: 0,
          stdout: '',
        })
    })

    test('has a profile for the program that needs one, which is not the script before it', () => {
      const profile = readFileSync(join(tree, 'opt/Lexora/resources/apparmor-profile'), 'utf8')
      expect(profile).toContain('"/opt/Lexora/lexora-bin" flags=(unconfined)')
    })
  })

  describe.skipIf(!canMakeRpm)('the rpm', () => {
    const rpm = join(made, `lexora-${VERSION}.x86_64.rpm`)

    test('holds the same files and scripts', () => {
      const query = (...argv: string[]): string[] =>
        execFileSync('rpm', ['-qp', '--dbpath', join(out, 'rpmdb'), ...argv, rpm], { encoding: 'utf8' })
          .trim()
          .split('\n')
      const files = filesBelow(tree).map((name) => `/${name}`)
      expect(
        query('-l')
          .filter((path) => !lstatSync(join(tree, path)).isDirectory())
          .sort(),
      ).toEqual(files.sort())
      const owners = query('--queryformat', '[%{FILEUSERNAME} %{FILEMODES:perms}\n]')
      expect(owners.filter((line) => !/^root (drwxr-xr-x|-rw-r--r--|-rwxr-xr-x)$/.test(line))).toEqual([])
      expect(query('--scripts').join('\n')).toMatch(/postinstall[\s\S]*preuninstall[\s\S]*postuninstall/)
      const program = spawnSync('sh', ['-c', `rpm2cpio '${rpm}' | cpio -i --quiet --to-stdout ./opt/Lexora/lexora`])
      expect(program.stdout.equals(readFileSync(join(tree, 'opt/Lexora/lexora')))).toBe(true)
    })
  })

  describe.skipIf(!canMakeRpm || !canChroot)('the rpm, installed below a folder', () => {
    test('is whole there, and leaves nothing of its own behind', () => {
      const rpm = join(made, `lexora-${VERSION}.x86_64.rpm`)
      const root = join(out, 'rpm-root')
      mkdirSync(root)
      const within = (...argv: string[]) => spawnSync('rpm', ['--root', root, ...argv], { encoding: 'utf8' })
      expect(within('-i', '--nodeps', '--noscripts', rpm)).toMatchObject({ status: 0 })
      expect(within('-V', '--nodeps', '--noscripts', 'lexora')).toMatchObject({ status: 0, stdout: '' })
      expect(existsSync(join(root, 'opt/Lexora/resources/headless/node'))).toBe(true)
      expect(within('-e', '--noscripts', 'lexora')).toMatchObject({ status: 0 })
      const left = readdirSync(root, { recursive: true, encoding: 'utf8' })
      expect(left.filter((path) => /lexora/i.test(path))).toEqual([])
    })
  })

  describe.skipIf(!canMakeAppImage)('the AppImage', () => {
    test('starts without being mounted, and answers', () => {
      const image = join(made, `Lexora-${VERSION}.AppImage`)
      const env = { PATH: process.env['PATH'], LEXORA_HOME: newHome(), APPIMAGE_EXTRACT_AND_RUN: '1', TMPDIR: out }
      const answer = spawnSync(image, ['--version'], { env, encoding: 'utf8', timeout: 60_000 })
      // Into the middle of what it lists.
      expect(answer).toMatchObject({ status: 0, stdout: expect.stringContaining(`${VERSION}\n`) })
    })
  })

  describe('what the deb installs', () => {
    let session: DesktopSession
    let app = join(tree, 'opt', 'Lexora')
    /** As somebody types it: by its name where it is installed. */
    let program = join(app, 'lexora')
    let home = ''
    let served: ChildProcess | null = null
    let shown: ChildProcess | null = null
    let listed: string[] = []

    beforeAll(async () => {
      session = await openSession()
      home = newHome()
      if (!installs) return
      await dpkg('-i', '--force-depends', deb)
      listed = execFileSync('dpkg', ['-L', 'lexora'], { encoding: 'utf8' }).trim().split('\n')
      app = '/opt/Lexora'
      program = 'lexora'
    }, 180_000)

    afterAll(async () => {
      served?.kill('SIGKILL')
      shown?.kill('SIGKILL')
      await session.stop()
      for (const name of ['lexora', CANARY]) if (installs && isInstalled(name)) await dpkg('--purge', name)
    }, 180_000)

    const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    const lexora = (...argv: string[]) =>
      spawnSync(program, argv, { env: { PATH, LEXORA_HOME: home }, encoding: 'utf8', timeout: 60_000 })

    async function running(): Promise<RunRecord> {
      const paths = lexoraPaths({ env: { LEXORA_HOME: home }, platform: process.platform, home, cwd: home })
      const found = await until(
        async () => await findRunning(paths.runFile),
        ({ is }) => is === 'running',
      )
      if (found.is !== 'running') throw new Error(found.is)
      return found.record
    }

    test('serves from an empty environment, and its demo answers', async () => {
      // Whoever has a configuration is not asked what a first run asks.
      writeFileSync(join(home, 'lexora_config.yaml'), 'server: {port: 0}\n')
      served = spawn('env', ['-i', `PATH=${PATH}`, `LEXORA_HOME=${home}`, program, '--no-ui', '--port', '0'], {
        stdio: 'ignore',
      })
      const { address } = await running()
      const ask = async (path: string, init?: RequestInit) => await (await fetch(`${address}${path}`, init)).json()
      await until(
        async () => (await ask('/health')).status as string,
        (status) => status === 'healthy',
      )
      const { data } = (await ask('/v1/models')) as { data: { id: string }[] }
      expect(data.map(({ id }) => id)).toContain('demo-chat')
      const body = JSON.stringify({ model: 'demo-chat', messages: [{ role: 'user', content: 'Hello' }] })
      const headers = { 'content-type': 'application/json' }
      const chat = await ask('/v1/chat/completions', { method: 'POST', headers, body })
      expect(chat.choices[0].message.content).toMatch(/demo/i)
      const page = await fetch(`${address}/ui/`)
      expect(page.headers.get('content-type')).toContain('text/html')
      expect(runningBelow(app)).toContain(join(app, 'resources', 'headless', 'node'))
    })

    /** The window, by Playwright. */
    async function open() {
      const launch = async () =>
        await _electron.launch({
          executablePath: installs ? '/usr/bin/lexora' : program,
          args: ['--disable-gpu', '--no-sandbox'],
          env: { ...session.env, PATH, LEXORA_HOME: home },
          timeout: 60_000,
        })
      // The two debuggers that Playwright attaches now and then miss each other; it ends what it started then.
      const shell = await launch().catch(launch)
      const child = shell.process()
      shown = child
      const ended = new Promise<void>((resolve) =>
        child.once('exit', () => {
          shown = null
          resolve()
        }),
      )
      const page = await shell.firstWindow()
      await page.locator('.app').waitFor()
      return { shell, child, ended, page }
    }

    test('shows the window of that Lexora, and quitting it leaves it serving', async () => {
      const { shell, child, ended, page } = await open()
      expect(await page.evaluate(() => location.href)).toMatch(/^app:\/\/lexora\//)
      expect(await shell.evaluate(({ app: electron }) => electron.isPackaged)).toBe(true)
      const { updates, sandboxed } = await page.evaluate(async () => await window.lexora!.desktop.read())
      expect(updates).toEqual({ is: 'off', why: 'no-feed' })
      expect(await shell.evaluate(({ Menu }) => Menu.getApplicationMenu())).toBeNull()
      const hasTools = await shell.evaluate(async ({ BrowserWindow }) => {
        const { webContents } = BrowserWindow.getAllWindows()[0]!
        webContents.openDevTools()
        await new Promise((resolve) => setTimeout(resolve, 500))
        return webContents.isDevToolsOpened()
      })
      expect(hasTools).toBe(false)
      // These tests run as root, who must do without.
      expect(sandboxed).toBe(false)
      const told = page.getByText('no sandbox of Chromium’s')
      await told.waitFor()
      await page.getByRole('status').filter({ has: told }).getByRole('button', { name: 'Close' }).click()
      await told.waitFor({ state: 'detached' })
      child.kill('SIGTERM')
      await ended
      expect(lexora('status').status).toBe(0)
    })

    test.skipIf(!installs)('is replaced by a signed update when somebody quits it, and by no other', async () => {
      const feed = await openDebFeed(mkdtempSync(join(out, 'feed-')))
      mkdirSync(join(home, 'desktop'), { recursive: true })
      writeFileSync(
        join(home, 'desktop', 'preferences.json'),
        JSON.stringify({ updates: { feed: feed.feed, key: feed.key } }),
      )
      const { ended, page } = await open()
      await page.evaluate(() => {
        location.hash = '#/settings/updates'
      })
      const look = page.getByRole('button', { name: 'Look now' })
      await look.click()
      await page.getByText('Refused: the feed is not signed. What runs now stays.').waitFor()
      feed.sign()
      await look.click()
      await page.getByText('Version 9.9.9 is installed when you quit or restart.').waitFor()
      expect(isInstalled(CANARY)).toBe(false)
      await page.evaluate(() => void window.lexora!.desktop.do('quit'))
      await ended
      feed.close()
      expect(isInstalled(CANARY)).toBe(true)
      await dpkg('--purge', CANARY)
    })

    test('stops when it is asked to, and nothing of it runs on', async () => {
      const ended = new Promise<number | null>((resolve) => served!.once('exit', resolve))
      served!.kill('SIGTERM')
      expect(await ended).toBe(0)
      served = null
      await until(
        () => runningBelow(app),
        (left) => left.length === 0,
      )
      expect(lexora('status').status).toBe(3)
    })

    test('brings a unit that systemd accepts, off until somebody wants it', () => {
      const unit = installs
        ? '/usr/lib/systemd/system/lexora.service'
        : join(tree, 'usr/lib/systemd/system/lexora.service')
      expect(readFileSync(unit, 'utf8')).toContain('ExecStart=/opt/Lexora/resources/headless/node')
      const known = readFileSync('/etc/group', 'utf8')
      const groups = ['video', 'render'].filter((name) => new RegExp(`^${name}:`, 'm').test(known))
      const drop = `${unit}.d/gpu.conf`
      const lines = installs && existsSync(drop) ? readFileSync(drop, 'utf8').trim().split('\n') : []
      expect(lines).toEqual(
        installs && groups.length > 0 ? ['[Service]', `SupplementaryGroups= ${groups.join(' ')}`] : [],
      )
      expect(existsSync('/etc/systemd/system/multi-user.target.wants/lexora.service')).toBe(false)
      // It looks for the program, too, which is there only where it is installed.
      if (!installs || inPath('systemd-analyze') === null) return
      const { stderr } = spawnSync('systemd-analyze', ['--man=no', 'verify', unit], { encoding: 'utf8' })
      expect(stderr.split('\n').filter((line) => line.includes('lexora.service'))).toEqual([])
    })

    test.skipIf(!installs)('is whole after all this, and goes without a trace', async () => {
      expect(execFileSync('dpkg', ['--verify', 'lexora'], { encoding: 'utf8' })).toBe('')
      await dpkg('-r', '--force-depends', 'lexora')
      await dpkg('--purge', 'lexora')
      expect(isInstalled()).toBe(false)
      const ours = listed.filter((path) => /lexora/i.test(path))
      expect(ours.length).toBeGreaterThan(50)
      expect(ours.filter((path) => existsSync(path))).toEqual([])
      expect(existsSync('/usr/lib/systemd/system/lexora.service.d')).toBe(false)
      expect(['/usr/bin/lexora', '/etc/apparmor.d/lexora', '/opt/Lexora'].filter((path) => existsSync(path))).toEqual(
        [],
      )
      expect(runningBelow('/opt/Lexora')).toEqual([])
    })
  })
})

/** Somebody else may be installing something just now. */
async function dpkg(...argv: string[]): Promise<void> {
  await until(
    () => spawnSync('dpkg', argv, { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }),
    ({ status, stderr }) => {
      if (status === 0) return true
      if (/lock/.test(stderr)) return false
      throw new Error(stderr)
    },
  )
}
