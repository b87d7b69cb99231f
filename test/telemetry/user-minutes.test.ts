import { expect, test } from 'vitest'
import { UserMinutes } from '../../src/telemetry/user-minutes.ts'
import { anOutcome } from './given.ts'

const SECOND = 1000

test('a user’s minute counts requests, tokens, and how long they waited', () => {
  const minutes = new UserMinutes()
  const usage = { prompt: 30, completion: 12, cached: null }
  minutes.record(anOutcome({ user: 'ann', queueMs: 100, usage }), 5 * SECOND)
  minutes.record(anOutcome({ user: 'ann', queueMs: 500, remote: true }), 40 * SECOND)
  minutes.record(anOutcome({ user: 'ann', backend: null, limit: 'requests' }), 41 * SECOND)
  minutes.record(anOutcome({ user: null }), 41 * SECOND)
  expect(minutes.read(42 * SECOND)).toEqual([
    {
      name: 'ann',
      requestsThisMinute: 3,
      tokensThisMinute: 42,
      waitedMs: { mean: 300, max: 500 },
      rateLimited: 1,
      remote: true,
    },
    {
      name: 'anonymous',
      requestsThisMinute: 1,
      tokensThisMinute: 0,
      waitedMs: { mean: 0, max: 0 },
      rateLimited: 0,
      remote: false,
    },
  ])
})

test('what is older than a minute counts no more, but for the refusals', () => {
  const minutes = new UserMinutes()
  minutes.record(anOutcome({ user: 'ann', queueMs: 900, limit: 'tokens' }), 0)
  minutes.record(anOutcome({ user: 'ann', queueMs: 10 }), 59 * SECOND)
  expect(minutes.read(62 * SECOND)).toMatchObject([
    { requestsThisMinute: 1, waitedMs: { mean: 10, max: 10 }, rateLimited: 1 },
  ])
  expect(minutes.read(200 * SECOND)).toEqual([])
})

test('a user is of another machine as long as a request of the minute was, also one that was refused', () => {
  const minutes = new UserMinutes()
  minutes.record(anOutcome({ user: 'ann', backend: null, remote: true }), 0)
  minutes.record(anOutcome({ user: 'ann' }), 30 * SECOND)
  expect(minutes.read(31 * SECOND)).toMatchObject([{ remote: true }])
  expect(minutes.read(75 * SECOND)).toMatchObject([{ remote: false }])
})

test('a user who was only refused has not waited', () => {
  const minutes = new UserMinutes()
  minutes.record(anOutcome({ user: 'ann', backend: null, limit: 'requests' }), 0)
  expect(minutes.read(0)).toMatchObject([{ requestsThisMinute: 1, waitedMs: null }])
})

test('of a hundred thousand names a thousand have a row, the others share one', () => {
  const minutes = new UserMinutes()
  for (let i = 0; i < 100_000; i++) minutes.record(anOutcome({ user: `junk-${i}` }), i / 1000)
  const read = minutes.read(SECOND)
  expect(read.length).toBe(1001)
  expect(read.find(({ name }) => name === 'other')?.requestsThisMinute).toBe(99_000)
})

test('names that were not heard of for a minute make room', () => {
  const minutes = new UserMinutes()
  for (let i = 0; i < 1000; i++) minutes.record(anOutcome({ user: `junk-${i}` }), 0)
  minutes.record(anOutcome({ user: 'ann' }), 120 * SECOND)
  expect(minutes.read(120 * SECOND).map(({ name }) => name)).toEqual(['ann'])
})
