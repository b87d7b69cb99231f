import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineSample } from '../../src/policy/engine-sense.ts'
import { type GateSettings, type Load, type Permit, PermitGate } from '../../src/policy/permit-gate.ts'

function aLoad(changes: Partial<Load> = {}): Load {
  const load = { band: 'normal', promptTokens: 100, meanAnswer: 100, sdAnswer: 0, maxTokens: null, ...changes } as Load
  return { ...load, uncachedTokens: changes.uncachedTokens ?? load.promptTokens }
}

function anAuto(changes: Partial<Extract<GateSettings, { limit: 'auto' }>> = {}): PermitGate {
  return new PermitGate({ limit: 'auto', kvTokens: 10_000, maxSequences: 66, prefillRate: 10, ...changes })
}

const aSample = (changes: Partial<EngineSample> = {}): EngineSample => ({
  running: 1,
  waiting: 0,
  kvUse: 0.5,
  preemptions: 0,
  kvTokens: null,
  ...changes,
})

/** Dispatches and shows a first token until the gate says no. */
function fill(gate: PermitGate, load: Load, owed = false): Permit[] {
  const permits: Permit[] = []
  while (gate.admits(load, owed) && permits.length < 5000) {
    const permit = gate.dispatch(load, 0)
    gate.firstToken(permit, 0)
    permits.push(permit)
  }
  return permits
}

describe('a plain number', () => {
  test('is never exceeded, and every end frees one', () => {
    const gate = new PermitGate({ limit: 3 })
    const permits = fill(gate, aLoad({ promptTokens: 1e9 }))
    expect(permits).toHaveLength(3)
    gate.release(permits[1]!)
    gate.release(permits[1]!)
    expect(fill(gate, aLoad())).toHaveLength(1)
  })
})

describe('the budget of sequences', () => {
  test('is max_num_seqs less two', () => {
    expect(fill(anAuto({ kvTokens: 1e9 }), aLoad())).toHaveLength(64)
  })

  test('of an engine that tells nothing is 32', () => {
    expect(fill(anAuto({ kvTokens: null, maxSequences: null }), aLoad())).toHaveLength(32)
  })

  test('of a configured vLLM is open until its own queue was seen twice, then the highest number that it ran', () => {
    const gate = anAuto({ kvTokens: 1e9, maxSequences: null })
    const permits = Array.from({ length: 40 }, () => gate.dispatch(aLoad(), 0))
    for (const permit of permits) gate.firstToken(permit, 0)
    gate.sample(aSample({ running: 1, waiting: 39 }), true, 250)
    expect(gate.state(250).limit).toBeGreaterThan(1000)
    gate.sample(aSample({ running: 24, waiting: 16 }), true, 500)
    expect(gate.state(500).limit).toBe(24)
    for (const permit of permits.slice(24)) gate.release(permit)
    gate.sample(aSample({ running: 24 }), true, 750)
    expect(gate.admits(aLoad(), false)).toBe(false)
    gate.sample(aSample({ running: 24, kvUse: 0.4 }), true, 2600)
    expect(gate.state(2600).limit).toBe(25)
  })
})

describe('the budget of KV tokens', () => {
  test('leaves high what normal and low may not fill', () => {
    const counts = (['high', 'normal', 'low'] as const).map((band) => fill(anAuto(), aLoad({ band })).length)
    expect(counts).toEqual([46, 41, 36])
    expect(fill(anAuto(), aLoad({ band: 'low' }), true)).toHaveLength(43)
  })

  test('counts that who is nearly done is gone before the others are long', () => {
    const both = (['peak', 'sum'] as const).map((kv) => {
      const gate = anAuto({ kv })
      for (const permit of fill(gate, aLoad()).slice(0, 30)) gate.generated(permit, 69)
      return fill(gate, aLoad()).length
    })
    expect(both[0]).toBeGreaterThan(both[1]!)
  })

  test('lets anything run alone', () => {
    expect(anAuto().admits(aLoad({ promptTokens: 1e6 }), false)).toBe(true)
  })

  test('never plans more answer than max_tokens', () => {
    expect(fill(anAuto(), aLoad({ meanAnswer: 5000, maxTokens: 10 })).length).toBe(64)
  })
})

describe('the budget of prefill', () => {
  test('is a second of prompts, less for lower bands, which never stand in the way of a higher one', () => {
    const gate = anAuto({ kvTokens: 1e9 })
    let low = 0
    for (; gate.admits(aLoad({ band: 'low', promptTokens: 1000 }), false); low++)
      gate.dispatch(aLoad({ band: 'low', promptTokens: 1000 }), 0)
    expect(low).toBe(6)
    expect(gate.admits(aLoad({ band: 'normal', promptTokens: 1000 }), false)).toBe(true)
    expect(gate.admits(aLoad({ band: 'high', promptTokens: 9000 }), false)).toBe(true)
  })

  test('lets one long prompt in at a time, and high ones always', () => {
    const gate = anAuto({ kvTokens: 1e9 })
    const long = gate.dispatch(aLoad({ promptTokens: 2000 }), 0)
    expect(gate.admits(aLoad({ promptTokens: 1500 }), false)).toBe(false)
    expect(gate.admits(aLoad({ promptTokens: 1500, uncachedTokens: 100 }), false)).toBe(true)
    expect(gate.admits(aLoad({ band: 'high', promptTokens: 1500 }), false)).toBe(true)
    gate.firstToken(long, 200)
    expect(gate.admits(aLoad({ promptTokens: 1500 }), false)).toBe(true)
  })

  test('learns the rate from lone requests', () => {
    const gate = anAuto({ prefillRate: null })
    for (let now = 0; now < 50_000; now += 1000) {
      const permit = gate.dispatch(aLoad({ promptTokens: 1000 }), now)
      gate.firstToken(permit, now + 100)
      gate.release(permit)
    }
    expect(Math.abs(gate.state(50_000).prefillRate - 10)).toBeLessThan(0.5)
  })
})

describe('metrics', () => {
  const busy = () => {
    const gate = anAuto()
    const permit = gate.dispatch(aLoad(), 0)
    gate.firstToken(permit, 0)
    return { gate, permit }
  }

  test.each<[what: string, sample: Partial<EngineSample>, theta: number]>([
    ['preemptions lower the planned share by 3 %', { preemptions: 1 }, 0.89],
    ['a queue in the engine lowers it by 1 %', { waiting: 3 }, 0.91],
    ['neither leaves it', { kvUse: 0.2 }, 0.92],
  ])('%s', (_, sample, theta) => {
    const { gate } = busy()
    gate.sample(aSample(), true, 250)
    gate.sample(aSample(sample), true, 500)
    expect(gate.state(500).theta).toBeCloseTo(theta)
  })

  test('it comes back by 1 % every 500 ms, two seconds later', () => {
    const { gate } = busy()
    const at = (now: number, changes: Partial<EngineSample>) =>
      gate.sample(aSample({ kvUse: now / 1e6, ...changes }), true, now)
    at(250, {})
    for (let i = 1; i <= 100; i++) at(250 + i, { preemptions: i })
    expect(gate.state(350).theta).toBeCloseTo(0.5)
    for (let now = 500; now < 2350; now += 250) at(now, { preemptions: 100 })
    expect(gate.state(2349).theta).toBeCloseTo(0.5)
    for (let now = 2350; now < 12_350; now += 250) at(now, { preemptions: 100 })
    expect(gate.state(12_350).theta).toBeCloseTo(0.7)
  })

  const lies: [what: string, sample: (i: number) => EngineSample | null, alarm: string][] = [
    ['vanish', () => null, 'stale'],
    ['freeze', () => aSample({ kvUse: 0.25 }), 'frozen'],
    ['are negative', (i) => aSample({ running: -i - 1 }), 'wrong'],
    ['are no numbers', () => aSample({ kvUse: Number.NaN }), 'wrong'],
    ['are beyond full', (i) => aSample({ kvUse: 2 + i }), 'wrong'],
    ['deny what streams', (i) => aSample({ running: 0, kvUse: i / 1000 }), 'wrong'],
  ]
  test.each(lies)('that %s alarm after five seconds, and the gate counts on by itself', (_, sample, alarm) => {
    const { gate, permit } = busy()
    gate.sample(aSample(), true, 250)
    for (let i = 1; i <= 60; i++) {
      gate.generated(permit, 20)
      gate.sample(sample(i), true, 250 + i * 250)
    }
    expect(gate.state(15_250)).toMatchObject({ openLoop: true, alarm, theta: 0.75 })
    expect(fill(gate, aLoad()).length).toBeGreaterThan(20)
    gate.sample(aSample({ running: 40, kvUse: 0.71 }), true, 15_500)
    expect(gate.state(15_500)).toMatchObject({ openLoop: false, alarm: null })
  })

  test('that never came are no alarm', () => {
    const { gate } = busy()
    for (let i = 1; i <= 60; i++) gate.sample(null, true, i * 250)
    expect(gate.state(15_000)).toMatchObject({ openLoop: true, alarm: null })
  })

  test('of an idle engine are not missed', () => {
    const { gate, permit } = busy()
    gate.sample(aSample(), true, 250)
    gate.release(permit)
    gate.dispatch(aLoad(), 3_600_000)
    gate.sample(null, true, 3_600_250)
    expect(gate.state(3_600_250).alarm).toBe(null)
  })

  test('that a steady engine repeats while nothing moves are believed', () => {
    const { gate } = busy()
    for (let i = 1; i <= 60; i++) gate.sample(aSample(), true, i * 250)
    expect(gate.state(15_000).alarm).toBe(null)
  })
})

type Step =
  | { do: 'dispatch'; load: Load; owed: boolean }
  | { do: 'first' | 'release'; which: number }
  | { do: 'tokens'; which: number; tokens: number }
  | { do: 'sample'; sample: EngineSample | null; by: number }

const aBand = fc.constantFrom<Load['band']>('high', 'normal', 'low')
const loads = fc.record({ band: aBand, promptTokens: fc.nat(3000), meanAnswer: fc.nat(800), sdAnswer: fc.nat(300) })
const figure = fc.oneof(fc.nat(300), fc.constantFrom(-1, Number.NaN, Infinity))
const samples = fc.record({
  running: figure,
  waiting: figure,
  kvUse: fc.double({ min: -0.1, max: 1.2 }),
  preemptions: figure,
})
const oneStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('dispatch' as const), load: loads.map(aLoad), owed: fc.boolean() }),
  fc.record({ do: fc.constantFrom('first' as const, 'release' as const), which: fc.nat(40) }),
  fc.record({ do: fc.constant('tokens' as const), which: fc.nat(40), tokens: fc.nat(200) }),
  fc.record({
    do: fc.constant('sample' as const),
    sample: fc.option(samples.map((sample) => aSample(sample))),
    by: fc.nat(3000),
  }),
)

/** How full the cache gets, step by step: what the gate works out at once. */
function simulatedPeak(loads: { tokens: number; left: number }[]): number {
  const last = Math.max(...loads.map(({ left }) => left))
  let peak = 0
  for (let step = 0; step <= last; step++) {
    const here = loads.filter(({ left }) => left >= step)
    peak = Math.max(
      peak,
      here.reduce((sum, { tokens }) => sum + tokens + step, 0),
    )
  }
  return peak
}

test('the peak is what a step by step count finds', () => {
  const sets = fc.array(fc.record({ tokens: fc.nat(300), left: fc.nat(60) }), { minLength: 2, maxLength: 12 })
  fc.assert(
    fc.property(sets, (set) => {
      const peak = simulatedPeak(set)
      const answers = (kvTokens: number) => {
        const gate = anAuto({ kvTokens: kvTokens / 0.92, prefillRate: 1e6, longPrompt: 1e6 })
        const [mine, ...others] = set
        const load = (of: { tokens: number; left: number }) =>
          aLoad({ band: 'high', promptTokens: of.tokens, meanAnswer: of.left })
        for (const other of others) gate.firstToken(gate.dispatch(load(other), 0), 0)
        return gate.admits(load(mine!), false)
      }
      return answers(peak + 1) && (peak < 2 || !answers(peak - 1))
    }),
    { numRuns: 2000 },
  )
})

test('over any story all sums return to zero, and the limit holds', () => {
  fc.assert(
    fc.property(fc.array(oneStep, { maxLength: 60 }), fc.option(fc.integer({ min: 1, max: 20 })), (story, limit) => {
      const gate = limit === null ? anAuto({ maxSequences: 12 }) : new PermitGate({ limit })
      const permits: Permit[] = []
      let now = 0
      for (const step of story) {
        const permit = 'which' in step ? permits[step.which] : undefined
        if (step.do === 'dispatch') {
          if (gate.admits(step.load, step.owed)) permits.push(gate.dispatch(step.load, now))
        } else if (step.do === 'sample') {
          now += step.by
          gate.sample(step.sample, true, now)
        } else if (permit === undefined) continue
        else if (step.do === 'first') gate.firstToken(permit, now)
        else if (step.do === 'tokens') gate.generated(permit, step.tokens)
        else gate.release(permit)
        if (gate.inFlight > (limit ?? 10)) return false
      }
      for (const permit of permits) gate.release(permit)
      const { inFlight, prefillBacklog } = gate.state(now)
      // With nothing in flight anything may start, whatever the metrics said.
      return inFlight === 0 && prefillBacklog === 0 && gate.admits(aLoad({ promptTokens: 5000 }), false)
    }),
    { numRuns: 10_000 },
  )
})
