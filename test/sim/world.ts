import { CONSTANTS } from './constants.ts'
import type { Engine, Sequence } from './engine.ts'
import type { Job, SimPolicy } from './policies.ts'

/** Jobs by time of arrival; asked for the next one when the last has arrived. */
export type Source = { next(now: number, waiting: number): Job | null }

export const SAMPLE_MS = 250
const PRIORITY = { high: 1, normal: 5, low: 10 }

/** Runs one engine behind one policy until `endMs` of virtual time; returns all jobs that arrived. */
export function runWorld(engine: Engine, policy: SimPolicy, source: Source, endMs: number): Job[] {
  const jobs: Job[] = []
  let now = 0
  let stepEndsAt = Infinity
  let sampleAt = SAMPLE_MS
  let upcoming = source.next(0, 0)
  while (now < endMs) {
    const at = Math.min(upcoming?.arrivedAt ?? Infinity, stepEndsAt, sampleAt)
    now = Math.max(now, at)
    if (upcoming !== null && upcoming.arrivedAt <= now) {
      jobs.push(upcoming)
      policy.arrive(upcoming, now)
      upcoming = source.next(now, policy.waiting())
    } else if (stepEndsAt <= now) {
      stepEndsAt = Infinity
      engine.end()
    } else {
      sampleAt += SAMPLE_MS
      policy.sample(engine, now)
    }
    for (const job of policy.pump(now)) {
      job.dispatchedAt = now
      engine.add(sequenceOf(job, policy, () => now))
    }
    // A closed source may have something for the room that was made.
    upcoming ??= source.next(now, policy.waiting())
    if (stepEndsAt === Infinity) stepEndsAt = now + (engine.begin() ?? Infinity)
  }
  return jobs
}

export function sequenceOf(job: Job, policy: SimPolicy, now: () => number): Sequence {
  return {
    prompt: job.prompt,
    answer: job.answer,
    priority: PRIORITY[job.band],
    generated: 0,
    computed: 0,
    blocks: 0,
    onFirstToken: () => {
      job.firstTokenAt = now()
      policy.firstToken(job, now())
    },
    onToken: () => policy.token(job),
    onEnd: () => {
      job.endedAt = now()
      policy.end(job, now())
    },
  }
}

/** What the KV cache can hold of one request: longer prompts are refused by every engine. */
export function fitPrompt(prompt: number, kvTokens: number): number {
  return Math.min(prompt, Math.floor(kvTokens * 0.9) - CONSTANTS.shapes.batch.answer.cap)
}
