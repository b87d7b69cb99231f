import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newStart, readStart, START_PHASES, type StartPhase, type StartProgress } from '../../src/policy/engine-log.ts'
import { estimateStart, learnTimings, type PhaseTimings, timingsOf } from '../../src/policy/start-estimate.ts'

/** What a start of this model took the last time: 100 s. */
const EARLIER: PhaseTimings = {
  launching: 10_000,
  configuring: 10_000,
  'loading weights': 60_000,
  'opening port': 20_000,
}

const inPhase = (phase: StartPhase, since: number, fraction: number | null = null): StartProgress => ({
  ...newStart(0),
  phase,
  fraction,
  began: [
    { phase: 'launching', at: 0 },
    { phase, at: since },
  ],
})

test('a first start knows no time that is left, only how far the log says it is', () => {
  const start = inPhase('loading weights', 20_000, 0.5)
  expect(estimateStart(start, null, 30_000)).toEqual({ percent: 30, leftMs: null })
  expect(estimateStart(newStart(0), null, 60_000)).toEqual({ percent: 0, leftMs: null })
})

test('a later start goes by the time that the earlier one took', () => {
  expect(estimateStart(inPhase('loading weights', 20_000), EARLIER, 50_000)).toEqual({ percent: 50, leftMs: 50_000 })
})

test('a bar is believed more than the last time: this disk is slower today', () => {
  expect(estimateStart(inPhase('loading weights', 20_000, 0.25), EARLIER, 60_000)).toMatchObject({ leftMs: 140_000 })
})

test('a phase that lasts longer than ever is nearly over, and what comes after it still comes', () => {
  const { percent, leftMs } = estimateStart(inPhase('loading weights', 20_000), EARLIER, 500_000)
  expect([percent, leftMs]).toEqual([78, 21_800])
})

test('what a start has taught is what its phases took', () => {
  const lines = ['non-default args: {}', 'Starting to load model x', 'Supported tasks: []']
  const start = lines.reduce((before, line, at) => readStart(before, line, (at + 1) * 1000), newStart(0))
  const taught = timingsOf(start, 4500)
  expect(taught).toEqual({ launching: 1000, configuring: 1000, 'loading weights': 1000, 'opening port': 1500 })
  expect(learnTimings(null, taught)).toBe(taught)
  // Nothing is compiled any more, and loading was faster.
  expect(learnTimings({ ...taught, compiling: 9000, 'loading weights': 3000 }, taught)).toEqual({
    ...taught,
    'loading weights': 2000,
  })
})

test('within a start the percentage does not fall, whatever the clock and the earlier timings are', () => {
  const timings = fc.dictionary(fc.constantFrom(...START_PHASES), fc.nat(100_000)) as fc.Arbitrary<PhaseTimings>
  const times = fc.array(fc.nat(200_000), { minLength: 2, maxLength: 20 })
  fc.assert(
    fc.property(fc.option(timings), times, fc.constantFrom(...START_PHASES), (earlier, at, phase) => {
      const start = inPhase(phase, 0)
      const percents = at.sort((a, b) => a - b).map((now) => estimateStart(start, earlier, now).percent)
      expect(percents).toEqual([...percents].sort((a, b) => a - b))
      for (const percent of percents) expect(percent >= 0 && percent <= 99).toBe(true)
    }),
  )
})
