/** The commands for models, as every face calls them. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runBench } from '../../src/app/bench.ts'
import { gpuDesk } from '../../src/app/gpu-desk.ts'
import { type ModelCommands, modelCommands } from '../../src/app/model-commands.ts'
import { ModelDesk } from '../../src/app/model-desk.ts'
import { lexoraPaths } from '../../src/config/paths.ts'
import { configHash } from '../../src/engine/command-line.ts'
import type { GpuMemory } from '../../src/engine/preflight.ts'
import { readPresets } from '../../src/models/presets.ts'
import { configSchema } from '../../src/protocol/config.ts'
import type { EngineView } from '../../src/protocol/engine.ts'
import type { PullView } from '../../src/protocol/models.ts'
import { Store } from '../../src/store/database.ts'
import type { EngineStart } from '../../src/store/engine-starts.ts'
import { startApp, startFake } from '../support/app.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { startFakeVllm } from '../support/fake-vllm/server.ts'
import { aFolder, someRecords } from '../support/records.ts'
import { aChat, ask } from '../support/requests.ts'

const GIB = 1024 ** 3
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const QWEN3_8B = {
  architectures: ['Qwen3ForCausalLM'],
  hidden_size: 4096,
  intermediate_size: 12_288,
  num_hidden_layers: 36,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 128,
  vocab_size: 151_936,
  max_position_embeddings: 40_960,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}
const CARD: GpuMemory = {
  index: 0,
  id: 'GPU-1',
  name: 'RTX 5090',
  totalBytes: 31.84 * GIB,
  usedBytes: 1 * GIB,
  freeBytes: 30.84 * GIB,
}

type Given = {
  root?: string
  env?: Record<string, string>
  engines?: Record<string, unknown>
  views?: EngineView[]
  gpus?: GpuMemory[] | null
  store?: Store | null
  lastUsed?: Record<string, number>
  offline?: boolean
}

function aDesk({
  root = aRoot(),
  env = {},
  engines = {},
  views = [],
  gpus = null,
  store = null,
  lastUsed = {},
  offline = false,
}: Given = {}) {
  const machine = {
    env: { LEXORA_HOME: join(root, 'home'), HF_HOME: join(root, 'hf'), PATH: '', ...env },
    home: root,
    cwd: root,
    platform: process.platform,
  }
  const gpu = gpuDesk(null)
  const desk = new ModelDesk({
    machine,
    paths: lexoraPaths(machine),
    engines: configSchema.parse({ engines }).engines,
    offline,
    gpu: { ...gpu, source: { ...gpu.source, sample: async () => gpus } },
    store,
    log: SILENT,
    timing: { retryMs: [0, 0] },
    resume: true,
  })
  onTestFinished(async () => await desk.close())
  const commands = modelCommands({
    desk,
    engines: () => views,
    lastUsed: () => new Map(Object.entries(lastUsed)),
    gateway: () => null,
  })
  return { root, desk, commands, cache: join(root, 'hf', 'hub') }
}

function aRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'lx-desk-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  return root
}

/** One tensor that says that it is of so many bytes, without their being there. */
function weights(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'BF16', shape: [bytes / 2], data_offsets: [0, bytes] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.alloc(bytes)])
}

const FILES = { 'config.json': JSON.stringify(QWEN3_8B), 'model.safetensors': weights(2000) }

function put(folder: string, files: Record<string, string | Buffer> = FILES): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

async function ended(commands: ModelCommands, { id }: PullView): Promise<PullView> {
  for (;;) {
    const found = (await commands.listPulls()).pulls.find((one) => one.id === id)!
    if (['done', 'failed', 'cancelled'].includes(found.state)) return found
    await pause(5)
  }
}

const running = (name: string): EngineView => ({ name, state: { is: 'ready', forMs: 1 } }) as EngineView

test('a model says when it was last asked, by whichever name an engine had for it', async () => {
  const root = aRoot()
  const at = Date.parse('2026-11-21T12:00:00.000Z')
  const [one, other] = ['one', 'other'].map((name) => put(join(root, 'home', 'models', name)))
  put(join(root, 'hf', 'hub', 'models--acme--tiny', 'snapshots', 'abc'))
  const { commands } = aDesk({ root, lastUsed: { [one!]: at - 5, 'acme/tiny': at, gone: at + 7 } })
  const { models } = await commands.listModels()
  expect(Object.fromEntries(models.map(({ id, lastUsed }) => [id, lastUsed]))).toEqual({
    [one!]: '2026-11-21T11:59:59.995Z',
    [other!]: null,
    'acme/tiny': '2026-11-21T12:00:00.000Z',
  })
})

test('a model was last used by the last request that its engine had, also over a restart of Lexora', async () => {
  const fake = await startFake({ models: ['tiny'] })
  const folder = aFolder()
  const root = aRoot()
  put(join(root, 'hf', 'hub', 'models--acme--tiny', 'snapshots', 'abc'))
  const start = async (records: ReturnType<typeof someRecords>) =>
    await startApp([{ name: 'main', url: fake.url }], {
      records,
      models: aDesk({ root, engines: { main: { model: 'acme/tiny' } } }).desk,
    })
  const lastUsed = async ({ app }: Awaited<ReturnType<typeof start>>) =>
    (await app.commands.listModels()).models[0]!.lastUsed
  const records = someRecords(folder)
  const one = await start(records)
  expect(await lastUsed(one)).toBeNull()
  const before = Date.now()
  await ask(one.port, aChat({ model: 'tiny' }))
  await one.outcomesReach(1)
  const used = await lastUsed(one)
  expect(Date.parse(used!)).toBeGreaterThanOrEqual(before)
  await one.app.stop(0)
  await records.close()
  const two = await start(someRecords(folder))
  await expect.poll(async () => await lastUsed(two), { timeout: 20_000 }).toBe(used)
})

describe('a model that is pulled', () => {
  test('is listed, verified, and removed; and the hub’s cache is as it was', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
    const { commands, cache, desk } = aDesk({
      env: { HF_ENDPOINT: hub.address },
      engines: { main: { model: 'acme/tiny' } },
    })
    const first = await commands.pullModel({ repo: 'acme/tiny' })
    expect(first).toMatchObject({ repo: 'acme/tiny', revision: 'main', problem: null })
    expect(desk.underWay().pulls).toHaveLength(1)
    expect(await ended(commands, first)).toMatchObject({ state: 'done', bytes: expect.any(Number), problem: null })
    expect(desk.underWay()).toEqual({})
    const { models } = await commands.listModels()
    expect(models).toMatchObject([{ id: 'acme/tiny', complete: true, usedBy: ['main'], parameters: 1000 }])
    const states = async () =>
      (await commands.modelFiles({ model: 'main' })).files.map(({ state, hashed }) => [state, hashed])
    expect(await states()).toEqual([
      ['unread', false],
      ['unread', false],
    ])
    expect(await commands.verifyModel({ model: 'main' })).toMatchObject({ files: 2, hashed: 2, problems: [] })
    expect(await states()).toEqual([
      ['whole', true],
      ['whole', true],
    ])
    const { freedBytes } = await commands.removeModel({ model: 'acme/tiny' })
    expect(freedBytes).toBeGreaterThan(2000)
    expect([existsSync(join(cache, 'models--acme--tiny')), (await commands.listModels()).models]).toEqual([false, []])
  })

  test('an HF_ENDPOINT that is no address keeps nothing else from working', async () => {
    const { commands } = aDesk({ env: { HF_ENDPOINT: 'hf-mirror.example' } })
    expect((await commands.listModels()).models).toEqual([])
  })

  test('and whose content was changed since is found out', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
    const { commands } = aDesk({ env: { HF_ENDPOINT: hub.address } })
    await ended(commands, await commands.pullModel({ repo: 'acme/tiny' }))
    const [model] = (await commands.listModels()).models
    writeFileSync(join(model!.path, 'model.safetensors'), weights(2000).fill(1, 200))
    const { problems } = await commands.verifyModel({ model: 'acme/tiny' })
    expect(problems).toEqual([{ file: 'model.safetensors', why: 'is not what it was: its hash is wrong' }])
  })

  test('goes on after a restart of Lexora where it was', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
    hub.fault = (path) => (path === 'model.safetensors' ? { stallAfter: 1000 } : null)
    const one = aDesk({ env: { HF_ENDPOINT: hub.address } })
    const first = await one.commands.pullModel({ repo: 'acme/tiny' })
    while ((await one.commands.listPulls()).pulls[0]!.bytes < 1000) await pause(5)
    await one.desk.close()
    hub.fault = () => null
    const two = aDesk({ root: one.root, env: { HF_ENDPOINT: hub.address } })
    expect(await ended(two.commands, first)).toMatchObject({ state: 'done', repo: 'acme/tiny' })
    expect(hub.asked('model.safetensors').at(-1)!.from).toBeGreaterThan(0)
    expect(existsSync(join(one.root, 'home', 'pulls.json'))).toBe(false)
  })

  test('can be cancelled, and asked for twice is one', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
    hub.fault = () => ({ stallAfter: 1 })
    const { commands } = aDesk({ env: { HF_ENDPOINT: hub.address } })
    const first = await commands.pullModel({ repo: 'acme/tiny' })
    expect((await commands.pullModel({ repo: 'acme/tiny' })).id).toBe(first.id)
    expect(await commands.cancelPull({ id: first.id })).toMatchObject({ state: 'cancelled' })
    await expect(commands.cancelPull({ id: 'none' })).rejects.toMatchObject({ problem: { code: 'not_found' } })
  })

  test('tells what went wrong, and never a token', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES, gated: { status: 403, token: 'right' } } })
    const { commands } = aDesk({ env: { HF_ENDPOINT: hub.address, HF_TOKEN: 'hf_secret' } })
    const view = await ended(commands, await commands.pullModel({ repo: 'acme/tiny' }))
    expect(view).toMatchObject({ state: 'failed', problem: { fix: expect.stringMatching(/Accept its terms/) } })
    expect(JSON.stringify(view)).not.toContain('hf_secret')
  })

  test('is none where nothing may be fetched, or the name is none', async () => {
    const { commands } = aDesk({ env: { HF_HUB_OFFLINE: '1' } })
    await expect(commands.pullModel({ repo: 'acme/tiny' })).rejects.toMatchObject({
      problem: { param: 'repo', message: expect.stringMatching(/HF_HUB_OFFLINE is set/) },
    })
    await expect(commands.pullModel({ repo: '../x' })).rejects.toMatchObject({ problem: { code: 'invalid_request' } })
  })
})

describe('the token of the hub', () => {
  test('is kept where its own tools look, shown from then on, and never told', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES, gated: { status: 403, token: 'hf_right' } } })
    const { commands, root } = aDesk({ env: { HF_ENDPOINT: hub.address } })
    const first = await ended(commands, await commands.pullModel({ repo: 'acme/tiny' }))
    expect(first.problem).toMatchObject({
      terms: `${hub.address}/acme/tiny`,
      fix: expect.stringContaining('hub token'),
    })
    expect((await commands.hub({})).token).toBeNull()
    const file = join(root, 'hf', 'token')
    const kept = await commands.setHubToken({ token: 'hf_right' })
    expect(kept).toEqual({ address: hub.address, token: { from: file, canChange: true }, tokenFile: file })
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['hf_right', 0o600])
    expect(await ended(commands, await commands.pullModel({ repo: 'acme/tiny' }))).toMatchObject({ state: 'done' })
    expect((await commands.forgetHubToken({})).token).toBeNull()
    expect(existsSync(file)).toBe(false)
  })

  test('of a variable goes before any that is kept, and is not changed from here', async () => {
    const { commands, root } = aDesk({ env: { HF_TOKEN: 'hf_secret' } })
    expect((await commands.hub({})).token).toEqual({ from: 'HF_TOKEN', canChange: false })
    await expect(commands.setHubToken({ token: 'hf_other' })).rejects.toMatchObject({
      problem: { param: 'token', message: expect.stringContaining('HF_TOKEN') },
    })
    expect(existsSync(join(root, 'hf', 'token'))).toBe(false)
  })

  test('that cannot be written down is said', async () => {
    const { commands } = aDesk({ env: { HF_TOKEN_PATH: '/dev/null/token' } })
    await expect(commands.setHubToken({ token: 'hf_x' })).rejects.toMatchObject({
      problem: { message: expect.stringContaining('/dev/null/token') },
    })
  })
})

test('working offline nothing is fetched, from nowhere, and each refusal says why', async () => {
  const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
  const { commands, desk } = aDesk({ env: { HF_ENDPOINT: hub.address }, offline: true })
  const why = { problem: { message: expect.stringMatching(/works offline.*privacy\.offline/) } }
  await expect(commands.pullModel({ repo: 'acme/tiny' })).rejects.toMatchObject(why)
  await expect(commands.fitModel({ model: 'acme/tiny' })).rejects.toMatchObject(why)
  await expect(commands.installEngine({})).rejects.toMatchObject(why)
  expect(hub.requests).toEqual([])
  desk.reconfigure(configSchema.parse({}))
  expect(await ended(commands, await commands.pullModel({ repo: 'acme/tiny' }))).toMatchObject({ state: 'done' })
})

describe('what is removed', () => {
  test('is nothing that a running engine uses', async () => {
    const root = aRoot()
    const path = put(join(root, 'home', 'models', 'tiny'))
    const { commands } = aDesk({ root, engines: { main: { model: path } }, views: [running('main')] })
    await expect(commands.removeModel({ model: path })).rejects.toMatchObject({
      problem: { message: expect.stringMatching(/'main' uses it and is ready. Stop it first/) },
    })
    expect(existsSync(path)).toBe(true)
  })

  test('is a link into elsewhere, never what it leads to', async () => {
    const root = aRoot()
    const outside = put(join(root, 'outside'))
    mkdirSync(join(root, 'home', 'models'), { recursive: true })
    symlinkSync(outside, join(root, 'home', 'models', 'linked'))
    const { commands } = aDesk({ root })
    await commands.removeModel({ model: join(root, 'home', 'models', 'linked') })
    expect([existsSync(join(root, 'home', 'models', 'linked')), existsSync(join(outside, 'config.json'))]).toEqual([
      false,
      true,
    ])
  })

  test('must be there, and is named with its neighbours', async () => {
    const root = aRoot()
    const path = put(join(root, 'home', 'models', 'tiny'))
    const { commands } = aDesk({ root })
    await expect(commands.removeModel({ model: `${path}x` })).rejects.toMatchObject({
      problem: { code: 'model_not_found', message: expect.stringContaining(`Did you mean ${path}?`) },
    })
    await expect(commands.removeModel({ model: '../..' })).rejects.toMatchObject({
      problem: { code: 'model_not_found' },
    })
  })
})

describe('whether it fits', () => {
  const modelOf = (root: string): string => put(join(root, 'model'))

  test('is told before anything is fetched, from what the hub lists', async () => {
    const hub = await FakeHub.start({ 'acme/qwen': { files: FILES } })
    const { commands } = aDesk({ env: { HF_ENDPOINT: hub.address }, gpus: [CARD] })
    const report = await commands.fitModel({ model: 'acme/qwen' })
    expect(report).toMatchObject({ fits: true, kvBytesPerToken: 147_456, gpu: { names: ['RTX 5090'] } })
    expect(hub.asked('model.safetensors')).toEqual([])
  })

  test('counts what is free, not what there is', async () => {
    const root = aRoot()
    const model = modelOf(root)
    const asked = async (freeBytes: number) => {
      const { commands } = aDesk({ root, gpus: [{ ...CARD, freeBytes }] })
      return await commands.fitModel({ model, context: 40_960 })
    }
    expect(await asked(30 * GIB)).toMatchObject({ fits: true })
    const busy = await asked(4 * GIB)
    expect(busy).toMatchObject({ fits: false, advice: expect.arrayContaining([expect.stringMatching(/gpu --who/)]) })
  })

  test('into a share of the memory is told, and which share would do', async () => {
    const root = aRoot()
    const { commands } = aDesk({ root, gpus: [{ ...CARD, freeBytes: 30 * GIB }] })
    const model = modelOf(root)
    const asked = async (share?: number) =>
      await commands.fitModel({ model, context: 40_960, ...(share === undefined ? {} : { share }) })
    const [all, half] = [await asked(), await asked(0.1)]
    expect(all).toMatchObject({ fits: true, share: expect.any(Number) })
    expect(all.share).toBeGreaterThan(0.8)
    expect(half).toMatchObject({ fits: false, share: 0.1, neededBytes: all.neededBytes })
    const enough = Math.ceil((100 * all.neededBytes) / CARD.totalBytes!) / 100
    expect(half.advice).toContain(`With gpu-memory-utilization ${enough} it fits.`)
    expect(await asked(enough)).toMatchObject({ fits: true, share: enough })
    expect((await aDesk({ root }).commands.fitModel({ model })).share).toBeNull()
  })

  test('goes by the engine of that name, its options and its GPUs', async () => {
    const root = aRoot()
    const two = [CARD, { ...CARD, index: 1, id: 'GPU-2', name: 'RTX 4090', freeBytes: 20 * GIB, totalBytes: 24 * GIB }]
    const args = { 'max-model-len': 4096, 'kv-cache-dtype': 'fp8' }
    const { commands } = aDesk({ root, gpus: two, engines: { main: { model: modelOf(root), args, gpus: [1] } } })
    const report = await commands.fitModel({ model: 'main' })
    expect(report).toMatchObject({ context: 4096, kvBytesPerToken: 73_728, gpu: { names: ['RTX 4090'] } })
    await expect(commands.fitModel({ model: 'main', gpu: '7' })).rejects.toMatchObject({
      problem: { param: 'gpu', message: 'There is no GPU 7; there is 0, 1.' },
    })
  })

  test('leaves free what the engine is to leave free', async () => {
    const root = aRoot()
    const main = { model: modelOf(root), gpu_reserve_mb: 8192 }
    const { commands } = aDesk({ root, gpus: [CARD], engines: { main } })
    const { share } = await commands.fitModel({ model: 'main' })
    expect(share).toBe(Math.floor((100 * (CARD.freeBytes! - 8 * GIB)) / CARD.totalBytes!) / 100)
  })

  test('on unequal GPUs names a share of the smallest', async () => {
    const root = aRoot()
    const large = { ...CARD, index: 1, id: 'GPU-2', totalBytes: 160 * GIB, freeBytes: 159 * GIB }
    const asked = async (share: number) => {
      const args = { 'tensor-parallel-size': 2, 'gpu-memory-utilization': share }
      const engines = { main: { model: modelOf(root), args } }
      return await aDesk({ root, gpus: [CARD, large], engines }).commands.fitModel({ model: 'main', context: 40_960 })
    }
    const tight = await asked(0.05)
    const enough = Math.ceil((100 * tight.neededBytes) / (2 * CARD.totalBytes!)) / 100
    expect(tight.advice).toContain(`With gpu-memory-utilization ${enough} it fits.`)
    expect(await asked(enough)).toMatchObject({ fits: true })
  })

  test('goes by what an earlier start measured', async () => {
    const root = aRoot()
    const model = modelOf(root)
    const store = new Store({ path: ':memory:', onSetAside: () => {}, onFailing: () => {}, now: () => new Date() })
    onTestFinished(() => store.close())
    const { commands, desk } = aDesk({ root, gpus: [CARD], store, engines: { main: { model } } })
    const plain = await commands.fitModel({ model, context: 8192 })
    const flagsHash = configHash({ ...desk.options.engines['main']!, port: 0 })
    const start: EngineStart = {
      at: new Date('2026-11-21T10:00:00.000Z'),
      engine: 'main',
      model,
      flagsHash,
      gpu: 'RTX 5090',
      outcome: 'ready',
      totalMs: 1,
      phases: {},
      memoryBytes: 3 * GIB + 50_000 * 147_456,
      prefillRate: null,
      kvTokens: 50_000,
    }
    desk.starts!.record({ ...start, flagsHash: 'of other flags', memoryBytes: 20 * GIB })
    expect((await commands.fitModel({ model })).measured).toBeNull()
    desk.starts!.record(start)
    const report = await commands.fitModel({ model, context: 8192 })
    expect(report.neededBytes).toBe(3 * GIB + 8192 * 147_456)
    expect(report.measured).toMatchObject({ at: '2026-11-21T10:00:00.000Z' })
    expect(report.measured!.errorRatio).toBeCloseTo((plain.neededBytes - report.neededBytes) / report.neededBytes, 6)
  })

  test('cannot be told of what is no language model', async () => {
    const root = aRoot()
    const { commands } = aDesk({ root })
    const path = put(join(root, 'clip'), { ...FILES, 'config.json': '{"model_type": "clip"}' })
    await expect(commands.fitModel({ model: path })).rejects.toMatchObject({ problem: { code: 'invalid_request' } })
    await expect(commands.fitModel({ model: join(root, 'none') })).rejects.toMatchObject({
      problem: { code: 'model_not_found' },
    })
  })
})

describe('presets', () => {
  test('are a table that keeps to its schema, with the licence and the least GPU of each', async () => {
    const { commands } = aDesk()
    const { presets } = await commands.presets()
    expect(presets.length).toBeGreaterThan(5)
    expect(new Set(presets.map(({ id }) => id)).size).toBe(presets.length)
    expect(presets.every(({ installed, minVramBytes, bytes }) => !installed && minVramBytes > bytes)).toBe(true)
  })

  test('that break their schema say where', () => {
    const text = readFileSync(new URL('../../resources/models.yaml', import.meta.url), 'utf8')
    expect(() => readPresets(text.replace('context: 40960', 'context: many'))).toThrow(/models.yaml: presets.0.context/)
  })
})

describe('versions of the engine', () => {
  test('have beside them the vllm that is on PATH', async () => {
    const root = aRoot()
    const program = join(root, process.platform === 'win32' ? 'vllm.exe' : 'vllm')
    const { commands } = aDesk({ env: { PATH: root } })
    expect(await commands.engineVersions()).toMatchObject({ versions: [], onPath: null })
    writeFileSync(program, '', { mode: 0o755 })
    expect(await commands.engineVersions()).toMatchObject({ versions: [], onPath: program })
  })

  test('are chosen, and gone back from', async () => {
    const { commands, desk } = aDesk()
    const { useEngine: choose } = commands
    for (const version of ['1.0', '2.0']) {
      mkdirSync(join(desk.versions, version), { recursive: true })
      const mark = { package: 'vllm', bytes: 1, installedAt: `2026-11-2${version[0]}T00:00:00.000Z` }
      writeFileSync(join(desk.versions, version, 'installed.json'), JSON.stringify(mark))
      await choose({ version })
    }
    const listed = await commands.engineVersions()
    expect(listed.versions.map(({ version, used }) => [version, used])).toEqual([
      ['2.0', true],
      ['1.0', false],
    ])
    expect(await commands.rollbackEngine()).toMatchObject({ used: '1.0', previous: '2.0' })
  })

  test('that are not there cannot be used, and there is nothing to go back to', async () => {
    const { commands } = aDesk()
    expect(await commands.engineVersions()).toMatchObject({ versions: [], used: null, install: null })
    await expect(commands.useEngine({ version: '0.1.0' })).rejects.toMatchObject({
      problem: { code: 'not_found', message: expect.stringMatching(/lexora engine install 0.1.0/) },
    })
    await expect(commands.rollbackEngine()).rejects.toMatchObject({ problem: { code: 'not_found' } })
  })
})

describe('a bench', () => {
  test('counts what comes through the gateway', async () => {
    const fake = await startFakeVllm()
    onTestFinished(async () => await fake.close())
    const { url } = await startApp([{ name: 'main', url: fake.url }])
    const signal = new AbortController().signal
    const asked = { address: url, key: null, model: 'tiny', requests: 5, concurrency: 2, tokens: 8, prompt: 10, signal }
    const report = await runBench(asked)
    expect(report).toMatchObject({ requests: 5, errors: 0, error: null })
    expect(report.ttftMs!.p50).toBeGreaterThan(0)
    expect(report.completionTokens).toBeGreaterThan(0)
    const none = await runBench({ ...asked, model: 'nobody' })
    expect(none).toMatchObject({ errors: 5, ttftMs: null, error: expect.stringMatching(/nobody/) })
  })
})
