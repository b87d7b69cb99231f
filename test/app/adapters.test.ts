/** LoRA adapters of an engine as models of their own. Real children, the process double. */
import { afterEach, expect, test } from 'vitest'
import { Rig } from '../engine/rig.ts'
import { startApp, type TestApp, until } from '../support/app.ts'
import { aChat, ask, errorOf } from '../support/requests.ts'

let rig: Rig
afterEach(async () => await rig.dispose())

async function setUp(): Promise<TestApp> {
  rig = new Rig({
    engine: { args: { 'lora-modules': ['sql=/adapters/sql', '{"name": "odd", "path": "/adapters/none"}'] } },
  })
  return await startApp([], { engines: { configs: { main: rig.config }, world: rig.world } })
}

type Listed = { id: string; parent?: string; backends: string[] }

async function models({ url }: TestApp): Promise<Listed[]> {
  return ((await (await fetch(`${url}/v1/models`)).json()) as { data: Listed[] }).data
}

test('they are listed, loaded by the first request for them, listed with their parent, and loaded again by the next run', async () => {
  const lexora = await setUp()
  expect((await models(lexora)).map(({ id }) => id)).toEqual(['qwen3-8b', 'sql', 'odd'])
  const first = await ask(lexora.port, aChat({ model: 'sql' }))
  expect([first.status, JSON.parse(first.body).model]).toEqual([200, 'sql'])
  expect((await models(lexora)).find(({ id }) => id === 'sql')).toMatchObject({
    parent: 'qwen3-8b',
    backends: ['main'],
  })
  const [run] = rig.host.runs()
  expect(run!.argv).toContain('--enable-lora')
  expect(run!.argv.join(' ')).not.toContain('lora-modules')

  const many = await Promise.all(Array.from({ length: 8 }, () => ask(lexora.port, aChat({ model: 'sql' }))))
  expect(many.map(({ status }) => status)).toEqual(many.map(() => 200))

  process.kill(run!.engineCore!, 'SIGKILL')
  await until(() => rig.host.runs().length === 2)
  expect((await ask(lexora.port, aChat({ model: 'sql' }))).status).toBe(200)
})

test('one that cannot be loaded is an error that names it, and the model itself goes on', async () => {
  const lexora = await setUp()
  const answer = await ask(lexora.port, aChat({ model: 'odd' }))
  expect([answer.status, errorOf(answer).code]).toEqual([503, 'engine_failed'])
  expect(errorOf(answer).message).toBe(
    "The adapter 'odd' could not be loaded: Loading lora odd failed: No adapter found for <path>",
  )
  expect((await ask(lexora.port, aChat({ model: 'qwen3-8b' }))).status).toBe(200)
  expect(lexora.app.inFlight).toEqual({ requests: 0, attempts: 0, permits: 0, waiting: 0 })
})
