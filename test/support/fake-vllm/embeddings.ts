import { type Answer, type Call, type Context, json, Refusal, type Work } from './answer.ts'
import { openAiError } from './errors.ts'
import { digest } from './generate.ts'
import { checkLength, modelOf, renderChat, tokensOf } from './prompt.ts'
import { usageOf } from './usage.ts'
import { type Fields, missing, readBody, refuse } from './validate.ts'
import { base64, vectorOf } from './vectors.ts'

/** POST /v1/embeddings. */
export function embeddings(call: Call, context: Context): Work {
  const { body, model, inputs } = readInputs(call, context)
  if (body.dimensions !== undefined && body.dimensions !== null) {
    const what = `Model '${model}' does not support Matryoshka embeddings; dimensions must be unset`
    throw new Refusal(openAiError(400, `${what} (received dimensions=${body.dimensions}).`))
  }
  const data = inputs.map((ids, index) => ({ index, object: 'embedding', embedding: encoded(body, ids, context) }))
  return poolingWork(inputs, () => list(`embd-${digest(call.body)}`, model, data, inputs, context))
}

/** POST /pooling: the same vectors under other names. */
export function pooling(call: Call, context: Context): Work {
  const { body, model, inputs } = readInputs(call, context)
  const data = inputs.map((ids, index) => ({ index, object: 'pooling', data: encoded(body, ids, context) }))
  return poolingWork(inputs, () => list(`pooling-${digest(call.body)}`, model, data, inputs, context))
}

/** POST /classify: two labels, as likely as the first number of the vector says. */
export function classify(call: Call, context: Context): Work {
  const { model, inputs } = readInputs(call, context)
  const data = inputs.map((ids, index) => {
    const first = (vectorOf(ids.join(), 2)[0]! + 1) / 2
    const probs = [first, 1 - first]
    return { index, label: first >= 0.5 ? 'LABEL_0' : 'LABEL_1', probs, num_classes: probs.length }
  })
  return poolingWork(inputs, () => list(`classify-${digest(call.body)}`, model, data, inputs, context))
}

/** POST /v2/embed: the tiny model defines no input types, so it refuses them all. */
export function cohereEmbed(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, { input_type: 'string!' })
  modelOf(body, context)
  throw new Refusal(
    openAiError(
      400,
      `Unsupported input_type '${body.input_type}'. This model does not define any input_type task instructions.`,
    ),
  )
}

function readInputs(call: Call, context: Context) {
  const body = readBody(call.headers, call.body, {})
  if (body.input === undefined && body.messages === undefined) throw nothingToEmbed(body)
  const model = modelOf(body, context)
  const inputs = body.messages ? [tokensOf(renderChat(body, context), context)] : idsOf(body.input, context)
  if (inputs.some((ids) => ids.length === 0)) throw new Refusal(openAiError(400, 'The decoder prompt cannot be empty'))
  return { body, model, inputs }
}

/** Pydantic tries seven kinds of request, each of which wants one field or the other. */
function nothingToEmbed(body: Fields): Refusal {
  const wanted = ['input', 'messages', 'messages', 'messages', 'input', 'messages', 'input']
  return refuse(wanted.map((field) => missing(`body.${field}`, body)))
}

function idsOf(input: unknown, context: Context): number[][] {
  if (typeof input === 'string') return [tokensOf(input, context)]
  const items = input as unknown[]
  if (typeof items[0] === 'number') return [checkLength(items as number[], context.settings.maxModelLen)]
  return items.flatMap((one) => idsOf(one, context))
}

function encoded(body: Fields, ids: number[], { settings }: Context): string | number[] {
  const vector = vectorOf(ids.join(), settings.embeddingSize)
  return body.encoding_format === 'base64' ? base64(vector) : vector
}

function list(id: string, model: string, data: object[], inputs: number[][], { settings }: Context): Answer {
  return json({ id, object: 'list', created: settings.created, model, data, usage: usageOf(countOf(inputs), 0) })
}

export function poolingWork(inputs: number[][], whole: () => Answer): Work {
  return {
    is: 'work',
    stream: false,
    sequences: inputs.length,
    promptTokens: countOf(inputs),
    completionTokens: 0,
    finish: 'stop',
    whole,
    events: () => [],
  }
}

export function countOf(inputs: number[][]): number {
  return inputs.reduce((sum, ids) => sum + ids.length, 0)
}
