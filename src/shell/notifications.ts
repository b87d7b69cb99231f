import { Notification } from 'electron'
import type { DesktopPreferences } from '../protocol/desktop.ts'
import { type NoticeAction, noticeActions } from './notice-actions.ts'
import type { Notice } from './notices.ts'
import type { TrayAction } from './tray-view.ts'
import type { Say, WordKey } from './words.ts'

/** Shows notices as the desktop does, each kind only where its switch is on. */
export class Notifications {
  private readonly parts: {
    icon: string
    switches: () => DesktopPreferences['notifications']
    say: () => Say
    onClick: (at: string) => void
    onAction: (action: TrayAction) => void
  }
  /** Kept until they are closed: one that is collected loses its click. */
  private readonly open = new Set<Notification>()

  constructor(parts: Notifications['parts']) {
    this.parts = parts
  }

  tell(notice: Notice): void {
    const { kind, says, values, at } = notice
    if (!this.parts.switches()[kind]) return
    const say = this.parts.say()
    const title: WordKey = says === 'disk-low' || says === 'gpu-slow' ? `notice.${says}.title` : `notice.${kind}.title`
    this.show(say(title, values), say(`notice.${says ?? kind}.body`, values), at, noticeActions(notice))
  }

  /** What somebody asked for by a click did not work: that is told always. */
  fail(reason: string): void {
    const say = this.parts.say()
    this.show(say('notice.command-failed.title'), say('notice.command-failed.body', { reason }), '/dashboard')
  }

  /** And so is what came of a click that has nothing else to show for it. */
  done(title: WordKey, body: string): void {
    this.show(this.parts.say()(title), body, '/dashboard')
  }

  private show(title: string, body: string, at: string, offered: readonly NoticeAction[] = []): void {
    if (!Notification.isSupported()) return
    const say = this.parts.say()
    const actions = offered.map(({ label }) => ({ type: 'button' as const, text: say(label) }))
    const notification = new Notification({ title, body, icon: this.parts.icon, actions })
    this.open.add(notification)
    const done = (): void => void this.open.delete(notification)
    notification.on('click', () => {
      done()
      this.parts.onClick(at)
    })
    notification.on('action', (_event, index) => {
      done()
      const chosen = offered[index]
      if (chosen !== undefined) this.parts.onAction(chosen.action)
    })
    notification.on('close', done)
    notification.on('failed', done)
    notification.show()
  }
}
