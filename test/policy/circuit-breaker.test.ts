import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Breaker,
  type BreakerEvent,
  breakerAllows,
  CLOSED,
  nextBreaker,
  settleBreaker,
} from '../../src/policy/circuit-breaker.ts'

/** Milliseconds at which things happen to one breaker. */
type Story = [at: number, event: BreakerEvent][]

function tell(story: Story, from: Breaker = CLOSED): Breaker {
  return story.reduce((breaker, [at, event]) => nextBreaker(breaker, event, at), from)
}

const stateAt = (breaker: Breaker, now: number): Breaker['is'] => settleBreaker(breaker, now).is

/** Open since 0, until 5,000. */
const OPENED = tell([
  [0, 'failure'],
  [0, 'failure'],
  [0, 'failure'],
])

describe('a closed breaker', () => {
  test.each<[story: string, events: Story, is: Breaker['is']]>([
    [
      'lets two failures pass',
      [
        [0, 'failure'],
        [1, 'failure'],
      ],
      'closed',
    ],
    [
      'opens at the third within 30 s',
      [
        [0, 'failure'],
        [15_000, 'failure'],
        [29_999, 'failure'],
      ],
      'open',
    ],
    [
      'forgets a failure after 30 s',
      [
        [0, 'failure'],
        [15_000, 'failure'],
        [30_000, 'failure'],
      ],
      'closed',
    ],
    [
      'forgets failures after twenty successes on end',
      [
        [0, 'failure'],
        [1, 'failure'],
        ...Array.from({ length: 20 }, (): [number, BreakerEvent] => [2, 'success']),
        [3, 'failure'],
        [4, 'failure'],
      ],
      'closed',
    ],
    [
      'forgets none for a few successes between: it fails every third request',
      [
        [0, 'failure'],
        [1, 'success'],
        [2, 'success'],
        [3, 'failure'],
        [4, 'success'],
        [5, 'success'],
        [6, 'failure'],
      ],
      'open',
    ],
    [
      'takes no notice of probes',
      [
        [0, 'failure'],
        [1, 'reachable'],
        [2, 'probe-started'],
        [3, 'probe-dropped'],
      ],
      'closed',
    ],
  ])('%s', (_, events, is) => {
    expect(tell(events).is).toBe(is)
  })
})

describe('an open breaker', () => {
  test('refuses for 5 s and is then half-open', () => {
    expect([0, 4999].map((now) => breakerAllows(OPENED, now))).toEqual([false, false])
    expect(stateAt(OPENED, 4999)).toBe('open')
    expect(stateAt(OPENED, 5000)).toBe('half-open')
    expect(breakerAllows(OPENED, 5000)).toBe(true)
  })

  test('is not prolonged by requests that were in flight when it opened', () => {
    expect(tell([[1000, 'failure']], OPENED)).toBe(OPENED)
  })

  test('is half-open at once when a background probe is answered', () => {
    expect(breakerAllows(tell([[100, 'reachable']], OPENED), 100)).toBe(true)
  })

  test('stays so at a success of a request that was in flight', () => {
    expect(tell([[100, 'success']], OPENED)).toBe(OPENED)
  })

  test('doubles its time while probes fail, up to 60 s', () => {
    const times: number[] = []
    let breaker = OPENED
    for (let i = 0; i < 12; i++) {
      if (breaker.is !== 'open') throw new Error('a failed probe must open the breaker')
      const { until } = breaker
      breaker = tell(
        [
          [until, 'probe-started'],
          [until, 'failure'],
        ],
        breaker,
      )
      times.push((breaker as { until: number }).until - until)
    }
    expect(times.slice(0, 5)).toEqual([10_000, 20_000, 40_000, 60_000, 60_000])
    expect(times.at(-1)).toBe(60_000)
  })

  test('starts again at 5 s once it was closed', () => {
    const closed = tell(
      [
        [5000, 'failure'],
        [15_000, 'success'],
      ],
      OPENED,
    )
    const again = tell(
      [
        [20_000, 'failure'],
        [20_000, 'failure'],
        [20_000, 'failure'],
      ],
      closed,
    )
    expect(again).toMatchObject({ is: 'open', until: 25_000 })
  })
})

describe('a half-open breaker', () => {
  test('admits one request at a time', () => {
    const probing = tell([[5000, 'probe-started']], OPENED)
    expect(breakerAllows(probing, 5000)).toBe(false)
    expect(breakerAllows(probing, 1_000_000)).toBe(false)
  })

  test('admits the next when the first ended without a verdict', () => {
    const dropped = tell(
      [
        [5000, 'probe-started'],
        [6000, 'probe-dropped'],
      ],
      OPENED,
    )
    expect(breakerAllows(dropped, 6000)).toBe(true)
  })

  test('closes at a success', () => {
    expect(
      tell(
        [
          [5000, 'probe-started'],
          [6000, 'success'],
        ],
        OPENED,
      ),
    ).toEqual(CLOSED)
  })
})

describe('laws, over any story', () => {
  const events = fc.constantFrom<BreakerEvent>('success', 'failure', 'reachable', 'probe-started', 'probe-dropped')
  const stories = fc.array(fc.tuple(fc.nat(20_000), events), { maxLength: 60 }).map((steps): Story => {
    let now = 0
    return steps.map(([after, event]) => {
      now += after
      return [now, event]
    })
  })

  test('it opens only from half-open, or at a third failure within 30 s', () => {
    fc.assert(
      fc.property(stories, (story) => {
        let breaker: Breaker = CLOSED
        story.forEach(([now, event], i) => {
          const before = settleBreaker(breaker, now)
          breaker = nextBreaker(breaker, event, now)
          if (before.is !== 'closed' || breaker.is !== 'open') return
          const recent = story.slice(0, i + 1).filter(([at, what]) => what === 'failure' && now - at < 30_000)
          expect(recent.length).toBeGreaterThanOrEqual(3)
        })
      }),
    )
  })

  test('it is never open for longer than 60 s', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const breaker = tell(story)
        const last = story.at(-1)?.[0] ?? 0
        expect(stateAt(breaker, last + 60_000)).not.toBe('open')
      }),
    )
  })

  test('once half-open it admits one request, and no second until the first has ended', () => {
    fc.assert(
      fc.property(stories, fc.nat(100_000), (story, later) => {
        const last = story.at(-1)?.[0] ?? 0
        const open = tell([...story, [last, 'failure'], [last, 'failure'], [last, 'failure']])
        const now = last + 60_000
        expect(breakerAllows(open, now)).toBe(true)
        expect(breakerAllows(nextBreaker(open, 'probe-started', now), now + later)).toBe(false)
      }),
    )
  })

  test('once half-open a success closes it, and twenty close it from any state but open', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const last = story.at(-1)?.[0] ?? 0
        const before = settleBreaker(tell(story), last)
        const after = tell(
          Array.from({ length: 20 }, () => [last, 'success']),
          before,
        )
        expect(after).toEqual(before.is === 'open' ? before : CLOSED)
      }),
    )
  })
})
