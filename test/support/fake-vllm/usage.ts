import type { Context } from './answer.ts'
import { digest } from './generate.ts'

const BLOCK = 128

type Cached = { cached_tokens: number; created_cache_tokens: number }

/** How much of a prompt the prefix cache held, in whole blocks; null without --enable-prompt-tokens-details. */
export function cachedTokens(prompt: string, promptTokens: number, { settings, state }: Context): Cached | null {
  if (!settings.promptTokensDetails) return null
  const blocks = Math.floor(promptTokens / BLOCK) * BLOCK
  const key = digest(prompt)
  const known = state.cachedPrompts.has(key)
  state.cachedPrompts.add(key)
  return known ? { cached_tokens: blocks, created_cache_tokens: 0 } : { cached_tokens: 0, created_cache_tokens: blocks }
}

/** `usage` of a whole answer. */
export function usageOf(promptTokens: number, completionTokens: number, cached: Cached | null = null) {
  return {
    ...counts(promptTokens, completionTokens),
    prompt_tokens_details: cached && { ...cached, multimodal_tokens: null },
    completion_tokens_details: null,
  }
}

/** `usage` of the last chunk of a stream. */
export function lastUsage(promptTokens: number, completionTokens: number, cached: Cached | null) {
  return { ...counts(promptTokens, completionTokens), ...(cached && { prompt_tokens_details: cached }) }
}

/** `usage` on every chunk, with continuous_usage_stats. */
export function runningUsage(promptTokens: number, completionTokens: number) {
  return { ...counts(promptTokens, completionTokens), completion_tokens_details: null }
}

function counts(promptTokens: number, completionTokens: number) {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  }
}

/** `metrics` with --enable-per-request-metrics: what the settings make of the times. */
export function requestMetrics({ settings }: Context, completionTokens: number) {
  if (!settings.perRequestMetrics) return null
  const generationMs = settings.tokenMs * Math.max(completionTokens - 1, 0)
  return {
    time_to_first_token_ms: settings.ttftMs,
    generation_time_ms: generationMs,
    queue_time_ms: 0,
    mean_itl_ms: settings.tokenMs,
    tokens_per_second: (completionTokens * 1000) / Math.max(settings.ttftMs + generationMs, 1),
  }
}

export function fingerprint({ settings }: Context): string {
  return `vllm-${settings.version}-fa4efa4e`
}
