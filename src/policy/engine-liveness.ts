import { say } from '../protocol/sentence.ts'

/** What is seen of an engine that serves, at one moment. Times in ms on one clock. */
export type LifeSigns = {
  now: number
  /** Requests of ours that it works on. What its own gauges say may be old. */
  inFlight: number
  /** When any of them last brought a token, or one of them ended. */
  lastTokenAt: number
  /** Prompt tokens of ours that are still being read. */
  prefillTokens: number
  /** Everything that its counters count, added up; null: it was not asked, or has none. */
  counted: number | null
  /** What `/health` said; null: not asked this time. */
  health: 'ok' | 'dead' | 'silent' | null
}

export type LifeRules = {
  /** Without a token for so long it is suspected; long prompts get more. */
  quietMs: number
  /** Prompt tokens a second that it is sure to read. */
  slowestPrefill: number
  /** Without an answer from `/health` for so long it is suspected. */
  silentMs: number
  /** After so long without work it is asked for a token all the same. */
  idleMs: number
  canaries: number
}

export const LIFE_RULES: LifeRules = {
  quietMs: 60_000,
  slowestPrefill: 20,
  silentMs: 30_000,
  idleMs: 300_000,
  canaries: 2,
}

export type Life = {
  /** The last token, or the last canary that brought one. */
  provenAt: number
  /** Since when those that wait for a token have waited without one. */
  quietSince: number
  counted: number | null
  healthAt: number
  /** Since when it is suspected; null: it is not. */
  suspectAt: number | null
  /** Canaries in a row that brought nothing. */
  failedCanaries: number
}

export type LifeVerdict =
  | { is: 'fine' }
  /** Ask it for one token, and come back with what became of it. */
  | { is: 'ask'; reason: string | null }
  | { is: 'recovered' }
  | { is: 'hung'; reason: string }

export const newLife = (now: number): Life => ({
  provenAt: now,
  quietSince: now,
  counted: null,
  healthAt: now,
  suspectAt: null,
  failedCanaries: 0,
})

/**
 * An engine lives as long as tokens come; a green `/health` proves nothing. It is suspected where requests are in
 * flight and neither a token nor a counter has moved for longer than the prompts in flight may take.
 */
export function watchLife(life: Life, signs: LifeSigns, rules: LifeRules): [Life, LifeVerdict] {
  const seen = look(life, signs)
  const doubt = doubtOf(seen, signs, rules)
  if (doubt !== null)
    return [
      { ...seen, suspectAt: seen.suspectAt ?? signs.now },
      { is: 'ask', reason: doubt },
    ]
  if (seen.suspectAt !== null) {
    if (seen.provenAt > seen.suspectAt) return [{ ...seen, suspectAt: null, failedCanaries: 0 }, { is: 'recovered' }]
    // That nobody waits any more proves nothing.
    return [seen, { is: 'ask', reason: null }]
  }
  if (signs.inFlight === 0 && signs.now - seen.provenAt >= rules.idleMs) return [seen, { is: 'ask', reason: null }]
  return [seen, { is: 'fine' }]
}

/**
 * What a canary brought. One that fails makes an engine suspect, and enough of them in a row are the end; one that
 * was overtaken by a token proves nothing.
 */
export function judgeCanary(
  life: Life,
  { answered, askedAt, now }: { answered: boolean; askedAt: number; now: number },
  rules: LifeRules,
): [Life, LifeVerdict] {
  if (!answered && life.provenAt > askedAt) return [life, { is: 'fine' }]
  if (answered) {
    const healed = { ...life, provenAt: now, quietSince: now, healthAt: now, suspectAt: null, failedCanaries: 0 }
    return [healed, life.suspectAt === null ? { is: 'fine' } : { is: 'recovered' }]
  }
  const failedCanaries = life.failedCanaries + 1
  const suspect = { ...life, suspectAt: life.suspectAt ?? now, failedCanaries }
  const reason = say`${failedCanaries} requests for a single token were not answered`
  if (failedCanaries >= rules.canaries) return [suspect, { is: 'hung', reason }]
  return [suspect, { is: 'ask', reason: say('a request for a single token was not answered') }]
}

function look(life: Life, { now, inFlight, lastTokenAt, counted, health }: LifeSigns): Life {
  const moved = counted !== null && life.counted !== null && counted !== life.counted
  const tokenAt = moved ? now : lastTokenAt
  return {
    ...life,
    provenAt: Math.max(life.provenAt, tokenAt),
    quietSince: inFlight === 0 ? now : Math.max(life.quietSince, tokenAt),
    counted: counted ?? life.counted,
    healthAt: health === 'ok' ? now : life.healthAt,
  }
}

function doubtOf(life: Life, { now, inFlight, prefillTokens, health }: LifeSigns, rules: LifeRules): string | null {
  if (health === 'dead') return say('it says itself that its engine is dead')
  const silentMs = now - life.healthAt
  if (silentMs >= rules.silentMs) return say`it has not answered for ${seconds(silentMs)} s`
  if (inFlight === 0) return null
  const quietMs = now - life.quietSince
  const patienceMs = rules.quietMs + (prefillTokens / rules.slowestPrefill) * 1000
  return quietMs < patienceMs ? null : say`no token for ${seconds(quietMs)} s while ${inFlight} requests wait for one`
}

const seconds = (ms: number): number => Math.round(ms / 1000)

const COUNTERS =
  /^(?:vllm:(?:iteration_tokens_total_count|generation_tokens_total|prompt_tokens_total)|llamacpp:(?:tokens_predicted_total|prompt_tokens_total))(?:\{[^}]*\})? (\S+)$/gm

/** The counters of an engine's metrics that move with its work, added up; null where it has none. */
export function countedIn(metrics: string): number | null {
  let sum: number | null = null
  for (const [, value] of metrics.matchAll(COUNTERS)) sum = (sum ?? 0) + Number(value)
  return sum
}
