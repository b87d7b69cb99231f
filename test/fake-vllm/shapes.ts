import { createHash } from 'node:crypto'

/** What is compared of an answer: not what it says, but how it is built. Used by the replay and by the distilling tool. */
export type RequestBody = string | { base64: string } | { head: string; unit: string; times: number; tail: string }

/** `shape` and the numbers in `events` are places in the fixture's list of shapes. */
export type Expected =
  | { none: true }
  | { status: number; headers: string; text: string }
  | { status: number; headers: string; shape: number }
  | { status: number; headers: string; metrics: number }
  | { status: number; headers: string; events: string[] }

export type FixtureCase = {
  name: string
  server: 'default' | 'B' | 'E'
  state?: 'asleep' | 'paused' | 'adapter' | 'full'
  method: string
  path: string
  headers: Record<string, string>
  body?: RequestBody
  expected: Expected
}

export type Fixture = { shapes: string[]; cases: FixtureCase[] }

/** The shape of a whole answer on the wire. Shapes not seen before are added to the list. */
export function shapesOf(wire: Buffer, shapes: string[]): Exclude<Expected, { none: true }> {
  const at = wire.indexOf('\r\n\r\n')
  const [start = '', ...lines] = wire.toString('latin1', 0, at).split('\r\n')
  const names = lines.map((line) => line.slice(0, line.indexOf(':')))
  const type = lines.find((line) => line.startsWith('content-type:')) ?? ''
  const chunked = lines.includes('transfer-encoding: chunked')
  const body = (chunked ? unchunked(wire.subarray(at + 4)) : wire.subarray(at + 4)).toString('utf8')
  const head = { status: Number(start.split(' ')[1]), headers: names.join(' ') }
  if (type.includes('text/event-stream')) return { ...head, events: eventsOf(body, shapes) }
  if (type.includes('version=')) return { ...head, metrics: placeOf(metricNames(body), shapes) }
  if (type.includes('application/json') && head.status < 400)
    return { ...head, shape: placeOf(shapeOf(JSON.parse(body)), shapes) }
  return { ...head, text: body }
}

const LONGEST_SHAPE = 8000

function placeOf(shape: string, shapes: string[]): number {
  const kept = shape.length <= LONGEST_SHAPE ? shape : `sha256 ${createHash('sha256').update(shape).digest('hex')}`
  const at = shapes.indexOf(kept)
  return at >= 0 ? at : shapes.push(kept) - 1
}

function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const line = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, line), 16)
    if (!size) break
    parts.push(body.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return Buffer.concat(parts)
}

/** Each event as `name place`, repetitions in a row folded. Comments come with time and are left out. */
function eventsOf(body: string, shapes: string[]): string[] {
  const events = body
    .split('\n\n')
    .filter((event) => event !== '' && !event.startsWith(':'))
    .map((event) => {
      const [, name = '', data = ''] = /^(?:event: (.*)\n)?data: ([\s\S]*)$/.exec(event) ?? []
      return `${name} ${data === '[DONE]' ? data : placeOf(shapeOf(JSON.parse(data)), shapes)}`.trim()
    })
  return events.filter((event, at) => event !== events[at - 1])
}

function metricNames(body: string): string {
  return [...new Set([...body.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(([, name, type]) => `${name}:${type}`))]
    .sort()
    .join(' ')
}

/** All paths of a JSON value with their types, indexes folded. */
function shapeOf(value: unknown): string {
  return [...new Set(pathsOf(value, ''))].sort().join(' ')
}

function pathsOf(value: unknown, path: string): string[] {
  if (value === null) return [`${path}:null`]
  if (Array.isArray(value)) return [`${path}:array`, ...value.flatMap((item) => pathsOf(item, `${path}[]`))]
  if (typeof value !== 'object') return [`${path}:${typeof value}`]
  // The keys of these objects are tokens, not fields.
  const tokens = /(top|prompt)_logprobs\[\]$/.test(path) && !('token' in value)
  return [
    `${path}:object`,
    ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, tokens ? `${path}.*` : `${path}.${key}`)),
  ]
}
