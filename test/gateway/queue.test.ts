/** Who runs next, over real sockets: bands, places, permits, and where a request goes. */
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { FakeOptions } from '../support/fake-vllm/server.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, errorOf } from '../support/requests.ts'
import { sendJson, startRecorder } from './recorder.ts'

const CHAT = '/v1/chat/completions'

async function setUp(given: { fake?: FakeOptions; config?: Patch; slots?: number | 'auto' } = {}) {
  const { fake: fakeOptions = { tokenMs: 20 }, config = {}, slots = 1 } = given
  const fake = await startFake(fakeOptions)
  const lexora = await startApp([{ name: 'main', url: fake.url, maxInFlight: slots }], { config })
  return { fake, lexora, baseline: activeTimers() }
}

type Setting = Awaited<ReturnType<typeof setUp>>

async function post({ lexora }: Setting, body: unknown, headers: Record<string, string> = {}) {
  const client = await RawClient.open(lexora.port)
  client.post(CHAT, body, { ...headers, connection: 'close' })
  return client
}

/** Somebody who keeps the one slot until the test lets go. */
async function occupy(setting: Setting) {
  const client = await post(setting, aChat({ stream: true, max_tokens: 400 }))
  await client.until((text) => text.includes('data:'))
  return client
}

const waiting = ({ lexora }: Setting, count: number) =>
  until(
    () => lexora.app.inFlight.waiting === count,
    () => `waiting: ${lexora.app.inFlight.waiting}`,
  )

const says = (content: string, over: Record<string, unknown> = {}) =>
  aChat({ messages: [{ role: 'user', content }], max_tokens: 1, ...over })

const answerOf = async (client: RawClient) => parseAnswer(await client.closed())

const order = ({ fake }: Setting) =>
  fake.requests
    .filter(({ path }) => path === CHAT)
    .map(({ body }) => JSON.parse(body.toString()).messages[0].content as string)

describe('the queue', () => {
  test('serves high before normal before low, whoever came first', async () => {
    // A band that waited for a while is owed something, and on a slow machine all have.
    const setting = await setUp({ config: { queue: { guarantee: { normal: 0, low: 0 } } } })
    const first = await occupy(setting)
    const clients = []
    for (const [i, band] of ['low', 'normal', 'high', 'low', 'normal', 'high'].entries()) {
      clients.push(
        await post(
          setting,
          says(`${band} ${i}`, i % 2 === 0 ? { x_priority: band } : {}),
          i % 2 === 0 ? {} : { 'x-lexora-priority': band },
        ),
      )
      await waiting(setting, i + 1)
    }
    first.destroy()
    for (const client of clients) expect((await answerOf(client)).status).toBe(200)
    expect(order(setting).slice(1)).toEqual(['high 2', 'high 5', 'normal 1', 'normal 4', 'low 0', 'low 3'])
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('takes turns between users, however many requests one of them has', async () => {
    const setting = await setUp({ fake: { tokenMs: 20 } })
    const first = await occupy(setting)
    const clients = []
    for (let i = 0; i < 8; i++) clients.push(await post(setting, says(`flood ${i}`, { user: 'flood' })))
    await waiting(setting, 8)
    clients.push(await post(setting, says('polite', { user: 'polite' })))
    await waiting(setting, 9)
    first.destroy()
    for (const client of clients) expect((await answerOf(client)).status).toBe(200)
    expect(order(setting).indexOf('polite')).toBeLessThanOrEqual(2)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('says in the answer how long it took, and in the log line too', async () => {
    const setting = await setUp()
    const first = await occupy(setting)
    const client = await post(setting, says('late'))
    await waiting(setting, 1)
    const from = performance.now()
    await until(() => performance.now() - from > 60)
    first.destroy()
    const answer = await answerOf(client)
    expect(Number(answer.headers.get('x-lexora-queue-ms'))).toBeGreaterThanOrEqual(60)
    await setting.lexora.outcomesReach(2)
    expect(setting.lexora.outcomes[1]).toMatchObject({ band: 'normal', outcome: 'ok' })
    expect(setting.lexora.outcomes[1]!.queueMs).toBeGreaterThanOrEqual(60)
    expect(setting.lexora.outcomes[0]!.queueMs).toBeLessThan(60)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('tells a waiting stream its place, in comments', async () => {
    const setting = await setUp({ config: { timeouts: { keepalive_comment_after: 0.1 } } })
    const first = await occupy(setting)
    const ahead = await post(setting, says('ahead', { x_priority: 'high' }))
    await waiting(setting, 1)
    const client = await post(setting, says('stream', { stream: true }))
    await client.until((text) => text.includes(': waiting, place 2 of 2'))
    first.destroy()
    expect((await answerOf(ahead)).status).toBe(200)
    expect((await answerOf(client)).body).toContain('[DONE]')
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('a band above the caller’s highest is clamped, and the answer says so', async () => {
    const setting = await setUp({ config: { rate_limit: { users: { ann: { max_priority: 'low' } } } } })
    const answer = await ask(setting.lexora.port, aChat({ user: 'ann', x_priority: 'high' }))
    expect([answer.status, answer.headers.get('x-lexora-priority')]).toEqual([200, 'low'])
    const free = await ask(setting.lexora.port, aChat({ user: 'bob', x_priority: 'high' }))
    expect([free.status, free.headers.get('x-lexora-priority')]).toEqual([200, undefined])
    expect(setting.lexora.outcomes.map(({ band }) => band)).toEqual(['low', 'high'])
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('what the engine’s front answers itself waits for nobody', async () => {
    const setting = await setUp()
    const first = await occupy(setting)
    const answer = await ask(setting.lexora.port, { model: 'tiny', prompt: 'hello' }, {}, '/tokenize')
    expect(answer.status).toBe(200)
    first.destroy()
    await setting.lexora.outcomesReach(2)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('what is passed through untouched waits for its turn too', async () => {
    const setting = await setUp()
    const first = await occupy(setting)
    const client = await RawClient.open(setting.lexora.port)
    client.post('/v1/audio/speech', { model: 'tiny', input: 'hello' }, { connection: 'close' })
    await waiting(setting, 1)
    expect(setting.fake.requests.some(({ path }) => path === '/v1/audio/speech')).toBe(false)
    first.destroy()
    await client.closed()
    expect(setting.fake.requests.some(({ path }) => path === '/v1/audio/speech')).toBe(true)
    const gone = await RawClient.open(setting.lexora.port)
    const second = await occupy(setting)
    gone.post('/v1/audio/speech', { model: 'tiny', input: 'hello' })
    await waiting(setting, 1)
    gone.destroy()
    await waiting(setting, 0)
    second.destroy()
    await setting.lexora.outcomesReach(4)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })
})

describe('permits', () => {
  test('no more than max_in_flight are ever at a backend, whatever happens to them', async () => {
    const setting = await setUp({ slots: 5, fake: { ttftMs: 3, tokenMs: 1 }, config: { queue: { max_size: 500 } } })
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, setting.fake.running() + setting.fake.waiting())
    }, 1)
    setting.fake.fault({ do: 'status', status: 503, times: 20 })
    await Promise.all(
      Array.from({ length: 120 }, async (_, i) => {
        const client = await post(setting, aChat({ stream: i % 2 === 0, max_tokens: 4 }))
        if (i % 7 === 0) client.destroy()
        else await client.closed()
      }),
    )
    clearInterval(watch)
    await setting.lexora.outcomesReach(120)
    expect(most).toBeLessThanOrEqual(5)
    expect(most).toBeGreaterThan(1)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('auto learns how many a vLLM runs at once from its metrics, and keeps the rest here', async () => {
    const setting = await setUp({ slots: 'auto', fake: { ttftMs: 10, tokenMs: 10, maxNumSeqs: 4 } })
    const wave = async (count: number, tokens: number) => {
      const open = Array.from(
        { length: count },
        async () => await post(setting, aChat({ stream: true, max_tokens: tokens })),
      )
      return await Promise.all((await Promise.all(open)).map(answerOf))
    }
    // Nothing is known yet, so all go there; its own queue is seen to fill.
    await wave(16, 20)
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, setting.fake.waiting())
    }, 1)
    const answers = await wave(24, 10)
    clearInterval(watch)
    expect(answers.every(({ body }) => body.includes('[DONE]'))).toBe(true)
    // One more than it runs is tried now and then, or a quiet moment would bind it for ever.
    expect(most).toBeLessThanOrEqual(2)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('a server without metrics gets a plain number', async () => {
    const backend = await startRecorder({ answer: () => undefined })
    const lexora = await startApp([{ name: 'main', url: backend.url, type: 'ollama' }])
    const clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = await RawClient.open(lexora.port)
        return client.post(CHAT, aChat({ model: 'm' }))
      }),
    )
    await until(() => backend.requests.length === 4 && lexora.app.inFlight.waiting === 2)
    expect(backend.gets.filter((target) => target === '/metrics')).toEqual([])
    for (const client of clients) client.destroy()
    await lexora.outcomesReach(6)
  })
})

describe('where a request goes', () => {
  async function pair(config: Patch = {}) {
    const fakes = [await startFake({ tokenMs: 20 }), await startFake({ tokenMs: 20 })]
    const lexora = await startApp(
      fakes.map(({ url }, i) => ({ name: `b${i}`, url, maxInFlight: 1 })),
      { config },
    )
    return { fakes, lexora, baseline: activeTimers() }
  }

  test('where there is room, rather than into a queue', async () => {
    const { fakes, lexora, baseline } = await pair()
    const first = await RawClient.open(lexora.port)
    first.post(CHAT, aChat({ stream: true, max_tokens: 400 }))
    await first.until((text) => text.includes('data:'))
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect(fakes.map(({ requests }) => requests.filter(({ path }) => path === CHAT).length)).toEqual([1, 1])
    first.destroy()
    await lexora.outcomesReach(2)
    await assertSettled(lexora, fakes, baseline)
  })

  test('into the other queue, where one is full', async () => {
    const { fakes, lexora, baseline } = await pair({ queue: { max_size: 1 } })
    const clients: RawClient[] = []
    for (let i = 0; i < 4; i++) {
      const client = await RawClient.open(lexora.port)
      client.post(CHAT, aChat({ stream: true, max_tokens: 400 }))
      clients.push(client)
      await until(() => lexora.app.inFlight.permits + lexora.app.inFlight.waiting === i + 1)
    }
    const refused = await ask(lexora.port, aChat())
    expect([refused.status, errorOf(refused).code]).toEqual([503, 'queue_full'])
    for (const client of clients) client.destroy()
    await lexora.outcomesReach(5)
    await assertSettled(lexora, fakes, baseline)
  })

  test('elsewhere, when its backend dies while it waits', async () => {
    const { fakes, lexora } = await pair()
    const clients: RawClient[] = []
    for (let i = 0; i < 6; i++) {
      const client = await RawClient.open(lexora.port)
      client.post(CHAT, aChat({ stream: true, max_tokens: 12 }), { connection: 'close' })
      clients.push(client)
    }
    await until(() => lexora.app.inFlight.waiting === 4)
    await fakes[0]!.close()
    const answers = await Promise.all(clients.map(answerOf))
    // The one that had begun cannot be saved; all others are whole.
    expect(answers.filter(({ body }) => body.includes('[DONE]')).length).toBeGreaterThanOrEqual(5)
  })

  test('home, where the conversation’s beginning is, while that costs little', async () => {
    const fakes = [await startFake(), await startFake()]
    const lexora = await startApp(fakes.map(({ url }, i) => ({ name: `b${i}`, url })))
    const messages = [{ role: 'system', content: 'You know everything about ships. '.repeat(100) }]
    const homes: string[] = []
    for (let turn = 0; turn < 6; turn++) {
      messages.push({ role: 'user', content: `Question ${turn}` })
      const answer = await ask(lexora.port, aChat({ messages, max_tokens: 2 }))
      homes.push(answer.headers.get('x-lexora-backend')!)
      messages.push({ role: 'assistant', content: `Answer ${turn}` })
      // Something else in between must not drive it away.
      await ask(lexora.port, says(`other ${turn}`))
    }
    expect(new Set(homes).size).toBe(1)
  })

  test('a split alias keeps a session at its model', async () => {
    const backend = await startRecorder({ models: ['a', 'b'] })
    const config = {
      routing: {
        aliases: {
          chat: [
            { model: 'a', weight: 1 },
            { model: 'b', weight: 1 },
          ],
        },
      },
    }
    const lexora = await startApp([{ name: 'main', url: backend.url, models: ['a', 'b'] }], { config })
    const seen = new Map<string, Set<string>>()
    for (let i = 0; i < 60; i++) {
      const session = `s${i % 20}`
      const answer = await ask(lexora.port, aChat({ model: 'chat' }), { 'x-lexora-session': session })
      seen.set(session, (seen.get(session) ?? new Set()).add(answer.headers.get('x-lexora-model')!))
    }
    expect([...seen.values()].every((models) => models.size === 1)).toBe(true)
    expect(new Set([...seen.values()].map((models) => [...models][0]))).toEqual(new Set(['a', 'b']))
  })

  test('to a fallback with more room, where the prompt is too long and the operator allows it', async () => {
    const small = await startFake({ maxModelLen: 64 })
    const large = await startFake({ maxModelLen: 100_000, models: ['big'] })
    const backends = [
      { name: 'small', url: small.url, models: ['tiny'], fallbackBackends: ['large'] },
      { name: 'large', url: large.url, models: ['big'], modelMapping: { tiny: 'big' } },
    ]
    const long = says('word '.repeat(500))
    const lexora = await startApp(backends, { config: { fallback: { on_context_overflow: true } } })
    const answer = await ask(lexora.port, long)
    expect([answer.status, answer.headers.get('x-lexora-backend')]).toEqual([200, 'large'])
    const strict = await startApp(backends)
    const refused = await ask(strict.port, long)
    expect([refused.status, errorOf(refused).message]).toEqual([400, expect.stringContaining('context length')])
  })

  test('to a remote backend only for who may, and no further than its tokens of the day', async () => {
    const backend = await startRecorder({
      answer: (_request, res) =>
        sendJson(res, 200, {
          object: 'chat.completion',
          choices: [],
          usage: { prompt_tokens: 60, completion_tokens: 50 },
        }),
    })
    const lexora = await startApp(
      [{ name: 'cloud', url: backend.url, models: ['m'], remote: true, dailyTokens: 100, type: 'openai_compatible' }],
      { config: { rate_limit: { users: { ann: { allow_remote: true } } } } },
    )
    const chat = (user: string) => ask(lexora.port, aChat({ model: 'm', user }))
    expect(errorOf(await chat('bob')).code).toBe('permission_denied')
    expect((await chat('ann')).status).toBe(200)
    const spent = await chat('ann')
    expect([spent.status, errorOf(spent).code, spent.headers.get('retry-after')]).toEqual([503, 'overloaded', '3600'])
    expect(backend.requests).toHaveLength(1)
  })

  test('a backend’s own requests per minute hold back what comes above them', async () => {
    const backend = await startRecorder()
    const lexora = await startApp([{ name: 'main', url: backend.url, requestsPerMinute: 3, models: ['m'] }], {
      config: { queue: { default_timeout: 0.2 } },
    })
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => await ask(lexora.port, aChat({ model: 'm' }))),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(2)
    expect(backend.requests).toHaveLength(3)
  })
})

describe('the shares under overload, on real sockets', () => {
  const UNLIMITED: Patch = { rate_limit: { enabled: false } }

  /** So many clients that ask again as soon as they are answered, until `until` says so. */
  const flood = async (port: number, clients: number, body: unknown, over: () => boolean, onAnswer: () => void) =>
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (!over()) {
          const answer = await ask(port, body)
          if (answer.status === 200) onAnswer()
        }
      }),
    )

  test('60, 1 and 3 connections: the single one is served as if alone, and no slot stays empty', async () => {
    const serviceMs = 40
    const setting = await setUp({ slots: 8, fake: { ttftMs: serviceMs }, config: UNLIMITED })
    const counts: Record<string, number> = { many: 0, one: 0, few: 0 }
    const end = performance.now() + 3000
    const over = (): boolean => performance.now() > end
    const user = (name: string) => says(name, { user: name })
    await Promise.all([
      flood(setting.lexora.port, 60, user('many'), over, () => counts.many!++),
      flood(setting.lexora.port, 1, user('one'), over, () => counts.one!++),
      flood(setting.lexora.port, 3, user('few'), over, () => counts.few!++),
    ])
    // One connection can have one slot at most, three three: they get what they ask for, the flood the rest.
    expect(counts.few).toBeGreaterThan(counts.one!)
    expect(counts.many).toBeLessThan(0.9 * (counts.many! + counts.one! + counts.few!))
    // Against each other, not against the clock: what slows the one down slows the others too.
    const waits = (name: string): number[] =>
      setting.lexora.outcomes
        .filter(({ user, status }) => user === name && status === 200)
        .map(({ queueMs }) => queueMs)
        .sort((a, b) => a - b)
    const [one, many] = [waits('one'), waits('many')]
    expect(one[Math.floor(one.length * 0.9)]).toBeLessThan(many[many.length >> 1]! / 2)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('backlogged users of equal weight share equally, and by weight where they differ', async () => {
    const config = { rate_limit: { enabled: false, users: { heavy: { weight: 2 } } } }
    const setting = await setUp({ slots: 4, fake: { ttftMs: 10 }, config })
    const names = ['ann', 'bob', 'cem', 'heavy']
    const end = performance.now() + 3000
    const over = (): boolean => performance.now() > end
    await Promise.all(
      names.map(
        async (name, i) =>
          await flood(setting.lexora.port, 8 + 4 * i, says(name, { user: name }), over, () => undefined),
      ),
    )
    // The first second fills the queues; what was served afterwards is what counts.
    const turns = order(setting)
    const middle = turns.slice(Math.floor(turns.length / 3), Math.floor(turns.length * 0.95))
    const shares = names.map((name) => middle.filter((turn) => turn === name).length / (name === 'heavy' ? 2 : 1))
    const sum = shares.reduce((total, share) => total + share, 0)
    const jain = sum ** 2 / (names.length * shares.reduce((total, share) => total + share ** 2, 0))
    expect(jain).toBeGreaterThanOrEqual(0.99)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('under ten times the load every band gets its part: high at once, low its guarantee', async () => {
    const config = { ...UNLIMITED, queue: { max_size: 500, guarantee: { normal: 0.2, low: 0.1 } } }
    const setting = await setUp({ slots: 4, fake: { ttftMs: 10 }, config })
    const end = performance.now() + 4000
    const over = (): boolean => performance.now() > end
    await Promise.all([
      flood(setting.lexora.port, 2, says('high', { x_priority: 'high', user: 'h' }), over, () => undefined),
      flood(setting.lexora.port, 25, says('normal', { user: 'n' }), over, () => undefined),
      flood(setting.lexora.port, 25, says('low', { x_priority: 'low', user: 'l' }), over, () => undefined),
    ])
    const turns = order(setting)
    const share = (band: string): number => turns.filter((turn) => turn === band).length / turns.length
    // Two clients in four slots ask for less than half of the work, and wait for none of it.
    expect(share('high')).toBeGreaterThan(0.15)
    expect(share('low')).toBeGreaterThan(0.7 * 0.1)
    expect(share('normal')).toBeGreaterThan(0.2)
    const waited = setting.lexora.outcomes.filter(({ band }) => band === 'high').map(({ queueMs }) => queueMs)
    const others = setting.lexora.outcomes.filter(({ band }) => band === 'low').map(({ queueMs }) => queueMs)
    const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!
    expect(median(waited)).toBeLessThan(median(others) / 5)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })
})
