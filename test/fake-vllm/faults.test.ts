import assert from 'node:assert/strict'
import { brotliDecompressSync, createGunzip, gunzipSync, inflateSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakeVllm, type Fault, startFakeVllm } from '../support/fake-vllm/server.ts'
import {
  type Asked,
  bodyOf,
  exchange,
  hello,
  helloStream,
  isWhole,
  type RawClient,
  rawClient,
  requestText,
} from './raw-client.ts'

let fake: FakeVllm
beforeEach(async () => {
  fake = await startFakeVllm()
})
afterEach(() => fake.close())

async function ask(asked: Asked): Promise<RawClient> {
  const client = await rawClient(fake.port)
  client.send(requestText(asked))
  return client
}

const whole: Asked = { body: hello }
const stream: Asked = { body: helloStream }

/** A fault that breaks an answer off: what has come by then, and how the connection ends. */
const BROKEN: [fault: Fault, asked: Asked, received: RegExp, ended: 'fin' | 'rst'][] = [
  [{ do: 'reset', when: 'accept' }, whole, /^$/, 'rst'],
  [{ do: 'reset', when: 'accept', match: { path: '/v1/chat/completions' } }, whole, /^$/, 'rst'],
  [{ do: 'reset', when: 'before-headers' }, whole, /^$/, 'rst'],
  [{ do: 'reset', when: 'in-headers' }, whole, /^HTTP\/1\.1 200 OK\r\n(?![\s\S]*\r\n\r\n)/, 'rst'],
  [{ do: 'reset', when: 'after-headers' }, stream, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/, 'rst'],
  [{ do: 'reset', when: 'after-events', events: 2 }, stream, /^[\s\S]*(\r\ndata: [\s\S]*){2}\r\n$/, 'rst'],
  [{ do: 'cut', afterEvents: 2, how: 'fin' }, stream, /\r\n\r\n([0-9a-f]+\r\ndata: .*\n\n\r\n){2}$/, 'fin'],
  [{ do: 'cut', afterEvents: 2, how: 'rst' }, stream, /\r\n\r\n([0-9a-f]+\r\ndata: .*\n\n\r\n){2}$/, 'rst'],
  [{ do: 'cut', afterEvents: 1, how: 'fin', midEvent: true }, stream, /\n\n\r\n[0-9a-f]+\r\ndata: [^\n]*$/, 'fin'],
  [
    { do: 'cut', afterEvents: 0, how: 'fin', midEvent: true },
    whole,
    /content-length: \d{3}\r\n[\s\S]*\r\n\r\n\{.*[^}]$/,
    'fin',
  ],
  [{ do: 'banner' }, whole, /^SSH-2\.0-[^\n]*\n$/, 'fin'],
  [{ do: 'banner', match: { body: 'hello' } }, whole, /^SSH-2\.0-[^\n]*\n$/, 'fin'],
  [{ do: 'empty' }, whole, /^$/, 'fin'],
  [{ do: 'wrong-length', by: 10 }, whole, /"metrics":null\}$/, 'fin'],
  [{ do: 'close-delimited' }, stream, /connection: close\r\n\r\ndata: [\s\S]*data: \[DONE\]\n\n$/, 'fin'],
  [{ do: 'close-delimited' }, whole, /connection: close\r\n\r\n\{"id"[\s\S]*\}$/, 'fin'],
  [{ do: 'close-delimited', cutAfterEvents: 1, how: 'rst' }, stream, /\r\n\r\ndata: .*\n\n$/, 'rst'],
]

test.each(BROKEN)('%j breaks the answer off', async (fault, asked, received, ended) => {
  fake.fault(fault)
  const client = await ask(asked)
  assert.equal(await client.ended, ended)
  assert.match(client.received(), received)
})

/** A fault that lets an answer come whole, but another than the real one. */
const CHANGED: [fault: Fault, asked: Asked, received: RegExp][] = [
  [{ do: 'html', status: 502 }, whole, /^HTTP\/1\.1 502 [\s\S]*content-type: text\/html\r\n[\s\S]*<html>/],
  [{ do: 'invalid-json' }, whole, /^HTTP\/1\.1 200 [\s\S]*application\/json[\s\S]*\[\{"index":0,\}$/],
  [{ do: 'truncated-json', how: 'cl' }, whole, /content-length: 3\d\d\r\n[\s\S]*\r\n\r\n\{"id"[\s\S]*[^}]$/],
  [
    { do: 'truncated-json', how: 'chunked' },
    whole,
    /transfer-encoding: chunked\r\n\r\n[0-9a-f]+\r\n\{"id"[\s\S]*[^}]\r\n0\r\n\r\n$/,
  ],
  [{ do: 'json-for-stream' }, stream, /application\/json[\s\S]*"object":"chat\.completion"/],
  [{ do: 'sse-for-json' }, whole, /text\/event-stream[\s\S]*data: \[DONE\]/],
  [{ do: 'no-content-type' }, whole, /content-length: \d+\r\nvary/],
  [{ do: 'cl-and-te' }, whole, /content-length: \d+\r\n[\s\S]*transfer-encoding: chunked\r\n\r\n[0-9a-f]+\r\n\{/],
  [
    { do: 'bad-event', afterEvents: 1 },
    stream,
    /data: \{"id":"chatcmpl-broken","choices":\[\{\n\n[\s\S]*data: \[DONE\]/,
  ],
  [
    { do: 'error-event', afterEvents: 2, code: 500 },
    stream,
    /(data: \{"id[\s\S]*){2}data: \{"error": [\s\S]*"code": 500\}\}\n\n\r\n[\s\S]*data: \[DONE\]/,
  ],
  [
    { do: 'error-event', afterEvents: 0, code: 503, message: 'gone', thenDone: false },
    stream,
    /"gone"[^\n]*\n\n\r\n0\r\n\r\n$/,
  ],
  [{ do: 'error-in-200', code: 400 }, whole, /^HTTP\/1\.1 200 [\s\S]*\{"error":\{[\s\S]*"code":400\}\}$/],
  [{ do: 'no-done' }, stream, /"finish_reason":"length"[^\n]*\n\n\r\n0\r\n\r\n$/],
  [{ do: 'no-finish' }, stream, /^(?![\s\S]*"finish_reason":")[\s\S]*data: \[DONE\]/],
  [{ do: 'abort-finish', afterEvents: 1 }, stream, /"finish_reason":"abort"[^\n]*\n\n\r\n[0-9a-f]+\r\ndata: \[DONE\]/],
  [{ do: 'abort-finish', afterEvents: 1 }, whole, /"finish_reason":"abort"/],
  [
    { do: 'status', status: 429, retryAfter: '7' },
    whole,
    /^HTTP\/1\.1 429 [\s\S]*retry-after: 7\r\n[\s\S]*"code":429\}\}$/,
  ],
  [{ do: 'status', status: 503, retryAfter: ['1', '2'] }, whole, /retry-after: 1\r\nretry-after: 2\r\n/],
  [
    { do: 'status', status: 500, body: 'none', headers: [['x-why', 'test']] },
    whole,
    /x-why: test\r\ncontent-length: 0\r\n/,
  ],
  [{ do: 'status', status: 502, body: 'html' }, whole, /^HTTP\/1\.1 502 [\s\S]*<html>/],
  [{ do: 'informational', code: 103 }, whole, /^HTTP\/1\.1 103 [^\r]*\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\}$/],
  [
    { do: 'redirect', status: 307, location: 'http://127.0.0.1:1/' },
    whole,
    /^HTTP\/1\.1 307 [\s\S]*location: http:\/\/127\.0\.0\.1:1\/\r\n/,
  ],
  [{ do: 'line-ends', style: 'crlf' }, stream, /data: \{[^\n]*\r\n\r\n\r\n[\s\S]*data: \[DONE\]\r\n\r\n/],
  [{ do: 'line-ends', style: 'cr' }, stream, /data: \{[^\n]*\r\r\r\n/],
  [{ do: 'line-ends', style: 'no-space' }, stream, /data:\{[\s\S]*data:\[DONE\]\n\n/],
  [{ do: 'line-ends', style: 'bom' }, stream, /\r\n\ufeffdata: \{/],
  [
    { do: 'comments', count: 3, everyMs: 1 },
    stream,
    /\r\n\r\n([0-9a-f]+\r\n: keep-alive\n\n\r\n){3}[0-9a-f]+\r\ndata: \{/,
  ],
  [{ do: 'giant-event', bytes: 5000 }, stream, /"x{5000}"[\s\S]*data: \[DONE\]/],
  [{ do: 'giant-body', bytes: 5000 }, whole, /\{"padding":"\r\n[0-9a-f]+\r\nx{4986}\r\n/],
  [{ do: 'giant-stream', bytes: 40_000 }, stream, /"x{16384}"[\s\S]*"finish_reason":"stop"[\s\S]*data: \[DONE\]/],
  [
    {
      do: 'headers',
      headers: [
        ['set-cookie', 'a=b'],
        ['access-control-allow-origin', '*'],
      ],
    },
    whole,
    /set-cookie: a=b\r\naccess-control-allow-origin: \*\r\n\r\n/,
  ],
  [{ do: 'trailers', headers: [['x-sum', '1']] }, stream, /\r\n0\r\nx-sum: 1\r\n\r\n$/],
  [{ do: 'split', bytes: 7 }, stream, /data: \[DONE\]/],
  [{ do: 'drip', ms: 0.01 }, { method: 'POST', path: '/v1/nope' }, /\{"detail":"Not Found"\}$/],
  [{ do: 'delay', ms: 1, at: 'headers' }, whole, /^HTTP\/1\.1 200 /],
  [{ do: 'delay', ms: 1, at: 'first-event' }, stream, /data: \[DONE\]/],
]

test.each(CHANGED)('%j changes the answer', async (fault, asked, received) => {
  fake.fault(fault)
  assert.match(await exchange(fake.port, asked), received)
})

const withUsage: Asked = { body: { ...helloStream, stream_options: { include_usage: true } } }
const USAGE = /"choices":\[\],"usage":\{"prompt_tokens":\d+/g

test.each([
  ['missing', 0],
  ['twice', 2],
  ['early', 1],
  ['zero', 1],
] as const)('usage that is %s', async (kind, times) => {
  fake.fault({ do: 'usage', kind, times: 2 })
  const events = bodyOf(await exchange(fake.port, withUsage))
  assert.equal([...events.matchAll(USAGE)].length, times)
  assert.equal(events.startsWith('data: {') && events.split('\n\n')[0]!.includes('"usage"'), kind === 'early')
  const answer = JSON.parse(bodyOf(await exchange(fake.port, whole)))
  assert.equal(answer.usage?.total_tokens > 0, kind === 'twice' || kind === 'early')
})

test.each([
  ['gzip', gunzipSync],
  ['br', brotliDecompressSync],
  ['deflate', inflateSync],
] as const)('a body packed as %s', async (encoding, unpack) => {
  fake.fault({ do: 'gzip', encoding, layers: 2 })
  const client = await ask({ ...stream, headers: { connection: 'close' } })
  await client.ended
  const split = client.bytes().indexOf('\r\n\r\n') + 4
  assert.match(client.received(), new RegExp(`content-encoding: ${encoding}, ${encoding}\r\n`))
  assert.equal(lastEvent(unpack(unpack(unchunked(client.bytes().subarray(split)))).toString()), 'data: [DONE]')
})

test('a bomb is small on the wire and a gibibyte unpacked', async () => {
  fake.fault({ do: 'bomb' })
  const client = await ask({ ...whole, headers: { connection: 'close' } })
  await client.ended
  const packed = client.bytes().subarray(client.bytes().indexOf('\r\n\r\n') + 4)
  expect(packed.length).toBeLessThan(2 ** 21)
  let unpacked = 0
  for await (const chunk of createGunzip().end(packed)) unpacked += (chunk as Buffer).length
  assert.equal(unpacked, 2 ** 30)
})

test('a length that is too short, and bytes after the end, spill over', async () => {
  fake.fault({ do: 'wrong-length', by: -5 })
  fake.fault({ do: 'extra-bytes', match: { nth: 2 } })
  const first = await exchange(fake.port, whole)
  assert.equal(bodyOf(first).length, Number(/content-length: (\d+)/.exec(first)![1]) + 5)
  const client = await ask(whole)
  await client.until((received) => received.endsWith('garbage that nobody asked for'))
})

test.each([-1, 0, 2])('a stall after %i events says no more and keeps the request running', async (afterEvents) => {
  fake.fault({ do: 'stall', afterEvents })
  const client = await ask(stream)
  await fake.waitFor(() => fake.requests[0]?.eventsSent === Math.max(afterEvents, 0) && fake.running() === 1)
  if (afterEvents === -1) assert.equal(client.received(), '')
  client.socket.destroy()
  await fake.waitFor(() => fake.running() === 0 && fake.requests[0]?.outcome === 'aborted')
})

test('the keep-alive race: a good answer, then the connection is gone under the next request', async () => {
  fake.fault({ do: 'keep-alive-race' })
  const client = await ask(whole)
  const first = await client.until(isWhole)
  client.send(requestText(whole))
  await client.ended
  assert.equal(client.received(), first)
})

test('an abort that is ignored keeps its place for a while', async () => {
  fake.fault({ do: 'ignore-abort', ms: 30 })
  fake.fault({ do: 'stall', afterEvents: 1 })
  const client = await ask(stream)
  await fake.waitFor(() => fake.running() === 1)
  client.socket.destroy()
  await fake.waitFor(() => fake.requests[0]?.outcome === 'aborted')
  assert.equal(fake.running(), 1)
  await fake.waitFor(() => fake.running() === 0)
})

test('a server that dies of an abort takes all its connections with it, and may be started again', async () => {
  fake.fault({ do: 'die-on-abort' })
  fake.fault({ do: 'stall', afterEvents: 1 })
  const other = await rawClient(fake.port)
  const client = await ask(stream)
  await fake.waitFor(() => fake.requests[0]?.eventsSent === 1)
  client.socket.destroy()
  assert.equal(await other.ended, 'rst')
  await assert.rejects(rawClient(fake.port))
  await fake.listen()
  assert.match(await exchange(fake.port, whole), /^HTTP\/1\.1 200 /)
})

test('a giant stream waits for its reader', async () => {
  fake.fault({ do: 'giant-stream', bytes: 64 * 2 ** 20 })
  const client = await rawClient(fake.port)
  client.socket.pause()
  client.send(requestText(stream))
  await fake.waitFor(() => (fake.requests[0]?.eventsSent ?? 0) > 10)
  client.socket.destroy()
  await fake.waitFor(() => fake.requests[0]?.outcome === 'aborted')
  expect(fake.requests[0]!.bytesSent).toBeLessThan(32 * 2 ** 20)
})

test('a fault meets what it matches: POSTs by default, a path, a text in the body, the nth of them', async () => {
  fake.fault({ do: 'status', status: 500 })
  fake.fault({ do: 'status', status: 501, match: { path: '/hea*' } })
  fake.fault({ do: 'status', status: 502, match: { body: 'second', nth: 2 }, times: 0 })
  const status = async (asked: Asked) => (await exchange(fake.port, asked)).slice(9, 12)
  const health: Asked = { method: 'GET', path: '/health' }
  const second: Asked = { body: { ...hello, user: 'second' } }
  assert.deepEqual(
    [
      await status({ method: 'GET', path: '/version' }),
      await status(health),
      await status(health),
      await status(whole),
      await status(whole),
    ],
    ['200', '501', '200', '500', '200'],
  )
  assert.deepEqual([await status(second), await status(second), await status(second)], ['200', '502', '502'])
  fake.clearFaults()
  assert.equal(await status(second), '200')
})

function unchunked(bytes: Buffer): Buffer {
  const line = bytes.indexOf('\r\n')
  return bytes.subarray(line + 2, line + 2 + Number.parseInt(bytes.toString('latin1', 0, line), 16))
}

function lastEvent(events: string): string {
  return events.trimEnd().split('\n\n').at(-1)!
}
