import { type Call, type Context, json, type Work } from './answer.ts'
import { countOf, poolingWork } from './embeddings.ts'
import { digest } from './generate.ts'
import { modelOf, tokensOf } from './prompt.ts'
import { usageOf } from './usage.ts'
import { readBody } from './validate.ts'
import { similarity, vectorOf } from './vectors.ts'

/** POST /score and /v1/score: each of text_1 with each of text_2. */
export function score(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, { text_1: 'any!', text_2: 'any!' })
  const model = modelOf(body, context)
  const first = textsOf(body.text_1)
  const second = textsOf(body.text_2)
  const inputs = [...first, ...second].map((one) => tokensOf(one, context))
  const pairs = second.map((text, at) => [first[first.length > 1 ? at : 0]!, text] as const)
  const data = pairs.map(([one, other], index) => ({ index, object: 'score', score: alike(one, other) }))
  const { created } = context.settings
  return poolingWork(inputs, () =>
    json({
      id: `score-${digest(call.body)}`,
      object: 'list',
      created,
      model,
      data,
      usage: usageOf(countOf(inputs), 0),
    }),
  )
}

/** POST /rerank, /v1/rerank, /v2/rerank: the documents, the likest first. */
export function rerank(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, { query: 'any!', documents: 'list!', top_n: 'int' })
  const model = modelOf(body, context)
  const query = String(body.query)
  const documents = textsOf(body.documents)
  const inputs = [query, ...documents].map((one) => tokensOf(one, context))
  const results = documents
    .map((text, index) => ({ index, document: { text, multi_modal: null }, relevance_score: alike(query, text) }))
    .sort((one, other) => other.relevance_score - one.relevance_score)
    .slice(0, Number(body.top_n ?? documents.length))
  const tokens = countOf(inputs)
  const usage = { prompt_tokens: tokens, total_tokens: tokens }
  return poolingWork(inputs, () => json({ id: `score-${digest(call.body)}`, model, usage, results }))
}

function textsOf(value: unknown): string[] {
  return [value].flat().map((one) => (typeof one === 'string' ? one : ((one as { text?: string }).text ?? '')))
}

const SIZE = 64

function alike(one: string, other: string): number {
  return similarity(vectorOf(one, SIZE), vectorOf(other, SIZE))
}
