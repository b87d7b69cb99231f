import { expect, test } from 'vitest'
import type { EngineState, EngineView } from '../../src/protocol/engine.ts'
import { byRecency, nextRecent, type RecentEngines } from '../../src/shell/recent-engines.ts'

const READY: EngineState = { is: 'ready', forMs: 0 }
const STOPPED: EngineState = { is: 'stopped' }
const of = (states: Record<string, EngineState>): EngineView[] =>
  Object.entries(states).map(([name, state]) => ({ name, state }) as EngineView)

/** Who served last, after each of these. */
function orders(...steps: Record<string, EngineState>[]): string[] {
  let recent: RecentEngines = { order: [], serving: [] }
  return steps.map((states) => {
    recent = nextRecent(recent, of(states))
    return recent.order.join(' ')
  })
}

test('who begins to serve comes first; who goes on serving stays', () => {
  expect(
    orders(
      { a: STOPPED, b: STOPPED },
      { a: READY, b: STOPPED },
      { a: READY, b: READY },
      { a: READY, b: STOPPED },
      { a: STOPPED, b: STOPPED },
      { a: READY, b: STOPPED },
    ),
  ).toEqual(['', 'a', 'b a', 'b a', 'b a', 'a b'])
})

test('a menu lists them so, and the rest as the configuration has it', () => {
  const engines = of({ a: STOPPED, b: READY, c: STOPPED, d: STOPPED })
  expect(byRecency(engines, ['c', 'gone', 'b']).map(({ name }) => name)).toEqual(['c', 'b', 'a', 'd'])
})

test('names are not kept for ever', () => {
  const order = Array.from({ length: 50 }, (_, i) => `e${i}`)
  expect(nextRecent({ order, serving: [] }, of({ fresh: READY })).order).toEqual(['fresh', ...order.slice(0, 49)])
})
