import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { app, dialog, protocol } from 'electron'
import type { RunOptions } from '../app/args.ts'
import { lexoraPaths } from '../config/paths.ts'
import { OutboundLedger } from '../telemetry/outbound.ts'
import { Desktop } from './desktop.ts'
import { type Claim, claimInstance } from './instance.ts'
import { shellPlaces } from './places.ts'
import { Preferences } from './preferences.ts'
import {
  isHeadless,
  linkedScreen,
  restartArguments,
  type ShellRequest,
  shellArguments,
  unappliedOptions,
} from './request.ts'
import { ShellLog } from './shell-log.ts'
import { SCHEME } from './ui-scheme.ts'
import { feedSetting, installKind, Updates } from './updates.ts'
import { sayIn, shellLanguage } from './words.ts'

/** The desktop app's entry: everything that must be said before Chromium is ready, then the one instance. */

const { env, platform } = process
const paths = lexoraPaths({ env, platform, home: homedir(), cwd: process.cwd() })
const asked = shellArguments(process.argv.slice(app.isPackaged ? 1 : 2))

app.setName('Lexora')
app.setPath('userData', join(paths.stateDir, 'desktop'))
// Root cannot have a sandbox, and says so by this switch; enabling it all the same would end every helper process.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
// Every byte of the GPU belongs to the engines.
app.disableHardwareAcceleration()
if (platform === 'win32') app.setAppUserModelId('ai.lexora.desktop')
if (platform === 'linux') app.setDesktopName('ai.lexora.Lexora.desktop')
protocol.registerSchemesAsPrivileged([
  { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: false, codeCache: true } },
])
// All windows closed is no end: the gateway serves on.
app.on('window-all-closed', () => {})

if (app.isPackaged && isHeadless(process.argv.slice(1))) {
  runHeadless(process.argv.slice(1))
} else if (asked.ok) {
  begin(asked.request, asked.run, asked.unknown).catch((error: unknown) => {
    process.stderr.write(`lexora: ${error instanceof Error ? error.stack : String(error)}\n`)
    app.exit(1)
  })
} else {
  process.stderr.write(`lexora: ${asked.message}\n`)
  app.exit(2)
}

async function begin(request: ShellRequest, run: RunOptions, unknown: readonly string[]): Promise<void> {
  let desktop: Desktop | null = null
  const early: ShellRequest[] = []
  // On a Mac links come as events, also before anything is ready.
  app.on('open-url', (event, url) => {
    event.preventDefault()
    const link: ShellRequest = { screen: linkedScreen(url), start: null, stop: null, model: null, hidden: false }
    if (desktop === null) early.push(link)
    else void desktop.take(link)
  })
  const onRequest = (later: ShellRequest): void => {
    if (desktop === null) early.push(later)
    else void desktop.take(later)
  }
  let claim = await claimInstance({ stateDir: paths.stateDir, env, platform }, request, onRequest)
  if (claim.is === 'hung') {
    const answer = await offerRecovery(claim)
    if (answer === 'left') return app.exit(1)
    if (answer === 'ended') claim = await claimInstance({ stateDir: paths.stateDir, env, platform }, request, onRequest)
  }
  if (claim.is === 'hung') {
    await tellUnrecovered(claim)
    return app.exit(1)
  }
  if (claim.is === 'handed') {
    tellUnapplied(run)
    return app.exit(0)
  }
  const log = new ShellLog(paths.logDir)
  if (app.commandLine.hasSwitch('no-sandbox'))
    log.say('Chromium runs without its sandbox', { packaged: app.isPackaged })
  for (const word of unknown) log.say('an option that only Chromium may know', { option: word })
  const resources = app.isPackaged ? process.resourcesPath : null
  const places = shellPlaces({
    home: dirname(fileURLToPath(import.meta.url)),
    resources,
    platform,
    execPath: process.execPath,
  })
  const version = app.getVersion()
  const cwd = app.isPackaged ? homedir() : process.cwd()
  const { programs } = places
  const outbound = new OutboundLedger()
  const updatesFolder = join(paths.stateDir, 'updates')
  const preferences = new Preferences(join(paths.stateDir, 'desktop'))
  desktop = new Desktop({
    paths,
    places,
    preferences,
    log,
    version,
    env,
    platform,
    home: homedir(),
    program: startsAgain(),
    host: async () => {
      const { hostCore } = await import('./hosted.ts')
      return await hostCore(run, {
        ...{ programs, version, cwd, runFile: paths.runFile, tell: log.write, outbound },
        quit: () => app.quit(),
      })
    },
    updates: ({ onChange, restsFor }) =>
      new Updates({
        feed: feedSetting(preferences.updates, resources),
        kind: installKind({ resources, platform, execPath: process.execPath, appImage: env['APPIMAGE'] }),
        version,
        arch: process.arch,
        folder: updatesFolder,
        installer: async (kind, offer) => {
          const { createInstaller } = await import('./update-installer.ts')
          return createInstaller({
            kind,
            offer,
            folder: updatesFolder,
            log: (text) => log.say('the installer', { text }),
          })
        },
        onAsk: (url) => outbound.spoke(url, 'updates'),
        onSocket: (address, socket) => outbound.carried(address, 'updates', socket),
        onChange,
        restsFor,
        log: log.say,
      }),
    outbound,
    release: claim.release,
    onAttached: () => {
      const names = unappliedOptions(run)
      if (names.length > 0)
        log.say('it goes on as it is: options of this start were not applied', { options: names.join(' ') })
    },
    relaunch: () => {
      const [execPath = process.execPath, ...first] = startsAgain()
      app.relaunch({ execPath, args: [...first, ...restartArguments(process.argv.slice(1))] })
    },
  })
  listen(desktop, log)
  desktop.coreKnown = desktop.startCore()
  await app.whenReady()
  // Chromium takes the signal for an end. Who asks the system last has it, and Node asks only for its first listener.
  process.removeAllListeners('SIGHUP')
  process.on('SIGHUP', () => desktop?.reload())
  if (app.isPackaged && platform !== 'linux') app.setAsDefaultProtocolClient('lexora')
  await desktop.open(request)
  for (const later of early) void desktop.take(later)
}

function listen(desktop: Desktop, log: ShellLog): void {
  app.on('before-quit', (event) => {
    if (!desktop.mayExit()) event.preventDefault()
  })
  app.on('activate', () => desktop.showWindow())
  app.on('child-process-gone', (_event, { type, reason }) => {
    if (reason !== 'clean-exit') log.say('a process of Chromium ended', { type, reason })
  })
  process.on('uncaughtException', (error) => {
    // Engines hang on their guards and requests on the core: neither is served by an end of the whole app.
    log.say('fault', { error: error.stack ?? String(error) })
  })
}

/** Of a second start: what it asked for beyond showing itself. */
function tellUnapplied(run: RunOptions): void {
  const names = unappliedOptions(run)
  if (names.length === 0) return
  process.stderr.write(
    `lexora: one runs already, and goes on as it is: ${names.join(', ')} not applied. Quit it first.\n`,
  )
}

/** As `lexora` on Linux does it: a plain Node with the core's own program, in this one's place. */
function runHeadless(argv: readonly string[]): void {
  const folder = join(process.resourcesPath, 'headless')
  const program = join(folder, platform === 'win32' ? 'node.exe' : 'node')
  const child = spawn(program, [join(folder, 'bin.js'), ...argv], { stdio: 'inherit', windowsHide: true })
  app.dock?.hide()
  app.on('before-quit', (event) => {
    event.preventDefault()
    child.kill('SIGTERM')
  })
  child.once('error', (error) => {
    process.stderr.write(`lexora: ${program}: ${error.message}\n`)
    app.exit(1)
  })
  child.once('exit', (code) => app.exit(code ?? 1))
}

/** Another window of ours holds its place and is deaf. Nothing is ended that nobody asked for. */
async function offerRecovery({ pid, recover }: Extract<Claim, { is: 'hung' }>): Promise<'ended' | 'failed' | 'left'> {
  await app.whenReady()
  const say = sayIn(shellLanguage('system', app.getLocale()))
  const { response } = await dialog.showMessageBox({
    type: 'warning',
    title: 'Lexora',
    message: say('hang.message'),
    detail: say('hang.detail', { pid: pid ?? '?' }),
    buttons: [say('hang.recover'), say('hang.wait')],
    defaultId: 1,
    cancelId: 1,
    noLink: true,
  })
  if (response !== 0) return 'left'
  return (await recover()) ? 'ended' : 'failed'
}

async function tellUnrecovered({ pid }: Extract<Claim, { is: 'hung' }>): Promise<void> {
  const say = sayIn(shellLanguage('system', app.getLocale()))
  await dialog.showMessageBox({
    type: 'error',
    title: 'Lexora',
    message: say('hang.failed'),
    detail: say('hang.failed.detail', { pid: pid ?? '?' }),
    buttons: [say('hang.close')],
    noLink: true,
  })
}

/** What the desktop must run to start this again: an AppImage is mounted elsewhere each time. */
function startsAgain(): string[] {
  const appImage = env['APPIMAGE']
  if (appImage !== undefined && appImage !== '') return [appImage]
  // Installed, a small script stands before the binary and knows `--no-ui`.
  const program = process.execPath.replace(/lexora-bin$/, 'lexora')
  return app.isPackaged ? [program] : [program, app.getAppPath()]
}
