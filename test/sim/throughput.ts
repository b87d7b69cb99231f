import { quantile } from './chance.ts'
import { CONSTANTS, type MixName } from './constants.ts'
import { Engine } from './engine.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'
import { lexoraFor } from './overload.ts'
import { type Job, Ranked } from './policies.ts'
import { type Sender, saturating } from './workloads.ts'
import { runWorld } from './world.ts'

const WARM_UP_MS = 60_000
const TTFT_TARGET_MS = 1000

type Run = { tokensPerSecond: number; preemptionsPer100: number; inEngineTtft: number[] }

function run(modelName: '8B' | '32B', mix: MixName, ours: boolean, seed: number, ms: number): Run {
  const model = CONSTANTS.models[modelName]
  const engine = new Engine(model, CONSTANTS.defaultFlags)
  const senders: Omit<Sender, 'perSecond'>[] = [0, 1, 2, 3].map((i) => ({
    user: `user ${i}`,
    band: 'high',
    work: { mix },
  }))
  // Without a gate the engine holds the crowd itself: as many as 300, so that it is never short of work.
  const policy = ours ? lexoraFor(model, CONSTANTS.defaultFlags, { patient: true }) : new Ranked(300, () => 0, false)
  const atWarm = { output: 0, preemptions: 0 }
  policy.sample = marking(policy.sample.bind(policy), atWarm)
  const jobs = runWorld(engine, policy, saturating(senders, model, seed, 8), ms)
  const late = jobs.filter(({ endedAt }) => endedAt > WARM_UP_MS)
  return {
    tokensPerSecond: (engine.output - atWarm.output) / ((ms - WARM_UP_MS) / 1000),
    preemptionsPer100: (100 * (engine.preemptions - atWarm.preemptions)) / late.length,
    inEngineTtft: late.map((job) => beyondOwnPrefill(job, model.perPrefillToken)),
  }
}

function beyondOwnPrefill({ dispatchedAt, firstTokenAt, prompt }: Job, perPrefillToken: number): number {
  return firstTokenAt - dispatchedAt - prompt * perPrefillToken
}

type Sample = (engine: Engine, now: number) => void

/** Remembers how far the engine was when the warm-up ended. */
function marking(sample: Sample, mark: { output: number; preemptions: number }): Sample {
  return (engine, now) => {
    if (now <= WARM_UP_MS) {
      mark.output = engine.output
      mark.preemptions = engine.preemptions
    }
    sample(engine, now)
  }
}

export const throughput: Experiment = {
  id: 'P1.1',
  title: 'saturation, default flags: what the gate costs and saves',
  run({ seed }) {
    const figures: Figure[] = []
    const [seeds, ms] = [[seed, seed + 1, seed + 2], 400_000]
    for (const model of ['8B', '32B'] as const) {
      for (const mix of ['chat', 'mixed', 'agent'] as const) {
        const direct = seeds.map((one) => run(model, mix, false, one, ms))
        const ours = seeds.map((one) => run(model, mix, true, one, ms))
        const figure = (name: string, value: number, unit: string, target: Figure['target']): void => {
          figures.push({ id: 'P1.1', name: `${model} ${mix}: ${name}`, value, unit, target })
        }
        const gain = mean(ours, 'tokensPerSecond') / mean(direct, 'tokensPerSecond')
        figure('output, of engine-direct', gain, '', atLeast(0.98))
        figure('preemptions per 100', mean(ours, 'preemptionsPer100'), '', atMost(0.5))
        figure('preemptions per 100, engine-direct', mean(direct, 'preemptionsPer100'), '', null)
        const ttft =
          quantile(
            ours.flatMap(({ inEngineTtft }) => inEngineTtft),
            0.99,
          ) / 1000
        figure('in-engine TTFT p99 beyond own prefill', ttft, 's', atMost((1.5 * TTFT_TARGET_MS) / 1000))
      }
    }
    return figures
  },
}

function mean(runs: readonly Run[], key: 'tokensPerSecond' | 'preemptionsPer100'): number {
  return runs.reduce((sum, run) => sum + run[key], 0) / runs.length
}
