/** A panel for tests: it takes the name that tray icons look for, reads their menus, and clicks as a hand would. */
import dbus from 'dbus-next'
import { until } from './until.ts'

const WATCHER = 'org.kde.StatusNotifierWatcher'
const ITEM = 'org.kde.StatusNotifierItem'
const MENU = 'com.canonical.dbusmenu'
const NAME_IS_OURS = 1
const DO_NOT_QUEUE = 4
const ITEM_MS = 60_000
/** How a menu answers for an item that it has no more: each change makes them all anew. */
const NO_SUCH_ITEM = /error occurred in Event/

export type MenuRow = { id: number; label: string; enabled: boolean; checked: boolean | null; items: MenuRow[] }

type Icon = { destination: string; path: string }
type Layout = [id: number, properties: Record<string, dbus.Variant>, children: dbus.Variant<Layout>[]]

class Watcher extends dbus.interface.Interface {
  items: string[] = []
  get RegisteredStatusNotifierItems(): string[] {
    return this.items
  }
  get IsStatusNotifierHostRegistered(): boolean {
    return true
  }
  get ProtocolVersion(): number {
    return 0
  }
  RegisterStatusNotifierItem(): void {}
  RegisterStatusNotifierHost(): void {}
}

Watcher.configureMembers({
  properties: {
    RegisteredStatusNotifierItems: { signature: 'as', access: 'read' },
    IsStatusNotifierHostRegistered: { signature: 'b', access: 'read' },
    ProtocolVersion: { signature: 'i', access: 'read' },
  },
  methods: {
    RegisterStatusNotifierItem: { inSignature: 's', outSignature: '' },
    RegisterStatusNotifierHost: { inSignature: 's', outSignature: '' },
  },
})

export class TrayHost {
  private readonly bus: dbus.MessageBus
  private icons: Icon[] = []
  private waiting: ((icon: Icon) => void)[] = []

  private constructor(bus: dbus.MessageBus) {
    this.bus = bus
  }

  static async open(busAddress: string): Promise<TrayHost> {
    const bus = dbus.sessionBus({ busAddress })
    const host = new TrayHost(bus)
    bus.on('error', () => {})
    bus.export('/StatusNotifierWatcher', new Watcher(WATCHER))
    // The sender is in the raw message alone.
    bus.on('message', (message: dbus.Message) => {
      if (message.member !== 'RegisterStatusNotifierItem') return
      const told = String(message.body[0])
      const icon = told.startsWith('/')
        ? { destination: message.sender, path: told }
        : { destination: told, path: '/StatusNotifierItem' }
      host.icons.push(icon)
      for (const tell of host.waiting.splice(0)) tell(icon)
    })
    // One that has just left may still be in the bus's books.
    await until(
      () => bus.requestName(WATCHER, DO_NOT_QUEUE),
      (answer) => answer === NAME_IS_OURS,
    )
    return host
  }

  /** The panel is gone, and its icons with it. */
  close(): void {
    this.bus.disconnect()
  }

  async tooltip(): Promise<string> {
    const [, , title] = (await this.property('ToolTip')) as [string, unknown, string, string]
    return title
  }

  async iconPixels(): Promise<string> {
    const pixmaps = (await this.property('IconPixmap')) as [number, number, Buffer][]
    return pixmaps.map(([width, , bytes]) => `${width}:${bytes.toString('base64')}`).join('|')
  }

  /** A click on the icon itself. */
  async activate(): Promise<void> {
    const icon = await this.icon()
    await this.call(icon, ITEM, 'Activate', 'ii', [0, 0])
  }

  async menu(): Promise<MenuRow[]> {
    const icon = await this.icon()
    const path = String(await this.property('Menu'))
    const [, root] = (await this.call({ ...icon, path }, MENU, 'GetLayout', 'iias', [0, -1, []])) as [number, Layout]
    return rowOf(root).items
  }

  /** By the beginnings of labels, menu by menu; it waits for an item that is not there yet, or cannot be clicked yet. */
  async click(...labels: string[]): Promise<MenuRow> {
    return await until(
      async () => await this.tryClick(labels),
      () => true,
    )
  }

  private async tryClick(labels: readonly string[]): Promise<MenuRow> {
    const icon = await this.icon()
    const path = String(await this.property('Menu'))
    let rows = await this.menu()
    let found: MenuRow | undefined
    for (const label of labels) {
      found = rows.find((row) => row.enabled && row.label.startsWith(label))
      if (found === undefined) throw new Error(`no '${label}' in: ${rows.map((row) => row.label).join(' | ')}`)
      rows = found.items
    }
    const event = [found!.id, 'clicked', new dbus.Variant('s', ''), 0]
    await this.call({ ...icon, path }, MENU, 'Event', 'isvu', event).catch((error: Error & { text?: string }) => {
      // The answer to a click that ends the app may never come.
      if (NO_SUCH_ITEM.test(error.text ?? error.message)) throw error
    })
    return found!
  }

  /** The last one that came. */
  private async icon(): Promise<Icon> {
    const last = this.icons.at(-1)
    if (last !== undefined) return last
    return await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('no tray icon came')), ITEM_MS)
      this.waiting.push((icon) => {
        clearTimeout(late)
        resolve(icon)
      })
    })
  }

  private async property(name: string): Promise<unknown> {
    const icon = await this.icon()
    const [value] = await this.call(icon, 'org.freedesktop.DBus.Properties', 'Get', 'ss', [ITEM, name])
    return (value as dbus.Variant).value
  }

  private async call(
    { destination, path }: Icon,
    face: string,
    member: string,
    signature: string,
    body: unknown[],
  ): Promise<unknown[]> {
    const message = new dbus.Message({ destination, path, interface: face, member, signature, body })
    const answer = await this.bus.call(message)
    return answer?.body ?? []
  }
}

function rowOf([id, properties, children]: Layout): MenuRow {
  const value = (name: string): unknown => properties[name]?.value
  return {
    id,
    label: String(value('label') ?? '').replace(/_(?!_)/g, ''),
    enabled: value('enabled') !== false,
    checked: value('toggle-type') === undefined ? null : value('toggle-state') === 1,
    items: children.map((child) => rowOf(child.value)),
  }
}
