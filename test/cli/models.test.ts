/** Models by the command line: without a Lexora that runs, and with one. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EXIT } from '../../src/app/exit-codes.ts'
import { HISTORY_FILE } from '../../src/app/records.ts'
import { MODEL_PRINTERS } from '../../src/cli/model-printers.ts'
import type { EngineVersions, FitReport, InstallView } from '../../src/protocol/models.ts'
import { Store } from '../../src/store/database.ts'
import { HISTORY_MIGRATIONS } from '../../src/store/migrations.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { inTerminalOf } from '../support/terminal.ts'
import { aHome, lexora, waitFor } from './program.ts'

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  vocab_size: 128,
  max_position_embeddings: 512,
}

function weights(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'BF16', shape: [bytes / 2], data_offsets: [0, bytes] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.alloc(bytes)])
}

const FILES = { 'config.json': JSON.stringify(CONFIG), 'model.safetensors': weights(2000) }
const LOOK = { width: 160, paint: (_: unknown, text: string) => text }

type Given = { stopped?: AbortSignal; ask?: (question: string) => Promise<boolean>; env?: Record<string, string> }

/** What a Lexora that ran here has left of it. */
function lastAsked(home: string, model: string, at: number): void {
  const shared = { onSetAside: () => undefined, onFailing: () => undefined, now: () => new Date() }
  const store = new Store({ path: join(home, HISTORY_FILE), migrations: HISTORY_MIGRATIONS, ...shared })
  store.database.prepare('INSERT INTO seen VALUES (?, ?, ?)').run('model', model, at)
  store.close()
}

/** A user's machine, and its commands to their ends. */
function aUser() {
  const home = mkdtempSync(join(tmpdir(), 'lx-cli-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const run = async (argv: string, { ask, env = {}, stopped = new AbortController().signal }: Given = {}) => {
    const world = {
      home,
      env: { LEXORA_HOME: home, HF_HOME: join(home, 'hf'), PATH: '', ...env },
      untilStopped: () => stopped,
      ...(ask === undefined ? {} : { ask }),
    }
    return await inTerminalOf(world, ...argv.split(' '))
  }
  return { home, run }
}

describe('without a Lexora that runs', () => {
  test('a model is pulled, listed, fitted, checked and removed', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
    const { home, run } = aUser()
    const env = { HF_ENDPOINT: hub.address }
    expect(await run('models')).toMatchObject({ code: 0, out: expect.stringMatching(/^No model is here yet/) })
    const pulled = await run('pull acme/tiny', { env })
    expect(pulled).toMatchObject({ code: 0, out: expect.stringMatching(/^acme\/tiny: is here {2}100 %/) })
    expect(pulled.err).toMatch(/acme\/tiny: comes/)
    expect((await run('models ls')).out).toMatch(/acme\/tiny +completion +safetensors/)
    const { models } = JSON.parse((await run('models scan --json')).out) as { models: object[] }
    expect(models).toMatchObject([{ id: 'acme/tiny', complete: true, contextLength: 512, lastUsed: null }])
    lastAsked(home, 'acme/tiny', Date.parse('2026-11-21T12:00:00.000Z'))
    const used = JSON.parse((await run('models --json')).out) as { models: object[] }
    expect(used.models).toMatchObject([{ id: 'acme/tiny', lastUsed: '2026-11-21T12:00:00.000Z' }])
    expect(await run('fit acme/tiny')).toMatchObject({ code: 0, out: expect.stringMatching(/^acme\/tiny fits: /) })
    const large = await run('fit acme/tiny --context 100000000')
    expect(large).toMatchObject({ code: EXIT.noMemory, out: expect.stringMatching(/does not fit/) })
    expect((await run('models files acme/tiny')).out).toMatch(
      /^acme\/tiny at \w+, in .*\nFILE +SIZE +STATE *\nconfig.json +\d KiB +not verified *\nmodel.safetensors /,
    )
    expect((await run('models verify acme/tiny')).out).toBe('acme/tiny: 2 files, 3 KiB; every hash is right.\n')
    expect(await run('models rm acme/tiny')).toMatchObject({ code: EXIT.usage, err: /--yes/ })
    expect(await run('models rm acme/tiny', { ask: async () => false })).toMatchObject({ code: EXIT.usage })
    expect(existsSync(join(home, 'hf', 'hub', 'models--acme--tiny'))).toBe(true)
    expect(await run('models rm acme/tiny', { ask: async () => true })).toMatchObject({ code: 0 })
    expect(existsSync(join(home, 'hf', 'hub', 'models--acme--tiny'))).toBe(false)
  })

  test('what is interrupted says so, and goes on the next time', async () => {
    const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
    const { run } = aUser()
    const env = { HF_ENDPOINT: hub.address }
    const cut = await run('pull acme/tiny', { env, stopped: AbortSignal.abort() })
    expect(cut).toMatchObject({ code: EXIT.failure, out: '', err: expect.stringMatching(/It was interrupted/) })
    expect((await run('pull acme/tiny', { env })).code).toBe(0)
  })

  test.skipIf(!existsSync('/dev/full'))(
    'a full disk pauses a pull: it says so, and goes on the next time',
    async () => {
      const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
      const { home, run } = aUser()
      const env = { HF_ENDPOINT: hub.address }
      const blobs = join(home, 'hf', 'hub', 'models--acme--tiny', 'blobs')
      const part = join(blobs, `${createHash('sha256').update(FILES['model.safetensors']).digest('hex')}.incomplete`)
      mkdirSync(blobs, { recursive: true })
      symlinkSync('/dev/full', part)
      const full = await run('pull acme/tiny', { env })
      expect(full).toMatchObject({
        code: EXIT.failure,
        out: expect.stringMatching(/^acme\/tiny: The disk is full: .*\n {2}Make room.*\nIt is paused/),
      })
      expect(full.err).not.toMatch(/interrupted/)
      rmSync(part)
      expect((await run('pull acme/tiny', { env })).code).toBe(0)
    },
  )

  test('what is not there has its own exit code, and what cannot be fetched its reason', async () => {
    const hub = await FakeHub.start({})
    const { run } = aUser()
    const env = { HF_ENDPOINT: hub.address }
    expect((await run('models verify nobody')).code).toBe(EXIT.badModel)
    expect((await run('fit acme/none', { env })).code).toBe(EXIT.badModel)
    const none = await run('pull acme/none', { env })
    expect(none).toMatchObject({ code: EXIT.failure, out: expect.stringMatching(/There is no acme\/none on/) })
    expect((await run('pull nonsense', { env })).code).toBe(EXIT.usage)
    expect((await run('bench tiny')).code).toBe(EXIT.notRunning)
  })

  test('a broken file is told, and ends with the code of a bad model', async () => {
    const { home, run } = aUser()
    const folder = join(home, 'models', 'tiny')
    mkdirSync(folder, { recursive: true })
    for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, name), content.slice(0, 300))
    const { code, out } = await run(`models verify ${folder}`)
    expect([code, out]).toEqual([EXIT.badModel, expect.stringMatching(/model.safetensors is cut off/)])
    expect((await run('models')).out).toMatch(/not whole[\s\S]*lacks model.safetensors is cut off/)
  })

  test('vLLM is not installed without uv, and says so', async () => {
    const { run } = aUser()
    expect(await run('engine install')).toMatchObject({ code: EXIT.failure, out: expect.stringMatching(/no `uv`/) })
    expect((await run('engine list')).out).toMatch(/lexora engine install/)
  })

  test('presets are shown', async () => {
    expect((await aUser().run('models presets')).out).toMatch(/Qwen\/Qwen3-8B .*Apache-2.0/)
  })
})

test('a Lexora that runs pulls by itself: the command may leave, and what it shows stays true', async () => {
  const hub = await FakeHub.start({ 'acme/tiny': { files: FILES } })
  hub.fault = (path, nth) => (path === 'model.safetensors' && nth === 1 ? { stallAfter: 500 } : null)
  const home = aHome()
  const env = { HF_ENDPOINT: hub.address, HF_HOME: join(home, 'hf'), LEXORA_SERVER__PORT: '0' }
  const server = lexora(home, ['--no-ui'], env)
  await waitFor('it serves', () => server.out().includes('INFO    ready'), server.out)
  const run = async (...words: string[]) => {
    const command = lexora(home, words, env)
    return { code: await command.ended, out: command.out() }
  }
  const left = await run('pull', 'acme/tiny', '--detach')
  expect(left).toMatchObject({ code: 0, out: expect.stringMatching(/It goes on in Lexora/) })
  const { pulls } = JSON.parse((await run('pulls', '--json')).out) as { pulls: { id: string }[] }
  expect((await run('status', '--json')).out).toContain('"pulls"')
  const cancelled = await run('pulls', 'cancel', pulls[0]!.id)
  expect(cancelled).toMatchObject({ code: 0, out: expect.stringMatching(/was cancelled/) })
  expect(await run('pull', 'acme/tiny')).toMatchObject({ code: 0, out: expect.stringMatching(/is here/) })
  expect(hub.asked('model.safetensors').at(-1)!.from).toBe(500)
  const bench = await run('bench', 'lexora-demo', '--requests', '2', '--tokens', '5', '--prompt', 'medium', '--json')
  expect(JSON.parse(bench.out)).toMatchObject({ requests: 2, tokens: 5, prompt: 1000 })
  expect(await run('bench', 'lexora-demo', '--prompt', 'huge')).toMatchObject({
    code: 2,
    out: expect.stringContaining('prompt: is not a number'),
  })
}, 60_000)

describe('for people', () => {
  const GIB = 1024 ** 3
  const FIT: FitReport = {
    model: 'qwen',
    gpu: { names: ['RTX 4090'], totalBytes: 24 * GIB, freeBytes: 22 * GIB },
    share: 0.88,
    weightsBytes: 15 * GIB,
    kvBytesPerToken: 147_456,
    kvBytes: 1 * GIB,
    overheadBytes: 2 * GIB,
    neededBytes: 18 * GIB,
    fits: true,
    context: 8192,
    longestContext: 32_768,
    sequences: 4,
    parts: [{ name: 'weights', bytes: 15 * GIB, how: 'in the files' }],
    measured: null,
    advice: ['Be careful.'],
  }

  test('a fit is a verdict, its parts, and what to do', () => {
    expect(MODEL_PRINTERS.fitModel(FIT, LOOK)).toEqual([
      'qwen fits: 18.0 GiB for 8,192 tokens, on RTX 4090, 22.0 GiB of 24.0 GiB free',
      '  weights   15.0 GiB  in the files',
      'It may take 88 % of the GPU (gpu-memory-utilization).',
      'Longest context 32,768 tokens; 4 requests of 8,192 tokens at once.',
      'This is an estimate (about 10 %); the first start measures it.',
      'Be careful.',
    ])
    const measured = { neededBytes: 18 * GIB, at: '2026-11-21T10:00:00.000Z', errorRatio: -0.052 }
    expect(MODEL_PRINTERS.fitModel({ ...FIT, measured }, LOOK).join('\n')).toContain('was off by -5.2 %')
  })

  test('an installation says what it takes, how far it is, and what went wrong', () => {
    const view: InstallView = {
      version: '0.32.0',
      package: 'vllm',
      phase: 'fetching',
      line: 'Downloading torch',
      startedAt: '2026-11-21T10:00:00.000Z',
      seconds: 12,
      needsBytes: 14 * GIB,
      freeBytes: 100 * GIB,
      problem: null,
    }
    expect(MODEL_PRINTERS.installEngine(view, LOOK).slice(0, 2)).toEqual([
      'It takes about 14.0 GiB on the disk; 100.0 GiB are free.',
      'vllm 0.32.0: fetching packages, 12 s  Downloading torch',
    ])
    const failed = { ...view, phase: 'failed' as const, problem: { cause: 'No.', fix: 'Do.' } }
    expect(MODEL_PRINTERS.installEngine(failed, LOOK)).toEqual(['vLLM was not installed: No.', '  Do.'])
    const versions: EngineVersions = {
      versions: [{ version: '0.32.0', package: 'vllm', path: '/x', bytes: 9 * GIB, installedAt: 'today', used: true }],
      used: '0.32.0',
      previous: '0.31.0',
      install: null,
      folder: '/x',
      onPath: null,
    }
    expect(MODEL_PRINTERS.useEngine(versions, LOOK).at(-1)).toBe('Back to 0.31.0: lexora engine rollback')
    const own = { ...versions, onPath: '/opt/bin/vllm' }
    expect(MODEL_PRINTERS.engineVersions(own, LOOK).at(-1)).toBe('vLLM on PATH: /opt/bin/vllm')
    expect(MODEL_PRINTERS.engineVersions({ ...own, versions: [] }, LOOK).at(-1)).toBe('vLLM on PATH: /opt/bin/vllm')
  })
})
