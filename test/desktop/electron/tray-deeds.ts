/** A tray's menu as it should be and as a panel shows it, what in it can be clicked, and what clicks at the window do. */
import type { Page } from 'playwright-core'
import type { TrayAction, TrayItem } from '../../../src/shell/tray-view.ts'
import type { Shell } from './rig.ts'
import type { MenuRow, TrayHost } from './tray-host.ts'
import { until } from './until.ts'

export type Row = [label: string, isEnabled: boolean, isChecked: boolean | null, rows: Row[]]

export const wanted = (items: readonly TrayItem[]): Row[] =>
  items.map((item): Row => {
    if (item.kind === 'separator') return ['', true, null, []]
    if (item.kind === 'menu') return [item.label, true, null, wanted(item.items)]
    return [item.label, item.action !== null, item.checked ?? null, []]
  })

export const shown = (rows: readonly MenuRow[]): Row[] =>
  rows.map(({ label, enabled, checked, items }) => [label, enabled, checked, shown(items)])

/** `path`: the labels that lead to it. */
export type Deed = { id: string; path: string[]; action: TrayAction }

/** Everything that can be clicked. */
export const deeds = (items: readonly TrayItem[], above: string[] = []): Deed[] =>
  items.flatMap((item): Deed[] => {
    if (item.kind === 'menu') return deeds(item.items, [...above, item.label])
    if (item.kind === 'separator' || item.action === null) return []
    return [{ id: item.id, path: [...above, item.label], action: item.action }]
  })

const NOWHERE = '#/users'

/** Clicks whose effect is at the window or the clipboard: each is seen to come, from where it was not. */
export class WindowClicks {
  private readonly tray: TrayHost
  private readonly shell: Shell
  private readonly page: Page

  constructor(tray: TrayHost, shell: Shell, page: Page) {
    this.tray = tray
    this.shell = shell
    this.page = page
  }

  /** `at` null: the window as it is. */
  async open(path: readonly string[], at: string | null): Promise<void> {
    if (at === null) {
      await this.shell.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide())
      await until(this.isVisible, (is) => !is)
      await this.tray.click(...path)
      await until(this.isVisible, (is) => is)
      return
    }
    await this.page.evaluate((hash) => {
      location.hash = hash
    }, NOWHERE)
    await this.tray.click(...path)
    await until(
      () => this.page.evaluate(() => location.hash),
      (hash) => hash === `#${at}`,
    )
  }

  async copy(path: readonly string[], text: string): Promise<void> {
    await this.shell.app.evaluate(({ clipboard }) => clipboard.clear())
    await this.tray.click(...path)
    await until(
      () => this.shell.app.evaluate(({ clipboard }) => clipboard.readText()),
      (copied) => copied === text,
    )
  }

  private readonly isVisible = async (): Promise<boolean> =>
    await this.shell.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isVisible())
}
