import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  countImages,
  countJsonBytes,
  countMessages,
  countText,
  expectedAnswer,
  learnAnswer,
  newAnswerLengths,
  newCounts,
  PromptEstimator,
} from '../../src/policy/token-estimate.ts'

function counted(text: string, messages = 0) {
  const counts = newCounts()
  countText(counts, text)
  countMessages(counts, messages)
  return counts
}

describe('the classes of characters', () => {
  test('letters, digits, spaces, line ends, other ASCII, kana, Han and Hangul, other', () => {
    expect([...counted('aZ 09\n\t-{あアー漢한é😀', 2)]).toEqual([2, 2, 1, 2, 2, 3, 2, 2, 2, 0])
  })

  test('are the same in the bytes of a JSON body, escaped or not', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const plain = JSON.stringify(text).slice(1, -1)
        const python = plain.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
        for (const written of [plain, python]) {
          const bytes = new TextEncoder().encode(written)
          const counts = newCounts()
          countJsonBytes(counts, bytes, 0, bytes.length)
          expect([...counts]).toEqual([...counted(text)])
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('any bytes can be counted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        const counts = newCounts()
        countJsonBytes(counts, bytes, 0, bytes.length)
        expect(counts.every((count) => count >= 0)).toBe(true)
      }),
    )
  })
})

/** A made-up tokenizer: its own weight per class, and noise that no count can know. */
type Tokenizer = { name: string; weights: number[] }
const TOKENIZERS: Tokenizer[] = [
  { name: 'like o200k', weights: [0.2, 0.4, 0.05, 0.5, 0.6, 0.62, 0.75, 0.6, 4] },
  { name: 'like cl100k', weights: [0.21, 0.4, 0.05, 0.6, 0.6, 1.02, 1.25, 0.9, 4] },
  { name: 'by the byte', weights: [1, 1, 1, 1, 1, 3, 3, 3, 12] },
]

const TEXTS: Record<string, string> = {
  japanese: 'これは日本語の文章です。東京で新しい機械を試しました。\n',
  code: 'export function take(bucket, rate) { return bucket[0] + 12.5 / rate }\n    // x\n',
  english: 'The gateway decides whose request runs next, and shows all of it. ',
  mixed: '設定: {key: "value", 数: 42}\n- リストの項目 one two\n',
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** 90th percentile of the relative error over 100 prompts of one kind after `answers` answers of all kinds. */
function errorAfter(answers: number, tokenizer: Tokenizer, kind: string): number {
  const chance = random(42)
  const prompt = (of: string) => {
    const text = TEXTS[of]!
    const length = Math.floor(50 + chance() ** 2 * 4000)
    const start = Math.floor(chance() * text.length)
    return counted(
      (text.slice(start) + text.repeat(Math.ceil(length / text.length))).slice(0, length),
      1 + Math.floor(chance() * 6),
    )
  }
  const tokens = (counts: Float64Array) =>
    Math.round(tokenizer.weights.reduce((sum, weight, i) => sum + weight * counts[i]!, 0) * (0.95 + 0.1 * chance()))
  const estimator = new PromptEstimator()
  const kinds = Object.keys(TEXTS)
  for (let i = 0; i < answers; i++) {
    const counts = prompt(kinds[i % kinds.length]!)
    estimator.learn(counts, tokens(counts))
  }
  const errors = Array.from({ length: 100 }, () => {
    const counts = prompt(kind)
    const truth = tokens(counts)
    return Math.abs(estimator.estimate(counts) - truth) / truth
  })
  return errors.sort((a, b) => a - b)[90]!
}

describe.each(TOKENIZERS)('a model with a tokenizer $name', (tokenizer) => {
  test.each(Object.keys(TEXTS))('is known in %s: 25 %% after 50 answers, 15 %% after 200 (P2.4)', (kind) => {
    expect(errorAfter(50, tokenizer, kind)).toBeLessThan(0.25)
    expect(errorAfter(200, tokenizer, kind)).toBeLessThan(0.15)
  })
})

describe('the learner', () => {
  test('stays whole over 20,000 answers of one kind, and then learns another', () => {
    const estimator = new PromptEstimator()
    const english = counted(TEXTS['english']!.repeat(9), 1)
    for (let i = 0; i < 20_000; i++) estimator.learn(english, 130)
    const picture = counted('what is this?', 1)
    countImages(picture, 1)
    for (let i = 0; i < 20; i++) estimator.learn(picture, 1500)
    expect(Math.abs(estimator.estimate(picture) - 1500)).toBeLessThan(75)
    expect(Math.abs(estimator.estimate(english) - 130)).toBeLessThan(13)
  })

  test.each([0, -5, Number.NaN, Infinity, 1e12])('is taught nothing by a usage of %d', (tokens) => {
    const estimator = new PromptEstimator()
    estimator.learn(counted('hello', 1), tokens)
    expect(estimator.save()).toEqual(new PromptEstimator().save())
  })

  test('knows after a restart what it knew, and starts afresh from what it cannot read', () => {
    const estimator = new PromptEstimator()
    estimator.learn(counted('some words', 1), 40)
    expect(new PromptEstimator(estimator.save()).save()).toEqual(estimator.save())
    expect(new PromptEstimator({ weights: [1], covariance: [] }).save()).toEqual(new PromptEstimator().save())
  })

  test('never yields a weight below zero, nor NaN, whatever usage says', () => {
    const samples = fc.array(
      fc.tuple(fc.array(fc.nat(5000), { minLength: 10, maxLength: 10 }), fc.integer({ min: 1, max: 1e6 })),
      {
        maxLength: 50,
      },
    )
    fc.assert(
      fc.property(samples, (story) => {
        const estimator = new PromptEstimator()
        for (const [counts, tokens] of story) estimator.learn(Float64Array.from(counts), tokens)
        expect(estimator.save().weights.every((weight) => weight >= 0)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the lengths of answers', () => {
  test('follow what is seen from the first answer on, and an unknown app starts like its model', () => {
    const model = newAnswerLengths()
    expect(expectedAnswer(model, null)).toBe(450)
    for (let i = 0; i < 400; i++) learnAnswer(model, i % 2 === 0 ? 900 : 1100)
    expect(Math.abs(model.mean - 1000)).toBeLessThan(10)
    expect(Math.abs(expectedAnswer(newAnswerLengths(model), null) - 1050)).toBeLessThan(25)
    expect(expectedAnswer(model, 64)).toBe(64)
  })
})
