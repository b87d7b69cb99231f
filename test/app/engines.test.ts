/** Engines behind the gateway: requests wait for them, outlive their end, and start them. Real children, the process double. */
import { afterEach, describe, expect, test } from 'vitest'
import { Rig, type RigOptions } from '../engine/rig.ts'
import { type Patch, startApp, type TestApp, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, errorOf } from '../support/requests.ts'

const CHAT = '/v1/chat/completions'
const MODEL = 'qwen3-8b'

let rig: Rig
afterEach(async () => await rig.dispose())

/** A Lexora whose one engine is the process double. */
async function setUp(given: RigOptions & { config?: Patch } = {}): Promise<TestApp> {
  rig = new Rig(given)
  return await startApp([], {
    ...(given.config === undefined ? {} : { config: given.config }),
    engines: { configs: { main: rig.config }, world: rig.world },
  })
}

const says = (over: Record<string, unknown> = {}) => aChat({ model: MODEL, ...over })

async function post({ port }: TestApp, body: unknown): Promise<RawClient> {
  const client = await RawClient.open(port)
  client.post(CHAT, body, { connection: 'close' })
  return client
}

const answerOf = async (client: RawClient) => parseAnswer(await client.closed())

const engineOf = ({ app }: TestApp) => app.engines!.get('main')!

/** The process that makes the tokens, of the run that lives. */
const coreOf = (): number => rig.host.runs().find((run) => run.alive().length > 0)!.engineCore!

/** The models as callers see them, with their states. */
const listed = async ({ url }: TestApp): Promise<string[][]> => {
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string; state: string }[] }
  return data.map(({ id, state }) => [id, state])
}

const kvUse = async ({ app }: TestApp): Promise<number | null> =>
  (await app.commands.snapshot()).queues[0]!.permits.kvUse

const reaches = async (lexora: TestApp, is: string): Promise<void> => {
  await engineOf(lexora).until((state) => state.is === is, AbortSignal.timeout(20_000))
  expect(engineOf(lexora).state.is).toBe(is)
}

describe('a stopped engine', () => {
  test('is listed with its model, and the first request for it starts it and is answered', async () => {
    const lexora = await setUp()
    expect(await listed(lexora)).toEqual([[MODEL, 'on_demand']])
    expect(engineOf(lexora).state.is).toBe('stopped')
    const answer = await ask(lexora.port, says())
    expect([answer.status, answer.headers.get('x-lexora-backend')]).toEqual([200, 'main'])
    expect(engineOf(lexora).state.is).toBe('ready')
    expect(await listed(lexora)).toEqual([[MODEL, 'ready']])
  })

  test('is listed as starting while it comes up', async () => {
    const lexora = await setUp({ host: { vllm: { holdAt: { text: 'Capturing CUDA graphs', ms: 60_000 } } } })
    engineOf(lexora).start()
    await reaches(lexora, 'starting')
    expect(await listed(lexora)).toEqual([[MODEL, 'starting']])
  })

  test('that is not to be started by requests says so', async () => {
    const lexora = await setUp({ engine: { on_demand: false } })
    const answer = await ask(lexora.port, says())
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'no_backend'])
    expect(errorOf(answer).message).toContain('lexora start main')
    expect(rig.host.runs()).toEqual([])
  })

  test('a stream that waits for it is kept alive by comments, and x_timeout bounds the wait', async () => {
    const lexora = await setUp({
      host: { vllm: { startScale: 0.02 } },
      config: { timeouts: { keepalive_comment_after: 0.1 }, queue: { default_timeout: 0.2 } },
    })
    const short = await post(lexora, says({ x_timeout: 0.3 }))
    const stream = await post(lexora, says({ stream: true }))
    expect(errorOf(await answerOf(short)).code).toBe('queue_timeout')
    const answer = await answerOf(stream)
    expect(answer.body).toMatch(/^: waiting/)
    expect(answer.body).toContain('[DONE]')
  })

  test('whose start fails tells everybody who waits why, and what to do', async () => {
    const lexora = await setUp({ host: { vllm: { fail: 'gated-repo' } } })
    const answers = await Promise.all([ask(lexora.port, says()), ask(lexora.port, says({ stream: true }))])
    for (const answer of answers) {
      expect([answer.status, errorOf(answer).code]).toEqual([503, 'engine_failed'])
      expect(errorOf(answer).message).toContain("The engine 'main' does not run")
    }
    expect(engineOf(lexora).state.is).toBe('failed')
    expect(await listed(lexora)).toEqual([[MODEL, 'unavailable']])
    const health = await fetch(`${lexora.url}/health`)
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([503, 'unhealthy'])
  })
})

describe('an engine that dies', () => {
  test('while fifty streams run: each ends whole or in an error event, those without content are answered by the next run', async () => {
    const lexora = await setUp({ host: { vllm: { tokenMs: 20, tokens: 200 } } })
    await ask(lexora.port, says())
    const running = await Promise.all(
      Array.from({ length: 25 }, async () => {
        // Long enough that none of them ends before it is killed, however slow the machine is.
        const client = await post(lexora, says({ stream: true, max_tokens: 2000 }))
        await client.until((text) => text.includes('data:'))
        return client
      }),
    )
    rig.host.vllm({ ttftMs: 300 })
    // They say nothing before all of their answer, which takes some seconds: until then all fifty run.
    const silent = await Promise.all(
      Array.from({ length: 25 }, async () => await post(lexora, says({ max_tokens: 200 }))),
    )
    await until(
      () => lexora.app.inFlight.requests === 50,
      () => `${lexora.app.inFlight.requests} are in flight`,
    )
    process.kill(coreOf(), 'SIGKILL')
    const broken = await Promise.all(running.map(answerOf))
    for (const answer of broken) {
      const isWhole = answer.body.includes('[DONE]')
      expect(isWhole || errorOf(answer).code !== undefined).toBe(true)
    }
    const answered = await Promise.all(silent.map(answerOf))
    expect(answered.map(({ status }) => status)).toEqual(answered.map(() => 200))
    expect(lexora.app.inFlight.permits).toBe(0)
    await reaches(lexora, 'ready')
    expect(engineOf(lexora).view().restarts).toBe(1)
  })

  test('twice under the same request is not sent it a third time', async () => {
    const lexora = await setUp({ host: { vllm: { ttftMs: 400 } } })
    const client = await post(lexora, says())
    for (const run of [1, 2]) {
      const isWorkedOn = (): boolean => lexora.app.inFlight.attempts === 1 && rig.host.runs().length === run
      await until(
        isWorkedOn,
        () => JSON.stringify([lexora.app.inFlight, engineOf(lexora).state, rig.host.runs().length]),
        15_000,
      )
      process.kill(coreOf(), 'SIGKILL')
      await until(() => lexora.app.inFlight.attempts === 0)
    }
    const answer = await answerOf(client)
    expect(answer.status).toBeGreaterThanOrEqual(500)
  })
})

test('a stop drains what runs, refuses nothing that may wait, and gives the memory back', async () => {
  const lexora = await setUp({ host: { vllm: { tokenMs: 10 } } })
  await ask(lexora.port, says())
  const running = await post(lexora, says({ stream: true, max_tokens: 40 }))
  await running.until((text) => text.includes('data:'))
  await expect.poll(() => kvUse(lexora), { timeout: 20_000 }).not.toBeNull()
  engineOf(lexora).stop()
  expect((await answerOf(running)).body).toContain('[DONE]')
  await reaches(lexora, 'stopped')
  // What filled its cache is gone with it.
  expect(await kvUse(lexora)).toBeNull()
  expect(engineOf(lexora).view().receipt).toMatchObject({ portFree: true, left: [] })
  expect(rig.alive()).toEqual([])
  // On demand it comes back.
  expect((await ask(lexora.port, says())).status).toBe(200)
})

test('freed for something else it stays stopped, until somebody starts it', async () => {
  const lexora = await setUp()
  await ask(lexora.port, says())
  expect(await lexora.app.engines!.freeGpu()).toMatchObject([{ engine: 'main', receipt: { portFree: true } }])
  expect(errorOf(await ask(lexora.port, says())).code).toBe('no_backend')
  await lexora.app.engines!.start(engineOf(lexora))
  expect((await ask(lexora.port, says())).status).toBe(200)
})

test('the end of Lexora is the end of its engines', async () => {
  const lexora = await setUp()
  await ask(lexora.port, says())
  await lexora.app.stop(1000)
  expect(rig.alive()).toEqual([])
})
