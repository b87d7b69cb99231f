import { CONSTANTS, type Length, type MixName, type ShapeName } from './constants.ts'

/** A replayable source of chance: mulberry32. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
  }

  /** Milliseconds to the next of `perSecond` arrivals that know nothing of each other. */
  gapMs(perSecond: number): number {
    return (-Math.log(1 - this.next()) / perSecond) * 1000
  }

  length({ median, sigma, cap }: Length): number {
    return Math.max(1, Math.min(cap, Math.round(median * Math.exp(sigma * this.normal()))))
  }

  shape(mix: MixName): ShapeName {
    let chance = this.next()
    for (const [shape, weight] of Object.entries(CONSTANTS.mixes[mix])) {
      chance -= weight
      if (chance < 0) return shape as ShapeName
    }
    return 'chat'
  }
}

/** The value below which `share` of them lie; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** 1: all had the same; 1/n: one had all. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares)
}
