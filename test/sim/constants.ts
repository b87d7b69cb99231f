import { createHash } from 'node:crypto'

/** Step time in ms = base + perSequence × sequences + perKvToken × KV tokens read + perPrefillToken × prefill tokens. */
export type EngineModel = {
  name: string
  base: number
  perSequence: number
  perKvToken: number
  perPrefillToken: number
  kvTokens: number
}

export type Length = { median: number; sigma: number; cap: number }
export type Shape = { prompt: Length; answer: Length }

const NO_CAP = 32_000

/** scheduling.md 9, word for word; every figure of the rig hangs on these, so their hash is part of its output. */
export const CONSTANTS = {
  models: {
    '8B': { name: '8B', base: 9.1, perSequence: 0.035, perKvToken: 0.000082, perPrefillToken: 0.107, kvTokens: 73_000 },
    '32B': {
      name: '32B',
      base: 10.5,
      perSequence: 0.09,
      perKvToken: 0.000146,
      perPrefillToken: 0.43,
      kvTokens: 36_000,
    },
  },
  blockTokens: 16,
  maxSequences: 256,
  shapes: {
    chat: { prompt: { median: 500, sigma: 0.8, cap: NO_CAP }, answer: { median: 180, sigma: 0.8, cap: 1500 } },
    agent: { prompt: { median: 3000, sigma: 0.7, cap: NO_CAP }, answer: { median: 200, sigma: 0.7, cap: 1500 } },
    batch: { prompt: { median: 1200, sigma: 0.6, cap: NO_CAP }, answer: { median: 500, sigma: 0.5, cap: 2000 } },
    longAnswer: { prompt: { median: 500, sigma: 0.8, cap: 4000 }, answer: { median: 3000, sigma: 0.3, cap: 6000 } },
    longAgent: { prompt: { median: 5000, sigma: 0.5, cap: NO_CAP }, answer: { median: 250, sigma: 0.7, cap: 1500 } },
  },
  mixes: {
    chat: { chat: 1 },
    mixed: { chat: 0.6, agent: 0.25, batch: 0.15 },
    agent: { longAgent: 0.7, batch: 0.3 },
  },
  promptNoise: 0.15,
  defaultFlags: { batchedTokens: 2048, longPrompt: 0 },
  lexoraFlags: { batchedTokens: 1024, longPrompt: 512 },
} as const satisfies {
  models: Record<string, EngineModel>
  shapes: Record<string, Shape>
  mixes: Record<string, Partial<Record<string, number>>>
  [other: string]: unknown
}

export type ShapeName = keyof typeof CONSTANTS.shapes
export type MixName = keyof typeof CONSTANTS.mixes
export type Flags = { batchedTokens: number; longPrompt: number }

export function constantsHash(): string {
  return createHash('sha256').update(JSON.stringify(CONSTANTS)).digest('hex').slice(0, 16)
}
