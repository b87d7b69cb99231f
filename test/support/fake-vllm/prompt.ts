import { tokenizer, vocabularySize } from '../../../src/demo/tokenizer.ts'
import { type Context, Refusal } from './answer.ts'
import { openAiError } from './errors.ts'
import { type Fields, isFields, missing, refuse } from './validate.ts'

/** Longest token of the tiny model, in characters: what vLLM multiplies before it tokenises a text at all. */
const MAX_TOKEN_CHARACTERS = 34

/** The model that answers: the root for itself and its aliases, an adapter for itself. */
export function modelOf(body: Fields, { settings, state }: Context): string {
  const name = body.model
  const root = settings.models[0]!
  if (name === undefined || name === null || settings.models.includes(name as string)) return root
  if (state.loras.has(name as string)) return name as string
  if (settings.kind !== 'generate') throw new Refusal(openAiError(404, `The model \`${name}\` does not exist.`))
  throw new Refusal(
    openAiError(404, `The model \`${name}\` does not exist. Valid aliases: ${settings.models.join(', ')}.`, 'model'),
  )
}

/** The chat template of the tiny model. */
export function renderChat(body: Fields, context: Context): string {
  const messages = body.messages as unknown[]
  if (messages.length === 0) {
    throw new Refusal(
      openAiError(400, 'Cannot apply chat template to an empty conversation. Provide at least one message.'),
    )
  }
  if (body.chat_template) {
    const message =
      'Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted chat template.'
    throw new Refusal(openAiError(400, message))
  }
  const turns = messages.map((message, at) => renderMessage(message, at, context)).join('')
  const tools = Array.isArray(body.tools) ? `tools: ${JSON.stringify(body.tools)}\n` : ''
  return `${turns}${tools}<|im_start|>assistant\n`
}

function renderMessage(message: unknown, at: number, context: Context): string {
  if (!isFields(message) || message.role === undefined) throw noRole(message, at)
  return `<|im_start|>${message.role}\n${contentText(message.content, context)}<|im_end|>\n`
}

/** Pydantic tries every kind of message and lists what each of them misses. */
function noRole(message: unknown, at: number) {
  const loc = (kind: string, field: string) => missing(`body.messages.${at}.${kind}.${field}`, message)
  return refuse([
    loc('ChatCompletionDeveloperMessageParam', 'role'),
    loc('ChatCompletionSystemMessageParam', 'role'),
    loc('ChatCompletionUserMessageParam', 'role'),
    loc('ChatCompletionAssistantMessageParam', 'role'),
    loc('ChatCompletionToolMessageParam', 'role'),
    loc('ChatCompletionToolMessageParam', 'tool_call_id'),
    loc('ChatCompletionFunctionMessageParam', 'name'),
    loc('ChatCompletionFunctionMessageParam', 'role'),
    loc('CustomChatCompletionMessageParam', 'role'),
    loc('Message', 'author'),
    loc('Message', 'role'),
  ])
}

function contentText(content: unknown, { settings }: Context): string {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  return content
    .map((part) => {
      if (!isFields(part) || typeof part.text === 'string') return isFields(part) ? part.text : String(part)
      throw new Refusal(openAiError(400, `${settings.models[0]} is not a multimodal model`))
    })
    .join('\n')
}

/** The tokens of a text, or a refusal with vLLM's numbers when they are too many. */
export function tokensOf(text: string, { settings }: Context): number[] {
  const { maxModelLen } = settings
  const most = maxModelLen * MAX_TOKEN_CHARACTERS
  if (text.length > most) {
    const what = `${text.length} characters (more than ${most} characters, which is the upper bound for ${maxModelLen} input tokens).`
    throw tooLong(maxModelLen, `${what} Please reduce the length of the input prompt.`, 'input_text', text.length)
  }
  return checkLength(tokenizer.encode(text), maxModelLen)
}

export function checkLength(tokens: number[], maxModelLen: number): number[] {
  if (tokens.length < maxModelLen) return tokens
  const what = `at least ${maxModelLen + 1} input tokens, which exceeds this limit even without any output tokens.`
  throw tooLong(maxModelLen, `${what} Please reduce the length of the input prompt.`, 'input_tokens', maxModelLen + 1)
}

function tooLong(maxModelLen: number, what: string, param: string, value: number): Refusal {
  const message = `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${what}`
  return new Refusal(openAiError(400, `${message} (parameter=${param}, value=${value})`, param))
}

/** The number that stands for a piece of an answer: its first token. */
export function pieceToken(piece: string): number {
  return tokenizer.encode(piece)[0] ?? vocabularySize
}
