import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  HURRY_BUDGET_MS,
  nextQuit,
  type QuitEffect,
  type QuitEvent,
  type QuitState,
  SYSTEM_BUDGET_MS,
} from '../../src/shell/quit.ts'

const GRACE_MS = 60_000
const RUNNING: QuitState = { is: 'running' }
const STOPPING: QuitState = { is: 'stopping', hurried: false }
const HURRIED: QuitState = { is: 'stopping', hurried: true }
const DONE: QuitState = { is: 'done' }

const alarm = (inMs: number): QuitEffect => ({ do: 'alarm', inMs })

test.each<[state: QuitState, event: QuitEvent['type'], next: QuitState, effects: QuitEffect[]]>([
  [RUNNING, 'asked', STOPPING, [{ do: 'stop' }, alarm(GRACE_MS)]],
  [RUNNING, 'system-ends', STOPPING, [{ do: 'stop' }, alarm(SYSTEM_BUDGET_MS - HURRY_BUDGET_MS)]],
  [RUNNING, 'stopped', RUNNING, []],
  [RUNNING, 'time-is-up', RUNNING, []],
  [STOPPING, 'asked', HURRIED, [{ do: 'hurry' }, alarm(HURRY_BUDGET_MS)]],
  [STOPPING, 'system-ends', STOPPING, [alarm(SYSTEM_BUDGET_MS - HURRY_BUDGET_MS)]],
  [STOPPING, 'stopped', DONE, [{ do: 'exit' }]],
  [STOPPING, 'time-is-up', HURRIED, [{ do: 'hurry' }, alarm(HURRY_BUDGET_MS)]],
  [HURRIED, 'asked', DONE, [{ do: 'exit' }]],
  [HURRIED, 'system-ends', HURRIED, []],
  [HURRIED, 'stopped', DONE, [{ do: 'exit' }]],
  [HURRIED, 'time-is-up', DONE, [{ do: 'exit' }]],
  [DONE, 'asked', DONE, []],
  [DONE, 'system-ends', DONE, []],
  [DONE, 'stopped', DONE, []],
  [DONE, 'time-is-up', DONE, []],
])('%j, %s → %j', (state, type, next, effects) => {
  expect(nextQuit(state, { type }, GRACE_MS)).toEqual([next, effects])
})

test('whatever comes in whatever order, it stops once, exits once, and never before it was asked', () => {
  const event = fc.constantFrom<QuitEvent['type']>('asked', 'system-ends', 'stopped', 'time-is-up')
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (types) => {
      let state: QuitState = RUNNING
      const done: QuitEffect['do'][] = []
      let isAsked = false
      for (const type of types) {
        const [next, effects] = nextQuit(state, { type }, GRACE_MS)
        isAsked ||= type === 'asked' || type === 'system-ends'
        if (!isAsked) expect(effects).toEqual([])
        done.push(...effects.map((effect) => effect.do))
        state = next
      }
      expect(done.filter((one) => one === 'stop').length).toBeLessThanOrEqual(1)
      expect(done.filter((one) => one === 'exit').length).toBe(state.is === 'done' ? 1 : 0)
      expect(done.indexOf('stop')).toBeLessThanOrEqual(0)
    }),
  )
})

test('once asked, the alarms alone lead to the exit', () => {
  let [state, effects] = nextQuit(RUNNING, { type: 'asked' }, GRACE_MS)
  const waits: number[] = []
  while (state.is !== 'done') {
    waits.push(...effects.flatMap((effect) => (effect.do === 'alarm' ? [effect.inMs] : [])))
    ;[state, effects] = nextQuit(state, { type: 'time-is-up' }, GRACE_MS)
  }
  expect(waits).toEqual([GRACE_MS, HURRY_BUDGET_MS])
})
