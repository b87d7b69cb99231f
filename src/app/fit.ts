import { freemem, totalmem } from 'node:os'
import { memoryShare } from '../engine/command-line.ts'
import type { EngineConfig } from '../engine/launch.ts'
import type { GpuMemory } from '../engine/preflight.ts'
import type { Described } from '../models/describe.ts'
import { type FitQuestion, fitModel } from '../policy/fit.ts'
import type { ModelShape } from '../policy/model-shape.ts'
import type { FitReport } from '../protocol/models.ts'
import { say } from '../protocol/sentence.ts'
import type { EngineStart } from '../store/engine-starts.ts'

const GIB = 1024 ** 3
const DEFAULT_SEQUENCES = 256
/** From this size on vLLM computes more tokens a step by itself (reference/vllm.md 1.2). */
const LARGE_GPU_BYTES = 70 * GIB

export type FitGiven = {
  model: string
  described: Pick<Described, 'shape' | 'weights' | 'bytes' | 'format'>
  context: number | null
  /** Those that it may use; null where no GPU tells. */
  gpus: readonly GpuMemory[] | null
  /** The configuration that it would be started with; `args` of vLLM by their names. */
  args: EngineConfig['args']
  /** `gpu_reserve_mb` of that configuration. */
  reserveMb: number | null
  /** Earlier good starts on these GPUs, the oldest first. */
  earlier: readonly EngineStart[]
}

/** Null: the files say too little to compute anything. */
export function fitReport(given: FitGiven): FitReport | null {
  const { model, described, context, args, earlier } = given
  const { shape } = described
  if (shape === null) return null
  const engine = described.format === 'gguf' ? 'llama-server' : 'vllm'
  const room = roomOf(given.gpus, args, given.reserveMb)
  const cards = room.cards
  const weights = weightsOf(described, shape, args)
  const own = (name: string): unknown => args[name] ?? args[name.replaceAll('-', '_')]
  const maxSequences = engine === 'vllm' ? Number(own('max-num-seqs')) || DEFAULT_SEQUENCES : 1
  const question: FitQuestion = {
    shape,
    weightsBytes: weights.bytes,
    weightsBy: weights.how,
    engine,
    cards,
    budgetBytes: room.budgetBytes,
    context: context ?? tokensOf(own('max-model-len')),
    cacheValueBytes: cacheValueBytes(own('kv-cache-dtype'), own('dtype'), shape),
    batchTokens: Number(own('max-num-batched-tokens')) || (room.totalBytes / cards >= LARGE_GPU_BYTES ? 8192 : 2048),
    maxSequences,
    eager: own('enforce-eager') === true || room.gpu === null,
    measured: null,
  }
  const answer = fitModel({ ...question, measured: measuredOf(earlier, question) })
  const report = { model, gpu: room.gpu, share: engine === 'vllm' ? room.share : null, ...answer }
  return { ...report, advice: adviceOf(report, question, context, room) }
}

/** `32k` is 32000 and `32K` 32768, as vLLM reads them; `auto` is what fits. */
function tokensOf(given: unknown): number | null {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(String(given)) ?? []
  if (number === undefined) return null
  const factor = { k: 1000, K: 1024, m: 1000 ** 2, M: 1024 ** 2 }[unit ?? ''] ?? 1
  return Math.floor(Number(number) * factor) || null
}

type Room = {
  cards: number
  budgetBytes: number
  totalBytes: number
  /** The card with the least free: of each card no more is taken than of this one. */
  least: { totalBytes: number; freeBytes: number } | null
} & Pick<FitReport, 'gpu' | 'share'>

/** What may be taken of each card: what is free, less what a desktop may still want. */
function roomOf(gpus: readonly GpuMemory[] | null, args: EngineConfig['args'], reserveMb: number | null): Room {
  const wanted = Number(args['tensor-parallel-size'] ?? args['tensor_parallel_size'] ?? 1) || 1
  const known = (gpus ?? []).flatMap(({ name, totalBytes, freeBytes }) =>
    totalBytes === null || freeBytes === null ? [] : [{ name, totalBytes, freeBytes }],
  )
  const used = known.toSorted((one, other) => other.freeBytes - one.freeBytes).slice(0, wanted)
  const least = used.at(-1)
  if (least === undefined)
    return { cards: 1, budgetBytes: freemem(), totalBytes: totalmem(), least: null, gpu: null, share: null }
  const own = Number(args['gpu-memory-utilization'] ?? args['gpu_memory_utilization'])
  const share = own || memoryShare(least, { gpu_reserve_mb: reserveMb })
  const sum = (of: 'totalBytes' | 'freeBytes'): number => used.reduce((all, one) => all + one[of], 0)
  return {
    cards: used.length,
    budgetBytes: Math.min(share * least.totalBytes, least.freeBytes),
    totalBytes: sum('totalBytes'),
    least,
    share,
    gpu: { names: used.map(({ name }) => name), totalBytes: sum('totalBytes'), freeBytes: sum('freeBytes') },
  }
}

/** vLLM loads float32 as 16 bits unless it is told otherwise; everything else as it is. */
function weightsOf(
  { weights, bytes, format }: Pick<Described, 'weights' | 'bytes' | 'format'>,
  shape: ModelShape,
  args: EngineConfig['args'],
): { bytes: number; how: string } {
  if (weights === null) {
    if (format === 'gguf' && bytes > 0) return { bytes, how: 'the size of the file' }
    if (shape.parameters !== null) {
      const how = `${(shape.parameters / 1e9).toFixed(2)} billion parameters of ${shape.bytesPerWeight} bytes, by config.json`
      return { bytes: Math.round(shape.parameters * shape.bytesPerWeight), how }
    }
    return { bytes, how: 'the size of its files' }
  }
  const isHalved = args['dtype'] !== 'float32'
  const sum = Object.entries(weights).reduce(
    (all, [type, { bytes: own }]) => all + (type === 'F32' && isHalved && shape.quantization === null ? own / 2 : own),
    0,
  )
  return { bytes: Math.round(sum), how: `tensors of ${Object.keys(weights).join(', ')} in the files` }
}

function cacheValueBytes(asked: unknown, dtype: unknown, shape: ModelShape): number {
  if (asked === undefined || asked === 'auto') return dtype === 'float32' ? 4 : shape.bytesPerValue
  return /fp8|int8/.test(String(asked)) ? 1 : /int4|fp4/.test(String(asked)) ? 0.5 : 2
}

/** What the last start took beside its cache: as measured, less the tokens that it said it had room for. */
function measuredOf(earlier: readonly EngineStart[], question: FitQuestion): FitQuestion['measured'] {
  for (const { at, memoryBytes, kvTokens } of earlier.toReversed()) {
    if (memoryBytes === null || kvTokens === null) continue
    const { cache } = question.shape
    // With windows the tokens that it tells are not those of every layer.
    if (cache.length !== 1 || cache[0]!.window !== null) continue
    const fixedBytes = memoryBytes - kvTokens * fitModel(question).kvBytesPerToken
    if (fixedBytes > question.weightsBytes / 2) return { fixedBytes, at: at.toISOString() }
  }
  return null
}

function adviceOf(
  report: Omit<FitReport, 'advice'>,
  question: FitQuestion,
  asked: number | null,
  { cards, least }: Pick<Room, 'cards' | 'least'>,
): string[] {
  const { fits, longestContext, neededBytes, gpu, weightsBytes, overheadBytes, context } = report
  const advice: string[] = []
  if (gpu === null) advice.push(say('No GPU tells its memory: it was compared with the free memory of this machine.'))
  if (gpu === null && question.engine === 'vllm')
    advice.push(say('On a CPU, say how much the cache may take: env.VLLM_CPU_KVCACHE_SPACE (GiB).'))
  const limit = question.shape.contextLength
  if (asked !== null && limit !== null && asked > limit) advice.push(say`The model is made for ${limit} tokens.`)
  if (fits) {
    if (limit !== null && longestContext < limit)
      advice.push(say`Its whole context of ${limit} tokens does not fit; the longest is ${longestContext}.`)
    return advice
  }
  if (longestContext > 0) advice.push(say`It fits with at most ${longestContext} tokens: --context ${longestContext}`)
  const most = least === null ? 0 : least.freeBytes / least.totalBytes
  const enough = least === null ? null : Math.ceil((100 * neededBytes) / (cards * least.totalBytes)) / 100
  if (report.share !== null && enough !== null && report.share < enough && enough <= most)
    advice.push(say`With gpu-memory-utilization ${enough} it fits.`)
  const byteCache = fitModel({ ...question, context: asked, cacheValueBytes: 1 })
  if (question.engine === 'vllm' && question.cacheValueBytes > 1 && byteCache.longestContext > longestContext) {
    advice.push(say`With kv-cache-dtype fp8 ${byteCache.longestContext} tokens fit.`)
  }
  const free = least === null ? question.budgetBytes : cards * least.freeBytes
  if (least !== null && neededBytes <= cards * least.totalBytes && neededBytes > free)
    advice.push(say('It would fit if others gave their memory back: lexora gpu --who'))
  if (weightsBytes + overheadBytes > (gpu?.totalBytes ?? free)) {
    const each = Math.ceil(neededBytes / Math.max(1, question.budgetBytes))
    advice.push(
      gpu === null
        ? say('Choose a smaller or stronger quantised model.')
        : say`Choose a smaller or stronger quantised model, or ${each} such GPUs (tensor-parallel-size).`,
    )
  }
  if (advice.length === 0)
    advice.push(
      say`${context} tokens need ${((neededBytes - cards * question.budgetBytes) / GIB).toFixed(1)} GiB more.`,
    )
  return advice
}
