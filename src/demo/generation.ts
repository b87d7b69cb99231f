import { answerTo, jsonAnswerTo, piecesOf } from './answers.ts'
import { BadSchema, type Schema, sampleOf } from './json-sample.ts'
import { MAX_MODEL_LEN } from './models.ts'
import { badRequest } from './problem.ts'
import { countOf, type Fields } from './request-body.ts'
import { tokenizer } from './tokenizer.ts'

/** An answer before it is sent: its pieces, what they cost, and why they end. */
export type Generation = {
  pieces: string[]
  finish: 'stop' | 'length'
  promptTokens: number
  completionTokens: number
}

/** Makes up what the demo engine says. `question` is what it answers, `prompt` what it has to pay for. */
export function generate(fields: Fields, prompt: string, question: string): Generation {
  const promptTokens = tokenizer.encode(prompt).length
  if (promptTokens >= MAX_MODEL_LEN) throw tooLong()
  if ((countOf(fields, 'n') ?? 1) > 1) throw badRequest('The demo engine gives one choice: n must be 1.', 'n')
  const limit = Math.min(
    countOf(fields, 'max_completion_tokens') ?? countOf(fields, 'max_tokens') ?? MAX_MODEL_LEN,
    MAX_MODEL_LEN - promptTokens,
  )
  const whole = cutAtStop(textFor(fields, question), [fields.stop ?? []].flat().map(String))
  const tokens = tokenizer.encode(whole)
  const finish = tokens.length > limit ? 'length' : 'stop'
  const text = finish === 'length' ? tokenizer.decode(tokens.slice(0, limit)) : whole
  return { pieces: piecesOf(text), finish, promptTokens, completionTokens: Math.min(tokens.length, limit) }
}

function tooLong() {
  const what = `your prompt contains at least ${MAX_MODEL_LEN + 1} input tokens, which exceeds this limit even without any output tokens.`
  const message = `This model's maximum context length is ${MAX_MODEL_LEN} tokens. However, ${what} Please reduce the length of the input prompt.`
  return badRequest(`${message} (parameter=input_tokens, value=${MAX_MODEL_LEN + 1})`, 'input_tokens')
}

function textFor({ response_format }: Fields, question: string): string {
  const { type, json_schema } = (response_format ?? {}) as { type?: string; json_schema?: { schema?: Schema } }
  if (type === 'json_schema') return sample(json_schema?.schema ?? {})
  return type === 'json_object' ? jsonAnswerTo(question) : answerTo(question)
}

function sample(schema: Schema): string {
  try {
    return JSON.stringify(sampleOf(schema))
  } catch (error) {
    if (error instanceof BadSchema) throw badRequest(error.message)
    throw error
  }
}

function cutAtStop(text: string, stops: string[]): string {
  const at = stops
    .filter((stop) => stop !== '')
    .map((stop) => text.indexOf(stop))
    .filter((found) => found >= 0)
  return at.length === 0 ? text : text.slice(0, Math.min(...at))
}
