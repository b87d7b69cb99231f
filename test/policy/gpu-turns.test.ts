import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Card, decideTurns, PATIENCE_MS, residencyMs, type Tenant, type Want } from '../../src/policy/gpu-turns.ts'

const GIB = 1024 ** 3
const NOW = 1_000_000

const aCard = (index = 0, freeGib = 30): Card => ({ index, totalBytes: 32 * GIB, freeBytes: freeGib * GIB })

function aTenant(name: string, over: Partial<Tenant> = {}): Tenant {
  return {
    name,
    is: 'out',
    on: [],
    bound: [],
    count: 1,
    leastBytes: 20 * GIB,
    heldBytes: 28 * GIB,
    pinned: false,
    since: NOW - 3_600_000,
    idleSince: null,
    want: null,
    costMs: 40_000,
    debtMs: 0,
    ...over,
  }
}

const here = (name: string, over: Partial<Tenant> = {}) => aTenant(name, { is: 'in', on: [0], ...over })
const waits = (waitedMs: number, patienceMs: number = PATIENCE_MS.normal): Want => ({
  by: 'request',
  lateAt: NOW - waitedMs + patienceMs,
})
const bring = (name: string, on = [0]) => ({ do: 'bring', name, on })
const away = (name: string, other: string, because: string) => ({ do: 'send-away', name, for: other, because })

describe('one card', () => {
  const full = [aCard(0, 2)]

  test.each<[what: string, tenants: Tenant[], cards: Card[], actions: object[], again: number | null]>([
    ['nobody waits', [here('a')], full, [], null],
    ['it is empty', [aTenant('b', { want: waits(0) })], [aCard()], [bring('b')], null],
    [
      'there is room beside who is there',
      [here('a'), aTenant('b', { want: waits(0), leastBytes: 8 * GIB })],
      [aCard(0, 10)],
      [bring('b')],
      null,
    ],
    [
      'who is there has been idle for long enough',
      [here('a', { idleSince: NOW - 2000 }), aTenant('b', { want: waits(0) })],
      full,
      [away('a', 'b', 'idle')],
      null,
    ],
    [
      'who is there has been idle for a moment',
      [here('a', { idleSince: NOW - 500 }), aTenant('b', { want: waits(0) })],
      full,
      [],
      NOW + 1500,
    ],
    [
      'who is there works, and the other is not late',
      [here('a'), aTenant('b', { want: waits(10_000) })],
      full,
      [],
      NOW + 35_000,
    ],
    [
      'who is there works, and the other is late',
      [here('a'), aTenant('b', { want: waits(46_000) })],
      full,
      [away('a', 'b', 'late')],
      null,
    ],
    [
      'the other is late, but who is there has just come',
      [here('a', { since: NOW - 1000 }), aTenant('b', { want: waits(46_000) })],
      full,
      [],
      NOW - 1000 + residencyMs(40_000),
    ],
    [
      'two wait: the later one’s turn comes first',
      [here('a'), aTenant('b', { want: waits(50_000) }), aTenant('c', { want: waits(60_000) })],
      full,
      [away('a', 'c', 'late')],
      null,
    ],
    ['a swap is under way', [here('a', { is: 'leaving' }), aTenant('b', { want: waits(99_000) })], full, [], null],
    [
      'who is there may not be sent away',
      [here('a', { pinned: true }), aTenant('b', { want: waits(99_000) })],
      full,
      [bring('b')],
      null,
    ],
    [
      'an operator asks: nobody’s work counts',
      [here('a', { since: NOW }), aTenant('b', { want: { by: 'operator' } })],
      full,
      [away('a', 'b', 'asked')],
      null,
    ],
    [
      'it is to start with Lexora, and there is no room',
      [here('a'), aTenant('b', { want: { by: 'start' } })],
      full,
      [],
      null,
    ],
    [
      'a sleeper wakes where it is, once there is room',
      [aTenant('a', { is: 'asleep', on: [0], want: waits(0) })],
      [aCard()],
      [bring('a')],
      null,
    ],
    [
      'a sleeper holds what is missing',
      [
        aTenant('a', { is: 'asleep', on: [0], heldBytes: 4 * GIB }),
        aTenant('b', { want: waits(0), leastBytes: 29 * GIB }),
      ],
      [aCard(0, 27)],
      [away('a', 'b', 'late')],
      null,
    ],
    [
      'it would not even fit alone, so nobody leaves for it',
      [here('a'), aTenant('b', { want: waits(99_000), leastBytes: 40 * GIB })],
      full,
      [bring('b')],
      null,
    ],
    ['a stranger holds it', [aTenant('b', { want: waits(0) })], full, [bring('b')], null],
  ])('%s', (_what, tenants, cards, actions, again) => {
    expect(decideTurns(tenants, cards, NOW)).toEqual({ actions, again })
  })

  test('whose memory nobody can read is for one at a time', () => {
    const bound = { bound: [0], leastBytes: null }
    const two = [aTenant('a', { ...bound, want: waits(5) }), aTenant('b', { ...bound, want: waits(3) })]
    expect(decideTurns(two, [], NOW).actions).toEqual([bring('a')])
    const swap = [here('a', { ...bound, idleSince: NOW - 9000 }), aTenant('b', { ...bound, want: waits(3) })]
    expect(decideTurns(swap, [], NOW).actions).toEqual([away('a', 'b', 'idle')])
  })
})

test('without a GPU nobody takes turns', () => {
  const two = [aTenant('a', { want: waits(0) }), aTenant('b', { want: waits(0), is: 'out' })]
  expect(decideTurns(two, [], NOW).actions).toEqual([bring('a', []), bring('b', [])])
})

describe('several cards', () => {
  test('each engine gets the one that it fills best', () => {
    const tenants = [
      aTenant('small', { want: waits(2), leastBytes: 8 * GIB }),
      aTenant('large', { want: waits(1), leastBytes: 24 * GIB }),
    ]
    const { actions } = decideTurns(tenants, [aCard(0, 30), aCard(1, 10)], NOW)
    expect(actions).toEqual([bring('small', [1]), bring('large', [0])])
  })

  test('one that needs two gets two, and one that is bound keeps to its own', () => {
    const tenants = [aTenant('wide', { want: waits(2), count: 2 }), aTenant('bound', { want: waits(1), bound: [2] })]
    const { actions } = decideTurns(tenants, [aCard(0), aCard(1), aCard(2)], NOW)
    expect(actions).toEqual([bring('wide', [0, 1]), bring('bound', [2])])
  })

  test('the idle one leaves, whichever card it is on', () => {
    const tenants = [
      here('a'),
      aTenant('b', { is: 'in', on: [1], idleSince: NOW - 5000 }),
      aTenant('c', { want: waits(0) }),
    ]
    const { actions } = decideTurns(tenants, [aCard(0, 2), aCard(1, 2)], NOW)
    expect(actions).toEqual([away('b', 'c', 'idle')])
  })
})

const tenants = fc
  .array(
    fc.record({
      is: fc.constantFrom('out', 'asleep', 'coming', 'in', 'leaving' as const),
      card: fc.nat(1),
      least: fc.option(fc.integer({ min: 1, max: 40 })),
      held: fc.option(fc.integer({ min: 1, max: 30 })),
      pinned: fc.boolean(),
      sinceAgo: fc.nat(400_000),
      idleAgo: fc.option(fc.nat(10_000)),
      want: fc.oneof(
        fc.constant(null),
        fc.constant({ by: 'operator' } as const),
        fc.constant({ by: 'start' } as const),
        fc.integer({ min: -300_000, max: 300_000 }).map((late) => ({ by: 'request', lateAt: NOW + late }) as const),
      ),
    }),
    { maxLength: 6 },
  )
  .map((all) =>
    all.map((one, i) =>
      aTenant(`t${i}`, {
        is: one.is,
        on: one.is === 'out' ? [] : [one.card],
        leastBytes: one.least === null ? null : one.least * GIB,
        heldBytes: one.held === null ? null : one.held * GIB,
        pinned: one.pinned,
        since: NOW - one.sinceAgo,
        idleSince: one.idleAgo === null ? null : NOW - one.idleAgo,
        want: one.want,
      }),
    ),
  )

test('whatever stands there: only who waits is brought, the pinned stay, who works leaves for none but the late or an operator', () => {
  fc.assert(
    fc.property(tenants, fc.nat(32), fc.nat(32), (all, free0, free1) => {
      const { actions, again } = decideTurns(all, [aCard(0, free0), aCard(1, free1)], NOW)
      expect(new Set(actions.map(({ name }) => name)).size).toBe(actions.length)
      if (again !== null) expect(again).toBeGreaterThan(NOW)
      for (const action of actions) {
        const tenant = all.find(({ name }) => name === action.name)!
        if (action.do === 'bring') {
          expect(tenant.want).not.toBeNull()
          expect(['out', 'asleep']).toContain(tenant.is)
          continue
        }
        expect(tenant.pinned).toBe(false)
        expect(['in', 'asleep']).toContain(tenant.is)
        const { want } = all.find(({ name }) => name === action.for)!
        expect(want?.by).not.toBe('start')
        if (action.because === 'late' && tenant.is === 'in') {
          expect(want).toMatchObject({ by: 'request' })
          expect(want?.by === 'request' && want.lateAt).toBeLessThanOrEqual(NOW)
          expect(NOW - tenant.since).toBeGreaterThanOrEqual(residencyMs(40_000))
        }
      }
    }),
    { numRuns: 10_000 },
  )
})
