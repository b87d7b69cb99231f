/** 100,000 users that nobody knows: what is counted about them stays bounded, and metrics do not name them at all. */
import { expect, test } from 'vitest'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { StatsCollector } from '../../src/telemetry/stats.ts'
import { UserDays } from '../../src/telemetry/user-days.ts'
import { UserMinutes } from '../../src/telemetry/user-minutes.ts'
import { anOutcome } from './given.ts'

const MANY = 100_000
const DAY = 86_400_000

test('metrics get no series by them, and the other counters no more rows than they may have', async () => {
  const metrics = new Metrics(() => ({
    backends: [],
    depth: { high: 0, normal: 0, low: 0 },
    engines: [],
    swaps: [],
    gpus: [],
  }))
  const [stats, minutes, days] = [new StatsCollector(), new UserMinutes(), new UserDays()]
  const series = async (): Promise<number> =>
    (await metrics.expose()).split('\n').filter((line) => line.startsWith('lexora_')).length
  metrics.record(anOutcome({ user: 'first' }))
  const before = await series()
  for (let i = 0; i < MANY; i++) {
    const outcome = anOutcome({ user: `junk-${i}`, app: `app-${i}` })
    metrics.record(outcome)
    stats.record(outcome, 0)
    minutes.record(outcome, 0)
    days.record(outcome, DAY)
  }
  expect(await series()).toBe(before)
  expect(Object.keys(stats.read(0).by_user).length).toBeLessThanOrEqual(1001)
  expect(minutes.read(0).length).toBeLessThanOrEqual(1001)
  expect([days.today('junk-9999', DAY).requests, days.today('junk-10000', DAY).requests]).toEqual([1, 0])
})

test('who is known keeps his place among them, and the next day they are forgotten', () => {
  const days = new UserDays()
  days.know('ann')
  for (let i = 0; i < MANY; i++) days.record(anOutcome({ user: `junk-${i}` }), DAY)
  days.record(anOutcome({ user: 'ann', usage: { prompt: 2, completion: 3, cached: 0 } }), DAY)
  expect(days.today('ann', DAY)).toEqual({ requests: 1, tokens: 5, errors: 0 })
  expect(days.today('ann', 2 * DAY)).toEqual({ requests: 0, tokens: 0, errors: 0 })
  days.record(anOutcome({ user: 'bob', outcome: 'backend_error' }), 2 * DAY)
  expect(days.today('bob', 2 * DAY)).toEqual({ requests: 1, tokens: 0, errors: 1 })
  expect([days.lastSeen('bob'), days.lastSeen('nobody'), days.lastSeen('ann')]).toEqual([2 * DAY, null, DAY])
})

test('where a user last called from is known from the first call on', () => {
  const days = new UserDays()
  days.know('ann')
  days.seen('user', 'ann', DAY)
  expect(days.lastFrom('ann')).toBeNull()
  days.record(anOutcome({ user: 'ann', address: '192.168.1.7', remote: true }), DAY)
  expect(days.lastFrom('ann')).toEqual({ address: '192.168.1.7', remote: true })
  days.record(anOutcome({ user: 'ann' }), DAY + 1)
  expect(days.lastFrom('ann')).toEqual({ address: '127.0.0.1', remote: false })
})

test('of each model on the disk it is known when it was last asked, whatever was read before or after', () => {
  const days = new UserDays()
  days.record(anOutcome({ user: 'ann' }), DAY, 'acme/tiny')
  days.seen('model', 'acme/tiny', DAY - 5)
  days.seen('model', 'acme/old', DAY - 7)
  days.record(anOutcome({ user: 'ann' }), DAY + 1)
  expect([...days.modelsLastUsed()]).toEqual([
    ['acme/tiny', DAY],
    ['acme/old', DAY - 7],
  ])
  expect(days.lastSeen('acme/old')).toBeNull()
})
