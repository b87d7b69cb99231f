import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'vitest'
import fixture from '../fixtures/vllm/http.json' with { type: 'json' }
import { type FakeOptions, type FakeVllm, startFakeVllm } from '../support/fake-vllm/server.ts'
import { exchange, isWhole, rawClient, requestText } from './raw-client.ts'
import { type Expected, type FixtureCase, type RequestBody, shapesOf } from './shapes.ts'

/** The three servers that were captured. */
const SERVERS: Record<FixtureCase['server'], FakeOptions> = {
  default: { maxNumSeqs: 8 },
  B: {
    models: ['tiny', 'tiny-alias'],
    apiKey: 'sk-test-1',
    maxNumSeqs: 8,
    maxQueued: 12,
    devMode: true,
    enableTools: true,
    requestIdHeaders: true,
    lora: true,
    tokenizerInfo: true,
    promptTokensDetails: true,
    perRequestMetrics: true,
    serverLoad: true,
  },
  E: { kind: 'pooling', maxNumSeqs: 8 },
}

/** What the fake does not do, and why. A case that would pass may not stand here. */
const LEFT_OUT: Record<string, string> = {
  docs: 'a page for people; nobody but a browser asks for it',
  openapi: 'describes 90 routes that the fake does not have',
  'B-server_info': 'the whole configuration of a real engine; Lexora never asks for it',
  'B-server_info_json': 'the same as JSON',
  'B-tools-required': 'random weights never closed their second call, so it came as text; the fake closes its calls',
  'B-tools-required-stream': 'for the same reason two calls, the second cut off; the fake makes one',
}

const { shapes, cases } = fixture as { shapes: string[]; cases: FixtureCase[] }

let fake: FakeVllm
afterEach(() => fake.close())

describe('the fake answers as the captured vLLM did', () => {
  test.each(cases.filter(({ name }) => !(name in LEFT_OUT)))('$name', async (one) => {
    await start(one)
    assert.deepEqual(await replay(one), spelled(one.expected, shapes))
  })
})

describe('what is left out would fail', () => {
  test.each(Object.entries(LEFT_OUT))('%s: %s', async (name) => {
    const one = cases.find((other) => other.name === name)
    assert.ok(one, 'there is no such case')
    await start(one)
    assert.notDeepEqual(await replay(one), spelled(one.expected, shapes))
  })
})

async function start(one: FixtureCase): Promise<void> {
  const inStream = one.state === 'full' && 'events' in one.expected
  fake = await startFakeVllm({ ...SERVERS[one.server], overflow: inStream ? 'event' : 'status' })
  await bringTo(one.state)
}

/** Brings the server to the state in which the case was captured. */
async function bringTo(state: FixtureCase['state']): Promise<void> {
  const headers = { authorization: 'Bearer sk-test-1' }
  if (state === 'asleep') await exchange(fake.port, { path: '/sleep?level=1' })
  if (state === 'paused') await exchange(fake.port, { path: '/pause' })
  if (state === 'adapter') {
    await exchange(fake.port, {
      path: '/v1/load_lora_adapter',
      headers,
      body: { lora_name: 'a1', lora_path: '/models/lora1' },
    })
  }
  if (state !== 'full') return
  fake.fault({ do: 'stall', afterEvents: -1, match: { body: 'hold' }, times: 0 })
  for (let held = 0; held < SERVERS.B.maxQueued!; held += 1) {
    const client = await rawClient(fake.port)
    client.send(requestText({ headers, body: { messages: [{ role: 'user', content: 'hold' }] } }))
  }
  await fake.waitFor(() => fake.running() + fake.waiting() === SERVERS.B.maxQueued)
}

/** Sends the request of a case; what came back is spelled out like what is expected. */
async function replay({ method, path, headers, body, expected }: FixtureCase): Promise<unknown> {
  const client = await rawClient(fake.port)
  const bytes = body === undefined ? Buffer.alloc(0) : bytesOf(body)
  client.send(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n`)
  for (const [name, value] of Object.entries(headers)) client.send(`${name}: ${value}\r\n`)
  client.send(`Content-Length: ${bytes.length}\r\n\r\n`)
  client.socket.write(bytes)
  if ('none' in expected) {
    await fake.waitFor(() => fake.waiting() === 1)
    return client.received() === '' ? { none: true } : client.received()
  }
  await client.until(isWhole)
  const known: string[] = []
  return spelled(shapesOf(client.bytes(), known), known)
}

function bytesOf(body: RequestBody): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  if ('base64' in body) return Buffer.from(body.base64, 'base64')
  return Buffer.from(`${body.head}${body.unit.repeat(body.times)}${body.tail}`)
}

/** With the shapes in the place of their numbers, each as a list, so that a difference can be read. */
function spelled(expected: Expected, known: string[]): unknown {
  const shape = (at: number) => known[at]!.split(' ')
  if ('none' in expected || 'text' in expected) return expected
  if ('shape' in expected) return { ...expected, shape: shape(expected.shape) }
  if ('metrics' in expected) return { ...expected, metrics: shape(expected.metrics) }
  return { ...expected, events: expected.events.map((event) => event.replace(/\d+$/, (at) => known[Number(at)]!)) }
}
