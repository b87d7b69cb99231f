import type { Context } from './answer.ts'
import type { Histogram } from './counters.ts'
import { httpFamilies, optionalFamilies, processFamilies } from './process-families.ts'

export type Labels = Record<string, string>
export type Sample = [labels: Labels, value: number | Histogram]
export type Family = {
  name: string
  type: 'gauge' | 'counter' | 'histogram' | 'summary'
  help: string
  samples: Sample[]
}

/** All families of vLLM 0.32.0, those whose figures the fake knows first. */
export function familiesOf(context: Context): Family[] {
  return [
    ...processFamilies(context),
    ...engineFamilies(context),
    ...idleFamilies(context),
    ...httpFamilies(context),
    ...optionalFamilies(context),
  ]
}

function engineFamilies(context: Context): Family[] {
  const { state, settings } = context
  const { engine, counters } = state
  const model = labelsOf(context)
  const now = { running: engine.running(), waiting: engine.waiting() }
  const { running, waiting } = settings.core?.gauges(now) ?? now
  const asleep = engine.sleeping()
  const prompt = counters.total('prompt_tokens')
  const histogram = (name: string, help: string): Family => ({
    name: `vllm:${name}`,
    type: 'histogram',
    help,
    samples: [[model, counters.histogram(name)]],
  })
  const counter = (name: string, help: string, value: number): Family => ({
    name: `vllm:${name}_total`,
    type: 'counter',
    help,
    samples: [[model, value]],
  })
  const gauge = (name: string, help: string, samples: Sample[]): Family => ({
    name: `vllm:${name}`,
    type: 'gauge',
    help,
    samples,
  })
  return [
    gauge('num_requests_running', 'Number of requests in model execution batches.', [[model, running]]),
    gauge('num_requests_waiting', 'Number of requests waiting to be processed.', [[model, waiting]]),
    gauge('num_requests_waiting_by_reason', 'Number of waiting requests by reason.', [
      [{ ...model, reason: 'capacity' }, waiting],
      [{ ...model, reason: 'deferred' }, 0],
    ]),
    gauge(
      'engine_sleep_state',
      'Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake.',
      [
        [{ ...model, sleep_state: 'awake' }, asleep === 0 ? 1 : 0],
        [{ ...model, sleep_state: 'weights_offloaded' }, asleep === 1 ? 1 : 0],
        [{ ...model, sleep_state: 'discard_all' }, asleep === 2 ? 1 : 0],
      ],
    ),
    gauge('kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', [
      [model, Math.min(1, running / settings.maxNumSeqs)],
    ]),
    counter('prompt_tokens', 'Number of prefill tokens processed.', prompt),
    counter('generation_tokens', 'Number of generation tokens processed.', counters.total('generation_tokens')),
    counter('prefix_cache_queries', 'Prefix cache queries, in terms of number of queried tokens.', prompt),
    {
      name: 'vllm:prompt_tokens_by_source_total',
      type: 'counter',
      help: 'Number of prompt tokens by source.',
      samples: ['local_compute', 'local_cache_hit', 'external_kv_transfer'].map((source, at) => [
        { ...model, source },
        at === 0 ? prompt : 0,
      ]),
    },
    {
      name: 'vllm:request_success_total',
      type: 'counter',
      help: 'Count of successfully processed requests.',
      samples: ['stop', 'length', 'abort', 'error', 'repetition'].map((reason) => [
        { engine: '0', finished_reason: reason, model_name: model.model_name! },
        counters.total(`success:${reason}`),
      ]),
    },
    {
      name: 'vllm:admission_rejections_total',
      type: 'counter',
      help: 'Number of admission attempts rejected by a queue limit, by reason.',
      samples: ['max_num_queued_reqs', 'max_num_queued_tokens'].map((reason) => [
        { model_name: model.model_name!, reason },
        counters.total(`rejected:${reason}`),
      ]),
    },
    histogram('request_prompt_tokens', 'Number of prefill tokens processed.'),
    histogram('request_generation_tokens', 'Number of generation tokens processed.'),
    histogram('iteration_tokens_total', 'Histogram of number of tokens per engine_step.'),
    histogram('request_params_n', 'Histogram of the n request parameter.'),
    histogram('time_to_first_token_seconds', 'Histogram of time to first token in seconds.'),
    histogram('e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.'),
  ]
}

/** Families that are there but never move: nothing in the fake stands behind them. */
function idleFamilies(context: Context): Family[] {
  const model = labelsOf(context)
  const nothing = context.state.counters.histogram('nothing')
  const counters = [
    'estimated_flops_per_gpu',
    'estimated_read_bytes_per_gpu',
    'estimated_write_bytes_per_gpu',
    'prefix_cache_hits',
    'external_prefix_cache_queries',
    'external_prefix_cache_hits',
    'mm_cache_queries',
    'mm_cache_hits',
    'num_preemptions',
    'prompt_tokens_cached',
  ]
  const histograms = [
    'request_max_num_generation_tokens',
    'request_params_max_tokens',
    'inter_token_latency_seconds',
    'request_time_per_output_token_seconds',
    'request_queue_time_seconds',
    'request_inference_time_seconds',
    'request_prefill_time_seconds',
    'request_decode_time_seconds',
    'request_num_preemptions',
    'request_prefill_kv_computed_tokens',
  ]
  const tiers = ['device', 'host', 'p2p', 'disk', 'external_unspecified']
  return [
    ...counters.map(
      (name): Family => ({
        name: `vllm:${name}_total`,
        type: 'counter',
        help: 'Not counted by the fake.',
        samples: [[model, 0]],
      }),
    ),
    {
      name: 'vllm:prompt_tokens_cached_by_source_total',
      type: 'counter',
      help: 'Not counted by the fake.',
      samples: tiers.map((source) => [{ ...model, source }, 0]),
    },
    ...histograms.map(
      (name): Family => ({
        name: `vllm:${name}`,
        type: 'histogram',
        help: 'Not observed by the fake.',
        samples: [[model, nothing]],
      }),
    ),
    {
      name: 'vllm:cache_config_info',
      type: 'gauge',
      help: 'Information of the LLMEngine CacheConfig',
      samples: [[cacheConfig(context), 1]],
    },
  ]
}

/** The labels by which a gateway learns the capacity. */
function cacheConfig({ settings }: Context): Labels {
  const blocks = 8192
  const blockSize = 128
  return {
    block_size: String(blockSize),
    cache_dtype: 'auto',
    enable_prefix_caching: 'True',
    engine: '0',
    gpu_memory_utilization: '0.92',
    kv_cache_max_concurrency: String((blocks * blockSize) / settings.maxModelLen),
    kv_cache_memory_bytes: '1073741824',
    kv_cache_size_tokens: String(blocks * blockSize),
    num_gpu_blocks: String(blocks),
  }
}

function labelsOf({ settings }: Context): Labels {
  return { engine: '0', model_name: settings.models[0]! }
}
