import { MAX_MODEL_LEN } from './models.ts'
import { type Fields, listOf } from './request-body.ts'
import { tokenizer } from './tokenizer.ts'

/** The answer of POST /tokenize, for a prompt or for messages. */
export function tokenize(fields: Fields) {
  const tokens = tokenizer.encode(textOf(fields))
  const strings = fields.return_token_strs === true ? tokens.map((token) => tokenizer.decode([token])) : null
  return { count: tokens.length, max_model_len: MAX_MODEL_LEN, tokens, token_strs: strings }
}

function textOf(fields: Fields): string {
  if (fields.messages === undefined) return String(fields.prompt ?? '')
  return listOf(fields, 'messages')
    .map((message) => {
      const { role, content } = (message ?? {}) as Fields
      return `${role}: ${typeof content === 'string' ? content : JSON.stringify(content ?? '')}\n`
    })
    .join('')
}

/** The answer of POST /detokenize. */
export function detokenize(fields: Fields) {
  return { prompt: tokenizer.decode(listOf(fields, 'tokens').map(Number)) }
}
