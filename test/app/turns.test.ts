/** Engines that share GPUs: who comes, who goes, who waits. Real children, process doubles with one ledger of VRAM. */
import { afterEach, describe, expect, test } from 'vitest'
import { configSchema } from '../../src/protocol/config.ts'
import { Rig, type RigOptions } from '../engine/rig.ts'
import { startApp, type TestApp, until } from '../support/app.ts'
import { DEFAULT_GPU } from '../support/fake-vllm/process/script.ts'
import { type HttpAnswer, parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'

let rig: Rig
afterEach(async () => await rig.dispose())

type Engines = Record<string, Record<string, unknown>>

async function setUp(engines: Engines, given: RigOptions = {}): Promise<TestApp> {
  rig = new Rig(given)
  const configs = configSchema.parse({
    engines: Object.fromEntries(
      Object.entries(engines).map(([name, over]) => [
        name,
        { kind: 'vllm', model: `org/${name}`, served_name: name, port: 0, ...over },
      ]),
    ),
  }).engines
  return await startApp([], { engines: { configs, world: rig.world } })
}

const chat = ({ port }: TestApp, model: string, over = {}) => ask(port, aChat({ model, ...over }))
const stateOf = ({ app }: TestApp, name: string) => app.engines!.get(name)!.state.is
const backendOf = (answer: HttpAnswer) => answer.headers.get('x-lexora-backend')
/** Of one GPU, what all engines hold. */
const heldMib = () => rig.host.held().reduce((sum, { mib }) => sum + mib, 0)
const runOf = (model: string) => rig.host.runs().findLast(({ argv }) => argv.includes(`org/${model}`))!

describe('two engines of which only one fits', () => {
  test('an idle one leaves for the other, and comes back for its own', async () => {
    const lexora = await setUp({ a: {}, b: {} })
    for (const name of ['a', 'b', 'a']) {
      const answer = await chat(lexora, name)
      expect([answer.status, backendOf(answer)]).toEqual([200, name])
      expect(heldMib()).toBeLessThan(DEFAULT_GPU.totalMib)
      expect(rig.host.runs().filter((run) => run.alive().length > 0)).toHaveLength(1)
    }
    expect(rig.host.runs()).toHaveLength(3)
  })

  test('whoever works is not cut off: its stream ends whole, then the other comes', async () => {
    const lexora = await setUp({ a: {}, b: {} }, { host: { vllm: { tokenMs: 20 } } })
    const client = await RawClient.open(lexora.port)
    client.post('/v1/chat/completions', aChat({ model: 'a', stream: true, max_tokens: 150 }), { connection: 'close' })
    await client.until((text) => dataOf(text).length > 0)
    const [other, same] = await Promise.all([chat(lexora, 'b', { x_priority: 'high' }), client.closed()])
    expect(backendOf(other)).toBe('b')
    expect(dataOf(parseAnswer(same).body).at(-1)).toBe('[DONE]')
    expect(lexora.outcomes.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  })

  test('an operator’s start sends the other away at once, and a request for that one brings it back', async () => {
    const lexora = await setUp({ a: {}, b: {} })
    await chat(lexora, 'a')
    await lexora.app.commands.startEngine({ engine: 'b' })
    await until(() => stateOf(lexora, 'b') === 'ready')
    expect(stateOf(lexora, 'a')).toBe('stopped')
    expect(backendOf(await chat(lexora, 'a'))).toBe('a')
  })

  test('one that requests may not start stays, and who asks for another is told why', async () => {
    const lexora = await setUp({ a: { on_demand: false, autostart: true }, b: {} })
    await until(() => stateOf(lexora, 'a') === 'ready')
    const answer = await chat(lexora, 'b')
    expect(answer.status).toBe(503)
    expect(errorOf(answer).message).toContain('memory of the GPU')
    expect(stateOf(lexora, 'a')).toBe('ready')
  })

  test('of two that are to start with Lexora the second waits for its first request', async () => {
    const lexora = await setUp({ a: { autostart: true }, b: { autostart: true } })
    await until(() => stateOf(lexora, 'a') === 'ready')
    expect(stateOf(lexora, 'b')).toBe('stopped')
    expect(backendOf(await chat(lexora, 'b'))).toBe('b')
  })

  test.each(['while it drains', 'while the other starts'])(
    'is killed %s: everybody is answered all the same',
    async (when) => {
      const lexora = await setUp({ a: {}, b: {} }, { host: { vllm: { tokenMs: 5 } } })
      await chat(lexora, 'a')
      const waiting = [chat(lexora, 'b'), chat(lexora, 'b')]
      if (when === 'while it drains') {
        await until(() => ['draining', 'stopping'].includes(stateOf(lexora, 'a')))
        for (const pid of runOf('a').alive()) process.kill(pid, 'SIGKILL')
      } else {
        await until(() => stateOf(lexora, 'b') === 'starting' && rig.host.runs().length === 2)
        process.kill(runOf('b').pid, 'SIGKILL')
      }
      const answers = await Promise.all(waiting)
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      expect(backendOf(await chat(lexora, 'a'))).toBe('a')
    },
  )
})

test('engines that fit together run together', async () => {
  const share = { args: { 'gpu-memory-utilization': 0.4 } }
  const lexora = await setUp({ a: share, b: share }, { host: { vllm: { weightsMib: 4000 } } })
  const answers = await Promise.all(['a', 'b', 'a', 'b'].map((name) => chat(lexora, name)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect([stateOf(lexora, 'a'), stateOf(lexora, 'b')]).toEqual(['ready', 'ready'])
  expect(rig.host.runs()).toHaveLength(2)
})

test('several GPUs: each engine gets one of its own', async () => {
  const gpus = [DEFAULT_GPU, { ...DEFAULT_GPU, uuid: 'GPU-2' }]
  const lexora = await setUp({ a: {}, b: {} }, { host: { smi: { gpus } } })
  const answers = await Promise.all(['a', 'b'].map((name) => chat(lexora, name)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  const given = ['a', 'b'].map((name) => runOf(name).env['CUDA_VISIBLE_DEVICES'])
  expect(given.toSorted()).toEqual(['0', '1'])
})

describe('engines that can sleep', () => {
  test.each([1, 2] as const)(
    'at level %i keep their process while another has the GPU, and wake up whole',
    async (sleep) => {
      const lexora = await setUp({ a: { sleep }, b: { sleep } })
      const first = await chat(lexora, 'a')
      const { pid } = runOf('a')
      expect((await chat(lexora, 'b')).status).toBe(200)
      expect(lexora.app.engines!.get('a')!.state).toMatchObject({ is: 'sleeping', level: sleep, step: 'asleep' })
      expect(heldMib()).toBeLessThan(DEFAULT_GPU.totalMib)
      const again = await chat(lexora, 'a')
      const said = ({ body }: HttpAnswer) =>
        (JSON.parse(body) as { choices: { message: unknown }[] }).choices[0]!.message
      expect(said(again)).toEqual(said(first))
      expect(runOf('a').pid).toBe(pid)
      expect(rig.host.runs()).toHaveLength(2)
    },
  )

  test('one that is killed asleep is started anew', async () => {
    const lexora = await setUp({ a: { sleep: 1 }, b: { sleep: 1 } })
    await chat(lexora, 'a')
    await chat(lexora, 'b')
    process.kill(runOf('a').pid, 'SIGKILL')
    expect(backendOf(await chat(lexora, 'a'))).toBe('a')
  })
})
