import { type Call, type Context, json, Refusal, type Step, type Work } from './answer.ts'
import { openAiError } from './errors.ts'
import { digest, type Generation, generate } from './generate.ts'
import { named } from './messages.ts'
import { modelOf, renderChat, tokensOf } from './prompt.ts'
import { numberOr, samplingOf } from './sampling.ts'
import { type Fields, isFields, type Kind, missing, readBody, refuse } from './validate.ts'

const KINDS: Record<string, Kind> = { max_output_tokens: 'int', temperature: 'float', top_p: 'float', stream: 'bool' }

type Response = {
  context: Context
  body: Fields
  id: string
  messageId: string
  model: string
  inputTokens: number
  said: Generation
}

/** POST /v1/responses. Nothing is stored. */
export function responses(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, KINDS)
  // vLLM has put the request id into the body before it counts its fields.
  if (body.input === undefined) throw refuse([missing('body.input', { ...body, request_id: '' })])
  const response = readResponse(body, call, context)
  const { said } = response
  return {
    is: 'work',
    stream: body.stream === true,
    sequences: 1,
    promptTokens: response.inputTokens,
    completionTokens: said.pieces.length,
    finish: said.finish,
    whole: () => json(ended(response)),
    events: () => responseEvents(response),
  }
}

function readResponse(body: Fields, call: Call, context: Context): Response {
  const model = modelOf(body, context)
  if (body.background === true) throw noBackground()
  const prompt = renderChat({ messages: messagesOf(body) }, context)
  const inputTokens = tokensOf(prompt, context).length
  const { maxTokens } = samplingOf({ ...body, max_tokens: body.max_output_tokens }, context)
  const room = context.settings.maxModelLen - inputTokens
  const said = generate({ seed: prompt, room, maxTokens, tokens: context.settings.tokens, stop: [] })
  const name = call.headers['x-request-id'] ?? digest(call.path, call.body)
  return { context, body, id: `resp_${name}`, messageId: `msg_${digest(name)}`, model, inputTokens, said }
}

function noBackground(): Refusal {
  const message =
    'This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server.'
  return new Refusal(openAiError(400, message, 'background', 'invalid_request_error'))
}

function messagesOf({ input, instructions }: Fields): unknown[] {
  const system = instructions ? [{ role: 'system', content: instructions }] : []
  if (typeof input === 'string') return [...system, { role: 'user', content: input }]
  return [...system, ...(input as unknown[]).filter((item) => isFields(item) && item.role !== undefined)]
}

/** The response object; what is not known yet is null. */
function responseObject(response: Response, rest: object) {
  const { body, context, id, model } = response
  return {
    id,
    created_at: context.settings.created,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    metadata: body.metadata ?? null,
    model,
    object: 'response',
    output: [] as object[],
    parallel_tool_calls: true,
    temperature: numberOr(body.temperature, 1),
    tool_choice: 'none',
    tools: [],
    top_p: numberOr(body.top_p, 1),
    background: false,
    max_output_tokens: numberOr(body.max_output_tokens, context.settings.maxModelLen - response.inputTokens),
    max_tool_calls: null,
    previous_response_id: null,
    prompt: null,
    reasoning: null,
    service_tier: 'auto',
    status: 'in_progress',
    text: null,
    top_logprobs: null,
    truncation: 'disabled',
    usage: null as object | null,
    user: body.user ?? null,
    presence_penalty: 0,
    frequency_penalty: 0,
    kv_transfer_params: null,
    ec_transfer_params: null,
    input_messages: null,
    output_messages: null,
    ...rest,
  }
}

function ended(response: Response) {
  const cut = response.said.finish === 'length'
  return responseObject(response, {
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output: [messageItem(response, [textPart(response, null)])],
    status: cut ? 'incomplete' : 'completed',
    usage: usageOf(response),
  })
}

function messageItem({ messageId }: Response, content: object[], status = 'completed') {
  return { id: messageId, content, role: 'assistant', status, type: 'message', phase: null }
}

function textPart({ said }: Response, logprobs: [] | null, text = said.pieces.join('')) {
  return { annotations: [], text, type: 'output_text', logprobs }
}

function usageOf({ inputTokens, said }: Response) {
  const outputTokens = said.pieces.length
  return {
    input_tokens: inputTokens,
    input_tokens_details: {
      cached_tokens: 0,
      cache_write_tokens: 0,
      input_tokens_per_turn: [],
      cached_tokens_per_turn: [],
    },
    output_tokens: outputTokens,
    output_tokens_details: {
      reasoning_tokens: 0,
      tool_output_tokens: 0,
      output_tokens_per_turn: [],
      tool_output_tokens_per_turn: [],
    },
    total_tokens: inputTokens + outputTokens,
  }
}

function* responseEvents(response: Response): Iterable<Step> {
  let sequence = 0
  const event = (type: string, rest: object, token = false): Step => {
    const step = named({ ...rest, sequence_number: sequence, type }, token)
    sequence += 1
    return step
  }
  const at = { content_index: 0, item_id: response.messageId, output_index: 0 }
  const text = response.said.pieces.join('')
  yield event('response.created', { response: responseObject(response, {}) })
  yield event('response.in_progress', { response: responseObject(response, {}) })
  yield event('response.output_item.added', { item: messageItem(response, [], 'in_progress'), output_index: 0 })
  yield event('response.content_part.added', { ...at, part: textPart(response, [], '') })
  for (const delta of response.said.pieces)
    yield event('response.output_text.delta', { ...at, delta, logprobs: [] }, true)
  yield event('response.output_text.done', { ...at, logprobs: [], text })
  yield event('response.content_part.done', { ...at, part: textPart(response, null) })
  yield event('response.output_item.done', { item: messageItem(response, [textPart(response, null)]), output_index: 0 })
  yield event('response.completed', { response: ended(response) })
}
