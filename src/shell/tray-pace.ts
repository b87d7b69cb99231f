import type { TrayItem, TrayView } from './tray-view.ts'

/** What is shown, and since when its words and its icon are. Times in ms. */
export type ShownTray = { view: TrayView; wordsAt: number; iconAt: number }

/** Panels repaint late, and a menu that changes under the pointer is worse than one that is a little old. */
export const TRAY_PACE_MS = 5000

/**
 * What to show next. What a click would do is right at once; words alone change at most every five seconds and never
 * in an open menu; so does the icon, but for a failure. `againInMs` null: nothing is held back.
 */
export function nextTray(
  shown: ShownTray | null,
  wanted: TrayView,
  { now, isOpen }: { now: number; isOpen: boolean },
): { shown: ShownTray; againInMs: number | null } {
  if (shown === null) return { shown: { view: wanted, wordsAt: now, iconAt: now }, againInMs: null }
  const { view } = shown
  const iconDue = shown.iconAt + TRAY_PACE_MS - now
  const mayIcon = wanted.icon === view.icon || wanted.icon === 'failed' || iconDue <= 0
  const actsAlike = deedsOf(view.items) === deedsOf(wanted.items)
  const wordsDue = shown.wordsAt + TRAY_PACE_MS - now
  const saysAlike = wanted.tooltip === view.tooltip && JSON.stringify(view.items) === JSON.stringify(wanted.items)
  // A failure's words go with its icon.
  const mayWords = saysAlike || !actsAlike || (wanted.icon === 'failed' && view.icon !== 'failed')
  const takeWords = mayWords || (wordsDue <= 0 && !isOpen)
  const next: TrayView = {
    icon: mayIcon ? wanted.icon : view.icon,
    tooltip: takeWords ? wanted.tooltip : view.tooltip,
    items: takeWords ? wanted.items : view.items,
  }
  const waits = [...(mayIcon ? [] : [iconDue]), ...(takeWords ? [] : [isOpen ? TRAY_PACE_MS : wordsDue])]
  return {
    shown: {
      view: next,
      wordsAt: takeWords && !saysAlike ? now : shown.wordsAt,
      iconAt: next.icon === view.icon ? shown.iconAt : now,
    },
    againInMs: waits.length === 0 ? null : Math.max(0, Math.min(...waits)),
  }
}

/** All that a menu can do, without its words. */
function deedsOf(items: readonly TrayItem[]): string {
  return JSON.stringify(
    items.map((item) => {
      if (item.kind === 'separator') return '-'
      if (item.kind === 'menu') return [item.id, deedsOf(item.items)]
      return [item.id, item.action, item.checked ?? null]
    }),
  )
}
