/**
 * Distils captures of a real vLLM to what a test compares: node tools/distil-captures.ts DIR > test/fixtures/vllm/http.json
 *
 * DIR holds one `.http` file for each case: request, raw response bytes, how it ended. Kept of a request: method, path,
 * headers, body. Kept of a response: status, header names in order, and the shape of the body; of errors the text.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Expected, type Fixture, type FixtureCase, type RequestBody, shapesOf } from '../test/fake-vllm/shapes.ts'

/** What a case's server had been through before, where its name says so. */
const STATES: [name: RegExp, state: FixtureCase['state']][] = [
  [/^B-(is_sleeping2|chat-after-sleep)$/, 'asleep'],
  [/^B-(is_paused2|chat-paused|health-paused)$/, 'paused'],
  [/^B-lora-(load-dup|chat|models|unload)$/, 'adapter'],
  [/overflow-late|-overflow$|^B-load-busy$|^B-overflow-(1[2-9]|2)/, 'full'],
]

/** Headers that the capturing client sent with everything. */
const OWN_HEADERS = ['host', 'user-agent', 'accept', 'content-length']

const dir = process.argv[2]
if (!dir) throw new Error('usage: node tools/distil-captures.ts DIR')
const fixture: Fixture = { shapes: [], cases: [] }
for (const file of readdirSync(dir)
  .filter((name) => name.endsWith('.http'))
  .sort()) {
  fixture.cases.push(distil(file.replace('.http', ''), readFileSync(join(dir, file)), fixture.shapes))
}
const cases = fixture.cases.map((one) => `  ${JSON.stringify(one)}`).join(',\n')
const shapes = fixture.shapes.map((one) => `  ${JSON.stringify(one)}`).join(',\n')
process.stdout.write(`{\n"shapes": [\n${shapes}\n],\n"cases": [\n${cases}\n]\n}\n`)

function distil(name: string, file: Buffer, shapes: string[]): FixtureCase {
  const requestAt = after(file, '### request\n')
  const responseMark = file.indexOf('### response (raw bytes)\n')
  const responseAt = after(file, '### response (raw bytes)\n')
  const end = file.lastIndexOf('\n### end: ')
  const state = STATES.find(([pattern]) => pattern.test(name))?.[1]
  return {
    name,
    server: name.startsWith('B-') ? 'B' : name.startsWith('E-') ? 'E' : 'default',
    ...(state && { state }),
    ...readRequest(file.subarray(requestAt, responseMark)),
    expected: expectedOf(file.subarray(responseAt, end), shapes),
  }
}

function after(file: Buffer, mark: string): number {
  return file.indexOf(mark) + mark.length
}

function readRequest(bytes: Buffer): Pick<FixtureCase, 'method' | 'path' | 'headers' | 'body'> {
  const { start, headers, body } = split(bytes)
  const [method = '', path = ''] = start.split(' ')
  const kept = headers.filter(([name]) => !OWN_HEADERS.includes(name.toLowerCase()))
  const sent = kept.some(([name]) => name.toLowerCase() === 'content-type') || body.length > 1 ? trimmed(body) : null
  return { method, path, headers: Object.fromEntries(kept), ...(sent && { body: recipeOf(sent) }) }
}

/** The capture ends a body with a line feed of its own. */
function trimmed(body: Buffer): Buffer {
  return body.at(-1) === 10 ? body.subarray(0, -1) : body
}

/** A body as text; as base64 where it is none; as a rule where it repeats a word, which the capture may have abridged. */
function recipeOf(body: Buffer): RequestBody {
  const text = body.toString('utf8')
  if (!Buffer.from(text).equals(body)) return { base64: body.toString('base64') }
  const repeated =
    /^([\s\S]*?)((?:word ){20,})(?:(?:wor?)?\.\.\.\[(\d+) bytes in all\]\.\.\.[\s\S]*word )?([\s\S]*)$/.exec(text)
  if (!repeated) return text
  const [, head = '', words = '', total, tail = ''] = repeated
  const length = total === undefined ? words.length : Number(total) - head.length - tail.length
  return { head, unit: 'word ', times: length / 'word '.length, tail }
}

function expectedOf(bytes: Buffer, shapes: string[]): Expected {
  if (bytes.length === 0) return { none: true }
  return shapesOf(bytes, shapes)
}

function split(bytes: Buffer): { start: string; headers: [string, string][]; body: Buffer } {
  const crlf = bytes.includes('\r\n')
  const gap = crlf ? '\r\n\r\n' : '\n\n'
  const at = bytes.indexOf(gap)
  const [start = '', ...lines] = bytes.toString('latin1', 0, at).split(crlf ? '\r\n' : '\n')
  const headers = lines.map((line): [string, string] => [
    line.slice(0, line.indexOf(':')),
    line.slice(line.indexOf(':') + 2),
  ])
  return { start, headers, body: bytes.subarray(at + gap.length) }
}
