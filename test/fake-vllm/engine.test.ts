import assert from 'node:assert/strict'
import { afterEach, test } from 'vitest'
import { type FakeOptions, type FakeVllm, startFakeVllm } from '../support/fake-vllm/server.ts'
import { bodyOf, exchange, hello, helloStream, isWhole, rawClient, requestText } from './raw-client.ts'

let fake: FakeVllm
afterEach(() => fake.close())

async function start(options: FakeOptions = {}): Promise<void> {
  fake = await startFakeVllm(options)
}

test('equal requests have equal answers, streamed or whole', async () => {
  await start()
  for (const body of [hello, helloStream]) {
    const first = bodyOf(await exchange(fake.port, { body }))
    assert.equal(bodyOf(await exchange(fake.port, { body })), first)
  }
})

test('a whole answer and the events of a stream say the same', async () => {
  await start()
  const whole = JSON.parse(bodyOf(await exchange(fake.port, { body: hello })))
  const deltas = eventsOf(bodyOf(await exchange(fake.port, { body: helloStream }))).map(
    ({ choices }) => choices[0].delta.content,
  )
  assert.equal(deltas.join(''), whole.choices[0].message.content)
  assert.equal(whole.usage.completion_tokens, 4)
})

test('more sequences than fit wait, and the gauges say so', async () => {
  await start({ maxNumSeqs: 2, tokenMs: 60_000 })
  const clients = await Promise.all([1, 2, 3].map(() => rawClient(fake.port)))
  for (const client of clients) client.send(requestText({ body: helloStream }))
  await fake.waitFor(() => fake.running() === 2 && fake.waiting() === 1)
  const metrics = bodyOf(await exchange(fake.port, { method: 'GET', path: '/metrics' }))
  assert.match(metrics, /^vllm:num_requests_running\{.*\} 2\.0$/m)
  assert.match(metrics, /^vllm:num_requests_waiting\{.*\} 1\.0$/m)
  for (const client of clients) client.socket.destroy()
  await fake.waitFor(() => fake.running() + fake.waiting() === 0)
})

test.each([
  ['closes', 'destroy'],
  ['resets', 'resetAndDestroy'],
  ['half-closes', 'end'],
] as const)('a client that %s stops its request', async (_how, leave) => {
  await start({ tokenMs: 60_000 })
  for (const body of [hello, helloStream]) {
    const client = await rawClient(fake.port)
    client.send(requestText({ body }))
    await fake.waitFor(() => fake.running() === 1)
    client.socket[leave]()
    await fake.waitFor(
      () => fake.running() === 0 && fake.openSockets() === 0 && fake.requests.at(-1)?.outcome === 'aborted',
    )
  }
})

test('n counts once for each sequence', async () => {
  await start({ tokenMs: 60_000 })
  const client = await rawClient(fake.port)
  client.send(requestText({ body: { ...helloStream, n: 3 } }))
  await fake.waitFor(() => fake.running() === 3)
})

test('a full queue refuses with 503, or inside a stream', async () => {
  await start({ maxQueued: 1, tokenMs: 60_000 })
  const holder = await rawClient(fake.port)
  holder.send(requestText({ body: helloStream }))
  await fake.waitFor(() => fake.running() === 1)
  assert.match(await exchange(fake.port, { body: hello }), /^HTTP\/1\.1 503 /)
  assert.match(await exchange(fake.port, { body: helloStream }), /^HTTP\/1\.1 503 /)
})

test('a burst is refused inside its streams', async () => {
  await start({ maxQueued: 1, tokenMs: 60_000, overflow: 'event' })
  const holder = await rawClient(fake.port)
  holder.send(requestText({ body: helloStream }))
  await fake.waitFor(() => fake.running() === 1)
  const received = await exchange(fake.port, { body: helloStream })
  assert.match(received, /^HTTP\/1\.1 200 /)
  assert.match(bodyOf(received), /^data: \{"error": .*"code": 503\}\}\n\ndata: \[DONE\]\n\n$/)
})

test('while it sleeps requests wait, and go on when it wakes', async () => {
  await start({ devMode: true })
  await exchange(fake.port, { path: '/sleep?level=1' })
  const client = await rawClient(fake.port)
  client.send(requestText({ body: hello }))
  await fake.waitFor(() => fake.waiting() === 1)
  assert.equal(client.received(), '')
  await exchange(fake.port, { path: '/wake_up' })
  assert.match(await client.until(isWhole), /^HTTP\/1\.1 200 /)
})

test('an idle connection is closed, one that never spoke is kept', async () => {
  await start({ keepAliveMs: 20 })
  const silent = await rawClient(fake.port)
  const client = await rawClient(fake.port)
  client.send(requestText({ method: 'GET', path: '/health' }))
  assert.equal(await client.ended, 'fin')
  assert.equal(silent.socket.readyState, 'open')
})

test('it refuses until it is ready, and again when told to', async () => {
  await start({ startDelayMs: 50 })
  await assert.rejects(fetch(`${fake.url}/health`))
  await fake.ready
  assert.equal((await fetch(`${fake.url}/health`)).status, 200)
  await fake.refuse()
  await assert.rejects(exchange(fake.port, { method: 'GET', path: '/health' }))
  await fake.listen()
  assert.match(await exchange(fake.port, { method: 'GET', path: '/health' }), /^HTTP\/1\.1 200 OK\r\n/)
})

test('a body may come in chunks, and bytes that are no HTTP are told so', async () => {
  await start()
  const client = await rawClient(fake.port)
  const text = JSON.stringify(hello)
  client.send(
    'POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  )
  client.send(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`)
  assert.match(await client.until(isWhole), /^HTTP\/1\.1 200 /)
  const garbage = await rawClient(fake.port)
  garbage.send('what is this\r\n\r\n')
  assert.match(await garbage.until(isWhole), /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*Invalid HTTP request received\.$/)
})

test('Connection: close and Expect: 100-continue are kept', async () => {
  await start()
  const client = await rawClient(fake.port)
  client.send(
    requestText({ method: 'GET', path: '/version', headers: { connection: 'close', expect: '100-continue' } }),
  )
  assert.equal(await client.ended, 'fin')
  assert.match(
    client.received(),
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n\r\n\{"version":"0\.32\.0"\}$/,
  )
})

test('a stop string ends the text before it', async () => {
  await start()
  const free = JSON.parse(bodyOf(await exchange(fake.port, { body: hello }))).choices[0].message.content as string
  const stop = free.slice(3, 5)
  const { message, finish_reason, stop_reason } = JSON.parse(
    bodyOf(await exchange(fake.port, { body: { ...hello, stop } })),
  ).choices[0]
  assert.deepEqual([message.content, finish_reason, stop_reason], [free.slice(0, free.indexOf(stop)), 'stop', stop])
})

// biome-ignore lint/suspicious/noExplicitAny: events have many shapes, and the assertions name what they need
function eventsOf(body: string): any[] {
  return body
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)))
}
