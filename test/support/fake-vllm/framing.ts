import type { Answer, Step } from './answer.ts'
import { bendStream, bendWhole, interrupt } from './bend-steps.ts'
import type { Plan } from './faults.ts'
import { encode } from './replace-answer.ts'

export type Framing = 'length' | 'chunked' | 'close'

export type Shaped = { answer: Answer; framing: Framing; length: number; steps: Iterable<Step> }

/** Chooses the framing. Where a length is promised, or the whole is packed, the body is gathered first. */
export function shape(answer: Answer, plan: Plan): Shaped {
  const { body } = answer
  const content = isWhole(body) ? bendWhole(wholeSteps(body, plan), plan) : bendStream(body, plan)
  const framing = framingOf(plan, isWhole(body))
  if (framing !== 'length' && !plan('gzip')) return { answer, framing, length: 0, steps: interrupt(content, plan) }
  const { before, bytes } = gather(content, plan)
  return { answer, framing, length: bytes.length, steps: interrupt([...before, { do: 'send', text: bytes }], plan) }
}

function isWhole(body: Answer['body']): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body)
}

function framingOf(plan: Plan, whole: boolean): Framing {
  if (plan('close-delimited')) return 'close'
  if (plan('wrong-length')) return 'length'
  if (plan('trailers') || plan('truncated-json')?.how === 'chunked') return 'chunked'
  return whole ? 'length' : 'chunked'
}

function wholeSteps(body: string | Buffer, plan: Plan): Step[] {
  return [{ do: 'send', text: plan('truncated-json') ? body.slice(0, body.length >> 1) : body }]
}

function gather(steps: Iterable<Step>, plan: Plan): { before: Step[]; bytes: Buffer } {
  const before: Step[] = []
  const parts: Buffer[] = []
  for (const step of steps) {
    if (step.do === 'send') parts.push(Buffer.from(step.text as string))
    else before.push(step)
  }
  const bytes = Buffer.concat(parts)
  const packed = plan('gzip')
  return { before, bytes: packed ? encode(bytes, packed) : bytes }
}

export function frame(text: string | Buffer, framing: Framing): Buffer {
  const bytes = Buffer.from(text as string)
  return framing === 'chunked' ? chunk(bytes) : bytes
}

/** One HTTP chunk. Of no bytes it is none: that would end the body. */
export function chunk(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string)
  if (bytes.length === 0) return bytes
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** The first half of an event, in a chunk that promises the whole. */
export function half(text: string | Buffer, framing: Framing): Buffer {
  const bytes = Buffer.from(text as string)
  const first = bytes.subarray(0, bytes.length >> 1)
  if (framing !== 'chunked') return first
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), first])
}
