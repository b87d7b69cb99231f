/** What a candidate would ask a request to wait for. Tokens, milliseconds; unknown figures are 0. */
export type BackendLoad = {
  backend: string
  /** Prompt tokens dispatched there that have shown no token yet. */
  prefillBacklog: number
  /** Prompt tokens a millisecond, > 0. */
  prefillRate: number
  /** Of this prompt, what its prefix cache is thought to hold. */
  cachedTokens: number
  queueWaitMs: number
  inFlight: number
  /** The backend's `weight`: twice the weight bears twice the requests in flight. */
  weight: number
  /** Until its model is loaded. */
  swapMs: number
  /** 0 to 1. Told, not weighed: see `firstTokenMs`. */
  kvUse: number
}

/** `home`: where the prompt's prefix is; `left`: it was left, since it would have been too slow. */
export type Choice = { backend: string; firstTokenMs: number; home: string | null; left: boolean }

/** scheduling.md 3.2: a request in flight, the shortest prefix that makes a home, the 2 s rule. */
const PER_REQUEST_MS = 3
const HOME_TOKENS = 256
const STAY_HOME_MS = 2000

/** The least estimated time to first token; but home, where the prefix is, unless that costs over 2 s more. */
export function chooseBackend(loads: readonly BackendLoad[], promptTokens: number): Choice | null {
  let best: BackendLoad | null = null
  let home: BackendLoad | null = null
  let bestMs = Infinity
  for (const load of loads) {
    const ms = firstTokenMs(load, promptTokens)
    if (best === null || ms < bestMs) {
      best = load
      bestMs = ms
    }
    if (load.cachedTokens > HOME_TOKENS && load.cachedTokens > (home?.cachedTokens ?? 0)) home = load
  }
  if (best === null) return null
  if (home === null) return { backend: best.backend, firstTokenMs: bestMs, home: null, left: false }
  const homeMs = firstTokenMs(home, promptTokens)
  if (homeMs - bestMs > STAY_HOME_MS) {
    return { backend: best.backend, firstTokenMs: bestMs, home: home.backend, left: true }
  }
  return { backend: home.backend, firstTokenMs: homeMs, home: home.backend, left: false }
}

/**
 * Estimated milliseconds to the first token (scheduling.md 3.2); Infinity where a figure is no number. A nearly full
 * cache costs nothing here (2026-11-21, against 3.2): who waits for room is in `queueWaitMs` already, and 2 s more drove
 * conversations from home: 0.97 of strict stickiness' prefix hits instead of 0.99, and a later p99 (test/sim, P3.1).
 */
export function firstTokenMs(load: BackendLoad, promptTokens: number): number {
  const uncached = Math.max(0, promptTokens - load.cachedTokens)
  const ms =
    (load.prefillBacklog + uncached) / load.prefillRate +
    load.queueWaitMs +
    (PER_REQUEST_MS * load.inFlight) / load.weight +
    load.swapMs
  return Number.isNaN(ms) ? Infinity : ms
}

export type Arm = { model: string; weight: number }

/** Slots of an A/B split: a hundredth of a percent each (scheduling.md 3.2). */
const SLOTS = 10_000n

/**
 * The arm of one unit (session, else user, else key) by its hash: always the same one. Arms own ranges of slots in
 * their order, so changed weights move the borders and nothing else. Null: no arm has any weight.
 */
export function armOf(arms: readonly Arm[], hash: bigint): string | null {
  const total = arms.reduce((sum, { weight }) => sum + weight, 0)
  if (!(total > 0)) return null
  const slot = Number(hash % SLOTS)
  let border = 0
  for (const { model, weight } of arms) {
    border += weight
    if (slot < Math.round((border / total) * Number(SLOTS))) return model
  }
  return null
}

const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

/** 64-bit FNV-1a over UTF-16 units, of a split's name and its unit; the name keeps two splits independent. */
export function unitHash(split: string, unit: string): bigint {
  let hash = FNV_OFFSET
  const text = `${split}\n${unit}`
  for (let i = 0; i < text.length; i++) hash = ((hash ^ BigInt(text.charCodeAt(i))) * FNV_PRIME) & 0xffffffffffffffffn
  return hash
}
