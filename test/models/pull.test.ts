/** Pulls from a hub on loopback, through everything that goes wrong on the way. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkModel } from '../../src/engine/model-files.ts'
import { chooseFiles, parseRepository } from '../../src/models/choose-files.ts'
import { Hub, HubError, type HubFile } from '../../src/models/hub.ts'
import { type PullFile, pull } from '../../src/models/pull.ts'
import { COMMIT, FakeHub, type FakeRepository, type Fault } from '../support/fake-hub.ts'

const REPO = 'acme/tiny'
const WEIGHTS = safetensors(3000)
const REPOSITORY: FakeRepository = {
  files: {
    'config.json': '{"hidden_size": 64}',
    'tokenizer.json': '{}',
    'README.md': '# Tiny',
    'model.safetensors': WEIGHTS,
    'pytorch_model.bin': Buffer.alloc(5000),
    'onnx/model.onnx': Buffer.alloc(5000),
  },
}
/** Tries without progress, at once. */
const QUICK = { retryMs: [0, 0] }

function safetensors(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251))])
}

function aCache(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lx-hub-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

type Ways = {
  token?: string
  revision?: string
  patterns?: string[]
  signal?: AbortSignal
  silenceMs?: number
  tries?: number
  freeBytes?: number
}

async function pulled(hub: FakeHub, hubCache: string, ways: Ways = {}) {
  const waits: string[] = []
  let files: readonly PullFile[] = []
  const { token = null, revision = 'main', patterns = [], signal = new AbortController().signal } = ways
  const { silenceMs, tries = 2, freeBytes } = ways
  const snapshot = await pull({
    hub: new Hub({ address: hub.address, token, ...(silenceMs === undefined ? {} : { silenceMs }) }),
    hubCache,
    repo: REPO,
    revision,
    patterns,
    timing: { retryMs: Array<number>(tries).fill(0) },
    ...(freeBytes === undefined ? {} : { freeBytes: () => freeBytes }),
    signal,
    onFiles: (told) => {
      files = told.map((file) => ({ ...file }))
    },
    onWait: (error) => {
      if (error !== null) waits.push(error.message)
    },
    onVerify: () => {},
  })
  return { snapshot, waits, files: () => files }
}

const blobs = (cache: string): string[] => readdirSync(join(cache, 'models--acme--tiny', 'blobs')).sort()
const failure = async (work: Promise<unknown>): Promise<HubError> => {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (told: unknown) => told,
  )
  expect(error).toBeInstanceOf(HubError)
  return error as HubError
}

describe('a pull', () => {
  test('lays the files out as the hub’s own tools do, and an engine finds them whole', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    const { snapshot, files } = await pulled(hub, cache)
    expect(snapshot).toBe(join(cache, 'models--acme--tiny', 'snapshots', COMMIT))
    expect(readdirSync(snapshot).sort()).toEqual(['README.md', 'config.json', 'model.safetensors', 'tokenizer.json'])
    const sha256 = createHash('sha256').update(WEIGHTS).digest('hex')
    expect(readlinkSync(join(snapshot, 'model.safetensors'))).toBe(join('..', '..', 'blobs', sha256))
    expect(readFileSync(join(cache, 'models--acme--tiny', 'refs', 'main'), 'utf8')).toBe(COMMIT)
    expect(blobs(cache).every((name) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name))).toBe(true)
    expect(files().every(({ done, bytes, total }) => done && bytes === total)).toBe(true)
    expect(checkModel(REPO, 'vllm', { HF_HUB_CACHE: cache }, '/')).toEqual({ is: 'complete', bytes: WEIGHTS.length })
  })

  test('of what is there already fetches nothing again', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    await pulled(hub, cache)
    const before = hub.requests.length
    await pulled(hub, cache)
    expect(hub.requests.slice(before).every(({ path }) => path.startsWith('/api/'))).toBe(true)
  })

  test('that is cut at twenty places goes on at each of them, and is whole at the end', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    hub.fault = (path, nth) => (path === 'model.safetensors' && nth <= 20 ? { cutAfter: 1 + ((nth * 37) % 140) } : null)
    // What comes with the end of a connection may be lost with it: such a try brings nothing.
    const { snapshot } = await pulled(hub, cache, { tries: 20 })
    expect(readFileSync(join(snapshot, 'model.safetensors'))).toEqual(WEIGHTS)
    const places = hub
      .asked('model.safetensors')
      .filter(({ atCdn }) => atCdn)
      .map(({ from }) => from)
    expect(places).toHaveLength(21)
    expect(places).toEqual(places.toSorted((one, other) => one - other))
    expect(places.at(-1)).toBeGreaterThan(0)
  })

  test('that was ended and begun anew goes on where it was', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    hub.fault = (path) => (path === 'model.safetensors' ? { stallAfter: 1000 } : null)
    const stopped = new AbortController()
    const told = pull({
      hub: new Hub({ address: hub.address, token: null }),
      hubCache: cache,
      repo: REPO,
      revision: 'main',
      patterns: [],
      timing: QUICK,
      signal: stopped.signal,
      onFiles: (files) => {
        if (files.some(({ name, bytes }) => name === 'model.safetensors' && bytes > 500))
          stopped.abort(new Error('cut'))
      },
      onWait: () => {},
      onVerify: () => {},
    })
    await expect(told).rejects.toThrow()
    expect(existsSync(join(cache, 'models--acme--tiny', 'snapshots'))).toBe(false)
    expect(blobs(cache).some((name) => name.endsWith('.incomplete'))).toBe(true)
    expect(checkModel(REPO, 'vllm', { HF_HUB_CACHE: cache }, '/')).toEqual({ is: 'to-fetch' })
    hub.fault = () => null
    const { snapshot } = await pulled(hub, cache)
    expect(readFileSync(join(snapshot, 'model.safetensors'))).toEqual(WEIGHTS)
    expect(hub.asked('model.safetensors').at(-1)!.from).toBeGreaterThan(0)
  })

  const onWeights = (fault: (nth: number) => Fault | null) => (path: string, nth: number) =>
    path === 'model.safetensors' ? fault(nth) : null

  test.each<[what: string, fault: (nth: number) => Fault | null]>([
    ['an end that comes too early', (nth) => (nth === 1 ? { endAfter: 100 } : null)],
    [
      'a hub that knows no ranges',
      (nth) => (nth === 1 ? { cutAfter: 100 } : nth === 2 ? { ignoresRange: true } : null),
    ],
    ['too many requests', (nth) => (nth === 1 ? { status: 429, headers: { 'retry-after': '0' } } : null)],
    ['a hub that fails', (nth) => (nth <= 2 ? { status: 503 } : null)],
    ['content that is changed once', (nth) => (nth === 1 ? { garbled: true } : null)],
    [
      'content that is changed after a cut',
      (nth) => (nth === 1 ? { cutAfter: 99 } : nth === 2 ? { garbled: true } : null),
    ],
    ['a silence', (nth) => (nth === 1 ? { stallAfter: 10 } : null)],
  ])('heals after %s', async (_, fault) => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    hub.fault = onWeights(fault)
    const { snapshot } = await pulled(hub, aCache(), { silenceMs: 300 })
    expect(readFileSync(join(snapshot, 'model.safetensors'))).toEqual(WEIGHTS)
  })

  test.each<[what: string, fault: Fault, cause: RegExp]>([
    ['content with another hash', { garbled: true }, /its hash is wrong, twice/],
    ['more bytes than were listed', { extra: 5 }, /more of model.safetensors than it has listed/],
    ['a hub that stays broken', { status: 500 }, /answers HTTP 500/],
    ['a redirect to another protocol', { location: 'file:///etc/passwd' }, /is not followed/],
    ['redirects without an end', { location: '/acme/tiny/resolve/x/model.safetensors' }, /redirected without an end/],
  ])('ends with %s, and nothing half is served', async (_, fault, cause) => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    hub.fault = onWeights(() => fault)
    const error = await failure(pulled(hub, cache))
    expect(error.message).toMatch(cause)
    expect(existsSync(join(cache, 'models--acme--tiny', 'refs', 'main'))).toBe(false)
    expect(checkModel(REPO, 'vllm', { HF_HUB_CACHE: cache }, '/')).toEqual({ is: 'to-fetch' })
    expect(existsSync(join(cache, 'models--acme--tiny', 'lexora.lock'))).toBe(false)
  })

  test('of a gated repository says what to do, with a token and without', async () => {
    const hub = await FakeHub.start({ [REPO]: { ...REPOSITORY, gated: { status: 403, token: 'right' } } })
    expect((await failure(pulled(hub, aCache()))).fix).toMatch(/accept its terms at .*lexora hub token/)
    const wrong = await failure(pulled(hub, aCache(), { token: 'secret-and-wrong' }))
    expect(wrong.message).toMatch(/does not let your token read acme\/tiny/)
    expect(`${wrong.message} ${wrong.fix}`).not.toContain('secret-and-wrong')
    await pulled(hub, aCache(), { token: 'right' })
  })

  test('asks where its list is redirected to as if it were asked anew: perhaps not at all, and without its token', async () => {
    const [hub, other] = [await FakeHub.start({ [REPO]: REPOSITORY }), await FakeHub.start({ [REPO]: REPOSITORY })]
    const path = '/api/models/acme/tiny/revision/main'
    hub.apiFault = (nth) => (nth <= 2 ? { status: 307, headers: { location: `${other.address}${path}` } } : null)
    const list = async (blocked: string | null) => {
      const onRequest = ({ origin, host }: URL): void => {
        if (origin === blocked) throw new HubError(`${host} is blocked`, null)
      }
      return await new Hub({ address: hub.address, token: 'hf_secret', onRequest }).list(
        REPO,
        'main',
        new AbortController().signal,
      )
    }
    expect((await failure(list(other.address))).message).toBe(`${new URL(other.address).host} is blocked`)
    expect(other.requests).toEqual([])
    expect((await list(null)).commit).toBe(COMMIT)
    expect(other.requests).toMatchObject([{ path, authorization: null }])
    expect(hub.requests.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true)
    hub.apiFault = () => ({ status: 302, headers: { location: path } })
    expect((await failure(list(null))).message).toMatch(/redirects without an end/)
  })

  test('shows its token to the hub alone, not to where it redirects', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    await pulled(hub, aCache(), { token: 'right' })
    const elsewhere = hub.requests.filter(({ atCdn }) => atCdn)
    expect(elsewhere.map(({ authorization }) => authorization)).toEqual([null])
    expect(
      hub.requests.filter(({ atCdn }) => !atCdn).every(({ authorization }) => authorization === 'Bearer right'),
    ).toBe(true)
  })

  test('of what is not there, or of no hub at all, is an error that says so', async () => {
    const hub = await FakeHub.start({})
    expect((await failure(pulled(hub, aCache()))).message).toMatch(/There is no acme\/tiny on 127/)
    expect((await failure(pulled(hub, aCache(), { revision: 'v9' }))).message).toMatch(/at revision v9/)
    const gone = { address: 'http://127.0.0.1:29999' } as FakeHub
    expect((await failure(pulled(gone, aCache()))).message).toMatch(/cannot be reached.*ECONNREFUSED/)
  })

  test('waits for a hub that asks it to, and is told what it waits for', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    hub.apiFault = (nth) => (nth <= 2 ? { status: nth === 1 ? 429 : 502 } : null)
    const { waits } = await pulled(hub, aCache())
    expect(waits).toEqual([expect.stringMatching(/HTTP 429/), expect.stringMatching(/HTTP 502/)])
  })

  test('without room ends before the first byte, and says how much is needed', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const error = await failure(pulled(hub, aCache(), { freeBytes: 512 * 2 ** 20 }))
    expect(error.message).toMatch(/^The disk is full: 0\.0 GiB more are needed in .*models--acme--tiny, where 0\.5 GiB/)
    expect(error.diskFull).toBe(true)
    expect(hub.asked('model.safetensors')).toEqual([])
  })

  test.skipIf(!existsSync('/dev/full'))('that the disk takes no more of says so, and goes on', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    const folder = join(cache, 'models--acme--tiny', 'blobs')
    const part = join(folder, `${createHash('sha256').update(WEIGHTS).digest('hex')}.incomplete`)
    mkdirSync(folder, { recursive: true })
    // A file that is always full: every write to it is refused with ENOSPC.
    symlinkSync('/dev/full', part)
    const error = await failure(pulled(hub, cache))
    expect([error.diskFull, error.message]).toEqual([
      true,
      expect.stringMatching(/^The disk is full: .* more are needed/),
    ])
    rmSync(part)
    const { snapshot } = await pulled(hub, cache)
    expect(readFileSync(join(snapshot, 'model.safetensors'))).toEqual(WEIGHTS)
  })

  test('into a place that cannot be written says so', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    writeFileSync(join(cache, 'models--acme--tiny'), 'in the way')
    expect((await failure(pulled(hub, cache))).message).toMatch(/cannot be written.*(ENOTDIR|EEXIST)/)
  })

  test('does not write where another one does, and takes over from one that is gone', async () => {
    const hub = await FakeHub.start({ [REPO]: REPOSITORY })
    const cache = aCache()
    mkdirSync(join(cache, 'models--acme--tiny'))
    const lock = join(cache, 'models--acme--tiny', 'lexora.lock')
    writeFileSync(lock, String(process.pid))
    expect((await failure(pulled(hub, cache))).message).toMatch(/Another Lexora \(pid \d+\) is fetching/)
    writeFileSync(lock, '999999999')
    await pulled(hub, cache)
  })

  test.each(['../../escape', '/etc/passwd', 'a/../../b', 'a\\b', 'a\u0000b'])(
    'refuses a file with the name %j',
    async (name) => {
      const hub = await FakeHub.start({ [REPO]: { files: { [name]: 'x' } } })
      expect((await failure(pulled(hub, aCache()))).message).toMatch(/lists a file with the name/)
    },
  )
})

describe('what is fetched', () => {
  const files = (...paths: string[]): HubFile[] =>
    paths.map((path) => ({ path, size: 1, hash: { kind: 'git', hex: '0'.repeat(40) } }))
  const names = (given: HubFile[], ...patterns: string[]) => chooseFiles(given, patterns, REPO).map(({ path }) => path)

  test('is what engines read, not the same weights in other forms', () => {
    const given = files(
      'config.json',
      'model.safetensors',
      'pytorch_model.bin',
      'original/a.pth',
      'cat.png',
      'consolidated.safetensors',
    )
    expect(names(given)).toEqual(['config.json', 'model.safetensors'])
    expect(names(files('config.json', 'pytorch_model.bin'))).toEqual(['config.json', 'pytorch_model.bin'])
  })

  test('of several GGUF variants must be said', () => {
    const given = files('a-Q4_K_M.gguf', 'a-Q8_0.gguf', 'README.md')
    expect(() => names(given)).toThrow(/2 GGUF variants: a-Q4_K_M.gguf, a-Q8_0.gguf/)
    expect(names(given, '*q4_k*')).toEqual(['a-Q4_K_M.gguf'])
    expect(names(files('a.gguf'))).toEqual(['a.gguf'])
  })

  test('of a file in parts is all parts', () => {
    const given = files('q4/a-00001-of-00002.gguf', 'q4/a-00002-of-00002.gguf', 'q8/a-00001-of-00002.gguf')
    expect(names(given, 'q4/*')).toEqual(['q4/a-00001-of-00002.gguf', 'q4/a-00002-of-00002.gguf'])
    expect(names(given, 'q4/a-00001*')).toEqual(['q4/a-00001-of-00002.gguf', 'q4/a-00002-of-00002.gguf'])
  })

  test('that matches nothing is an error with what there is', () => {
    expect(() => names(files('a.gguf'), '*.bin')).toThrow(/No file of acme\/tiny matches \*\.bin/)
  })

  test.each<[given: string, repo: string, patterns: string[]]>([
    ['Qwen/Qwen3-8B', 'Qwen/Qwen3-8B', []],
    ['https://huggingface.co/Qwen/Qwen3-8B/', 'Qwen/Qwen3-8B', []],
    ['a/b-GGUF:*Q4_K_M*', 'a/b-GGUF', ['*Q4_K_M*']],
  ])('is named as %s', (given, repo, patterns) => {
    expect(parseRepository(given)).toEqual({ repo, patterns })
  })

  test.each(['', 'qwen', 'a/b/c', '../x', 'a/..', 'a b/c', '/a/b', 'a/b--c'])('is not named as %j', (given) => {
    expect(() => parseRepository(given)).toThrow(HubError)
  })

  test('patterns of stars end in time', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('*', 'a', '?'), maxLength: 60 }), (pattern) => {
        const given = files(`${'a'.repeat(200)}b`)
        try {
          names(given, pattern)
        } catch (error) {
          expect(error).toBeInstanceOf(HubError)
        }
      }),
    )
  })
})
