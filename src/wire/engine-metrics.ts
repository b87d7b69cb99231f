/** The few figures of a vLLM's `/metrics` by which its load is known; `kvUse` 0 to 1, `kvTokens` null where not told. */
export type EngineFigures = {
  running: number
  waiting: number
  kvUse: number
  preemptions: number
  kvTokens: number | null
}

/** Before 0.10 the cache's use had another name (reference/vllm.md 5). */
const SAMPLE =
  /^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|gpu_cache_usage_perc|num_preemptions_total)\{[^}]*\} (\S+)$/gm
const CACHE = /^vllm:cache_config_info\{(.*)\} /gm

/**
 * Reads the text exposition; null when it is not a vLLM's. Several engines behind one port (data parallel) are added
 * up; the fullest cache counts.
 */
export function readEngineMetrics(text: string): EngineFigures | null {
  const figures: EngineFigures = { running: 0, waiting: 0, kvUse: 0, preemptions: 0, kvTokens: null }
  let seen = 0
  for (const [, name, value] of text.matchAll(SAMPLE)) {
    const number = Number(value)
    if (name === 'num_requests_running') {
      figures.running += number
      seen++
    } else if (name === 'num_requests_waiting') figures.waiting += number
    else if (name === 'num_preemptions_total') figures.preemptions += number
    else figures.kvUse = Math.max(figures.kvUse, number)
  }
  if (seen === 0) return null
  for (const [, labels] of text.matchAll(CACHE)) {
    const tokens = cacheTokens(labels!)
    if (tokens !== null) figures.kvTokens = (figures.kvTokens ?? 0) + tokens
  }
  return figures
}

function cacheTokens(labels: string): number | null {
  const told = numberIn(labels, 'kv_cache_size_tokens')
  if (told !== null) return told
  const blocks = numberIn(labels, 'num_gpu_blocks')
  const size = numberIn(labels, 'block_size')
  return blocks === null || size === null ? null : blocks * size
}

function numberIn(labels: string, name: string): number | null {
  const found = new RegExp(`(?:^|,)${name}="(\\d+)"`).exec(labels)
  return found === null ? null : Number(found[1])
}
