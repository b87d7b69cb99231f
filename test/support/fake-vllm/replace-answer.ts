import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { type Answer, type Call, doneEvent, eventStream, type Header, json, type Step, text } from './answer.ts'
import { giantEvent } from './bend-steps.ts'
import { anthropicError, errorName, openAiError } from './errors.ts'
import type { FaultOf, Plan } from './faults.ts'

/** The answer that a fault gives in the place of the real one, or null. */
export function replaceAnswer(plan: Plan, call: Call): Answer | null {
  const status = plan('status')
  if (status) return statusAnswer(status, call)
  const redirect = plan('redirect')
  if (redirect) return text('', null, redirect.status, [['location', redirect.location]])
  const html = plan('html')
  if (html) return htmlPage(html.status)
  const error = plan('error-in-200')
  if (error)
    return json({ error: { message: 'Injected failure.', type: errorName(error.code), param: null, code: error.code } })
  if (plan('invalid-json')) return text('{"id":"chatcmpl-broken","choices":[{"index":0,}', 'application/json')
  if (plan('bomb')) return { ...text('', 'application/json', 200, [['content-encoding', 'gzip']]), body: gzipBomb() }
  const body = plan('giant-body')
  if (body) return { ...json({}), body: giantSteps('{"padding":"', body.bytes, '"}') }
  const stream = plan('giant-stream')
  if (stream) return eventStream(giantStream(stream.bytes))
  return null
}

function statusAnswer({ status, retryAfter, body = 'json', headers = [] }: FaultOf<'status'>, call: Call): Answer {
  const all: Header[] = [...headers, ...[retryAfter ?? []].flat().map((value): Header => ['retry-after', value])]
  const message = 'Injected failure.'
  if (body === 'none') return text('', null, status, all)
  if (body === 'html') return { ...htmlPage(status), headers: all }
  const answer = call.path.startsWith('/v1/messages') ? anthropicError(status, message) : openAiError(status, message)
  return { ...answer, headers: all }
}

function htmlPage(status: number): Answer {
  const page = `<html>\n<head><title>${status}</title></head>\n<body><center><h1>${status}</h1></center></body>\n</html>\n`
  return text(page, 'text/html', status)
}

/** A mebibyte of blanks is a kilobyte, and gzip members may be joined: one mebibyte that unpacks to a gibibyte. */
function gzipBomb(): Buffer {
  const member = gzipSync(Buffer.alloc(2 ** 20, ' '), { level: 9 })
  return Buffer.concat(Array.from({ length: 1024 }, () => member))
}

function* giantSteps(open: string, bytes: number, close: string): Iterable<Step> {
  yield { do: 'send', text: open }
  for (let left = bytes - open.length - close.length; left > 0; left -= 65_536) {
    yield { do: 'send', text: 'x'.repeat(Math.min(left, 65_536)) }
    yield { do: 'drain' }
  }
  yield { do: 'send', text: close }
}

/** A good stream of about that many bytes, no faster than it is read. */
function* giantStream(bytes: number): Iterable<Step> {
  const event = giantEvent(16_384)
  for (let left = bytes; left > 0; left -= event.length) {
    yield { do: 'send', text: event }
    yield { do: 'drain' }
  }
  yield {
    do: 'send',
    text: event.replace(/"content":"x+"/, '"content":""').replace('"finish_reason":null', '"finish_reason":"stop"'),
  }
  yield doneEvent
}

export function encode(body: Buffer, { encoding, layers = 1 }: FaultOf<'gzip'>): Buffer {
  const pack = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync }[encoding]
  return Array.from({ length: layers }).reduce<Buffer>((packed) => pack(packed), body)
}
