import { type Answer, type Call, type Context, json, Refusal, type Step, type Work } from './answer.ts'
import { anthropicError } from './errors.ts'
import { digest, type Generation, generate } from './generate.ts'
import { modelOf, renderChat, tokensOf } from './prompt.ts'
import { samplingOf } from './sampling.ts'
import { type Fields, type Kind, readBody } from './validate.ts'

const KINDS: Record<string, Kind> = {
  messages: 'list!',
  max_tokens: 'int!',
  temperature: 'float',
  top_p: 'float',
  stream: 'bool',
}

type Message = { id: string; model: string; inputTokens: number; said: Generation }

/** POST /v1/messages. Schema errors keep the OpenAI shape; all others have Anthropic's. */
export function messages(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, KINDS)
  const message = anthropically(() => readMessage(body, call, context))
  const { said } = message
  return {
    is: 'work',
    stream: body.stream === true,
    sequences: 1,
    promptTokens: message.inputTokens,
    completionTokens: said.pieces.length,
    finish: said.finish,
    whole: () => json(wholeMessage(message)),
    events: () => messageEvents(message),
  }
}

/** POST /v1/messages/count_tokens. */
export function countMessageTokens(call: Call, context: Context): Answer {
  const body = readBody(call.headers, call.body, { messages: 'list!' })
  const { inputTokens } = anthropically(() => readPrompt(body, context))
  return json({ input_tokens: inputTokens, context_management: { original_input_tokens: inputTokens } })
}

function readMessage(body: Fields, call: Call, context: Context): Message {
  const { prompt, inputTokens } = readPrompt(body, context)
  const { maxTokens } = samplingOf(body, context)
  const room = context.settings.maxModelLen - inputTokens
  const stop = (body.stop_sequences ?? []) as string[]
  const said = generate({ seed: prompt, room, maxTokens, tokens: context.settings.tokens, stop })
  const id = `chatcmpl-${call.headers['x-request-id'] ?? digest(call.path, call.body)}`
  return { id, model: modelOf(body, context), inputTokens, said }
}

function readPrompt(body: Fields, context: Context): { prompt: string; inputTokens: number } {
  modelOf(body, context)
  const system = body.system ? [{ role: 'system', content: body.system }] : []
  const prompt = renderChat({ messages: [...system, ...(body.messages as unknown[])] }, context)
  return { prompt, inputTokens: tokensOf(prompt, context).length }
}

function anthropically<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { error: what } = JSON.parse(String(error.answer.body)) as { error: { message: string } }
    throw new Refusal(anthropicError(error.answer.status, what.message))
  }
}

function wholeMessage({ id, model, inputTokens, said }: Message) {
  return {
    id,
    type: 'message',
    role: 'assistant',
    content: [{ type: 'text', text: said.pieces.join('') }],
    model,
    ...ending(said),
    usage: { input_tokens: inputTokens, output_tokens: said.pieces.length },
  }
}

function ending({ finish, stopReason }: Generation) {
  if (stopReason !== null) return { stop_reason: 'stop_sequence', stop_sequence: stopReason }
  return { stop_reason: finish === 'length' ? 'max_tokens' : 'end_turn' }
}

function* messageEvents({ id, model, inputTokens, said }: Message): Iterable<Step> {
  const start = { id, type: 'message', role: 'assistant', content: [], model, stop_reason: null, stop_sequence: null }
  yield named({ type: 'message_start', message: { ...start, usage: { input_tokens: inputTokens, output_tokens: 0 } } })
  yield named({ type: 'content_block_start', content_block: { type: 'text', text: '' }, index: 0 })
  for (const text of said.pieces)
    yield named({ type: 'content_block_delta', delta: { type: 'text_delta', text }, index: 0 }, true)
  yield named({ type: 'content_block_stop', index: 0 })
  const usage = { input_tokens: inputTokens, output_tokens: said.pieces.length }
  yield named({ type: 'message_delta', delta: { stop_sequence: null, ...ending(said) }, usage })
  yield named({ type: 'message_stop' })
}

/** An event that carries its type twice, as both Anthropic's and OpenAI's newer streams do. */
export function named(value: { type: string; [field: string]: unknown }, token = false): Step {
  return { do: 'send', text: `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`, token }
}
