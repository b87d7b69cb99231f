import { type Generation, generate } from './generation.ts'
import { CHAT_MODEL, requireModel } from './models.ts'
import { badRequest, invalidField } from './problem.ts'
import { type Fields, listOf } from './request-body.ts'

/** How one of the two generating endpoints writes its answers. */
export type Dialect = {
  generation: Generation
  whole: () => object
  /** The events of a stream: what opens it, one for each piece, and what is said after the last. */
  opening: object[]
  chunk: (piece: string, last: boolean) => object
  closing: object[]
}

export type Stamp = { id: string; createdMs: number }

/** POST /v1/chat/completions. */
export function chat(fields: Fields, stamp: Stamp): Dialect {
  requireModel(fields, CHAT_MODEL)
  const messages = listOf(fields, 'messages').map(readMessage)
  if (messages.length === 0)
    throw badRequest('Cannot apply chat template to an empty conversation. Provide at least one message.')
  const prompt = messages.map(({ role, text }) => `${role}: ${text}\n`).join('')
  const question = messages.findLast(({ role }) => role === 'user')?.text ?? ''
  const generation = generate(fields, prompt, question)
  const head = headOf(`chatcmpl-${stamp.id}`, 'chat.completion.chunk', stamp)
  const choice = (delta: object, finish: string | null) => ({ index: 0, delta, logprobs: null, finish_reason: finish })
  return {
    generation,
    whole: () => ({
      ...headOf(`chatcmpl-${stamp.id}`, 'chat.completion', stamp),
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: generation.pieces.join('') },
          logprobs: null,
          finish_reason: generation.finish,
          stop_reason: null,
        },
      ],
      usage: usageOf(generation),
    }),
    opening: [{ ...head, choices: [choice({ role: 'assistant', content: '' }, null)] }],
    chunk: (piece, last) => ({ ...head, choices: [choice({ content: piece }, last ? generation.finish : null)] }),
    closing: usageEvent(fields, head, generation),
  }
}

/** POST /v1/completions. */
export function completion(fields: Fields, stamp: Stamp): Dialect {
  requireModel(fields, CHAT_MODEL)
  const prompt = fields.prompt
  if (typeof prompt !== 'string' || prompt === '')
    throw badRequest('Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)', 'prompt')
  const generation = generate(fields, prompt, prompt)
  const head = headOf(`cmpl-${stamp.id}`, 'text_completion', stamp)
  const choice = (text: string, finish: string | null) => ({
    index: 0,
    text,
    logprobs: null,
    finish_reason: finish,
    stop_reason: null,
  })
  return {
    generation,
    whole: () => ({
      ...head,
      choices: [choice(generation.pieces.join(''), generation.finish)],
      usage: usageOf(generation),
    }),
    opening: [],
    chunk: (piece, last) => ({ ...head, choices: [choice(piece, last ? generation.finish : null)] }),
    closing: usageEvent(fields, head, generation),
  }
}

function readMessage(message: unknown, at: number): { role: string; text: string } {
  const { role, content } = (message ?? {}) as Fields
  if (typeof role !== 'string') throw invalidField(`body.messages.${at}.role`, 'missing', 'Field required', message)
  return { role, text: textOf(content) }
}

/** The text of a message; of parts those that hold text. */
function textOf(content: unknown): string {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  return content.map((part: Fields) => (typeof part.text === 'string' ? part.text : '')).join('\n')
}

function headOf(id: string, object: string, { createdMs }: Stamp) {
  return { id, object, created: Math.floor(createdMs / 1000), model: CHAT_MODEL, system_fingerprint: 'lexora-demo' }
}

function usageOf({ promptTokens, completionTokens }: Generation) {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  }
}

function usageEvent(fields: Fields, head: object, generation: Generation): object[] {
  const options = (fields.stream_options ?? {}) as Fields
  return options.include_usage === true ? [{ ...head, choices: [], usage: usageOf(generation) }] : []
}
