/** What models need, against figures that were computed by hand from their published configurations. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FitQuestion, fitModel } from '../../src/policy/fit.ts'
import { type ModelShape, modelShape } from '../../src/policy/model-shape.ts'

const GIB = 1024 ** 3
const KIB = 1024

const LLAMA_31_8B = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 128_256,
  max_position_embeddings: 131_072,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}
const QWEN3_8B = {
  architectures: ['Qwen3ForCausalLM'],
  hidden_size: 4096,
  intermediate_size: 12_288,
  num_hidden_layers: 36,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 128,
  vocab_size: 151_936,
  max_position_embeddings: 40_960,
  sliding_window: null,
  use_sliding_window: false,
  max_window_layers: 36,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}
const QWEN3_30B_A3B = {
  architectures: ['Qwen3MoeForCausalLM'],
  hidden_size: 2048,
  intermediate_size: 6144,
  moe_intermediate_size: 768,
  num_experts: 128,
  num_experts_per_tok: 8,
  num_hidden_layers: 48,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  head_dim: 128,
  vocab_size: 151_936,
  max_position_embeddings: 40_960,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}
const DEEPSEEK_V2_LITE = {
  architectures: ['DeepseekV2ForCausalLM'],
  hidden_size: 2048,
  intermediate_size: 10_944,
  moe_intermediate_size: 1408,
  n_routed_experts: 64,
  n_shared_experts: 2,
  first_k_dense_replace: 1,
  num_hidden_layers: 27,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  kv_lora_rank: 512,
  q_lora_rank: null,
  qk_rope_head_dim: 64,
  qk_nope_head_dim: 128,
  v_head_dim: 128,
  vocab_size: 102_400,
  max_position_embeddings: 163_840,
  torch_dtype: 'bfloat16',
}
const GEMMA_3_27B = {
  architectures: ['Gemma3ForConditionalGeneration'],
  text_config: {
    hidden_size: 5376,
    intermediate_size: 21_504,
    num_hidden_layers: 62,
    num_attention_heads: 32,
    num_key_value_heads: 16,
    head_dim: 128,
    sliding_window: 1024,
    sliding_window_pattern: 6,
    vocab_size: 262_208,
    max_position_embeddings: 131_072,
  },
  torch_dtype: 'bfloat16',
}

const shapeOf = (config: object): ModelShape => modelShape(config)!

/** A card of 32 GB as in reference/vllm.md 7: 31.84 GiB, of which vLLM takes 0.92. */
const RTX_5090 = 0.92 * 31.84 * GIB

function aQuestion(config: object, more: Partial<FitQuestion> = {}): FitQuestion {
  const shape = shapeOf(config)
  return {
    shape,
    weightsBytes: Math.round((shape.parameters ?? 0) * shape.bytesPerWeight),
    weightsBy: 'config.json',
    engine: 'vllm',
    cards: 1,
    budgetBytes: RTX_5090,
    context: null,
    cacheValueBytes: 2,
    batchTokens: 2048,
    maxSequences: 256,
    eager: false,
    measured: null,
    ...more,
  }
}

describe('a model’s size, by its configuration', () => {
  test.each<[name: string, config: object, billions: number, kibPerToken: number]>([
    // 128256·4096·2 + 32·(4096·4096·2 + 2·4096·1024 + 3·4096·14336); 2·32·8·128·2
    ['Llama 3.1 8B', LLAMA_31_8B, 8.03, 128],
    ['Qwen3 8B', QWEN3_8B, 8.19, 144],
    // 48 layers of 128 experts; 2·48·4·128·2
    ['Qwen3 30B A3B', QWEN3_30B_A3B, 30.53, 96],
    // MLA: 27·(512 + 64)·2
    ['DeepSeek V2 Lite', DEEPSEEK_V2_LITE, 15.7, 30.375],
  ])('%s', (_, config, billions, kibPerToken) => {
    const shape = shapeOf(config)
    expect(shape.parameters! / 1e9).toBeCloseTo(billions, 1)
    expect(fitModel(aQuestion(config)).kvBytesPerToken).toBe(kibPerToken * KIB)
  })

  test('with windows grows by the layers without one, and stops growing in the others', () => {
    const shape = shapeOf(GEMMA_3_27B)
    expect(shape.cache.map(({ layers, window }) => [layers, window])).toEqual([
      [10, null],
      [52, 1024],
    ])
    const question = aQuestion(GEMMA_3_27B, { weightsBytes: 0, budgetBytes: 1000 * GIB })
    // 2·16 heads·128·2 bytes a layer and token
    expect(fitModel(question).kvBytesPerToken).toBe(10 * 2 * 16 * 128 * 2)
    const at = (context: number): number => fitModel({ ...question, context }).kvBytes
    expect(at(100_000) - at(50_000)).toBe(50_000 * 10 * 2 * 16 * 128 * 2)
  })

  test.each<[what: string, config: object, full: number, windows: number]>([
    [
      'layers named one by one',
      { layer_types: ['sliding_attention', 'full_attention', 'linear_attention'], sliding_window: 128 },
      1,
      1,
    ],
    ['a window that is off', { sliding_window: 4096, use_sliding_window: false }, 3, 0],
    ['a window in every layer', { sliding_window: 4096, model_type: 'mistral' }, 0, 3],
    ['attention in every third layer', { full_attention_interval: 3 }, 1, 0],
    ['a pattern of letters', { hybrid_override_pattern: 'M*M' }, 1, 0],
  ])('with %s', (_, config, full, windows) => {
    const { cache } = shapeOf({ num_hidden_layers: 3, hidden_size: 64, num_attention_heads: 2, ...config })
    const count = (isFull: boolean): number =>
      cache.filter(({ window }) => (window === null) === isFull).reduce((sum, { layers }) => sum + layers, 0)
    expect([count(true), count(false)]).toEqual([full, windows])
  })

  test.each<[given: object, name: string, bytes: number]>([
    [{ quant_method: 'awq', bits: 4 }, 'awq 4-bit', 0.56],
    [{ quant_method: 'fp8' }, 'fp8', 1],
    [{ quant_method: 'mxfp4' }, 'mxfp4', 0.56],
    [
      { quant_method: 'compressed-tensors', config_groups: { g: { weights: { num_bits: 8 } } } },
      'compressed-tensors 8-bit',
      1,
    ],
  ])('packed as %j', (given, name, bytes) => {
    const { quantization, bytesPerWeight } = shapeOf({ ...QWEN3_8B, quantization_config: given })
    expect(quantization).toBe(name)
    expect(bytesPerWeight).toBeCloseTo(bytes, 2)
  })

  test('is unknown of a configuration of another kind', () => {
    for (const config of [null, [], 'x', {}, { model_type: 'clip' }, { hidden_size: 'large', num_hidden_layers: -1 }]) {
      expect(modelShape(config)).toBeNull()
    }
  })

  test('is computed, or unknown, for any configuration', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.constant(null),
      fc.array(fc.string()),
      fc.boolean(),
    )
    const keys = [
      ...Object.keys(DEEPSEEK_V2_LITE),
      'layer_types',
      'sliding_window',
      'text_config',
      'quantization_config',
    ]
    const config = fc.dictionary(fc.constantFrom(...keys), value)
    fc.assert(fc.property(config, (given) => void modelShape({ ...QWEN3_8B, ...given })))
  })
})

describe('what fits', () => {
  test('is as in the worked example of vllm.md 7', () => {
    const answer = fitModel(aQuestion(QWEN3_8B, { context: 32_768 }))
    expect(answer.weightsBytes / GIB).toBeCloseTo(15.26, 1)
    expect(answer.kvBytes / GIB).toBeCloseTo(4.5, 5)
    const room = RTX_5090 - answer.weightsBytes - answer.overheadBytes
    expect(room / GIB).toBeGreaterThan(11.5)
    expect(room / GIB).toBeLessThan(12.5)
    // 87 k tokens, 2.7 requests of 32 k
    expect(room / answer.kvBytesPerToken / 1000).toBeGreaterThan(83)
    expect(room / answer.kvBytesPerToken / 1000).toBeLessThan(92)
    expect(answer).toMatchObject({ fits: true, sequences: 2, longestContext: 40_960 })
    const bytes = fitModel(aQuestion(QWEN3_8B, { context: 32_768, cacheValueBytes: 1 }))
    expect(bytes).toMatchObject({ kvBytesPerToken: 72 * KIB, sequences: 5 })
  })

  test('parts add up to what is needed, and say where they come from', () => {
    const answer = fitModel(aQuestion(LLAMA_31_8B, { context: 8192 }))
    expect(answer.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeCloseTo(answer.neededBytes, -2)
    expect(answer.parts.every(({ how }) => how !== '')).toBe(true)
  })

  test('without room for the weights is nothing', () => {
    const answer = fitModel(aQuestion(QWEN3_30B_A3B))
    expect(answer).toMatchObject({ fits: false, longestContext: 0, sequences: 0 })
  })

  test('is more on two cards, where heads are divided', () => {
    const two = fitModel(aQuestion(QWEN3_30B_A3B, { cards: 2, budgetBytes: 44 * GIB }))
    expect(two).toMatchObject({ fits: true, kvBytesPerToken: 96 * KIB })
    // Four heads on eight cards: each card keeps one, so there are eight.
    expect(fitModel(aQuestion(QWEN3_30B_A3B, { cards: 8 })).kvBytesPerToken).toBe(192 * KIB)
    // What MLA compresses into has no heads: every card keeps it.
    expect(fitModel(aQuestion(DEEPSEEK_V2_LITE, { cards: 2 })).kvBytesPerToken).toBe(2 * 30.375 * KIB)
  })

  test('goes by what was measured, and says how far off the estimate was', () => {
    const plain = fitModel(aQuestion(QWEN3_8B, { context: 8192 }))
    const fixed = plain.weightsBytes + plain.overheadBytes
    const measured = { fixedBytes: fixed * 1.1, at: '2026-11-21T10:00:00.000Z' }
    const answer = fitModel(aQuestion(QWEN3_8B, { context: 8192, measured }))
    expect(answer.neededBytes).toBeCloseTo(fixed * 1.1 + plain.kvBytes, 0)
    expect(answer.measured!.errorRatio).toBeCloseTo((plain.neededBytes - answer.neededBytes) / answer.neededBytes, 6)
    expect(answer.measured!.neededBytes).toBe(answer.neededBytes)
  })

  test('never fits with more where it does not with less', () => {
    const question = fc.record({
      budget: fc.integer({ min: 1, max: 80 }),
      context: fc.integer({ min: 1, max: 131_072 }),
      cards: fc.constantFrom(1, 2, 4),
      config: fc.constantFrom(LLAMA_31_8B, QWEN3_8B, GEMMA_3_27B, DEEPSEEK_V2_LITE),
    })
    fc.assert(
      fc.property(question, ({ budget, context, cards, config }) => {
        const asked = (tokens: number, gib: number) =>
          fitModel(aQuestion(config, { context: tokens, cards, budgetBytes: gib * GIB }))
        const answer = asked(context, budget)
        if (answer.fits) {
          expect(answer.neededBytes).toBeLessThanOrEqual(cards * budget * GIB)
          expect(asked(Math.max(1, context - 100), budget).fits).toBe(true)
          expect(asked(context, budget + 1).fits).toBe(true)
        }
        expect(answer.fits).toBe(context <= answer.longestContext)
      }),
    )
  })
})
