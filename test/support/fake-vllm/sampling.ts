import { type Context, Refusal } from './answer.ts'
import { openAiError } from './errors.ts'
import type { Fields } from './validate.ts'

export type Sampling = {
  maxTokens: number | null
  n: number
  stop: string[]
  includeUsage: boolean
  continuousUsage: boolean
  stream: boolean
}

/** The parameters of a generation, checked in the words of vLLM. */
export function samplingOf(body: Fields, { settings }: Context): Sampling {
  const maxTokens = numberOr(body.max_completion_tokens ?? body.max_tokens, null)
  const n = numberOr(body.n, 1)!
  const stream = body.stream === true || body.stream === 'true'
  const options = (body.stream_options ?? {}) as Fields
  checkStream(body, stream)
  checkRange(body)
  if (n < 1) throw bad(`n must be at least 1, got ${n}.`, null)
  if (maxTokens !== null && maxTokens < 1)
    throw bad(`max_tokens must be at least 1, got ${maxTokens}.`, 'max_tokens', maxTokens)
  if (maxTokens !== null && maxTokens > settings.maxModelLen) {
    const what = `max_tokens=${maxTokens} cannot be greater than max_model_len=${settings.maxModelLen}.`
    throw bad(`${what} Please request fewer output tokens.`, 'max_tokens', maxTokens)
  }
  return {
    maxTokens,
    n,
    stop: [body.stop ?? []].flat() as string[],
    includeUsage: options.include_usage === true,
    continuousUsage: options.include_usage === true && options.continuous_usage_stats === true,
    stream,
  }
}

function checkStream(body: Fields, stream: boolean): void {
  if (body.stream_options && !stream)
    throw bad('Stream options can only be defined when `stream=True`.', 'stream_options')
  if (numberOr(body.top_logprobs, 0)! > 0 && body.logprobs !== true) {
    throw bad('when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs')
  }
}

function checkRange(body: Fields): void {
  const temperature = numberOr(body.temperature, 0)!
  if (temperature < 0)
    throw bad(`temperature must be non-negative, got ${asFloat(temperature)}.`, 'temperature', asFloat(temperature))
  const topP = numberOr(body.top_p, 1)!
  if (topP <= 0 || topP > 1) throw bad(`top_p must be in (0, 1], got ${asFloat(topP)}.`, 'top_p', asFloat(topP))
}

function bad(message: string, param: string | null, value?: number | string): Refusal {
  const tail = param === null ? '' : ` (parameter=${param}${value === undefined ? '' : `, value=${value}`})`
  return new Refusal(openAiError(400, `${message}${tail}`, param))
}

export function numberOr(value: unknown, otherwise: number | null): number | null {
  return value === undefined || value === null ? otherwise : Number(value)
}

/** As Python prints a float. */
function asFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
