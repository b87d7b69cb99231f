import { quantile } from './chance.ts'
import { CONSTANTS } from './constants.ts'
import { Engine } from './engine.ts'
import type { Experiment, Figure } from './figures.ts'
import { lexoraFor } from './overload.ts'
import { Ranked, type SimPolicy, TTL_MS } from './policies.ts'
import { openSource, type Sender } from './workloads.ts'
import { runWorld } from './world.ts'

const FLAGS = CONSTANTS.lexoraFlags
/** Until the answers' length is learned: before, Lexora lets far too many in (scheduling.md 10). */
const WARM_UP_MS = 120_000
type ModelName = keyof typeof CONSTANTS.models

/** scheduling.md 1.3: answers of 3,000 tokens from normal and low, more than any engine can give; few short ones in high. */
const SENDERS: Sender[] = [
  { user: 'high', band: 'high', work: { shape: 'chat' }, perSecond: 0.4 },
  { user: 'normal', band: 'normal', work: { shape: 'longAnswer' }, perSecond: 2 },
  { user: 'low', band: 'low', work: { shape: 'longAnswer' }, perSecond: 2 },
]

/** With a priority policy in the engine the wait is inside: there it ends with the first token. */
function highWaits(name: ModelName, policy: () => SimPolicy, byPriority: boolean, seeds: number[], ms: number) {
  const waits: number[] = []
  const early = { asked: 0, lost: 0 }
  for (const seed of seeds) {
    const model = CONSTANTS.models[name]
    const jobs = runWorld(new Engine(model, FLAGS, byPriority), policy(), openSource(SENDERS, model, seed), ms)
    for (const { band, arrivedAt, lost, firstTokenAt, dispatchedAt } of jobs) {
      if (band !== 'high' || arrivedAt > ms - TTL_MS.high) continue
      if (arrivedAt < WARM_UP_MS) {
        early.asked++
        if (lost) early.lost++
        continue
      }
      const servedAt = byPriority ? firstTokenAt : dispatchedAt
      waits.push(lost ? TTL_MS.high : (servedAt || ms) - arrivedAt)
    }
  }
  return { p99: quantile(waits, 0.99) / 1000, earlyLost: early.lost / early.asked }
}

/** Told only: the target of P1.2's slice needs running work to be evicted, and Lexora evicts none. */
export const longAnswers: Experiment = {
  id: 'P1.2b',
  title: 'long answers in normal and low, without eviction: high wait p99 (told; the target needs eviction)',
  run({ quick, seed }) {
    const [seeds, ms] = quick ? [[seed], 200_000] : [[seed, seed + 1, seed + 2, seed + 3], 600_000]
    const found = { '8B': ['11.7', '8.5', '0.06'], '32B': ['25', '16', '1.4-4.5'] }
    return (['8B', '32B'] as const).flatMap((name) => {
      const model = CONSTANTS.models[name]
      const figures = (what: string, policy: () => SimPolicy, byPriority = false): Figure[] => {
        const { p99, earlyLost } = highWaits(name, policy, byPriority, seeds, ms)
        const figure = { id: 'P1.2b', name: `${name}, ${what}`, target: null }
        if (byPriority) return [{ ...figure, value: p99, unit: 's' }]
        const lost = `${name}: lost in the first two minutes, unlearned`
        return [
          { ...figure, value: p99, unit: 's' },
          { ...figure, name: lost, value: earlyLost, unit: '' },
        ]
      }
      const [engine, peak, sum] = found[name]
      return [
        ...figures(`vLLM's priority policy (found ${engine})`, () => new Ranked(Infinity, () => 0, false), true),
        ...figures(`Lexora (found ${peak})`, () => lexoraFor(model, FLAGS)),
        ...figures(`Lexora, KV by sum (found ${sum})`, () => lexoraFor(model, FLAGS, { kv: 'sum' })),
      ]
    })
  },
}
