import { describe, expect, test } from 'vitest'
import { startApp, startFake } from '../support/app.ts'
import { poll } from './poll.ts'
import { startRecorder } from './recorder.ts'

type Entry = {
  id: string
  object: string
  owned_by: string
  state: string
  backends: string[]
  max_model_len?: number
  root?: string
}

async function list(url: string): Promise<Entry[]> {
  const answer = await fetch(`${url}/v1/models`)
  const body = (await answer.json()) as { object: string; data: Entry[] }
  expect([answer.status, body.object]).toEqual([200, 'list'])
  return body.data
}

describe('GET /v1/models', () => {
  test('merges the models of all backends, each once, with owner, length and the backends that have it', async () => {
    const [one, two] = [
      await startFake({ models: ['shared', 'only-one'], maxModelLen: 4096 }),
      await startFake({ models: ['shared'] }),
    ]
    const { url } = await startApp([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
      { name: 'listed', url: 'http://127.0.0.1:9', models: ['configured'] },
    ])
    const models = await list(url)
    expect(models.map(({ id, state, backends }) => [id, state, backends])).toEqual([
      ['shared', 'ready', ['one', 'two']],
      ['only-one', 'ready', ['one']],
      ['configured', 'unavailable', ['listed']],
    ])
    expect(models[0]).toMatchObject({
      object: 'model',
      owned_by: 'vllm',
      max_model_len: 4096,
      created: expect.any(Number),
    })
    expect(models[2]).toMatchObject({ owned_by: 'listed' })
    expect(await list(url)).toEqual(models)
  })

  test('lists aliases with the model behind them, but not those that lead nowhere', async () => {
    const fake = await startFake()
    const { url } = await startApp([{ name: 'main', url: fake.url }], {
      config: {
        routing: {
          aliases: {
            code: 'tiny',
            lost: 'gone',
            split: [
              { model: 'gone', weight: 1 },
              { model: 'tiny', weight: 9 },
            ],
          },
        },
      },
    })
    expect((await list(url)).map(({ id, root }) => [id, root])).toEqual([
      ['tiny', undefined],
      ['code', 'tiny'],
      ['split', 'tiny'],
    ])
  })

  test('lists the names that clients may ask for: configured lists and mappings stand for what a backend reports', async () => {
    const fake = await startFake({ models: ['tiny', 'hidden'] })
    const { url } = await startApp([{ name: 'main', url: fake.url, models: ['tiny'], modelMapping: { gpt: 'tiny' } }])
    expect((await list(url)).map(({ id }) => id)).toEqual(['tiny', 'gpt'])
  })

  test('is an empty list without backends', async () => {
    expect(await list((await startApp([])).url)).toEqual([])
  })

  test('shows a backend that is gone, and its return', async () => {
    const fake = await startFake()
    const { url } = await startApp([{ name: 'main', url: fake.url }])
    await fake.close()
    await poll(
      () => list(url),
      ([model]) => model!.state === 'unavailable',
    )
    await startFake({ port: fake.port })
    await poll(
      () => list(url),
      ([model]) => model!.state === 'ready',
    )
  })
})

describe('GET /v1/models/{id}', () => {
  test.each(['tiny', 'Qwen/Qwen3-8B', 'a/b/c.gguf', 'name with spaces', '日本語', 'a:b@c'])(
    'finds %s, escaped or as it is',
    async (id) => {
      const { url: backend } = await startRecorder({ models: [id] })
      const { url } = await startApp([{ name: 'main', url: backend }])
      for (const path of [encodeURIComponent(id), encodeURI(id)]) {
        const answer = await fetch(`${url}/v1/models/${path}`)
        expect([answer.status, await answer.json()]).toMatchObject([200, { id, object: 'model', state: 'ready' }])
      }
    },
  )

  test('finds an alias', async () => {
    const fake = await startFake()
    const { url } = await startApp([{ name: 'main', url: fake.url }], {
      config: { routing: { aliases: { code: 'tiny' } } },
    })
    expect(await (await fetch(`${url}/v1/models/code`)).json()).toMatchObject({ id: 'code', root: 'tiny' })
  })

  test.each(['tinny', 'nothing/like/it', '__proto__', 'constructor', '%2e%2e%2f'])('knows no %s: 404', async (id) => {
    const fake = await startFake()
    const { url } = await startApp([{ name: 'main', url: fake.url }])
    const answer = await fetch(`${url}/v1/models/${id}`)
    const { error } = (await answer.json()) as { error: { code: string; message: string } }
    expect([answer.status, error]).toMatchObject([
      404,
      { code: 'model_not_found', type: 'invalid_request_error', param: 'model' },
    ])
    if (id === 'tinny') expect(error.message).toContain('tiny')
  })
})
