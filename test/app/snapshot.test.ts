import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SnapshotSource, statsReport, userViews } from '../../src/app/snapshot.ts'
import type { AppSnapshot, UserLoad } from '../../src/protocol/snapshot.ts'
import { aQueue, aSnapshot, aUser, aWaiter } from '../support/snapshots.ts'

describe('snapshots', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
  afterEach(() => vi.useRealTimers())

  /** A source over what `now` holds, which counts how often it was read. */
  function aSource() {
    const state = { now: aSnapshot(), reads: 0 }
    const source = new SnapshotSource((revision) => {
      state.reads++
      return { ...state.now, revision }
    })
    return { state, source }
  }

  const seenBy = (source: SnapshotSource) => {
    const seen: AppSnapshot[] = []
    const end = source.subscribe((snapshot) => seen.push(snapshot))
    return { seen, end }
  }

  test('are not taken while nobody watches', () => {
    const { state, source } = aSource()
    vi.advanceTimersByTime(10_000)
    expect(state.reads).toBe(0)
    seenBy(source).end()
    expect([state.reads, vi.getTimerCount()]).toEqual([1, 0])
  })

  test('are told at once, then after a change, and at most four times a second', () => {
    const { state, source } = aSource()
    const { seen } = seenBy(source)
    expect(seen).toHaveLength(1)
    for (let step = 1; step <= 100; step++) {
      state.now = aSnapshot({ server: { inFlight: step } })
      vi.advanceTimersByTime(10)
    }
    expect(seen.map(({ server }) => server.inFlight)).toEqual([0, 25, 50, 75, 100])
  })

  test('are told once per change, and a clock that goes on is none', () => {
    const { state, source } = aSource()
    const { seen } = seenBy(source)
    for (let second = 1; second <= 60; second++) {
      state.now = aSnapshot({ takenAt: new Date(second).toISOString(), server: { uptimeSeconds: second } })
      vi.advanceTimersByTime(1000)
    }
    expect(seen).toHaveLength(1)
  })

  test('reach every watcher, and one that comes later is told at once as well', () => {
    const { state, source } = aSource()
    const one = seenBy(source)
    state.now = aSnapshot({ server: { inFlight: 7 } })
    const two = seenBy(source)
    expect([one.seen.at(-1), two.seen.at(-1)].map((snapshot) => snapshot?.server.inFlight)).toEqual([7, 7])
    one.end()
    state.now = aSnapshot({ server: { inFlight: 8 } })
    vi.advanceTimersByTime(250)
    expect([one.seen.at(-1), two.seen.at(-1)].map((snapshot) => snapshot?.server.inFlight)).toEqual([7, 8])
  })

  test('have growing numbers, whoever asked for them', () => {
    const { state, source } = aSource()
    const { seen } = seenBy(source)
    const asked = source.read()
    state.now = aSnapshot({ server: { inFlight: 1 } })
    vi.advanceTimersByTime(250)
    expect([seen[0]!.revision, asked.revision, seen[1]!.revision]).toEqual([1, 2, 3])
  })
})

describe('users', () => {
  const limits = { perSecond: 10, burst: 20, tokensPerMinute: null, maxConcurrent: null }
  const load = (name: string, inFlight: number, waiting: number): UserLoad => ({ name, inFlight, waiting, limits })
  const minute = (name: string, requestsThisMinute: number) => ({
    name,
    requestsThisMinute,
    tokensThisMinute: 10 * requestsThisMinute,
    rateLimited: 1,
    waitedMs: { mean: 5, max: 9 },
    remote: true,
  })

  test('are those who run or wait and those of the last minute, the busiest first', () => {
    const views = userViews([load('ann', 1, 0), load('bob', 1, 5)], [minute('cy', 3), minute('ann', 2)], () => limits)
    expect(views).toEqual([
      aUser({ name: 'bob', inFlight: 1, waiting: 5, limits }),
      { ...aUser({ name: 'ann', inFlight: 1, limits }), ...minute('ann', 2) },
      { ...aUser({ name: 'cy', limits }), ...minute('cy', 3) },
    ])
  })

  test('have no limits where limits are off', () => {
    const views = userViews([load('ann', 1, 0)], [minute('cy', 3)], () => null)
    expect(views.map((view) => view.limits)).toEqual([null, null])
  })

  test('are 200 at most', () => {
    const many = Array.from({ length: 500 }, (_, i) => minute(`user-${i}`, i + 1))
    const views = userViews([], many, () => limits)
    expect([views.length, views[0]?.name]).toEqual([200, 'user-499'])
  })
})

test('/stats says who waits, for what, and how much the bands hold', () => {
  const { stats } = aSnapshot()
  const queues = [
    aQueue({ backend: 'a', depth: { high: 1, normal: 0, low: 2 }, waiting: [aWaiter({ id: 'r1', band: 'high' })] }),
    aQueue({ backend: 'b', depth: { high: 0, normal: 3, low: 0 } }),
  ]
  const report = statsReport(stats, queues, [aUser({ name: 'ann', waiting: 1 })])
  expect(report).toEqual({
    ...stats,
    queue: {
      waiting: 6,
      by_band: { high: 1, normal: 3, low: 2 },
      backends: {
        a: { in_flight: 0, limit: 8, waiting: 3, by_band: { high: 1, normal: 0, low: 2 } },
        b: { in_flight: 0, limit: 8, waiting: 3, by_band: { high: 0, normal: 3, low: 0 } },
      },
    },
    users: {
      ann: {
        in_flight: 0,
        waiting: 1,
        requests_this_minute: 0,
        tokens_this_minute: 0,
        rate_limited: 0,
        waited_ms: null,
      },
    },
    waiting: [
      {
        id: 'r1',
        backend: 'a',
        place: 1,
        band: 'high',
        flow: { user: 'ann', app: 'chat' },
        user: 'ann',
        model: 'tiny',
        age_ms: 400,
        predicted_wait_ms: 1200,
      },
    ],
  })
})
