import type { FitReport } from '../protocol/models.ts'
import type { CacheGroup, ModelShape } from './model-shape.ts'

const GIB = 1024 ** 3

export type FitQuestion = {
  shape: ModelShape
  /** As they lie in memory, on all cards together. */
  weightsBytes: number
  /** How the weights were found out, for people. */
  weightsBy: string
  engine: 'vllm' | 'llama-server'
  /** Cards that the model is spread over, and what it may take of each of them. */
  cards: number
  budgetBytes: number
  /** Tokens of one request; null: the longest that fits. */
  context: number | null
  /** Of one number of the cache. */
  cacheValueBytes: number
  /** Tokens that one step computes, and requests at once, as the engine is told. */
  batchTokens: number
  maxSequences: number
  /** Without compiled graphs. */
  eager: boolean
  /** What an earlier start took beside its cache, on all cards; null: none was measured. */
  measured: { fixedBytes: number; at: string } | null
}

type Answer = Omit<FitReport, 'model' | 'gpu' | 'share' | 'advice'>

/** Tokens of the cache are handed out in blocks of so many (reference/vllm.md 7). */
const BLOCK = 16

/** Of CUDA itself and of libraries, per card: 0.4 to 0.8 GiB in the field (reference/vllm.md 7). */
const CONTEXT_BYTES = 0.6 * GIB
/** Captured graphs: 0.3 to 2 GiB, more with more layers; 0.7 GiB at 36 of them. */
const GRAPH_BYTES = 0.3 * GIB
const GRAPH_BYTES_A_LAYER = 0.011 * GIB
/** The sampler holds its scores in float32, and sorted copies of them. */
const LOGIT_COPIES = 3
/** llama.cpp computes with so many tokens at once and keeps their scores. */
const LLAMA_BATCH = 512
const LLAMA_CONTEXT_BYTES = 0.4 * GIB

/** Weights, cache and everything else against the memory that is free: what fits, and from what it was computed. */
export function fitModel(question: FitQuestion): Answer {
  const { shape, weightsBytes, weightsBy, cards, budgetBytes, measured } = question
  const other = overhead(question)
  const estimated = weightsBytes + other.reduce((sum, { bytes }) => sum + bytes, 0)
  const fixed = measured?.fixedBytes ?? estimated
  const room = cards * budgetBytes - fixed
  const cacheOf = (tokens: number): number => cacheBytes(question, tokens)
  const longest = longestThat((tokens) => cacheOf(tokens) <= room, shape.contextLength ?? MOST_CONTEXT)
  const context = question.context ?? (longest > 0 ? longest : Math.min(shape.contextLength ?? 4096, 4096))
  const kvBytes = cacheOf(context)
  const overheadBytes = Math.max(0, fixed - weightsBytes)
  const total = fixed + kvBytes
  return {
    weightsBytes,
    kvBytesPerToken: perToken(question),
    kvBytes,
    overheadBytes,
    neededBytes: total,
    fits: longest > 0 && context <= longest,
    context,
    longestContext: longest,
    sequences:
      kvBytes > 0 && room > 0 ? Math.min(question.maxSequences, Math.floor(room / kvBytes)) : room >= 0 ? 1 : 0,
    parts: [
      { name: 'weights', bytes: weightsBytes, how: weightsBy },
      { name: 'cache', bytes: kvBytes, how: cacheSaid(question, context) },
      ...(measured === null
        ? other
        : [{ name: 'the rest', bytes: overheadBytes, how: `as measured at the start of ${measured.at}` }]),
    ],
    measured:
      measured === null
        ? null
        : { neededBytes: total, at: measured.at, errorRatio: (estimated + kvBytes - total) / total },
  }
}

/** A model without a stated limit is not asked for more. */
const MOST_CONTEXT = 1_048_576

function overhead({ shape, engine, cards, batchTokens, maxSequences, eager }: FitQuestion): FitReport['parts'] {
  const { hidden, feedForward, heads, headSize, vocabulary, layers, bytesPerValue } = shape
  if (engine === 'llama-server') {
    const scores = LLAMA_BATCH * (vocabulary + 8 * hidden) * 4
    return [
      { name: 'driver and libraries', bytes: cards * LLAMA_CONTEXT_BYTES, how: 'about 0.4 GiB per GPU' },
      { name: 'computing', bytes: scores, how: `${LLAMA_BATCH} tokens at once` },
    ]
  }
  const widths = 6 * hidden + (3 * feedForward + 1.5 * heads * headSize) / cards
  const scores = Math.min(maxSequences, batchTokens) * vocabulary * 4 * LOGIT_COPIES
  const computing = cards * (batchTokens * widths * bytesPerValue + scores / cards)
  const graphs = eager ? 0 : cards * (GRAPH_BYTES + (GRAPH_BYTES_A_LAYER * layers) / Math.sqrt(cards))
  return [
    { name: 'driver and libraries', bytes: cards * CONTEXT_BYTES, how: 'about 0.6 GiB per GPU' },
    { name: 'computing', bytes: Math.round(computing), how: `${batchTokens} tokens a step, ${maxSequences} requests` },
    { name: 'graphs', bytes: Math.round(graphs), how: eager ? 'none (enforce-eager)' : `${layers} layers` },
  ]
}

/** Of one request that has come to so many tokens, on all cards. */
function cacheBytes(
  question: Pick<FitQuestion, 'shape' | 'cards' | 'cacheValueBytes' | 'batchTokens'>,
  tokens: number,
): number {
  const { shape, cards, cacheValueBytes, batchTokens } = question
  let values = shape.state
  for (const group of shape.cache) {
    // A window slides while a step is computed, so that a step's tokens come on top (vLLM's SlidingWindowSpec).
    const kept = group.window === null ? tokens : Math.min(tokens, group.window - 1 + batchTokens)
    values += Math.ceil(kept / BLOCK) * BLOCK * group.layers * group.values * copies(group, cards)
  }
  return values * cacheValueBytes
}

/** Of each further token: what layers with a window keep does not grow. */
function perToken({ shape, cards, cacheValueBytes }: FitQuestion): number {
  const grows = shape.cache.filter(({ window }) => window === null)
  const counted = grows.length > 0 ? grows : shape.cache
  return counted.reduce((sum, group) => sum + group.layers * group.values * copies(group, cards), 0) * cacheValueBytes
}

/** Heads are divided among the cards, but never halved; what has no heads is kept by each of them. */
function copies({ heads }: CacheGroup, cards: number): number {
  return heads === null ? cards : Math.max(heads, cards) / heads
}

function cacheSaid({ shape, cacheValueBytes }: FitQuestion, context: number): string {
  const kinds = shape.cache.map(
    ({ layers, window }) => `${layers} layers${window === null ? '' : ` with a window of ${window}`}`,
  )
  const said = kinds.length > 0 ? kinds.join(' and ') : 'no layer keeps tokens'
  return `${context} tokens of one request, ${said}, ${cacheValueBytes} bytes a number`
}

/** By halving: more tokens never need less. */
function longestThat(fits: (tokens: number) => boolean, most: number): number {
  if (fits(most)) return most
  let [low, high] = [0, Math.ceil(most / BLOCK)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits(middle * BLOCK)) low = middle
    else high = middle
  }
  return low * BLOCK
}
