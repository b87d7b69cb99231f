import {
  type Call,
  type Context,
  dataEvent,
  doneEvent,
  json,
  Refusal,
  type Step,
  tokenEvent,
  type Work,
} from './answer.ts'
import { type ToolCall, toolCallOf } from './chat-tools.ts'
import { openAiError } from './errors.ts'
import { digest, type Generation, generate, inTurns } from './generate.ts'
import { sampleText } from './json-sample.ts'
import { chatLogprobs } from './logprobs.ts'
import { modelOf, pieceToken, renderChat, tokensOf } from './prompt.ts'
import { type Sampling, samplingOf } from './sampling.ts'
import { cachedTokens, fingerprint, lastUsage, requestMetrics, runningUsage, usageOf } from './usage.ts'
import { type Fields, type Kind, readBody } from './validate.ts'

const KINDS: Record<string, Kind> = {
  messages: 'list!',
  max_tokens: 'int',
  max_completion_tokens: 'int',
  temperature: 'float',
  top_p: 'float',
  n: 'int',
  seed: 'int',
  priority: 'int',
  stream: 'bool',
  stop: 'stop',
  logprobs: 'bool',
  top_logprobs: 'int',
}

/** POST /v1/chat/completions. */
export function chat(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, KINDS)
  return chatWork(readChat(body, call, context))
}

/** Everything an answer is made of. */
type Chat = {
  context: Context
  body: Fields
  id: string
  model: string
  sampling: Sampling
  prompt: string
  promptIds: number[]
  choices: Generation[]
  tool: ToolCall | null
}

function readChat(body: Fields, call: Call, context: Context): Chat {
  const model = modelOf(body, context)
  const tool = toolCallOf(body, context)
  const sampling = samplingOf(body, context)
  const prompt = renderChat(body, context)
  const promptIds = tokensOf(prompt, context)
  const forced = tool ? tool.call.arguments : forcedText(body.response_format)
  const room = context.settings.maxModelLen - promptIds.length
  const choices = Array.from({ length: sampling.n }, (_, at): Generation => {
    const said = generate({
      seed: `${prompt}${at}`,
      room,
      tokens: context.settings.tokens,
      forced: context.state.engine.garbled() ? '!!!!!!!!' : forced,
      ...sampling,
    })
    return tool && said.finish === 'stop' ? { ...said, finish: tool.finish } : said
  })
  const id = `chatcmpl-${call.headers['x-request-id'] ?? body.request_id ?? digest(call.path, call.body)}`
  return { context, body, id, model, sampling, prompt, promptIds, choices, tool: tool?.call ?? null }
}

function forcedText(format: unknown): string | undefined {
  const { type, json_schema } = (format ?? {}) as { type?: string; json_schema?: { schema?: object } }
  if (type === 'json_object') return '{"answer": "here it is"}'
  if (type !== 'json_schema') return undefined
  if (!json_schema?.schema) throw new Refusal(openAiError(400, 'When using `json_schema`, a schema must be provided.'))
  return sampleText(json_schema.schema)
}

function chatWork(chat: Chat): Work {
  const completionTokens = chat.choices.reduce((sum, { pieces }) => sum + pieces.length, 0)
  return {
    is: 'work',
    stream: chat.sampling.stream,
    sequences: chat.sampling.n,
    promptTokens: chat.promptIds.length,
    completionTokens,
    finish: chat.choices[0]!.finish,
    whole: () => json(wholeChat(chat, completionTokens)),
    events: () => chatEvents(chat, completionTokens),
  }
}

function wholeChat(chat: Chat, completionTokens: number) {
  const { context, body, promptIds } = chat
  const metrics = requestMetrics(context, completionTokens)
  return {
    id: chat.id,
    object: 'chat.completion',
    created: context.settings.created,
    model: chat.model,
    choices: chat.choices.map((said, index) => wholeChoice(chat, said, index)),
    service_tier: null,
    system_fingerprint: fingerprint(context),
    usage: usageOf(promptIds.length, completionTokens, cachedTokens(chat.prompt, promptIds.length, context)),
    prompt_logprobs: null,
    prompt_token_ids: body.return_token_ids ? promptIds : null,
    prompt_text: null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: metrics && { ...metrics, speculative_decoding: null },
  }
}

function wholeChoice({ body, tool }: Chat, said: Generation, index: number) {
  return {
    index,
    message: {
      role: 'assistant',
      content: tool ? '' : said.pieces.join(''),
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      ...(tool && {
        tool_calls: [{ id: tool.id, type: 'function', function: { name: tool.name, arguments: said.pieces.join('') } }],
      }),
      reasoning: null,
    },
    logprobs: body.logprobs === true ? chatLogprobs(said.pieces, Number(body.top_logprobs ?? 0)) : null,
    finish_reason: said.finish,
    stop_reason: said.stopReason,
    token_ids: body.return_token_ids ? said.pieces.map(pieceToken) : null,
    routed_experts: null,
  }
}

function* chatEvents(chat: Chat, completionTokens: number): Iterable<Step> {
  const { body, choices, context, promptIds, sampling } = chat
  const cached = cachedTokens(chat.prompt, promptIds.length, context)
  const opening = { prompt_token_ids: body.return_token_ids ? promptIds : null, prompt_text: null }
  for (const index of choices.keys()) {
    const role = { delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }
    yield dataEvent(chunkOf(chat, { index, ...role }, 0, opening))
  }
  for (const { said, index, at } of inTurns(choices)) {
    for (const { delta, last } of deltasOf(chat, said, at)) {
      const choice = { index, ...tokenChoice(chat, said, at, delta, last) }
      const mark = last && !sampling.includeUsage ? { system_fingerprint: fingerprint(context) } : {}
      yield tokenEvent(chunkOf(chat, choice, at + 1, mark))
    }
  }
  const usage = lastUsage(promptIds.length, completionTokens, cached)
  if (sampling.includeUsage) yield usageEvent(chat, usage, completionTokens)
  yield doneEvent
}

function chunkOf(chat: Chat, choice: object, tokens: number, rest: object) {
  const usage = chat.sampling.continuousUsage && { usage: runningUsage(chat.promptIds.length, tokens) }
  return { ...chunkHead(chat), choices: [choice], ...usage, ...rest }
}

function chunkHead({ id, context, model }: Chat) {
  return { id, object: 'chat.completion.chunk', created: context.settings.created, model }
}

/** A token is one delta; of a tool call the first is told by its name before, the last by an empty one after. */
function deltasOf({ tool }: Chat, said: Generation, at: number): { delta: object; last: boolean }[] {
  const piece = said.pieces[at]!
  const end = at === said.pieces.length - 1
  if (!tool) return [{ delta: { content: piece }, last: end }]
  const call = (rest: object) => ({ delta: { content: null, tool_calls: [rest] }, last: false })
  const name = call({ id: tool.id, type: 'function', index: 0, function: { name: tool.name } })
  const part = call({ index: 0, function: { arguments: piece } })
  return [...(at === 0 ? [name] : []), part, ...(end ? [{ delta: {}, last: true }] : [])]
}

function tokenChoice({ body }: Chat, said: Generation, at: number, delta: object, last: boolean) {
  const piece = said.pieces[at]!
  return {
    delta,
    logprobs: body.logprobs === true ? chatLogprobs([piece], Number(body.top_logprobs ?? 0)) : null,
    finish_reason: last ? said.finish : null,
    ...(last && { stop_reason: said.stopReason }),
    token_ids: body.return_token_ids ? [pieceToken(piece)] : null,
  }
}

function usageEvent(chat: Chat, usage: object, completionTokens: number): Step {
  const metrics = requestMetrics(chat.context, completionTokens)
  return dataEvent({
    ...chunkHead(chat),
    choices: [],
    usage,
    system_fingerprint: fingerprint(chat.context),
    ...(metrics && { metrics }),
  })
}
