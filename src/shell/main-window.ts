import { existsSync } from 'node:fs'
import { BrowserWindow, screen, shell, type WebContents } from 'electron'
import type { DesktopView } from '../protocol/desktop.ts'
import { mayLeadTo } from '../protocol/outward.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import type { WindowPlatform } from '../protocol/window.ts'
import { PLATFORM_SWITCH } from './channels.ts'
import { tellDesktop, tellSnapshot } from './ipc.ts'
import type { PlainPage } from './plain-page.ts'
import { START_URL } from './ui-scheme.ts'
import { type Rectangle, WINDOW_LEAST, windowPlace } from './window-place.ts'
import { zoomBy } from './zoom.ts'

export type WindowParts = {
  preload: string
  icon: string
  /** The window's own first page on disk; not there: it was not built or installed. */
  indexFile: string
  /** As it was remembered. */
  place: () => unknown
  remember: (place: unknown) => void
  platform: () => WindowPlatform
  /** The person closes it: true lets it go, false keeps it (hidden or asked about). */
  mayClose: () => boolean
  /** The system ends the session, and gives little time. Told on Windows alone; elsewhere it is a signal. */
  onSessionEnd: () => void
  /** The developer's tools can be opened: not in what people install. */
  hasTools: boolean
  log: (message: string, fields?: Record<string, unknown>) => void
}

/** A renderer that ends twice within this time will end a third time. */
const CRASH_WINDOW_MS = 60_000
const UNRESPONSIVE_MS = 15_000
const REMEMBER_MS = 500

/** The one window: opened, hidden, brought back, and what it shows where its page cannot. */
export class MainWindow {
  private readonly parts: WindowParts
  private window: BrowserWindow | null = null
  private page: PlainPage | null = null
  private crashedAt = Number.NEGATIVE_INFINITY
  private route: string | null = null
  private wasShown = false
  private last: AppSnapshot | null | undefined
  /** A page listens that was told nothing yet: it is told the first that is known, seen or not. */
  private isOwed = false

  constructor(parts: WindowParts) {
    this.parts = parts
  }

  /** Null: no window is open. */
  get contents(): WebContents | null {
    return this.window === null || this.window.isDestroyed() ? null : this.window.webContents
  }

  get isVisible(): boolean {
    return this.window?.isVisible() === true && !this.window.isMinimized()
  }

  get isFocused(): boolean {
    return this.isVisible && this.window!.isFocused()
  }

  /** Nobody has opened it since this app began. */
  get isUnseen(): boolean {
    return !this.wasShown
  }

  /** What it shows in place of its own page. */
  get plainPage(): PlainPage | null {
    return this.page
  }

  /** Opens it or brings it to the front, at a screen where one is asked for. */
  show(route: string | null = null): void {
    if (route !== null) this.route = route
    if (this.window === null) this.create()
    else if (route !== null && this.page === null) this.load()
    const window = this.window!
    this.wasShown = true
    if (window.isMinimized()) window.restore()
    window.show()
    window.focus()
    this.tell(this.last)
  }

  hide(): void {
    this.window?.hide()
  }

  /** Words in place of the window's own page; null: its own page again. */
  showPage(page: PlainPage | null): void {
    this.page = page
    if (this.window !== null) this.load()
  }

  /** What the window is told goes nowhere while nobody can see it. */
  tell(snapshot: AppSnapshot | null | undefined): void {
    this.last = snapshot
    const { contents } = this
    if (snapshot === undefined || contents === null || !(this.isVisible || this.isOwed)) return
    this.isOwed = false
    tellSnapshot(contents, snapshot)
  }

  /** Of the desktop app around it. */
  tellDesktop(view: DesktopView): void {
    const { contents } = this
    if (contents !== null) tellDesktop(contents, view)
  }

  /** Somebody in the window listens from now on. */
  tellAgain(): void {
    this.isOwed = true
    this.tell(this.last)
  }

  title(text: string): void {
    if (this.window !== null && !this.window.isDestroyed()) this.window.setTitle(text)
  }

  /** The page again, from its beginning: what it knows of its core or of the tray is not true any more. */
  renew(): void {
    const wasVisible = this.isVisible
    const before = this.window
    if (before === null) return
    this.window = null
    before.destroy()
    if (wasVisible) this.show()
  }

  destroy(): void {
    this.window?.destroy()
    this.window = null
  }

  private create(): void {
    const { maximized, ...place } = windowPlace(this.parts.place(), workAreas())
    const window = new BrowserWindow({
      ...place,
      minWidth: WINDOW_LEAST.width,
      minHeight: WINDOW_LEAST.height,
      show: false,
      title: 'Lexora',
      icon: this.parts.icon,
      backgroundColor: '#131615',
      webPreferences: {
        preload: this.parts.preload,
        contextIsolation: true,
        sandbox: true,
        nodeIntegration: false,
        webSecurity: true,
        spellcheck: false,
        webviewTag: false,
        devTools: this.parts.hasTools,
        additionalArguments: [`${PLATFORM_SWITCH}${JSON.stringify(this.parts.platform())}`],
      },
    })
    this.window = window
    if (maximized) window.maximize()
    this.guard(window)
    this.watch(window)
    this.load()
  }

  private load(): void {
    const { contents } = this
    if (contents === null) return
    if (this.page === null && !existsSync(this.parts.indexFile)) this.page = { is: 'missing' }
    const address = this.page === null ? `${START_URL}${this.route === null ? '' : `#${this.route}`}` : PLAIN_URL
    this.route = null
    // A load that is overtaken by the next one rejects; one that fails is told by `did-fail-load`.
    contents.loadURL(address).catch(() => {})
  }

  /** Goes nowhere, opens nothing of its own: what may be shown of the web is for the person's browser. */
  private guard({ webContents }: BrowserWindow): void {
    webContents.setWindowOpenHandler(({ url }) => {
      if (mayLeadTo(url)) void shell.openExternal(url).catch(() => {})
      return { action: 'deny' }
    })
    webContents.on('will-navigate', (event) => {
      if (this.page === null || !event.url.startsWith(DEED_URL)) event.preventDefault()
    })
    webContents.on('will-redirect', (event) => event.preventDefault())
    webContents.on('will-attach-webview', (event) => event.preventDefault())
    webContents.on('before-input-event', (event, input) => {
      const level = zoomBy(input, webContents.getZoomLevel())
      if (level === null) return
      event.preventDefault()
      webContents.setZoomLevel(level)
    })
  }

  private watch(window: BrowserWindow): void {
    let later: NodeJS.Timeout | null = null
    const remember = (): void => {
      if (later !== null) clearTimeout(later)
      later = setTimeout(() => {
        if (window.isDestroyed()) return
        const maximized = window.isMaximized()
        this.parts.remember({ ...window.getNormalBounds(), maximized })
      }, REMEMBER_MS)
    }
    window.on('resize', remember)
    window.on('move', remember)
    window.on('close', (event) => {
      if (!this.parts.mayClose()) event.preventDefault()
    })
    // Where the display that it stood on is taken away, nobody could reach it any more.
    const bringHome = (): void => {
      const now = window.getNormalBounds()
      const { maximized: _, ...next } = windowPlace(now, workAreas())
      if (next.x === now.x && next.y === now.y) return
      window.setBounds(next)
      if (next.x === undefined) window.center()
    }
    screen.on('display-removed', bringHome)
    window.on('session-end', () => this.parts.onSessionEnd())
    window.on('closed', () => {
      screen.off('display-removed', bringHome)
      if (later !== null) clearTimeout(later)
      if (this.window === window) this.window = null
    })
    for (const shown of ['show', 'restore'] as const) window.on(shown as 'show', () => this.tell(this.last))
    // What is left to finish stands in the title, whatever screen is shown.
    window.on('page-title-updated', (event) => event.preventDefault())
    this.watchRenderer(window)
  }

  /** A page that ends comes back once by itself; then it says so. One that hangs is ended first. */
  private watchRenderer(window: BrowserWindow): void {
    const { webContents } = window
    let hanging: NodeJS.Timeout | null = null
    const calm = (): void => {
      if (hanging !== null) clearTimeout(hanging)
      hanging = null
    }
    webContents.on('render-process-gone', (_event, { reason }) => {
      calm()
      if (reason === 'clean-exit') return
      this.parts.log('the renderer of the window ended', { reason })
      const now = performance.now()
      const again = now - this.crashedAt < CRASH_WINDOW_MS
      this.crashedAt = now
      if (again) this.page = { is: 'crashed', reason }
      // Electron forbids a load from within this event.
      setImmediate(() => this.load())
    })
    webContents.on('did-fail-load', (_event, code, description, url, isMainFrame) => {
      if (isMainFrame && code !== -3) this.parts.log('the window could not be loaded', { code, description, url })
    })
    window.on('unresponsive', () => {
      this.parts.log('the window does not answer')
      hanging ??= setTimeout(() => webContents.forcefullyCrashRenderer(), UNRESPONSIVE_MS)
    })
    window.on('responsive', calm)
    window.on('closed', calm)
  }
}

function workAreas(): Rectangle[] {
  return screen.getAllDisplays().map(({ workArea }) => workArea)
}

/** Where main answers with a page of plain words, and where such a page's links lead. */
export const PLAIN_URL = 'app://lexora/plain'
const DEED_URL = 'app://lexora/do/'
