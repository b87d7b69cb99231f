import { Notification } from 'electron'
import type { DesktopPreferences } from '../protocol/desktop.ts'
import type { Notice } from './notices.ts'
import type { Say } from './words.ts'

/** Shows notices as the desktop does, each kind only where its switch is on. */
export class Notifications {
  private readonly parts: {
    icon: string
    switches: () => DesktopPreferences['notifications']
    say: () => Say
    onClick: (at: string) => void
  }
  /** Kept until they are closed: one that is collected loses its click. */
  private readonly open = new Set<Notification>()

  constructor(parts: Notifications['parts']) {
    this.parts = parts
  }

  tell({ kind, says, values, at }: Notice): void {
    if (!this.parts.switches()[kind]) return
    const say = this.parts.say()
    this.show(say(`notice.${kind}.title`, values), say(`notice.${says ?? kind}.body`, values), at)
  }

  /** What somebody asked for by a click did not work: that is told always. */
  fail(reason: string): void {
    this.show(this.parts.say()('notice.command-failed.title'), reason, '/dashboard')
  }

  private show(title: string, body: string, at: string): void {
    if (!Notification.isSupported()) return
    const notification = new Notification({ title, body, icon: this.parts.icon })
    this.open.add(notification)
    const done = (): void => void this.open.delete(notification)
    notification.on('click', () => {
      done()
      this.parts.onClick(at)
    })
    notification.on('close', done)
    notification.on('failed', done)
    notification.show()
  }
}
