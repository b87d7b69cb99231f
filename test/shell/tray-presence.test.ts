import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PANEL_COMES_MS, TrayPresence } from '../../src/shell/tray-presence.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** Each change as the window and the notifications hear of it: what is there, what may be told. */
function watched(): [presence: TrayPresence, told: [has: boolean, verdict: boolean | null][]] {
  const told: [boolean, boolean | null][] = []
  const presence: TrayPresence = new TrayPresence(() => told.push([presence.has, presence.verdict]))
  return [presence, told]
}

test('a panel that comes within the minute was never missed', () => {
  const [presence, told] = watched()
  expect([presence.has, presence.verdict]).toEqual([false, null])
  presence.see(false)
  vi.advanceTimersByTime(PANEL_COMES_MS - 1)
  presence.see(false)
  presence.see(true)
  vi.advanceTimersByTime(2 * PANEL_COMES_MS)
  expect(told).toEqual([
    [false, null],
    [true, true],
  ])
})

test('a desktop without one is told so after a minute, once', () => {
  const [presence, told] = watched()
  for (let looks = 0; looks < 12; looks++) {
    presence.see(false)
    vi.advanceTimersByTime(PANEL_COMES_MS / 12)
  }
  presence.see(false)
  vi.advanceTimersByTime(PANEL_COMES_MS)
  expect(told).toEqual([
    [false, null],
    [false, false],
  ])
})

test('where none can ever come it is told at once', () => {
  const [presence, told] = watched()
  presence.see(false, true)
  expect(told).toEqual([[false, false]])
})

test('a panel that goes has its minute again, and one that comes after all is seen', () => {
  const [presence, told] = watched()
  presence.see(true)
  presence.see(false)
  vi.advanceTimersByTime(PANEL_COMES_MS)
  presence.see(true)
  expect(told).toEqual([
    [true, true],
    [false, null],
    [false, false],
    [true, true],
  ])
})

test('closed it waits for nothing', () => {
  const [presence] = watched()
  presence.see(false)
  presence.close()
  expect(vi.getTimerCount()).toBe(0)
})
