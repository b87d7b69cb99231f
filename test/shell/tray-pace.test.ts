import { expect, test } from 'vitest'
import { nextTray, type ShownTray, TRAY_PACE_MS } from '../../src/shell/tray-pace.ts'
import type { TrayIcon, TrayView } from '../../src/shell/tray-view.ts'

const aView = (line: string, icon: TrayIcon = 'ready', verb = 'stop'): TrayView => ({
  icon,
  tooltip: line,
  items: [
    { kind: 'item', id: 'status', label: line, action: null },
    { kind: 'item', id: `verb.${verb}`, label: verb, action: { do: 'quit' } },
  ],
})

const shownAt = (view: TrayView, at: number): ShownTray => ({ view, wordsAt: at, iconAt: at })

test('the first view is shown at once', () => {
  const { shown, againInMs } = nextTray(null, aView('one'), { now: 7, isOpen: true })
  expect([shown.view, againInMs]).toEqual([aView('one'), null])
})

test('words wait for five seconds since they last changed', () => {
  const first = shownAt(aView('one'), 1000)
  const early = nextTray(first, aView('two'), { now: 2000, isOpen: false })
  expect([early.shown.view.tooltip, early.againInMs]).toEqual(['one', TRAY_PACE_MS - 1000])
  const due = nextTray(first, aView('two'), { now: 1000 + TRAY_PACE_MS, isOpen: false })
  expect([due.shown.view.tooltip, due.againInMs]).toEqual(['two', null])
})

test('words never change in an open menu', () => {
  const { shown, againInMs } = nextTray(shownAt(aView('one'), 0), aView('two'), { now: 60_000, isOpen: true })
  expect([shown.view.tooltip, againInMs]).toEqual(['one', TRAY_PACE_MS])
})

test('what a click would do is right at once, in an open menu too', () => {
  const { shown } = nextTray(shownAt(aView('one'), 0), aView('two', 'ready', 'start'), { now: 10, isOpen: true })
  expect(shown.view).toEqual(aView('two', 'ready', 'start'))
})

test('the icon waits for five seconds, a failure does not', () => {
  const first = shownAt(aView('one', 'ready'), 0)
  const busy = nextTray(first, aView('one', 'busy'), { now: 100, isOpen: false })
  expect([busy.shown.view.icon, busy.againInMs]).toEqual(['ready', TRAY_PACE_MS - 100])
  const failed = nextTray(first, aView('broken', 'failed'), { now: 100, isOpen: true })
  expect([failed.shown.view, failed.againInMs]).toEqual([aView('broken', 'failed'), null])
})

test('what is held back comes with the alarm, whatever came between', () => {
  let shown = shownAt(aView('0'), 0)
  let at = 0
  for (let i = 1; i <= 40; i++) {
    at += 250
    const next = nextTray(shown, aView(String(i), i % 2 === 0 ? 'ready' : 'busy'), { now: at, isOpen: false })
    if (next.shown.view.tooltip !== shown.view.tooltip) expect(at - shown.wordsAt).toBeGreaterThanOrEqual(TRAY_PACE_MS)
    shown = next.shown
  }
  const last = nextTray(shown, aView('40', 'ready'), { now: at + TRAY_PACE_MS, isOpen: false })
  expect([last.shown.view, last.againInMs]).toEqual([aView('40', 'ready'), null])
})
