import fc from 'fast-check'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { CounterTally, HistogramTally } from '../../src/telemetry/tally.ts'
import { readExposition } from './exposition.ts'

const counter = (registry: Registry) => new CounterTally(registry, 'things_total', 'Things.')

const histogram = (registry: Registry, bounds: readonly number[]) =>
  new HistogramTally(registry, 'wait_seconds', 'Waits.', bounds)

test('a counter is exposed as prom-client exposes its own', async () => {
  const registry = new Registry()
  const tally = counter(registry)
  tally.cell({ model: 'a', kind: 'x' }).value += 2
  tally.cell({ model: 'b', kind: 'x' }).value++
  tally.cell({ model: 'a', kind: 'x' }).value++
  expect(await registry.metrics()).toBe(
    [
      '# HELP things_total Things.',
      '# TYPE things_total counter',
      'things_total{model="a",kind="x"} 3',
      'things_total{model="b",kind="x"} 1',
      '',
    ].join('\n'),
  )
})

test('a histogram is exposed as prom-client exposes its own', async () => {
  const registry = new Registry()
  const cell = histogram(registry, [0.1, 1]).cell({ model: 'a' })
  for (const value of [0.05, 0.1, 0.5, 7]) cell.observe(value)
  expect(await registry.metrics()).toBe(
    [
      '# HELP wait_seconds Waits.',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{model="a",le="0.1"} 2',
      'wait_seconds_bucket{model="a",le="1"} 3',
      'wait_seconds_bucket{model="a",le="+Inf"} 4',
      'wait_seconds_sum{model="a"} 7.65',
      'wait_seconds_count{model="a"} 4',
      '',
    ].join('\n'),
  )
})

describe('laws', () => {
  test('buckets never fall, and the last holds all', async () => {
    const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 })
    const values = fc.array(fc.integer({ min: 0, max: 1200 }), { maxLength: 50 })
    await fc.assert(
      fc.asyncProperty(bounds, values, async (some, observed) => {
        const registry = new Registry()
        const ascending = some.toSorted((a, b) => a - b)
        const cell = histogram(registry, ascending).cell({})
        for (const value of observed) cell.observe(value)
        const samples = readExposition(await registry.metrics())
        const buckets = samples.filter(({ name }) => name === 'wait_seconds_bucket').map(({ value }) => value)
        const below = ascending.map((bound) => observed.filter((value) => value <= bound).length)
        expect(buckets).toEqual([...below, observed.length])
        expect(samples.find(({ name }) => name === 'wait_seconds_count')?.value).toBe(observed.length)
        expect(samples.find(({ name }) => name === 'wait_seconds_sum')?.value).toBe(observed.reduce((a, b) => a + b, 0))
      }),
    )
  })

  test('a label may hold any text and is read back as it was', async () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'n', '}', ',', 'é') }))
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(texts, { minLength: 1, maxLength: 5 }), async (models) => {
        const registry = new Registry()
        const tally = counter(registry)
        for (const model of models) tally.cell({ model }).value++
        const read = readExposition(await registry.metrics())
        expect(read).toEqual(models.map((model) => ({ name: 'things_total', labels: { model }, value: 1 })))
      }),
    )
  })
})
