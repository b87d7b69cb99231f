import type { Band } from '../../src/policy/band-shares.ts'
import { Chance } from './chance.ts'
import { CONSTANTS, type EngineModel, type MixName, type ShapeName } from './constants.ts'
import type { Job } from './policies.ts'
import { fitPrompt, type Source } from './world.ts'

/** Somebody who sends. `perSecond` null: always has `backlog` waiting. */
export type Sender = {
  user: string
  band: Band
  work: { shape: ShapeName } | { mix: MixName }
  perSecond: number
  weight?: number
}

export function aJob(sender: Omit<Sender, 'perSecond'>, model: EngineModel, chance: Chance, now: number): Job {
  const shape = 'shape' in sender.work ? sender.work.shape : chance.shape(sender.work.mix)
  const { prompt, answer } = CONSTANTS.shapes[shape]
  const tokens = fitPrompt(chance.length(prompt), model.kvTokens)
  return {
    user: sender.user,
    band: sender.band,
    app: shape,
    weight: sender.weight ?? 1,
    prompt: tokens,
    promptEstimate: promptEstimate(tokens, chance),
    cachedEstimate: 0,
    answer: chance.length(answer),
    maxTokens: answer.cap,
    arrivedAt: now,
    predictedWaitMs: null,
    dispatchedAt: Number.NaN,
    firstTokenAt: Number.NaN,
    endedAt: Number.NaN,
    lost: false,
  }
}

/** What the estimator makes of a prompt. */
export function promptEstimate(tokens: number, chance: Chance): number {
  return Math.max(1, Math.round(tokens * (1 + CONSTANTS.promptNoise * chance.normal())))
}

/** Senders that know nothing of each other and do not wait for answers. */
export function openSource(senders: readonly Sender[], model: EngineModel, seed: number): Source {
  const lanes = senders.map((sender, i) => {
    const chance = new Chance(seed * 1000 + i)
    return { sender, chance, at: chance.gapMs(sender.perSecond) }
  })
  return {
    next() {
      const lane = lanes.reduce((first, other) => (other.at < first.at ? other : first))
      const job = aJob(lane.sender, model, lane.chance, lane.at)
      lane.at += lane.chance.gapMs(lane.sender.perSecond)
      return job
    },
  }
}

/** Senders of whom each always has `depth` requests waiting: saturation without end. */
export function saturating(
  senders: readonly Omit<Sender, 'perSecond'>[],
  model: EngineModel,
  seed: number,
  depth: number,
): Source {
  const lanes = senders.map((sender, i) => ({ sender, chance: new Chance(seed * 1000 + i), waiting: [] as Job[] }))
  const waits = (job: Job): boolean => Number.isNaN(job.dispatchedAt) && !job.lost
  return {
    next(now) {
      for (const lane of lanes) {
        lane.waiting = lane.waiting.filter(waits)
        if (lane.waiting.length >= depth) continue
        const job = aJob(lane.sender, model, lane.chance, now)
        lane.waiting.push(job)
        return job
      }
      return null
    },
  }
}
