/** Why a model stopped, in the words of the three dialects; whatever else a server writes is `other`. */
const REASONS = new Set([
  'stop',
  'length',
  'tool_calls',
  'function_call',
  'content_filter',
  'end_turn',
  'max_tokens',
  'stop_sequence',
  'tool_use',
  'pause_turn',
  'refusal',
  'completed',
  'max_output_tokens',
])

/** One of a closed set; null where nothing was said. */
export function finishOf(reason: unknown): string | null {
  if (typeof reason !== 'string' || reason === '') return null
  return REASONS.has(reason) ? reason : 'other'
}

/** What an object with all of an answer says: a chat completion, a message, or a response. */
export function finishOfAnswer(answer: Record<string, unknown>): string | null {
  const { choices, stop_reason: stopReason, status, incomplete_details: details } = answer
  if (Array.isArray(choices)) return finishOf((choices[0] as Record<string, unknown> | undefined)?.['finish_reason'])
  if (stopReason !== undefined) return finishOf(stopReason)
  if (status === 'incomplete') return finishOf((details as Record<string, unknown> | null)?.['reason']) ?? 'other'
  return status === 'completed' ? status : null
}

const NAME = Buffer.from('"finish_reason"')
const VALUE = /^\s*:\s*"(\w{1,32})"/

/** Of a large list of choices, by its bytes alone. Inside a text the name's quotes are escaped, so it cannot match there. */
export function finishInBytes(body: Buffer): string | null {
  const at = body.lastIndexOf(NAME)
  if (at === -1) return null
  const from = at + NAME.length
  return finishOf(VALUE.exec(body.toString('latin1', from, from + 64))?.[1])
}
