import type { Notice } from './notices.ts'
import type { TrayAction } from './tray-view.ts'
import type { WordKey } from './words.ts'

/** A button of a notification. */
export type NoticeAction = { label: WordKey; action: TrayAction }

/** What a notice offers, the likeliest first; a click on the notice itself opens its screen. Electron shows them on macOS and Windows alone. */
export function noticeActions({ kind, says, values, at }: Notice): NoticeAction[] {
  const open = (label: WordKey, to: string = at): NoticeAction => ({ label, action: { do: 'open', at: to } })
  const engine = String(values['engine'] ?? '')
  switch (kind) {
    case 'engine-crashed':
      return [open('notice.act.cause'), { label: 'tray.retry', action: { do: 'command', name: 'startEngine', engine } }]
    case 'engine-failed':
      return [open('tray.fix'), open('tray.report', '/diagnostics')]
    case 'engine-ready':
      return [open('tray.open'), { label: 'notice.act.copy', action: { do: 'copy', text: String(values['address']) } }]
    case 'model-arrived':
      return [open('notice.act.models')]
    case 'disk-full':
      return says === 'records-full' ? [open('notice.act.dashboard')] : [open('notice.act.room')]
    case 'gpu-hot':
      return [open('notice.act.dashboard')]
    case 'new-user':
      return [open('notice.act.users')]
    case 'update-ready':
      return [{ label: 'notice.act.update', action: { do: 'update' } }]
    case 'no-tray':
      return [open('notice.act.settings')]
    case 'capture-on':
      return [open('notice.act.requests')]
    case 'copied':
      return []
  }
}
