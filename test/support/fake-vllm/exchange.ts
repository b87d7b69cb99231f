import { STATUS_CODES } from 'node:http'
import { type Answer, type Context, eventStream, type Header, type Step, type Work } from './answer.ts'
import { bendContent, interrupt } from './bend-steps.ts'
import type { Plan } from './faults.ts'
import { encode } from './replace-answer.ts'
import { aborted, pause } from './watchers.ts'
import { turn, type Writer } from './writer.ts'

/** One request on its way: what its faults are, where its bytes go, and whether the client is still there. */
export type Exchange = {
  context: Context
  plan: Plan
  writer: Writer
  signal: AbortSignal
  requestId: string
  /** The connection is closed after this answer, because the client asked for it. */
  close: boolean
  onEvent: () => void
}

/** A whole answer leaves the connection `open` or `closed`. Else a fault has `broken` it off, or the client has `left`. */
export type Ending = 'open' | 'closed' | 'broken' | 'left'

type Framing = 'length' | 'chunked' | 'close'

/** Runs work in the engine and sends its answer. The place is left when the tokens are made or the client is gone. */
export async function sendWork(x: Exchange, work: Work): Promise<Ending> {
  const { engine, counters } = x.context.state
  const place = engine.place(work.sequences)
  const arrived = performance.now()
  const leave = () => leavePlace(x, place.leave)
  x.signal.addEventListener('abort', leave)
  if (x.signal.aborted) leave()
  try {
    const stream = x.plan('json-for-stream') ? false : x.plan('sse-for-json') ? true : work.stream
    const entered = Promise.race([place.entered, aborted(x.signal)])
    if (x.plan('stall')?.afterEvents === -1) return await hang(x)
    if (stream) return await sendAnswer(x, streamOf(x, work, entered))
    await entered
    await pause(totalMs(x.context.settings, work), x.signal)
    if (x.signal.aborted) return 'left'
    counters.add('generation_tokens', work.completionTokens)
    place.leave()
    return await sendAnswer(x, work.whole())
  } finally {
    x.signal.removeEventListener('abort', leave)
    if (!x.signal.aborted) {
      place.leave()
      settle(x, work, performance.now() - arrived)
    }
  }
}

function leavePlace(x: Exchange, leave: () => void): void {
  const ignored = x.plan('ignore-abort')
  if (!ignored) return leave()
  setTimeout(leave, ignored.ms).unref()
}

function totalMs({ ttftMs, tokenMs }: { ttftMs: number; tokenMs: number }, work: Work): number {
  return ttftMs + Math.max(work.completionTokens - 1, 0) * tokenMs
}

function settle(x: Exchange, work: Work, ms: number): void {
  const { counters } = x.context.state
  counters.add('prompt_tokens', work.promptTokens)
  counters.add(`success:${work.finish}`)
  counters.observe('request_prompt_tokens', work.promptTokens)
  counters.observe('request_generation_tokens', work.completionTokens)
  counters.observe('e2e_request_latency_seconds', ms / 1000)
  counters.observe('request_params_n', work.sequences)
}

/** The events of a work as steps that wait for the engine: first for a place, then for each token. */
function streamOf(x: Exchange, work: Work, entered: Promise<void>): Answer & { gate: Gate } {
  const { ttftMs, tokenMs } = x.context.settings
  const { counters } = x.context.state
  let tokens = 0
  const gate: Gate = async (step, first) => {
    if (first) {
      await keptAlive(x, entered)
      await keptAlive(x, pause(ttftMs, x.signal))
    }
    if (!step.token) return
    if (tokens > 0) await keptAlive(x, pause(tokenMs, x.signal))
    tokens += 1
    counters.add('generation_tokens')
    counters.add('iterations')
  }
  return { ...eventStream(work.events()), gate }
}

type Gate = (step: Step & { do: 'send' }, first: boolean) => Promise<void>

/** Waits, and writes a comment whenever the wait has lasted the keep-alive interval. */
async function keptAlive(x: Exchange, wait: Promise<void>): Promise<void> {
  const everyMs = x.context.settings.sseKeepAliveMs
  if (everyMs <= 0) return wait
  let over = false
  const done = wait.then(() => {
    over = true
  })
  for (;;) {
    await Promise.race([done, pause(everyMs, x.signal)])
    if (over || x.signal.aborted) return
    await x.writer.write(frame(': keep-alive\n\n', 'chunked'))
  }
}

/** Sends one answer with all that the faults do to it. */
export async function sendAnswer(x: Exchange, answer: Answer & { gate?: Gate }): Promise<Ending> {
  if (x.writer.gone()) return 'left'
  const shaped = shape(answer, x.plan)
  const head = headOf(x, shaped)
  if (x.plan('reset')?.when === 'in-headers') {
    await x.writer.write(head.slice(0, head.length >> 1), 'head')
    return reset(x)
  }
  await x.writer.write(head, 'head')
  return sendBody(x, shaped, answer.gate)
}

type Shaped = { answer: Answer; framing: Framing; length: number; steps: Iterable<Step> }

/** Chooses the framing. Where a length is promised, or the whole is packed, the body is gathered first. */
function shape(answer: Answer, plan: Plan): Shaped {
  const whole = typeof answer.body === 'string' || Buffer.isBuffer(answer.body)
  const content = bendContent(
    typeof answer.body === 'string' || Buffer.isBuffer(answer.body) ? wholeSteps(answer.body, plan) : answer.body,
    plan,
  )
  const framing = framingOf(plan, whole)
  if (framing !== 'length' && !plan('gzip')) return { answer, framing, length: 0, steps: interrupt(content, plan) }
  const { before, bytes } = gather(content, plan)
  return { answer, framing, length: bytes.length, steps: interrupt([...before, { do: 'send', text: bytes }], plan) }
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

function headOf(x: Exchange, { answer, framing, length }: Shaped): string {
  const { settings } = x.context
  const both = x.plan('cl-and-te')
  const packed = x.plan('gzip')
  const headers: Header[] = [['date', new Date().toUTCString()], ['server', 'uvicorn'], ...answer.headers]
  if (packed)
    headers.push([
      'content-encoding',
      Array(packed.layers ?? 1)
        .fill(packed.encoding)
        .join(', '),
    ])
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

async function sendBody(x: Exchange, { framing, steps }: Shaped, gate?: Gate): Promise<Ending> {
  const wire: Framing = x.plan('cl-and-te') ? 'chunked' : framing
  let first = true
  for (const step of steps) {
    if (step.do === 'send') {
      await gate?.(step, first)
      first = false
    }
    if (x.writer.gone()) return 'left'
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

/** Says nothing more until the client leaves. */
export async function hang(x: Exchange): Promise<Ending> {
  await aborted(x.signal)
  return 'left'
}

export async function reset(x: Exchange): Promise<Ending> {
  await x.writer.reset()
  return 'broken'
}

/** Ends the connection in the middle, as a server does that went away. */
export function breakOff(x: Exchange): Ending {
  x.writer.end()
  return 'broken'
}

function frame(text: string | Buffer, framing: Framing): Buffer {
  const bytes = Buffer.from(text as string)
  if (framing !== 'chunked') return bytes
  if (bytes.length === 0) return bytes
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

function half(text: string | Buffer, framing: Framing): Buffer {
  const bytes = Buffer.from(text as string)
  const first = bytes.subarray(0, bytes.length >> 1)
  if (framing !== 'chunked') return first
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), first])
}
