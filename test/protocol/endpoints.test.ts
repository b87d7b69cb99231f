import { expect, test } from 'vitest'
import { MANAGED, PASSED_THROUGH } from '../../src/protocol/endpoints.ts'

test('the managed endpoints are those of DESIGN 4.1', () => {
  expect(MANAGED.map(({ path }) => path)).toEqual([
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/embeddings',
    '/v1/responses',
    '/v1/messages',
    '/v1/messages/count_tokens',
    '/v1/rerank',
    '/rerank',
    '/v2/rerank',
    '/v1/score',
    '/score',
    '/pooling',
    '/classify',
    '/tokenize',
    '/detokenize',
  ])
})

test('only generations stream', () => {
  const streaming = MANAGED.filter(({ streams }) => streams).map(({ kind }) => kind)
  expect(streaming).toEqual(['chat', 'completions', 'responses', 'messages'])
})

test('Anthropic’s errors are for its own paths', () => {
  const anthropic = MANAGED.filter(({ shape }) => shape === 'anthropic').map(({ path }) => path)
  expect(anthropic).toEqual(['/v1/messages', '/v1/messages/count_tokens'])
})

test('no path is both managed and passed through', () => {
  const managed = new Set(MANAGED.map(({ path }) => path))
  expect(PASSED_THROUGH.filter((path) => managed.has(path))).toEqual([])
})
