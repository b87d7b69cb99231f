import type { ModelKind } from '../protocol/models.ts'

/** Layers of one kind, and what a token leaves behind in each of them. */
export type CacheGroup = {
  layers: number
  /** Numbers kept per token and layer: keys and values of all heads, or what MLA compresses them into. */
  values: number
  /** Heads that tensor parallelism can divide them by; null: every GPU keeps them all. */
  heads: number | null
  /** Tokens that are kept at most; null: all. */
  window: number | null
}

/** What the size of a model in memory depends on, by its configuration. */
export type ModelShape = {
  architecture: string | null
  kind: ModelKind
  quantization: string | null
  contextLength: number | null
  layers: number
  hidden: number
  feedForward: number
  heads: number
  headSize: number
  vocabulary: number
  /** Computed; null where the configuration does not say enough. */
  parameters: number | null
  /** Of one weight, where no file tells. */
  bytesPerWeight: number
  /** Of one number of activations and, unless told otherwise, of the cache. */
  bytesPerValue: number
  cache: CacheGroup[]
  /** Numbers that layers without a growing cache keep per request. */
  state: number
}

type Config = Readonly<Record<string, unknown>>

/** A Hugging Face `config.json` → what matters for memory; null: it is none of a language model. */
export function modelShape(config: unknown): ModelShape | null {
  if (!isRecord(config)) return null
  // Multimodal models nest what matters here.
  const nested = ['text_config', 'llm_config', 'language_config'].map((name) => config[name]).find(isRecord)
  const inner: Config = nested === undefined ? config : { ...config, ...nested }
  const layers = numberOf(inner, 'num_hidden_layers', 'n_layer', 'num_layers', 'n_layers')
  const hidden = numberOf(inner, 'hidden_size', 'n_embd', 'd_model')
  const heads = numberOf(inner, 'num_attention_heads', 'n_head', 'num_heads', 'n_heads')
  if (layers === null || hidden === null || heads === null) return null
  const headSize = numberOf(inner, 'head_dim') ?? Math.floor(hidden / heads)
  const cacheHeads = numberOf(inner, 'num_key_value_heads', 'multi_query_group_num', 'num_kv_heads') ?? heads
  const architecture = architectureOf(config)
  const quantization = quantizationOf(config['quantization_config'] ?? inner['quantization_config'])
  const bytesPerValue = valueBytes(inner['torch_dtype'] ?? inner['dtype'] ?? config['torch_dtype'])
  const shape = {
    architecture,
    kind: kindOf(architecture),
    quantization: quantization?.name ?? null,
    contextLength: contextOf(inner),
    layers,
    hidden,
    feedForward: numberOf(inner, 'intermediate_size', 'n_inner', 'ffn_hidden_size') ?? 4 * hidden,
    heads,
    headSize,
    vocabulary: numberOf(inner, 'vocab_size') ?? 32_000,
    bytesPerWeight: quantization?.bytes ?? bytesPerValue,
    bytesPerValue,
  }
  return {
    ...shape,
    parameters: parametersOf(inner, shape, cacheHeads),
    ...cacheOf(inner, { layers, hidden, headSize, cacheHeads }),
  }
}

function architectureOf(config: Config): string | null {
  const named = config['architectures']
  const first: unknown = Array.isArray(named) ? named[0] : null
  return typeof first === 'string' ? first : typeof config['model_type'] === 'string' ? config['model_type'] : null
}

function kindOf(architecture: string | null): ModelKind {
  if (architecture === null) return 'other'
  if (/ForSequenceClassification$/.test(architecture)) return 'rerank'
  if (/(ForCausalLM|ForConditionalGeneration|LMHeadModel)$/.test(architecture)) return 'chat'
  return /(Model|ForMaskedLM|EmbeddingModel)$/.test(architecture) ? 'embedding' : 'other'
}

/** 4-bit weights carry scales: about 0.56 bytes each (reference/vllm.md 7). */
function quantizationOf(given: unknown): { name: string; bytes: number } | null {
  if (!isRecord(given)) return null
  const method = typeof given['quant_method'] === 'string' ? given['quant_method'].toLowerCase() : 'quantized'
  const bits = numberOf(given, 'bits', 'weight_bits', 'w_bit') ?? groupBits(given['config_groups'])
  if (method === 'mxfp4' || method.includes('fp4')) return { name: method, bytes: 0.56 }
  if (bits === null) return { name: method, bytes: method === 'awq' || method === 'gptq' ? 0.56 : 1 }
  return { name: `${method} ${bits}-bit`, bytes: bits >= 8 ? bits / 8 : bits / 8 + 0.06 }
}

function groupBits(groups: unknown): number | null {
  if (!isRecord(groups)) return null
  const first = Object.values(groups).find(isRecord)
  return first !== undefined && isRecord(first['weights']) ? numberOf(first['weights'], 'num_bits') : null
}

function valueBytes(dtype: unknown): number {
  // Without a flag vLLM runs what was saved as float32 with 16 bits.
  return dtype === 'float8_e4m3fn' ? 1 : 2
}

/** What rope scaling makes of it is in the field already, but for YaRN, which vLLM multiplies itself. */
function contextOf(config: Config): number | null {
  return numberOf(config, 'max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length', 'n_ctx')
}

type Sizes = { layers: number; hidden: number; headSize: number; cacheHeads: number }

function cacheOf(config: Config, sizes: Sizes): Pick<ModelShape, 'cache' | 'state'> {
  const { layers, headSize, cacheHeads } = sizes
  const rank = numberOf(config, 'kv_lora_rank')
  if (rank !== null) {
    const values = rank + (numberOf(config, 'qk_rope_head_dim') ?? 0)
    return { cache: [{ layers, values, heads: null, window: null }], state: 0 }
  }
  const values = cacheHeads * (headSize + (numberOf(config, 'v_head_dim') ?? headSize))
  const kinds = layerKinds(config, layers)
  const window = numberOf(config, 'sliding_window', 'attention_chunk_size')
  const cache: CacheGroup[] = []
  if (kinds.full > 0) cache.push({ layers: kinds.full, values, heads: cacheHeads, window: null })
  if (kinds.window > 0) cache.push({ layers: kinds.window, values, heads: cacheHeads, window })
  return { cache, state: kinds.linear * stateOf(config, sizes) }
}

type Kinds = { full: number; window: number; linear: number }

/** How many layers keep everything, a window, or a state of a fixed size. */
function layerKinds(config: Config, layers: number): Kinds {
  const named = config['layer_types'] ?? config['layers_block_type']
  if (Array.isArray(named) && named.length > 0) return countKinds(named.slice(0, layers).map(String), config)
  const pattern = config['hybrid_override_pattern']
  if (typeof pattern === 'string') {
    const count = (letter: string): number => pattern.split(letter).length - 1
    return { full: count('*'), window: 0, linear: count('M') }
  }
  const every = numberOf(config, 'full_attention_interval', 'attn_layer_period')
  if (every !== null && every > 1) {
    const full = Math.max(1, Math.floor(layers / every))
    return { full, window: 0, linear: layers - full }
  }
  if (/^(mamba|rwkv)/.test(String(config['model_type']))) return { full: 0, window: 0, linear: layers }
  return slidingKinds(config, layers)
}

function countKinds(named: readonly string[], config: Config): Kinds {
  const kinds: Kinds = { full: 0, window: 0, linear: 0 }
  for (const name of named) {
    if (/sliding|chunked/.test(name) && hasWindow(config)) kinds.window++
    else if (/linear|mamba|recurrent|conv/.test(name)) kinds.linear++
    else if (/attention|full|sliding|chunked/.test(name)) kinds.full++
  }
  return kinds
}

function slidingKinds(config: Config, layers: number): Kinds {
  const all: Kinds = { full: layers, window: 0, linear: 0 }
  if (!hasWindow(config) || config['use_sliding_window'] === false) return all
  const every = numberOf(config, 'sliding_window_pattern', '_sliding_window_pattern')
  if (every !== null && every > 1) {
    const full = Math.floor(layers / every)
    return { full, window: layers - full, linear: 0 }
  }
  if (config['use_sliding_window'] === true) {
    const full = Math.min(layers, numberOf(config, 'max_window_layers') ?? layers)
    return { full, window: layers - full, linear: 0 }
  }
  // Gemma 2 alternates; others slide in every layer.
  if (config['model_type'] === 'gemma2') {
    return { full: Math.floor(layers / 2), window: Math.ceil(layers / 2), linear: 0 }
  }
  return { full: 0, window: layers, linear: 0 }
}

function hasWindow(config: Config): boolean {
  return numberOf(config, 'sliding_window', 'attention_chunk_size') !== null
}

/** Numbers that one linear layer keeps per request. */
function stateOf(config: Config, { hidden }: Sizes): number {
  const valueHeads = numberOf(config, 'linear_num_value_heads')
  if (valueHeads !== null) {
    const [key, value] = [
      numberOf(config, 'linear_key_head_dim') ?? 128,
      numberOf(config, 'linear_value_head_dim') ?? 128,
    ]
    return valueHeads * key * value
  }
  const inner = (numberOf(config, 'mamba_num_heads') ?? 0) * (numberOf(config, 'mamba_head_dim') ?? 0) || 2 * hidden
  return inner * (numberOf(config, 'ssm_state_size', 'mamba_d_state', 'state_size') ?? 16)
}

type Known = Pick<ModelShape, 'layers' | 'hidden' | 'feedForward' | 'heads' | 'headSize' | 'vocabulary'>

/** By the formula of reference/vllm.md 7: embeddings, attention, and a gated MLP or experts. */
function parametersOf(config: Config, known: Known, cacheHeads: number): number | null {
  const { layers, hidden, feedForward, heads, headSize, vocabulary } = known
  const kinds = layerKinds(config, layers)
  // Of layers without attention the parameters follow other rules.
  if (kinds.linear > 0) return null
  const tied = config['tie_word_embeddings'] === true ? 1 : 2
  const attention = attentionOf(config, { hidden, heads, headSize, cacheHeads })
  const experts = numberOf(config, 'num_experts', 'num_local_experts', 'n_routed_experts')
  const dense = 3 * hidden * feedForward
  if (experts === null || experts < 2) return vocabulary * hidden * tied + layers * (attention + dense)
  const width = numberOf(config, 'moe_intermediate_size') ?? feedForward
  const shared =
    numberOf(config, 'shared_expert_intermediate_size') ?? (numberOf(config, 'n_shared_experts') ?? 0) * width
  const sparse = 3 * hidden * (experts * width + shared) + hidden * experts
  const first = Math.min(layers, numberOf(config, 'first_k_dense_replace') ?? 0)
  return vocabulary * hidden * tied + layers * attention + first * dense + (layers - first) * sparse
}

function attentionOf(
  config: Config,
  { hidden, heads, headSize, cacheHeads }: { hidden: number; heads: number; headSize: number; cacheHeads: number },
): number {
  const rank = numberOf(config, 'kv_lora_rank')
  if (rank === null) return 2 * hidden * heads * headSize + 2 * hidden * cacheHeads * headSize
  const rope = numberOf(config, 'qk_rope_head_dim') ?? 64
  const nope = numberOf(config, 'qk_nope_head_dim') ?? 128
  const value = numberOf(config, 'v_head_dim') ?? 128
  const queryRank = numberOf(config, 'q_lora_rank')
  const query = heads * (nope + rope)
  const asked = queryRank === null ? hidden * query : hidden * queryRank + queryRank * query
  return asked + hidden * (rank + rope) + rank * heads * (nope + value) + heads * value * hidden
}

type Metadata = ReadonlyMap<string, string | number | boolean | readonly number[]>

/** The metadata of a GGUF file → the same; null: it is none of a language model. `vocabulary`: of its tokenizer. */
export function ggufShape(metadata: Metadata, vocabulary: number | null): ModelShape | null {
  const architecture = metadata.get('general.architecture')
  if (typeof architecture !== 'string') return null
  const value = (name: string): number | null => {
    const found = metadata.get(`${architecture}.${name}`)
    // Where layers differ there is a list; the largest is on the safe side.
    const number = Array.isArray(found) ? Math.max(...(found as number[])) : found
    return typeof number === 'number' && Number.isFinite(number) && number > 0 ? number : null
  }
  const [layers, hidden, heads] = [value('block_count'), value('embedding_length'), value('attention.head_count')]
  if (layers === null || hidden === null) return null
  const keys = value('attention.key_length') ?? (heads === null ? 0 : Math.floor(hidden / heads))
  const cacheHeads = value('attention.head_count_kv') ?? heads ?? 0
  const values = cacheHeads * (keys + (value('attention.value_length') ?? keys))
  const pooled = metadata.has(`${architecture}.pooling_type`) || /bert/.test(architecture)
  return {
    architecture,
    kind: pooled ? 'embedding' : 'chat',
    quantization: null,
    contextLength: value('context_length'),
    layers,
    hidden,
    feedForward: value('feed_forward_length') ?? 4 * hidden,
    heads: heads ?? 1,
    headSize: keys,
    vocabulary: value('vocab_size') ?? vocabulary ?? 32_000,
    parameters: null,
    bytesPerWeight: 1,
    bytesPerValue: 2,
    cache: values > 0 ? [{ layers, values, heads: cacheHeads, window: null }] : [],
    state: 0,
  }
}

function numberOf(config: Config, ...names: string[]): number | null {
  for (const name of names) {
    const value = config[name]
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  }
  return null
}

function isRecord(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
