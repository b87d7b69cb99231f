/** Another configuration while requests run: nothing is lost, and each thing changes when it should. */
import { connect, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AppSettings } from '../../src/app/app-settings.ts'
import { Listeners } from '../../src/app/listeners.ts'
import { configSchema, type ResolvedBackend } from '../../src/protocol/config.ts'
import {
  aBackend,
  activeTimers,
  assertSettled,
  type Patch,
  startApp,
  startFake,
  type TestApp,
  until,
} from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'

const CHAT = '/v1/chat/completions'

type Backends = readonly (Partial<ResolvedBackend> & { name: string })[]

/** A configuration as `startApp` makes its own. */
function settings(backends: Backends, config: Patch = {}, more: Partial<AppSettings> = {}): AppSettings {
  const server = { port: 0, ...(config.server as object | undefined) }
  const metrics = { request_log: { enabled: false }, ...(config.metrics as object | undefined) }
  const parsed = configSchema.parse({ ...config, server, metrics, retry: { base_delay: 0.01, max_delay: 0.05 } })
  return {
    config: parsed,
    backends: backends.map(aBackend),
    defaultBackend: null,
    engines: {},
    certificate: null,
    ...more,
  }
}

async function stream({ port }: TestApp, over: Record<string, unknown> = {}): Promise<RawClient> {
  const client = await RawClient.open(port)
  onTestFinished(() => client.destroy())
  client.post(CHAT, aChat({ stream: true, max_tokens: 40, ...over }), { connection: 'close' })
  await client.until((text) => text.includes('data:'))
  return client
}

const ended = async (client: RawClient) => dataOf(parseAnswer(await client.closed()).body).at(-1)
const posts = (fake: Awaited<ReturnType<typeof startFake>>) => fake.requests.filter(({ path }) => path === CHAT).length

describe('a reload', () => {
  test('lets a stream finish at its backend, though that is no longer configured', async () => {
    const [old, next] = [await startFake({ tokenMs: 10 }), await startFake()]
    const lexora = await startApp([{ name: 'old', url: old.url }])
    const baseline = activeTimers()
    const client = await stream(lexora)
    await lexora.app.apply(settings([{ name: 'next', url: next.url }]))
    const { status } = await ask(lexora.port, aChat())
    expect([status, posts(old), posts(next)]).toEqual([200, 1, 1])
    expect(await ended(client)).toBe('[DONE]')
    await until(() => old.openSockets() === 0)
    expect((await lexora.app.commands.snapshot()).backends.map(({ name }) => name)).toEqual(['next'])
    await assertSettled(lexora, [old, next], baseline)
  })

  test('lets who waits keep the place, and its new bounds hold at once', async () => {
    const fake = await startFake({ tokenMs: 10 })
    const lexora = await startApp([{ name: 'main', url: fake.url, maxInFlight: 1 }])
    const first = await stream(lexora)
    const waiting = ask(lexora.port, aChat())
    await until(() => lexora.app.inFlight.waiting === 1)
    await lexora.app.apply(settings([{ name: 'main', url: fake.url, maxInFlight: 2 }]))
    expect(lexora.app.inFlight).toMatchObject({ waiting: 0, permits: 2 })
    expect((await waiting).status).toBe(200)
    expect(await ended(first)).toBe('[DONE]')
  })

  test('changes limits at once and forgets nothing that was used', async () => {
    const fake = await startFake()
    const limits = (burst: number): Patch => ({ rate_limit: { default_rate: 0.001, default_burst: burst } })
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config: limits(3) })
    const say = async () => (await ask(lexora.port, aChat({ user: 'ann' }))).status
    expect([await say(), await say()]).toEqual([200, 200])
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }], limits(2)))
    expect(await say()).toBe(429)
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }], limits(3)))
    expect([await say(), await say()]).toEqual([200, 429])
  })

  test('asks for keys from the next request on, also on a connection that is open', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const client = await RawClient.open(lexora.port)
    onTestFinished(() => client.destroy())
    client.post(CHAT, aChat(), { authorization: 'Bearer anything' })
    await client.until((text) => text.includes('200 OK'))
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }], { auth: { api_keys: ['a-new-key'] } }))
    client.post(CHAT, aChat(), { authorization: 'Bearer anything' })
    await client.until((text) => text.includes('401 Unauthorized'))
    expect((await ask(lexora.port, aChat(), { authorization: 'Bearer a-new-key' })).status).toBe(200)
  })

  test('keeps the health and the connections of a backend that stays where it is', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    await lexora.app.apply(settings([{ name: 'main', url: fake.url, weight: 3, modelMapping: { big: 'tiny' } }]))
    const { backends } = await lexora.app.commands.snapshot()
    expect(backends).toMatchObject([{ name: 'main', status: 'up', models: ['tiny', 'big'] }])
    expect((await ask(lexora.port, aChat({ model: 'big' }))).status).toBe(200)
  })

  test('that cannot be put in force changes nothing', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const broken = settings([{ name: 'other', url: fake.url, ca: '/no/such/file.pem' }])
    await expect(lexora.app.apply(broken)).rejects.toThrow('ENOENT')
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect((await lexora.app.commands.snapshot()).backends.map(({ name }) => name)).toEqual(['main'])
  })
})

describe('listeners', () => {
  /** A port that was free a moment ago. */
  async function freePort(): Promise<number> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    return port
  }

  test('another port is opened before the old one closes, and what runs there goes on', async () => {
    const fake = await startFake({ tokenMs: 10 })
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const client = await stream(lexora)
    const port = await freePort()
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }], { server: { port } }))
    expect((await ask(port, aChat())).status).toBe(200)
    expect(await ended(client)).toBe('[DONE]')
    await expect(RawClient.open(lexora.port)).rejects.toThrow('ECONNREFUSED')
    expect(lexora.app.pendingRestart).toEqual([])
  })

  test('a port that somebody holds leaves the old one open, and is said to wait for a restart', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }], { server: { port: fake.port } }))
    expect(lexora.app.pendingRestart).toEqual(['server.port'])
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    const { server } = await lexora.app.commands.snapshot()
    expect(server.pendingRestart).toEqual(['server.port'])
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }]))
    expect(lexora.app.pendingRestart).toEqual([])
  })

  /** To whom 127.0.0.2 answers, Lexora is open beyond its own two addresses. */
  const isOpenBeyond = async (port: number): Promise<boolean> =>
    await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.2')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  const at = (host: unknown, config: Patch = {}) => ({ ...config, server: { host }, auth: { api_keys: ['the-key'] } })
  const KEY = { authorization: 'Bearer the-key' }

  test('the door to the network opens and closes at once, at the same port; what this machine runs goes on', async () => {
    const fake = await startFake({ tokenMs: 10 })
    const main = [{ name: 'main', url: fake.url }]
    const lexora = await startApp(main, { config: at('127.0.0.1') })
    const places = () => lexora.app.addresses.map(({ address }) => address)
    for (const [host, open] of [
      ['0.0.0.0', ['0.0.0.0', '::1']],
      ['127.0.0.1', ['::1', '127.0.0.1']],
      [
        ['127.0.0.1', '127.0.0.2'],
        ['::1', '127.0.0.1', '127.0.0.2'],
      ],
      [
        ['127.0.0.1', '0.0.0.0'],
        ['::1', '0.0.0.0'],
      ],
      ['::', ['::']],
      ['127.0.0.1', ['127.0.0.1', '::1']],
    ] as const) {
      const kept = await RawClient.open(lexora.port)
      kept.post(CHAT, aChat({ stream: true, max_tokens: 40 }), KEY)
      await kept.until((text) => text.includes('data:'))
      await lexora.app.apply(settings(main, at(host)))
      expect(lexora.app.pendingRestart).toEqual([])
      expect(places().sort()).toEqual([...open].sort())
      expect([host, await isOpenBeyond(lexora.port)]).toEqual([
        host,
        open.some((one) => !['127.0.0.1', '::1'].includes(one)),
      ])
      for (const own of ['127.0.0.1', '[::1]'])
        expect((await fetch(`http://${own}:${lexora.port}/healthz`)).status).toBe(200)
      await kept.until((text) => text.includes('[DONE]'))
      // What is on its way on a connection that was idle meanwhile is answered, too.
      kept.post(CHAT, aChat({ stream: true }), KEY)
      await kept.until((text) => text.split('[DONE]').length === 3)
      kept.destroy()
    }
  })

  test('where one of the new addresses cannot be had, those of before are taken back, and it is said', async () => {
    const lexora = await startApp([], { config: at('0.0.0.0') })
    // Kept for documents: no machine has it.
    await lexora.app.apply(settings([], at(['127.0.0.1', '192.0.2.1'])))
    expect(lexora.app.pendingRestart).toEqual(['server.host'])
    expect(lexora.app.addresses.map(({ address }) => address).sort()).toEqual(['0.0.0.0', '::1'])
    expect(await isOpenBeyond(lexora.port)).toBe(true)
    await lexora.app.apply(settings([], at('127.0.0.1')))
    expect([lexora.app.pendingRestart, await isOpenBeyond(lexora.port)]).toEqual([[], false])
  })

  test('an address that somebody took in that moment is told as lost, and had again by the next change', async () => {
    const open = new Set<string>()
    let isTaken = false
    const listeners = new Listeners(
      {
        listen: async (host, port) => {
          if ((host === '0.0.0.0' && open.has('127.0.0.1')) || (isTaken && host !== '::1' && open.size < 2))
            throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' })
          open.add(host)
          return { address: host, family: host.includes(':') ? 'IPv6' : 'IPv4', port }
        },
        retire: ({ address }) => void open.delete(address),
        renew: () => {},
        cutOff: () => {},
      },
      configSchema.parse({}),
      null,
    )
    await listeners.start()
    isTaken = true
    const next = configSchema.parse({ server: { host: '0.0.0.0' } })
    const failed = await listeners.change(next, null)
    failed.commit()
    expect([failed.stuck, failed.lost, [...open]]).toEqual([['server.host'], ['127.0.0.1'], ['::1']])
    expect(listeners.addresses.map(({ address }) => address)).toEqual(['::1'])
    isTaken = false
    const done = await listeners.change(next, null)
    done.commit()
    expect([done.stuck, done.lost, [...open].sort()]).toEqual([[], [], ['0.0.0.0', '::1']])
  })

  test('metrics get a port of their own, and lose it again', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const port = await freePort()
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }], { metrics: { port } }))
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200)
    await lexora.app.apply(settings([{ name: 'main', url: fake.url }]))
    await expect(RawClient.open(port)).rejects.toThrow('ECONNREFUSED')
  })
})

test('five hundred reloads of every kind under load lose no request', { timeout: 180_000 }, async () => {
  const fakes = [await startFake({ tokenMs: 1 }), await startFake({ tokenMs: 1 })]
  const main = { name: 'main', url: fakes[0]!.url }
  const other = { name: 'other', url: fakes[1]!.url }
  const kinds: ((round: number) => AppSettings)[] = [
    (round) => settings([main], { rate_limit: { default_rate: 1000 + round, default_burst: 1000 } }),
    () => settings([{ ...main, url: fakes[1]!.url }]),
    () => settings([main], { queue: { max_size: 200, guarantee: { normal: 0.3, low: 0.1 } } }),
    () => settings([main, other], { routing: { aliases: { alias: 'tiny' } } }),
    (round) => settings([{ ...main, maxInFlight: 2 + (round % 7) }, other]),
    () => settings([other], { timeouts: { idle: 30 } }),
    () => settings([{ ...main, apiKey: 'not-asked-for' }], { auth: { header: 'x-company-key' } }),
    () =>
      settings([
        { ...main, fallbackBackends: ['other'] },
        { ...other, models: ['small'] },
      ]),
    () => settings([main], { metrics: { port: 0 }, server: { max_body_mb: 16 } }),
  ]
  const lexora = await startApp([main])
  const baseline = activeTimers()
  const failures: string[] = []
  let [done, answered] = [false, 0]
  const client = async (streams: boolean): Promise<void> => {
    while (!done) {
      const answer = await ask(lexora.port, aChat({ stream: streams }))
      const whole = !streams || dataOf(answer.body).at(-1) === '[DONE]'
      if (answer.status !== 200 || !whole) failures.push(`${answer.status} ${answer.body.slice(0, 200)}`)
      answered++
    }
  }
  const load = Promise.all(Array.from({ length: 16 }, (_, i) => client(i % 2 === 0)))
  for (let round = 0; round < 500; round++) {
    await lexora.app.apply(kinds[round % kinds.length]!(round))
    const before = answered
    await until(() => answered > before)
  }
  done = true
  await load
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(500)
  await lexora.app.apply(settings([main]))
  await assertSettled(lexora, fakes, baseline)
})

test('a refusal by a limit that a reload brought names itself', async () => {
  const fake = await startFake({ tokenMs: 20 })
  const lexora = await startApp([{ name: 'main', url: fake.url }])
  await stream(lexora, { user: 'ann' })
  await lexora.app.apply(settings([{ name: 'main', url: fake.url }], { rate_limit: { max_concurrent: 1 } }))
  expect(errorOf(await ask(lexora.port, aChat({ user: 'ann' })))).toMatchObject({ code: 'rate_limit_exceeded' })
})
