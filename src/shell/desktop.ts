import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { app, clipboard, dialog, powerMonitor, protocol, session, shell } from 'electron'
import { findRunning } from '../app/run-file.ts'
import { hubCache } from '../config/hub-cache.ts'
import type { LexoraPaths } from '../config/paths.ts'
import { isBlocked } from '../protocol/blocked.ts'
import { CommandError } from '../protocol/commands.ts'
import type { DesktopVerb, DesktopView } from '../protocol/desktop.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import type { CallResult, WindowPlatform } from '../protocol/window.ts'
import type { OutboundLedger } from '../telemetry/outbound.ts'
import { setAppMenu } from './app-menu.ts'
import { attachTo } from './attached.ts'
import { applyAutostart, autostartSupport } from './autostart.ts'
import type { Core, Ended, Hosted } from './core.ts'
import { nearlyFull } from './disk-watch.ts'
import { freedSaid } from './freed.ts'
import { serveWindow } from './ipc.ts'
import { type LoopDelay, watchLoop } from './loop-watch.ts'
import { MainWindow, PLAIN_URL } from './main-window.ts'
import { type NoticeMemory, newMemory, nextNotices } from './notices.ts'
import { Notifications } from './notifications.ts'
import type { ShellPlaces } from './places.ts'
import { deedOf, type PageDeed, PLAIN_POLICY, type PlainPage, plainPage } from './plain-page.ts'
import type { Preferences } from './preferences.ts'
import { nextQuit, type QuitEvent, type QuitState } from './quit.ts'
import { nextRecent, type RecentEngines } from './recent-engines.ts'
import type { ShellRequest } from './request.ts'
import type { ShellLog } from './shell-log.ts'
import { TrayIconOwner } from './tray.ts'
import { TrayPresence } from './tray-presence.ts'
import { type TrayAction, type TrayFacts, trayView } from './tray-view.ts'
import { answer, serveUi } from './ui-scheme.ts'
import type { UpdateParts, Updates } from './updates.ts'
import { type Say, sayIn, shellLanguage } from './words.ts'

export type DesktopParts = {
  paths: LexoraPaths
  places: ShellPlaces
  preferences: Preferences
  log: ShellLog
  version: string
  env: Readonly<Record<string, string | undefined>>
  platform: NodeJS.Platform
  home: string
  /** What starts the app again. */
  program: readonly string[]
  /** Starts a Lexora in this process. */
  host: () => Promise<Hosted>
  updates: (given: Pick<UpdateParts, 'onChange' | 'restsFor'>) => Updates
  /** Who this process has spoken to. */
  outbound: OutboundLedger
  release: () => void
  /** It watches another one, which this start's own options do not reach. */
  onAttached: () => void
  /** Once this process is gone, another one begins. */
  relaunch: () => void
}

/** The engines' own stops are bounded, and so is the drain; this is for what should never happen. */
const QUIT_BUDGET_MS = 900_000
const RATE_EVERY_MS = 5000
const DISK_EVERY_MS = 60_000
const TRAY_KNOWN_MS = 1000
/** A package that cleans up at a signal sends the same one again at once; nobody asks twice as quickly. */
const SAME_ASK_MS = 100
const LAST_WAY_MS = 3000

/** The desktop app: joins core, window, tray and notifications, and ends in order. It decides nothing about requests. */
export class Desktop {
  private readonly parts: DesktopParts
  private readonly window: MainWindow
  private readonly tray: TrayIconOwner
  private readonly notifications: Notifications
  private readonly loop: { read: () => LoopDelay; close: () => void }
  private core: Core | null = null
  private coreIs: TrayFacts['core'] = 'starting'
  private unsubscribe: (() => void) | null = null
  private snapshot: AppSnapshot | null = null
  private notices: NoticeMemory
  private readonly presence = new TrayPresence(() => this.trayChanged())
  /** It began without a window. */
  private isUnseen = false
  /** What the window was told last. */
  private told = ''
  /** This window asked for a capture that no snapshot has shown yet. */
  private isCaptureOurs = false
  private quit: QuitState = { is: 'running' }
  private alarm: NodeJS.Timeout | null = null
  private askedAt = Number.NEGATIVE_INFINITY
  private rate: number | null = null
  private rateTimer: NodeJS.Timeout | null = null
  private asking = false
  private recent: RecentEngines
  private lowDisk: Awaited<ReturnType<typeof nearlyFull>> | undefined
  private diskTimer: NodeJS.Timeout | null = null
  private readonly updates: Updates
  /** What the end brings: a newer version is installed only if a person ended this one. */
  private installs: 'nothing' | 'update' | 'update-and-restart' = 'nothing'

  constructor(parts: DesktopParts) {
    this.parts = parts
    const { places, preferences, log, platform, env } = parts
    const { users, update, noTrayTold, engines } = preferences.remembered()
    this.recent = { order: engines, serving: [] }
    this.notices = newMemory({ users, update, noTray: noTrayTold })
    this.loop = watchLoop((delay) => log.say('the event loop was slow for a minute', delay))
    this.window = new MainWindow({
      preload: places.preload,
      icon: places.appIcon,
      indexFile: join(places.uiDir, 'index.html'),
      place: () => preferences.remembered().window,
      remember: (window) => preferences.remember({ window }),
      platform: () => this.windowPlatform(),
      mayClose: () => this.mayClose(),
      onSessionEnd: () => this.endBy({ type: 'system-ends' }),
      hasTools: !app.isPackaged,
      log: log.say,
    })
    this.tray = new TrayIconOwner({
      dir: places.trayDir,
      platform,
      env,
      style: () => preferences.get().trayIcon,
      onAction: (action) => void this.act(action),
      onPresence: (hasTray, isFinal) => this.presence.see(hasTray, isFinal),
      log: log.say,
    })
    this.updates = parts.updates({
      onChange: () => this.look(),
      restsFor: (url) => {
        if (this.snapshot === null) return 'unknown'
        const { offline, blocked = [] } = this.snapshot.server
        return offline ? 'offline' : isBlocked(new URL(url).host, blocked) ? 'blocked' : null
      },
    })
    this.notifications = new Notifications({
      icon: places.appIcon,
      switches: () => preferences.get().notifications,
      say: () => this.say,
      onClick: (at) => this.window.show(at),
      onAction: (action) => void this.act(action),
    })
  }

  /** Before Chromium is ready: the gateway serves while the window is still being made. */
  startCore(): Promise<void> {
    return this.findCore()
  }

  /** When Chromium is ready. */
  async open(request: ShellRequest): Promise<void> {
    this.isUnseen = request.hidden
    setAppMenu(this.parts.platform, this.say)
    this.guardSession()
    serveWindow({
      core: () => this.core,
      contents: () => this.window.contents,
      onCall: (name, result) => {
        if (name === 'startCapture') void this.captureAsked(result)
      },
      onWatch: () => this.window.tellAgain(),
      desktop: {
        read: async () => this.view(),
        change: async (change) => await this.change(change),
        do: (verb) => this.doVerb(verb),
      },
    })
    powerMonitor.on('shutdown' as 'suspend', (event?: { preventDefault?: () => void }) => {
      event?.preventDefault?.()
      this.installs = 'nothing'
      this.endBy({ type: 'system-ends' })
    })
    // A bus that hangs must not keep the window away.
    await Promise.race([this.tray.open(), pause(TRAY_KNOWN_MS)])
    this.look()
    this.rateTimer = setInterval(() => void this.readRate(), RATE_EVERY_MS)
    this.rateTimer.unref()
    void this.lookAtDisk()
    this.diskTimer = setInterval(() => void this.lookAtDisk(), DISK_EVERY_MS)
    this.diskTimer.unref()
    if (!request.hidden) this.window.show(request.screen)
    void this.perform(request)
    void this.syncAutostart(this.parts.preferences.get().startAtLogin)
    this.updates.begin()
  }

  /** What a later start hands over. Without a screen or a deed it means: show yourself. */
  async take(request: ShellRequest): Promise<void> {
    if (this.quit.is !== 'running') return
    await app.whenReady()
    if (!request.hidden) this.window.show(request.screen)
    await this.perform(request)
  }

  showWindow(route: string | null = null): void {
    this.window.show(route)
  }

  reload(): void {
    this.core?.reload()
  }

  /** True: the exit may go on. False: it is under way, and comes by itself. */
  mayExit(): boolean {
    if (this.quit.is === 'done') return true
    const now = performance.now()
    const isSame = now - this.askedAt < SAME_ASK_MS
    this.askedAt = now
    if (!isSame) this.endBy({ type: 'asked' })
    return false
  }

  /** How late the event loop was since the start. */
  loopDelay(): LoopDelay {
    return this.loop.read()
  }

  private get say(): Say {
    return sayIn(this.language)
  }

  private get language() {
    return shellLanguage(this.parts.preferences.get().language, app.getLocale())
  }

  // The core

  /** The one that serves already, else one in this process. */
  private async findCore(): Promise<void> {
    const found = await findRunning(this.parts.paths.runFile)
    if (this.quit.is !== 'running') return
    if (found.is === 'running' && found.record.pid !== process.pid) {
      this.parts.log.say('attached to a running Lexora', { pid: found.record.pid, address: found.record.address })
      this.parts.onAttached()
      return this.join(attachTo(found.record, this.parts.paths.runFile, this.parts.outbound))
    }
    await this.host()
  }

  private async host(): Promise<void> {
    this.coreIs = 'starting'
    this.look()
    const hosted: Hosted = await this.parts.host().catch((error: Error) => {
      // A file of the core is missing, or is not what it was.
      return { is: 'refused', code: 1, said: error.stack ?? error.message }
    })
    if (hosted.is === 'refused') return this.lost('refused', hosted)
    this.join(hosted.core)
    void hosted.ended.then((ended) => {
      if (this.core === hosted.core && this.quit.is === 'running') this.lost('ended', ended)
    })
  }

  private join(core: Core): void {
    this.core = core
    this.coreIs = core.is
    this.unsubscribe = core.subscribe((snapshot) => this.hear(snapshot))
    if (app.isReady() && this.window.plainPage !== null) this.window.showPage(null)
    this.look()
  }

  private leaveCore(): void {
    this.unsubscribe?.()
    this.unsubscribe = null
    this.core = null
    this.snapshot = null
  }

  /** There is no gateway in this process any more, or there never was one: said in the window, with ways on. */
  private lost(is: 'refused' | 'ended', { code, said }: Ended): void {
    this.parts.log.say('the gateway does not run', { code })
    this.leaveCore()
    this.coreIs = 'refused'
    this.window.tell(null)
    this.window.showPage({ is, said })
    if (this.quit.is !== 'running') return this.endBy({ type: 'stopped' })
    void app.whenReady().then(() => this.window.show())
    this.look()
  }

  /** Leaves the one that is gone, or that would not start, and begins anew. */
  private async serveHere(): Promise<void> {
    if (this.coreIs === 'hosted' || this.coreIs === 'starting') return
    const { core } = this
    this.leaveCore()
    await core?.stop()
    await this.findCore()
    this.window.renew()
  }

  private hear(snapshot: AppSnapshot | null): void {
    this.snapshot = snapshot
    if (snapshot !== null) {
      this.recent = nextRecent(this.recent, snapshot.engines)
      this.notify(snapshot)
    }
    this.updates.restIfDue()
    this.window.tell(snapshot)
    this.look()
    this.restartIfIdle()
  }

  private notify(snapshot: AppSnapshot): void {
    const facts = {
      now: performance.now(),
      isWatched: this.window.isFocused,
      update: this.updates.ready,
      hasTray: this.presence.verdict,
      isCaptureOurs: this.isCaptureOurs,
      ...(this.lowDisk === undefined ? {} : { lowDisk: this.lowDisk }),
    }
    const [memory, notices] = nextNotices(this.notices, snapshot, facts)
    if (memory.capture !== null && memory.capture !== this.notices.capture) this.isCaptureOurs = false
    this.notices = memory
    const { users, update, noTray } = memory
    this.parts.preferences.remember({ users, update, noTrayTold: noTray, engines: [...this.recent.order] })
    for (const notice of notices) this.notifications.tell(notice)
  }

  /** Where models and records go. */
  private async lookAtDisk(): Promise<void> {
    const { paths, env, home } = this.parts
    this.lowDisk = await nearlyFull([paths.stateDir, hubCache(env, home)])
  }

  /** Who begins a capture in this window is not told of it. */
  private async captureAsked(result: Promise<CallResult>): Promise<void> {
    this.isCaptureOurs = true
    if (!(await result).ok) this.isCaptureOurs = false
  }

  /** Tokens a second, for the tray's first line. */
  private async readRate(): Promise<void> {
    const { core, snapshot } = this
    const idle = snapshot === null || snapshot.server.inFlight === 0
    const report = idle || core === null ? null : await core.commands.series({ range: '5m' }).catch(() => null)
    const told = report?.values.output.slice(-5).filter((value) => value !== null) ?? []
    this.rate = told.length === 0 ? null : told.reduce((sum, value) => sum + value, 0) / told.length
    this.look()
  }

  // What it shows

  private look(): void {
    const left = this.snapshot?.server.inFlight ?? 0
    const quitting = this.quit.is === 'running' ? null : { left }
    const facts: TrayFacts = {
      core: this.coreIs,
      quitting,
      tokensPerSecond: this.rate,
      update: this.updates.ready,
      recent: this.recent.order,
    }
    this.tray.show(trayView(this.snapshot, facts, this.say))
    this.window.title(quitting === null ? 'Lexora' : this.say('window.quitting', { left }))
    this.tellWindow()
  }

  private tellWindow(): void {
    const view = this.view()
    const told = JSON.stringify(view)
    if (told === this.told) return
    this.told = told
    this.window.tellDesktop(view)
  }

  /** An app that began without a window, and whose icon nobody can see, would be found by nobody. */
  private trayChanged(): void {
    this.look()
    if (this.presence.verdict !== false) return
    if (this.snapshot !== null) this.notify(this.snapshot)
    if (this.quit.is === 'running' && this.isUnseen && this.window.isUnseen) this.window.show()
  }

  private windowPlatform(): WindowPlatform {
    const names = { linux: 'linux', win32: 'windows', darwin: 'macos' } as const
    const os = names[this.parts.platform as keyof typeof names] ?? 'other'
    return { os, attached: this.coreIs === 'attached' }
  }

  private view(): DesktopView {
    const { electron = '', chrome = '', node } = process.versions as Record<string, string>
    const { parts } = this
    return {
      preferences: parts.preferences.get(),
      updates: this.updates.view(),
      autostart: autostartSupport(this.surroundings),
      // Of a working copy somebody has asked for it.
      sandboxed: !app.isPackaged || !app.commandLine.hasSwitch('no-sandbox'),
      hasTray: this.presence.has,
      attachedTo: this.core?.owner() ?? null,
      versions: { lexora: parts.version, electron, chrome, node: node! },
    }
  }

  private async change(change: unknown): Promise<{ ok: true; view: DesktopView } | { ok: false; message: string }> {
    const { preferences } = this.parts
    const before = preferences.get()
    const changed = preferences.change(change)
    if (!changed.ok) return changed
    const { startAtLogin, language, trayIcon } = preferences.get()
    if (startAtLogin !== before.startAtLogin) await this.syncAutostart(startAtLogin, true)
    this.look()
    if (language !== before.language) setAppMenu(this.parts.platform, this.say)
    if (language !== before.language || trayIcon !== before.trayIcon) this.tray.renew()
    return { ok: true, view: this.view() }
  }

  // What it is asked for

  private async act(action: TrayAction): Promise<void> {
    switch (action.do) {
      case 'open':
        return this.window.show(action.at)
      case 'copy':
        await clipboard.writeText(action.text)
        return this.notifications.tell({ kind: 'copied', values: { address: action.text }, at: '/dashboard' })
      case 'command':
        return await this.command(async ({ commands }) => {
          if ('engine' in action) return await commands[action.name]({ engine: action.engine })
          if (action.name !== 'freeGpu') return await commands[action.name]()
          const { freed } = await commands.freeGpu()
          return this.notifications.done('notice.freed.title', freedSaid(freed, this.say))
        })
      case 'serve-here':
        return await this.serveHere()
      case 'update':
        return this.installUpdate()
      case 'quit':
        this.quitByPerson()
    }
  }

  /** Of a start's own words: `--start`, `--stop`, `--model`. They wait until the core is there. */
  private async perform({ start, stop, model }: ShellRequest): Promise<void> {
    const named = (engine: string): { engine?: string } => (engine === '' ? {} : { engine })
    if (stop !== null) await this.command(async ({ commands }) => await commands.stopEngine(named(stop)))
    if (start !== null) await this.command(async ({ commands }) => await commands.startEngine(named(start)))
    if (model === null) return
    await this.command(async ({ commands }) => {
      const { engines } = await commands.listEngines()
      const engine = engines.find((one) => one.model === model || one.name === model)
      if (engine === undefined) throw new Error(`No engine serves a model named '${model}'.`)
      await commands.startEngine({ engine: engine.name })
    })
  }

  private async command(work: (core: Core) => Promise<unknown>): Promise<void> {
    try {
      await this.coreKnown
      if (this.core === null) throw new Error(this.say('line.refused'))
      await work(this.core)
    } catch (error) {
      const reason = error instanceof CommandError ? error.problem.message : (error as Error).message
      this.parts.log.say('a command was refused', { reason })
      this.notifications.fail(reason)
    }
  }

  /** Set by the entry: the first core was found, or it refused. */
  coreKnown: Promise<void> = Promise.resolve()

  private doVerb(verb: DesktopVerb): void {
    const { paths } = this.parts
    if (verb === 'quit') this.quitByPerson()
    else if (verb === 'check-updates') void this.updates.check()
    else if (verb === 'install-update') this.installUpdate()
    else if (verb === 'restart') this.restart()
    else if (verb === 'serve-here') void this.serveHere()
    else if (verb === 'open-logs') void shell.openPath(paths.logDir)
    else void this.openConfig()
  }

  private async openConfig(): Promise<void> {
    const path = this.snapshot?.server.configPath ?? this.parts.paths.configFile
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) await shell.openPath(path)
    else shell.showItemInFolder(path)
  }

  private doDeed(deed: PageDeed): void {
    if (deed === 'again') void this.serveHere()
    else if (deed === 'reload') this.window.showPage(null)
    else if (deed === 'config') void this.openConfig()
    else if (deed === 'logs') void shell.openPath(this.parts.paths.logDir)
    else this.quitByPerson()
  }

  /** Restarts with the newer version when nothing runs here; what is attached to is not ours to wait for. */
  private installUpdate(): void {
    this.updates.ask()
    this.restartIfIdle()
  }

  private restartIfIdle(): void {
    if (!this.updates.isAsked || this.quit.is !== 'running') return
    if (this.coreIs === 'hosted' && (this.snapshot?.server.inFlight ?? 0) > 0) return
    this.installs = 'update-and-restart'
    app.quit()
  }

  /** What is attached to is not ours to start again. */
  private restart(): void {
    if (this.coreIs !== 'hosted' || this.quit.is !== 'running') return
    this.installs = 'update-and-restart'
    app.quit()
  }

  private quitByPerson(): void {
    if (this.quit.is === 'running') this.installs = 'update'
    app.quit()
  }

  // Closing and ending

  private mayClose(): boolean {
    if (this.quit.is === 'done') return true
    const { onClose } = this.parts.preferences.get()
    const isAsked = onClose === 'ask' && !this.presence.has && this.parts.platform !== 'darwin'
    if (onClose === 'quit') this.quitByPerson()
    else if (isAsked) void this.askOnClose()
    else this.window.hide()
    return false
  }

  /** Once: without a tray, a window that is closed looks like an app that has ended. */
  private async askOnClose(): Promise<void> {
    if (this.asking) return
    this.asking = true
    const { say } = this
    const { response } = await dialog.showMessageBox({
      type: 'question',
      title: say('close.title'),
      message: say('close.message'),
      detail: say('close.detail'),
      buttons: [say('close.keep'), say('close.quit')],
      defaultId: 0,
      cancelId: -1,
      noLink: true,
    })
    this.asking = false
    if (response !== 0 && response !== 1) return
    this.parts.preferences.change({ onClose: response === 0 ? 'hide' : 'quit' })
    if (response === 0) this.window.hide()
    else this.quitByPerson()
  }

  private endBy(event: QuitEvent): void {
    const [next, effects] = nextQuit(this.quit, event, QUIT_BUDGET_MS)
    this.quit = next
    for (const effect of effects) {
      if (effect.do === 'stop') void this.stopCore()
      else if (effect.do === 'hurry') this.hurry()
      else if (effect.do === 'alarm') this.setAlarm(effect.inMs)
      else void this.exit()
    }
    this.look()
  }

  private async stopCore(): Promise<void> {
    this.parts.log.say('quitting', { core: this.coreIs, in_flight: this.snapshot?.server.inFlight ?? 0 })
    await this.core?.stop().catch((error: unknown) => this.parts.log.say('the stop failed', { error: String(error) }))
    this.endBy({ type: 'stopped' })
  }

  /** Who cannot wait for what runs does not wait for an installer either. */
  private hurry(): void {
    this.installs = 'nothing'
    this.core?.hurry()
  }

  private setAlarm(inMs: number): void {
    if (this.alarm !== null) clearTimeout(this.alarm)
    this.alarm = setTimeout(() => this.endBy({ type: 'time-is-up' }), inMs)
    this.alarm.unref()
  }

  private async exit(): Promise<void> {
    for (const timer of [this.rateTimer, this.diskTimer]) if (timer !== null) clearInterval(timer)
    this.parts.log.say('ended', { event_loop: this.loop.read() })
    this.loop.close()
    this.unsubscribe?.()
    this.tray.close()
    this.presence.close()
    this.parts.release()
    const again = this.installs === 'update-and-restart'
    const isReplaced = this.installs !== 'nothing' && (await this.updates.install(again))
    if (again && !isReplaced) this.parts.relaunch()
    this.updates.close()
    await this.parts.log.close()
    app.quit()
    // A window that will not close, a system dialog: the engines are gone, so that nothing is lost by now.
    setTimeout(() => app.exit(0), LAST_WAY_MS).unref()
  }

  // The session

  /** Denies what pages may ask of a browser, and serves the window's files. */
  private guardSession(): void {
    const { defaultSession } = session
    defaultSession.setPermissionRequestHandler((_contents, permission, answerWith) =>
      answerWith(permission === 'clipboard-sanitized-write'),
    )
    defaultSession.setPermissionCheckHandler((_contents, permission) => permission === 'clipboard-sanitized-write')
    protocol.handle('app', async (request) => {
      const deed = deedOf(request.url)
      const { plainPage: page } = this.window
      if (deed !== null) {
        if (page === null) return answer('Not found', 'text/plain; charset=utf-8', 404)
        setImmediate(() => this.doDeed(deed))
        return this.plain(page)
      }
      if (request.url === PLAIN_URL && page !== null) return this.plain(page)
      return await serveUi(this.parts.places.uiDir, request.url)
    })
  }

  private plain(page: PlainPage): Response {
    const html = plainPage(page, this.say, this.language)
    return answer(html, 'text/html; charset=utf-8', 200, PLAIN_POLICY)
  }

  private get surroundings() {
    const { env, platform, home, program } = this.parts
    return { env, platform, home, program, isPackaged: app.isPackaged }
  }

  /** `isAsked`: by the person, just now; what they once took away counts no more. */
  private async syncAutostart(wanted: boolean, isAsked = false): Promise<void> {
    const { preferences, log } = this.parts
    const written = !isAsked || !wanted ? preferences.remembered().autostartWritten : false
    try {
      const did = await applyAutostart(this.surroundings, { wanted, written })
      if (did === 'write') preferences.remember({ autostartWritten: true })
      if (did === 'remove' || did === 'forget') preferences.remember({ autostartWritten: false })
      if (did === 'forget') preferences.change({ startAtLogin: false })
    } catch (error) {
      log.say('the start at login could not be set', { error: String(error) })
    }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
