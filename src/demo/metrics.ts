import { CHAT_MODEL, MAX_MODEL_LEN } from './models.ts'

/** As many full contexts as the demo pretends to hold. */
const CAPACITY_TOKENS = 16 * MAX_MODEL_LEN

/** What the demo engine counts, and its Prometheus text under vLLM's names. */
export function createMeter() {
  const finished = new Map([
    ['stop', 0],
    ['length', 0],
    ['abort', 0],
  ])
  let running = 0
  let tokensInFlight = 0
  let promptTokens = 0
  let generationTokens = 0

  /** Counts a request in; the function that it gives counts it out. */
  function begin(tokens: number): (reason: 'stop' | 'length' | 'abort') => void {
    running += 1
    tokensInFlight += tokens
    promptTokens += tokens
    return (reason) => {
      running -= 1
      tokensInFlight -= tokens
      finished.set(reason, finished.get(reason)! + 1)
    }
  }

  function generated(tokens: number): void {
    generationTokens += tokens
  }

  function text(): string {
    const label = `engine="0",model_name="${CHAT_MODEL}"`
    return [
      ...family('num_requests_running', 'gauge', 'Number of requests in model execution batches.', [[label, running]]),
      ...family('num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', [[label, 0]]),
      ...family('kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.', [
        [label, Math.min(1, tokensInFlight / CAPACITY_TOKENS)],
      ]),
      ...family('prompt_tokens_total', 'counter', 'Number of prefill tokens processed.', [[label, promptTokens]]),
      ...family('generation_tokens_total', 'counter', 'Number of generation tokens processed.', [
        [label, generationTokens],
      ]),
      ...family(
        'request_success_total',
        'counter',
        'Count of successfully processed requests.',
        [...finished].map(([reason, count]) => [
          `engine="0",finished_reason="${reason}",model_name="${CHAT_MODEL}"`,
          count,
        ]),
      ),
      '',
    ].join('\n')
  }

  return { begin, generated, text }
}

export type Meter = ReturnType<typeof createMeter>

function family(name: string, type: string, help: string, samples: [labels: string, value: number][]): string[] {
  return [
    `# HELP vllm:${name} ${help}`,
    `# TYPE vllm:${name} ${type}`,
    ...samples.map(([labels, value]) => `vllm:${name}{${labels}} ${value}`),
  ]
}
