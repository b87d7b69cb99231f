import { embed, toBase64 } from './embedding.ts'
import { EMBEDDING_MODEL, requireModel } from './models.ts'
import { badRequest, invalidField } from './problem.ts'
import { countOf, type Fields } from './request-body.ts'
import { tokenizer } from './tokenizer.ts'

const DIMENSIONS = 256
const MOST_DIMENSIONS = 4096

/** The answer of POST /v1/embeddings. */
export function embeddings(fields: Fields, { id, createdMs }: { id: string; createdMs: number }) {
  requireModel(fields, EMBEDDING_MODEL)
  const dimensions = countOf(fields, 'dimensions') ?? DIMENSIONS
  if (dimensions > MOST_DIMENSIONS)
    throw badRequest(`dimensions must be at most ${MOST_DIMENSIONS}, got ${dimensions}.`, 'dimensions')
  const texts = textsOf(fields.input, fields)
  if (texts.some((text) => text === '')) throw badRequest('The decoder prompt cannot be empty')
  const data = texts.map((text, index) => {
    const vector = embed(text, dimensions)
    return { index, object: 'embedding', embedding: fields.encoding_format === 'base64' ? toBase64(vector) : vector }
  })
  const tokens = texts.reduce((sum, text) => sum + tokenizer.encode(text).length, 0)
  const usage = { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 }
  return {
    id: `embd-${id}`,
    object: 'list',
    created: Math.floor(createdMs / 1000),
    model: EMBEDDING_MODEL,
    data,
    usage,
  }
}

/** A text, texts, tokens, or lists of tokens: tokens mean the text that they came from. */
function textsOf(input: unknown, fields: Fields): string[] {
  if (typeof input === 'string') return [input]
  if (!Array.isArray(input)) {
    if (input === undefined) throw invalidField('body.input', 'missing', 'Field required', fields)
    throw invalidField('body.input', 'list_type', 'Input should be a valid list', input)
  }
  if (input.every((item) => typeof item === 'number')) return [tokenizer.decode(input)]
  return input.flatMap((item) => textsOf(item, fields))
}
