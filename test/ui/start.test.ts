import { expect, test } from 'vitest'
import { translator } from '../../renderer/i18n/index.ts'
import { causeTitle, liveRows, startRows, stepOf, watchStart } from '../../renderer/view-models/start.ts'
import { START_PHASES } from '../../src/policy/engine-log.ts'
import type { EngineState } from '../../src/protocol/engine.ts'

const t = translator('en')
const at = (phase: string): EngineState => ({ is: 'starting', phase, percent: 1, leftMs: null })

test('the ten phases are five steps, in their order', () => {
  expect(START_PHASES.map(stepOf)).toEqual([1, 1, 1, 2, 2, 3, 4, 4, 5, 5])
})

test('a start that is watched from its beginning shows each phase as long as it was seen, of the whole that it will take', () => {
  let seen = watchStart(null, 'main', at('launching'), 0, 1000)
  seen = watchStart(seen, 'main', at('launching'), 900, 2000)
  seen = watchStart(seen, 'main', at('loading weights'), 2000, 3000)
  expect(liveRows(seen!, 4000, 5000)).toEqual([
    { name: 'launching', from: 0, share: 0.25, ms: 2000 },
    { name: 'loading weights', from: 0.25, share: 0.25, ms: 2000 },
  ])
})

test('what passed before anybody looked belongs to no phase', () => {
  const seen = watchStart(null, 'main', at('capturing graphs'), 60_000, 100_000)
  expect(liveRows(seen!, null, 110_000).map(({ name, ms }) => [name, ms])).toEqual([
    ['', 60_000],
    ['capturing graphs', 10_000],
  ])
})

test('another engine, or no start, begins anew', () => {
  const seen = watchStart(null, 'main', at('launching'), 0, 1000)
  expect(watchStart(seen, 'other', at('launching'), 0, 5000)?.began).toBe(5000)
  expect(watchStart(seen, 'main', { is: 'ready', forMs: 1 }, 0, 5000)).toBeNull()
})

test('of a start that has ended the phases share the whole', () => {
  expect(startRows({ totalMs: 100, phases: [{ name: 'launching', ms: 25 }] })).toEqual([
    { name: 'launching', from: 0, share: 0.25, ms: 25 },
  ])
})

test.each([
  ['vram_busy', 'GPU memory is taken'],
  ['stalled', 'no progress'],
  ['executable_missing', 'not installed'],
  ['unknown', null],
])('a failure of the class %s is called: %s', (kind, title) => {
  expect(causeTitle(kind, t)).toBe(title)
})
