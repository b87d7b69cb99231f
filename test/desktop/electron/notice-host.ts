/** The desktop's notification service for tests: keeps what it is told, and clicks it. */
import dbus from 'dbus-next'

const NAME = 'org.freedesktop.Notifications'

export type ToldNotice = { id: number; title: string; body: string }

class Service extends dbus.interface.Interface {
  told: ToldNotice[] = []
  private last = 0
  GetCapabilities(): string[] {
    return ['body', 'actions']
  }
  GetServerInformation(): string[] {
    return ['lexora-test', 'lexora', '1', '1.2']
  }
  Notify(_app: string, replaces: number, _icon: string, title: string, body: string): number {
    const id = replaces === 0 ? ++this.last : replaces
    this.told.push({ id, title, body })
    return id
  }
  CloseNotification(): void {}
  ActionInvoked(id: number, key: string): [number, string] {
    return [id, key]
  }
  NotificationClosed(id: number, reason: number): [number, number] {
    return [id, reason]
  }
}

Service.configureMembers({
  methods: {
    GetCapabilities: { outSignature: 'as' },
    GetServerInformation: { outSignature: 'ssss' },
    Notify: { inSignature: 'susssasa{sv}i', outSignature: 'u' },
    CloseNotification: { inSignature: 'u', outSignature: '' },
  },
  signals: { ActionInvoked: { signature: 'us' }, NotificationClosed: { signature: 'uu' } },
})

export async function openNoticeHost(busAddress: string) {
  const bus = dbus.sessionBus({ busAddress })
  const service = new Service(NAME)
  bus.on('error', () => {})
  bus.export('/org/freedesktop/Notifications', service)
  await bus.requestName(NAME, 4)
  return {
    told: service.told,
    click: (id: number) => service.ActionInvoked(id, 'default'),
    close: () => bus.disconnect(),
  }
}
