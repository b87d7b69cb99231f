import { STATUS_CODES } from 'node:http'
import type { Answer, Header, Step } from './answer.ts'
import { breakOff, type Ending, type Exchange, hang, reset } from './exchange.ts'
import type { FaultOf } from './faults.ts'
import { type Framing, frame, half, type Shaped, shape } from './framing.ts'
import { pause } from './watchers.ts'
import { turn } from './writer.ts'

/** Told of every event before it is sent, and keeps it back until the engine has it. Steps that it gives come instead of all that is left. */
export type Gate = (step: Step & { do: 'send' }, first: boolean) => Promise<Step[] | null>

/** Sends one answer with all that the faults do to it. */
export async function sendAnswer(x: Exchange, answer: Answer & { gate?: Gate }): Promise<Ending> {
  if (x.writer.gone()) return 'left'
  const shaped = shape(answer, x.plan)
  const head = headOf(x, shaped)
  if (x.plan('reset')?.when === 'in-headers') {
    await x.writer.write(head.slice(0, head.length >> 1), 'head')
    return reset(x)
  }
  x.onHead(answer.status)
  await x.writer.write(head, 'head')
  return sendBody(x, shaped, answer.gate)
}

function headOf(x: Exchange, { answer, framing, length }: Shaped): string {
  const { settings } = x.context
  const both = x.plan('cl-and-te')
  const packed = x.plan('gzip')
  const headers: Header[] = [['date', new Date().toUTCString()], ['server', 'uvicorn'], ...answer.headers]
  if (packed) headers.push(['content-encoding', codingsOf(packed)])
  if (framing === 'length' || both) headers.push(['content-length', String(length + (x.plan('wrong-length')?.by ?? 0))])
  if (answer.contentType && !x.plan('no-content-type')) headers.push(['content-type', answer.contentType])
  if (answer.vary) headers.push(['vary', 'Origin'])
  if (settings.requestIdHeaders) headers.push(['x-request-id', x.requestId])
  if (framing === 'chunked' || both) headers.push(['transfer-encoding', 'chunked'])
  if (framing === 'close' || x.close) headers.push(['connection', 'close'])
  headers.push(...(x.plan('headers')?.headers ?? []))
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Unknown'}\r\n${lines.join('')}\r\n`
}

function codingsOf({ encoding, layers = 1 }: FaultOf<'gzip'>): string {
  return Array(layers).fill(encoding).join(', ')
}

async function sendBody(x: Exchange, { framing, steps }: Shaped, gate?: Gate): Promise<Ending> {
  const wire: Framing = x.plan('cl-and-te') ? 'chunked' : framing
  let first = true
  for (const step of steps) {
    if (step.do === 'send') {
      const instead = (await gate?.(step, first)) ?? null
      first = false
      if (instead && !x.writer.gone()) return sendRest(x, instead, wire)
    }
    if (x.writer.gone()) return 'left'
    const ending = await take(x, step, wire)
    if (ending) return ending
  }
  return finish(x, wire)
}

async function sendRest(x: Exchange, steps: Step[], wire: Framing): Promise<Ending> {
  for (const step of steps) {
    const ending = await take(x, step, wire)
    if (ending) return ending
  }
  return finish(x, wire)
}

async function take(x: Exchange, step: Step, framing: Framing): Promise<Ending | null> {
  switch (step.do) {
    case 'send':
      await x.writer.write(frame(step.text, framing))
      x.onEvent()
      await turn()
      return null
    case 'tear':
      await x.writer.write(half(step.text, framing))
      return null
    case 'drain':
      await x.writer.drained()
      return null
    case 'wait':
      await pause(step.ms, x.signal)
      return null
    case 'hang':
      return hang(x)
    case 'fin':
      return breakOff(x)
    case 'rst':
      return reset(x)
  }
}

async function finish(x: Exchange, framing: Framing): Promise<Ending> {
  if (framing === 'chunked') {
    const trailers = x.plan('trailers')?.headers ?? []
    await x.writer.write(`0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
  }
  if (x.plan('extra-bytes')) await x.writer.write('garbage that nobody asked for')
  const short = (x.plan('wrong-length')?.by ?? 0) > 0
  if (framing !== 'close' && !x.close && !short) return 'open'
  x.writer.end()
  return 'closed'
}
