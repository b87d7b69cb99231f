import { describe, expect, test } from 'vitest'
import { mergeUsage, readUsage } from '../../src/wire/usage.ts'

describe('usage is read', () => {
  test.each<[form: string, reported: unknown, usage: ReturnType<typeof readUsage>]>([
    [
      'of a chat',
      { prompt_tokens: 16, total_tokens: 24, completion_tokens: 8, prompt_tokens_details: { cached_tokens: 12 } },
      { prompt: 16, completion: 8, cached: 12 },
    ],
    [
      'of a chat whose details are null',
      { prompt_tokens: 16, completion_tokens: 8, prompt_tokens_details: null },
      { prompt: 16, completion: 8, cached: null },
    ],
    ['of an embedding', { prompt_tokens: 5, total_tokens: 5 }, { prompt: 5, completion: null, cached: null }],
    [
      'of a response',
      { input_tokens: 13, input_tokens_details: { cached_tokens: 0 }, output_tokens: 6 },
      { prompt: 13, completion: 6, cached: 0 },
    ],
    [
      'of a message',
      { input_tokens: 16, cache_read_input_tokens: 4, output_tokens: 6 },
      { prompt: 16, completion: 6, cached: 4 },
    ],
    ['at the end of a message', { output_tokens: 6 }, { prompt: null, completion: 6, cached: null }],
    ['that is zero', { prompt_tokens: 0, completion_tokens: 0 }, { prompt: 0, completion: 0, cached: null }],
  ])('%s', (_, reported, usage) => {
    expect(readUsage(reported)).toEqual(usage)
  })
})

describe('no usage is read', () => {
  test.each([
    ['from nothing', undefined],
    ['from null', null],
    ['from a number', 7],
    ['from a list', [1, 2]],
    ['from a total alone', { total_tokens: 7 }],
    ['from texts', { prompt_tokens: '7' }],
    ['from negative counts', { prompt_tokens: -1, completion_tokens: -1 }],
    ['from fractions', { prompt_tokens: 1.5 }],
    ['from what JSON makes of 1e999', { prompt_tokens: Number.POSITIVE_INFINITY }],
  ])('%s', (_, reported) => {
    expect(readUsage(reported)).toBeNull()
  })
})

test('a later report replaces an earlier one field by field', () => {
  const first = { prompt: 16, completion: 0, cached: 4 }
  expect(mergeUsage(first, { prompt: null, completion: 6, cached: null })).toEqual({
    prompt: 16,
    completion: 6,
    cached: 4,
  })
  expect(mergeUsage(first, { prompt: 17, completion: 0, cached: 0 })).toEqual({ prompt: 17, completion: 0, cached: 0 })
  expect(mergeUsage(first, null)).toEqual(first)
  expect(mergeUsage(null, first)).toEqual(first)
  expect(mergeUsage(null, null)).toBeNull()
})
