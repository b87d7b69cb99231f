import type { Captured } from '../../src/protocol/captures.ts'
import { EventReader } from '../transport/sse.ts'

/** One turn of a talk. */
export type Said = { role: string; text: string }

type Json = { [key: string]: unknown }

/** A captured request and its answer as a talk; what is no talk is what it is, as text. */
export function talkOf({ request, answer }: Pick<Captured, 'request' | 'answer'>): Said[] {
  const asked = objectOf(request.text)
  const turns = [asked?.['messages'], asked?.['input'], asked?.['prompt']].find((given) => given !== undefined)
  const system = textOf(asked?.['system'] ?? asked?.['instructions'])
  const said: Said[] = [
    ...(system === '' ? [] : [{ role: 'system', text: system }]),
    ...(asked === null
      ? [{ role: 'user', text: request.text }]
      : (Array.isArray(turns) ? turns : [turns]).map((turn) => ({
          role: roleOf(turn),
          text: textOf(isObject(turn) ? (turn['content'] ?? turn) : turn),
        }))),
  ]
  const answered = answerText(answer.text)
  return answered === '' ? said : [...said, { role: 'assistant', text: answered }]
}

/** The last message of the person and what went before all, for asking again. */
export function askedAgain(talk: readonly Said[]): { message: string; system: string } {
  const text = (role: string): string => talk.findLast((one) => one.role === role)?.text ?? ''
  return { message: text('user'), system: text('system') }
}

/** JSON with its lines; events as they came. */
export function prettyOf(text: string): string {
  const value = objectOf(text)
  return value === null ? text : JSON.stringify(value, null, 2)
}

/** What a whole answer or a stream says, in any of the dialects. */
function answerText(text: string): string {
  const whole = objectOf(text)
  if (whole !== null) return saidBy(whole)
  const events = new EventReader().push(text.endsWith('\n\n') ? text : `${text}\n\n`)
  const said = events.map(({ data }) => {
    const event = objectOf(data)
    return event === null ? '' : saidBy(event)
  })
  return said.join('') || text
}

function saidBy(answer: Json): string {
  const { choices, delta, content, output, error, type } = answer
  if (error !== undefined && error !== null) return textOf((error as Json)['message'] ?? error)
  if (Array.isArray(choices)) {
    return choices
      .map((choice: Json) => textOf((choice['delta'] as Json)?.['content'] ?? choice['text'] ?? choice['message']))
      .join('')
  }
  if (typeof delta === 'string') return type === 'response.output_text.delta' ? delta : ''
  if (isObject(delta)) return textOf(delta['text'])
  // The whole response that ends a stream repeats its pieces.
  return typeof type === 'string' && type.includes('.') ? '' : textOf(content ?? output)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(textOf).join('')
  if (!isObject(value)) return String(value)
  const inner = value['text'] ?? value['content']
  return inner === undefined ? JSON.stringify(value) : textOf(inner)
}

function roleOf(turn: unknown): string {
  return isObject(turn) && typeof turn['role'] === 'string' ? turn['role'] : 'user'
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function objectOf(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
