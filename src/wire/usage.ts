/** Token counts as a backend reported them; null where it said nothing. */
export type Usage = { prompt: number | null; completion: number | null; cached: number | null }

const count = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** Reads a `usage` object in OpenAI's chat form, its responses form, or Anthropic's; null when it holds no count. */
export function readUsage(value: unknown): Usage | null {
  const usage = record(value)
  const details = record(usage['prompt_tokens_details'] ?? usage['input_tokens_details'])
  const found: Usage = {
    prompt: count(usage['prompt_tokens']) ?? count(usage['input_tokens']),
    completion: count(usage['completion_tokens']) ?? count(usage['output_tokens']),
    cached: count(details['cached_tokens']) ?? count(usage['cache_read_input_tokens']),
  }
  return found.prompt === null && found.completion === null ? null : found
}

/** A later report completes or replaces an earlier one, field by field: Anthropic tells input first and output last. */
export function mergeUsage(earlier: Usage | null, later: Usage | null): Usage | null {
  if (earlier === null || later === null) return later ?? earlier
  return {
    prompt: later.prompt ?? earlier.prompt,
    completion: later.completion ?? earlier.completion,
    cached: later.cached ?? earlier.cached,
  }
}
