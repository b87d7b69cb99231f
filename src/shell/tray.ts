import { join } from 'node:path'
import { Menu, type MenuItemConstructorOptions, nativeImage, nativeTheme, Tray } from 'electron'
import { TRAY_WATCHER } from '../app/doctor-desktop.ts'
import { busSocket, watchName } from '../app/session-bus.ts'
import { nextTray, type ShownTray } from './tray-pace.ts'
import type { TrayAction, TrayIcon, TrayItem, TrayView } from './tray-view.ts'

/** The session's bus may come after us at login. */
const BUS_AGAIN_MS = 5000
const BUS_TRIES = 12

export type TrayParts = {
  dir: string
  platform: NodeJS.Platform
  env: Readonly<Record<string, string | undefined>>
  /** `mono`: for panels that tint. */
  style: () => 'colour' | 'mono'
  onAction: (action: TrayAction) => void
  /** Whether an icon can be seen at all; told when it is known and at every change. `isFinal`: it stays so. */
  onPresence: (hasTray: boolean, isFinal?: boolean) => void
  log: (message: string, fields?: Record<string, unknown>) => void
}

/**
 * Owns the icon. On Linux it exists only while a panel watches for such icons: one that was made earlier would never
 * be seen, and one that outlives its panel is a dead picture in the next.
 */
export class TrayIconOwner {
  private readonly parts: TrayParts
  private tray: Tray | null = null
  private shown: ShownTray | null = null
  private wanted: TrayView | null = null
  private timer: NodeJS.Timeout | null = null
  private isMenuOpen = false
  private watching: { close: () => void } | null = null
  private retry: NodeJS.Timeout | null = null
  private isClosed = false

  constructor(parts: TrayParts) {
    this.parts = parts
  }

  /** Resolves when it is known whether there is a tray. */
  async open(): Promise<void> {
    nativeTheme.on('updated', this.repaint)
    if (this.parts.platform !== 'linux') return this.present(true)
    await this.watch(BUS_TRIES)
  }

  show(view: TrayView): void {
    this.wanted = view
    this.update()
  }

  /** All of it, at once: it speaks another language now, or looks otherwise. */
  renew(): void {
    this.shown = null
    this.update()
  }

  close(): void {
    this.isClosed = true
    nativeTheme.off('updated', this.repaint)
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.retry !== null) clearTimeout(this.retry)
    this.watching?.close()
    this.tray?.destroy()
    this.tray = null
  }

  private async watch(triesLeft: number): Promise<void> {
    const socket = busSocket(this.parts.env['DBUS_SESSION_BUS_ADDRESS'])
    if (socket === null) return this.present(false, true)
    try {
      this.watching = await watchName(
        socket,
        TRAY_WATCHER,
        (owned) => this.present(owned),
        () => this.lost('it hung up', BUS_TRIES),
      )
    } catch (error) {
      this.lost((error as Error).message, triesLeft)
    }
  }

  private lost(reason: string, triesLeft: number): void {
    this.watching = null
    this.present(false)
    this.parts.log('the session bus cannot be asked for a tray', { reason })
    if (triesLeft === 0 || this.isClosed) return
    this.retry = setTimeout(() => void this.watch(triesLeft - 1), BUS_AGAIN_MS)
    this.retry.unref()
  }

  private present(hasTray: boolean, isFinal = false): void {
    if (this.isClosed) return
    if (hasTray && this.tray === null) this.create()
    if (!hasTray) {
      this.tray?.destroy()
      this.tray = null
      this.shown = null
    }
    this.parts.onPresence(hasTray, isFinal)
  }

  /** For a theme that has changed. */
  private readonly repaint = (): void => {
    if (this.shown !== null) this.tray?.setImage(this.image(this.shown.view.icon))
  }

  private create(): void {
    this.tray = new Tray(this.image(this.wanted?.icon ?? 'starting'))
    this.tray.on('click', () => this.parts.onAction({ do: 'open', at: null }))
    this.shown = null
    this.update()
  }

  private update(): void {
    const { tray, wanted } = this
    if (tray === null || wanted === null) return
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const before = this.shown?.view ?? null
    const { shown, againInMs } = nextTray(this.shown, wanted, { now: performance.now(), isOpen: this.isMenuOpen })
    this.shown = shown
    const { view } = shown
    if (before?.icon !== view.icon) tray.setImage(this.image(view.icon))
    if (before?.tooltip !== view.tooltip) tray.setToolTip(view.tooltip)
    // Set anew after every change: on Linux a menu that is only edited stays as it was.
    if (before === null || JSON.stringify(before.items) !== JSON.stringify(view.items))
      tray.setContextMenu(this.menu(view))
    if (againInMs !== null) this.timer = setTimeout(() => this.update(), againInMs)
  }

  private menu({ items }: TrayView): Menu {
    const menu = Menu.buildFromTemplate(items.map((item) => this.option(item)))
    menu.on('menu-will-show', () => {
      this.isMenuOpen = true
    })
    menu.on('menu-will-close', () => {
      this.isMenuOpen = false
      this.update()
    })
    return menu
  }

  private option(item: TrayItem): MenuItemConstructorOptions {
    if (item.kind === 'separator') return { type: 'separator' }
    if (item.kind === 'menu') return { label: item.label, submenu: item.items.map((one) => this.option(one)) }
    const { id, label, action, checked } = item
    return {
      id,
      label,
      enabled: action !== null,
      ...(checked === undefined ? {} : { type: 'checkbox', checked }),
      click: () => {
        // A click on a menu whose closing was never told would keep its words for ever.
        this.isMenuOpen = false
        if (action !== null) this.parts.onAction(action)
        // The system has flipped the mark by itself; what is true comes from the core alone.
        if (checked !== undefined && this.shown !== null) this.tray?.setContextMenu(this.menu(this.shown.view))
      },
    }
  }

  /** GNOME's panel is dark in every theme. */
  private folder(): string {
    if (this.parts.style() === 'colour') return 'colour'
    const isDark = nativeTheme.shouldUseDarkColors || /gnome/i.test(this.parts.env['XDG_CURRENT_DESKTOP'] ?? '')
    return isDark ? 'mono-light' : 'mono'
  }

  private image(icon: TrayIcon): Electron.NativeImage {
    const { dir, platform } = this.parts
    if (platform === 'darwin') {
      const image = nativeImage.createFromPath(join(dir, `${icon}Template.png`))
      image.setTemplateImage(true)
      return image
    }
    const size = platform === 'win32' ? 16 : 24
    return nativeImage.createFromPath(join(dir, this.folder(), `${icon}-${size}.png`))
  }
}
