/** Headers of model files: what they say, and files that lie, are cut off, or mean harm. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { scanModels } from '../../src/models/catalogue.ts'
import { readGguf } from '../../src/models/gguf.ts'
import { BadFileError } from '../../src/models/read-head.ts'
import { readSafetensors } from '../../src/models/safetensors.ts'
import { type CheckedFile, listFiles, verifyFiles } from '../../src/models/verify.ts'
import { ggufShape } from '../../src/policy/model-shape.ts'

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lx-models-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function aFile(content: Buffer): string {
  const path = join(aFolder(), 'file')
  writeFileSync(path, content)
  return path
}

function withLength(header: Buffer, length = BigInt(header.length)): Buffer {
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(length)
  return Buffer.concat([head, header])
}

function safetensors(tensors: Record<string, unknown>, data = 0): Buffer {
  return Buffer.concat([withLength(Buffer.from(JSON.stringify(tensors))), Buffer.alloc(data)])
}

describe('a safetensors file', () => {
  test('tells its weights by type', async () => {
    const path = aFile(
      safetensors(
        {
          __metadata__: { format: 'pt' },
          a: { dtype: 'BF16', shape: [4, 8], data_offsets: [0, 64] },
          b: { dtype: 'BF16', shape: [2], data_offsets: [64, 68] },
          c: { dtype: 'F32', shape: [], data_offsets: [68, 72] },
        },
        72,
      ),
    )
    const { types } = await readSafetensors(path)
    expect({ ...types }).toEqual({ BF16: { count: 34, bytes: 68 }, F32: { count: 1, bytes: 4 } })
  })

  test.each<[what: string, content: Buffer, says: RegExp]>([
    ['empty', Buffer.alloc(0), /is empty/],
    ['of a length that no file has', withLength(Buffer.from('{}'), 2n ** 63n), /is cut off, or is no safetensors/],
    ['longer in its header than itself', withLength(Buffer.from('{}'), 5000n), /is cut off, or is no safetensors/],
    ['without JSON', withLength(Buffer.from('{{{{')), /has a broken header/],
    ['with a list', withLength(Buffer.from('[]')), /has a broken header/],
    [
      'with offsets that run backwards',
      safetensors({ a: { dtype: 'U8', shape: [1], data_offsets: [9, 1] } }),
      /at 'a'/,
    ],
    ['with a shape of texts', safetensors({ a: { dtype: 'U8', shape: ['x'], data_offsets: [0, 1] } }), /at 'a'/],
    ['with nothing for a tensor', safetensors({ a: null }), /at 'a'/],
    [
      'cut off',
      safetensors({ a: { dtype: 'U8', shape: [9], data_offsets: [0, 9] } }, 3),
      /is cut off: \d+ of \d+ bytes/,
    ],
  ])('%s is an error that says so', async (_, content, says) => {
    await expect(readSafetensors(aFile(content))).rejects.toThrow(says)
  })

  test('of any bytes is read or refused, never anything else', async () => {
    const path = aFile(Buffer.alloc(0))
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, framed) => {
        writeFileSync(path, framed ? withLength(Buffer.from(bytes)) : bytes)
        await readSafetensors(path).catch((error: unknown) => expect(error).toBeInstanceOf(BadFileError))
      }),
    )
  })
})

type Entry = [name: string, type: number, value: number | string | string[] | number[]]

const text = (value: string): Buffer => withLength(Buffer.from(value))
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function gguf(entries: Entry[], tensors: { name: string; shape: number[]; type: number }[] = []): Buffer {
  const packed = (type: number, value: Entry[2]): Buffer => {
    if (type === 8) return text(value as string)
    if (type !== 9) return u32(value as number)
    const list = value as (string | number)[]
    const inner = typeof list[0] === 'string' ? 8 : 4
    return Buffer.concat([u32(inner), u64(list.length), ...list.map((one) => packed(inner, one))])
  }
  return Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries.map(([name, type, value]) => Buffer.concat([text(name), u32(type), packed(type, value)])),
    ...tensors.map(({ name, shape, type }) =>
      Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(0)]),
    ),
  ])
}

const LLAMA: Entry[] = [
  ['general.architecture', 8, 'llama'],
  ['llama.block_count', 4, 32],
  ['llama.embedding_length', 4, 4096],
  ['llama.attention.head_count', 4, 32],
  ['llama.attention.head_count_kv', 4, 8],
  ['llama.context_length', 4, 131_072],
  ['tokenizer.ggml.tokens', 9, ['a', 'b', 'c']],
]

describe('a GGUF file', () => {
  test('tells its shape, its size and how it is packed', async () => {
    const tensors = [
      { name: 'big', shape: [4096, 4096], type: 12 },
      { name: 'small', shape: [64], type: 0 },
    ]
    const head = await readGguf(aFile(gguf(LLAMA, tensors)))
    expect([head.parameters, head.quantization]).toEqual([4096 * 4096 + 64, 'Q4_K'])
    const shape = ggufShape(head.metadata, head.lengths.get('tokenizer.ggml.tokens') ?? null)!
    expect(shape).toMatchObject({ layers: 32, contextLength: 131_072, headSize: 128, vocabulary: 3, kind: 'chat' })
    // 2 · 8 heads · 128, in each of 32 layers
    expect(shape.cache).toEqual([{ layers: 32, values: 2048, heads: 8, window: null }])
  })

  test('with a vocabulary larger than the first window is read all the same', async () => {
    const words = Array.from({ length: 30_000 }, (_, i) => `${'w'.repeat(40)}${i}`)
    const head = await readGguf(aFile(gguf([...LLAMA.slice(0, 6), ['tokenizer.ggml.tokens', 9, words]])))
    expect(head.lengths.get('tokenizer.ggml.tokens')).toBe(30_000)
  })

  test.each<[what: string, content: Buffer, says: RegExp]>([
    ['that is none', Buffer.from('<!doctype html>'), /is no GGUF file/],
    ['of a version to come', Buffer.concat([Buffer.from('GGUF'), u32(9)]), /is of GGUF version 9/],
    [
      'of more tensors than there are',
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(2 ** 50), u64(0)]),
      /says that it has/,
    ],
    [
      'of more values than there are',
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(2 ** 50)]),
      /says that it has/,
    ],
    ['cut off', gguf(LLAMA).subarray(0, 100), /is cut off within its header/],
    ['with a value of a strange type', gguf([['x', 77, 1]]), /value of type 77/],
    [
      'with a list that is too long',
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), text('x'), u32(9), u32(4), u64(2 ** 40)]),
      /values in a list/,
    ],
    [
      'with a list of lists',
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), text('x'), u32(9), u32(9), u64(1)]),
      /value of type 9/,
    ],
  ])('%s is an error that says so', async (_, content, says) => {
    await expect(readGguf(aFile(content))).rejects.toThrow(says)
  })

  test('cut off or changed anywhere is read or refused, never anything else', async () => {
    const whole = gguf(LLAMA, [{ name: 'a', shape: [2, 2], type: 1 }])
    const path = aFile(whole)
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), async (end, at, byte) => {
        const bytes = Buffer.from(whole)
        bytes[at] = byte
        writeFileSync(path, bytes.subarray(0, end))
        await readGguf(path).catch((error: unknown) => expect(error).toBeInstanceOf(BadFileError))
      }),
    )
  })
})

const CONFIG = JSON.stringify({
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 512,
  torch_dtype: 'bfloat16',
})
const TENSOR = safetensors({ w: { dtype: 'BF16', shape: [10], data_offsets: [0, 20] } }, 20)

function aModel(folder: string, files: Record<string, string | Buffer> = {}): string {
  mkdirSync(folder, { recursive: true })
  const all = { 'config.json': CONFIG, 'model.safetensors': TENSOR, 'tokenizer_config.json': '{"chat_template": "x"}' }
  for (const [name, content] of Object.entries({ ...all, ...files })) writeFileSync(join(folder, name), content)
  return folder
}

const scan = (folder: string, hubCache = join(folder, 'none')) => scanModels({ hubCache, folders: [folder] })

describe('the catalogue', () => {
  test('tells what lies in a folder', async () => {
    const root = aFolder()
    const path = aModel(join(root, 'owner', 'tiny'))
    expect(await scan(root)).toEqual([
      {
        id: path,
        path,
        source: 'folder',
        revision: null,
        format: 'safetensors',
        bytes: CONFIG.length + TENSOR.length + 22,
        quantization: null,
        dtype: 'bf16',
        architecture: 'LlamaForCausalLM',
        parameters: 10,
        contextLength: 512,
        kind: 'chat',
        complete: true,
        missing: [],
        modified: expect.any(String),
      },
    ])
  })

  test('of a folder that is not there is empty', async () => {
    expect(await scan(join(aFolder(), 'none'))).toEqual([])
  })

  test.each<[what: string, files: Record<string, string | Buffer>, missing: RegExp]>([
    ['a broken configuration', { 'config.json': '{' }, /config.json is not valid JSON/],
    ['a file that was cut off', { 'model.safetensors': TENSOR.subarray(0, 30) }, /model.safetensors is cut off/],
    [
      'a shard that is missing',
      { 'model.safetensors.index.json': '{"weight_map": {"a": "other.safetensors"}}' },
      /other.safetensors/,
    ],
    ['an index that leads elsewhere', { 'model.safetensors.index.json': '{"weight_map": {"a": "../x"}}' }, /weights/],
    ['a broken index', { 'model.safetensors.index.json': '[' }, /is not a valid index/],
  ])('tells of %s', async (_, files, missing) => {
    const root = aFolder()
    aModel(join(root, 'tiny'), files)
    const [found] = await scan(root)
    expect(found).toMatchObject({ complete: false, missing: [expect.stringMatching(missing)] })
  })

  test('follows no circle of links, and no link that leads nowhere', async () => {
    const root = aFolder()
    aModel(join(root, 'a'))
    symlinkSync(root, join(root, 'loop'))
    symlinkSync(join(root, 'two'), join(root, 'one'))
    symlinkSync(join(root, 'one'), join(root, 'two'))
    symlinkSync('/nowhere', join(root, 'a', 'lost.safetensors'))
    const [found, ...more] = await scan(root)
    expect([found!.path, more]).toEqual([join(root, 'a'), []])
    expect(found!.missing).toEqual(['lost.safetensors'])
  })

  test('shows each GGUF file, and one in parts once', async () => {
    const root = aFolder()
    const whole = gguf(LLAMA, [{ name: 'a', shape: [10], type: 12 }])
    for (const name of [
      'a.gguf',
      'b-00001-of-00002.gguf',
      'b-00002-of-00002.gguf',
      'c-00001-of-00002.gguf',
      'mmproj-a.gguf',
    ]) {
      writeFileSync(join(root, name), whole)
    }
    const found = await scan(root)
    expect(found.map(({ path, complete, parameters }) => [path.slice(root.length + 1), complete, parameters])).toEqual([
      ['a.gguf', true, 10],
      ['b-00001-of-00002.gguf', true, 20],
      ['c-00001-of-00002.gguf', false, 10],
    ])
  })

  test('knows vectors and orders from chats', async () => {
    const root = aFolder()
    aModel(join(root, 'vectors'), { 'modules.json': '[]' })
    aModel(join(root, 'bge-reranker'))
    aModel(join(root, 'plain'), { 'tokenizer_config.json': '{}' })
    const kinds = (await scan(root)).map(({ path, kind }) => [path.slice(root.length + 1), kind])
    expect(kinds).toEqual([
      ['bge-reranker', 'rerank'],
      ['plain', 'completion'],
      ['vectors', 'embedding'],
    ])
  })

  test('reads the hub’s cache: what is whole, and what is still to come', async () => {
    const cache = aFolder()
    const commit = 'a'.repeat(40)
    const repository = join(cache, 'models--acme--tiny')
    aModel(join(repository, 'snapshots', commit))
    mkdirSync(join(repository, 'refs'))
    writeFileSync(join(repository, 'refs', 'main'), commit)
    mkdirSync(join(cache, 'models--acme--half', 'blobs'), { recursive: true })
    writeFileSync(join(cache, 'models--acme--half', 'blobs', 'x.incomplete'), 'abc')
    mkdirSync(join(cache, 'models--acme--nothing'))
    const found = await scanModels({ hubCache: cache, folders: [] })
    expect(found.map(({ id, revision, complete, bytes }) => [id, revision, complete, bytes > 0])).toEqual([
      ['acme/half', null, false, true],
      ['acme/tiny', commit, true, true],
    ])
  })

  test('of five hundred folders takes no harm', async () => {
    const root = aFolder()
    for (let i = 0; i < 500; i++) aModel(join(root, `m${i}`))
    expect(await scan(root)).toHaveLength(500)
  })
})

describe('a check of a model', () => {
  test('of a folder looks at the structure', async () => {
    const root = aFolder()
    const path = aModel(join(root, 'tiny'))
    const [whole] = await scan(root)
    expect(await verifyFiles(whole!)).toMatchObject({ files: 1, hashed: 0, problems: [] })
    truncateSync(join(path, 'model.safetensors'), 40)
    expect((await verifyFiles(whole!)).problems).toEqual([
      { file: 'model.safetensors', why: expect.stringMatching(/is cut off/) },
    ])
  })

  test('of GGUF files reads the list of tensors, and whether they are all there', async () => {
    const root = aFolder()
    const head = gguf(LLAMA, [{ name: 'a', shape: [512], type: 12 }])
    const needed = Math.ceil(head.length / 32) * 32 + 2 * 144
    writeFileSync(join(root, 'a.gguf'), Buffer.concat([head, Buffer.alloc(needed - head.length)]))
    const [model] = await scan(root)
    expect(await verifyFiles(model!)).toMatchObject({ files: 1, hashed: 0, problems: [] })
    truncateSync(join(root, 'a.gguf'), needed - 1)
    expect((await verifyFiles(model!)).problems).toEqual([
      { file: 'a.gguf', why: `is cut off: ${needed - 1} of ${needed} bytes are there` },
    ])
    truncateSync(join(root, 'a.gguf'), 100)
    expect((await verifyFiles(model!)).problems).toEqual([{ file: 'a.gguf', why: 'is cut off within its header' }])
  })

  test('says of each file what it came to, until the file is another one', async () => {
    const root = aFolder()
    const path = aModel(join(root, 'tiny'))
    truncateSync(join(path, 'model.safetensors'), 40)
    const [model] = await scan(root)
    const checked = new Map<string, CheckedFile & { at: string }>()
    const states = async () =>
      (await listFiles({ ...model!, missing: ['more.safetensors'] }, checked)).map(({ name, state }) => [name, state])
    const before = await states()
    expect(before[0]).toEqual(['more.safetensors', 'missing'])
    expect(new Set(before.slice(1).map(([, state]) => state))).toEqual(new Set(['unread']))
    await verifyFiles(model!, (file, one) => checked.set(file, { ...one, at: '2026-11-22' }))
    expect(Object.fromEntries(await states())).toMatchObject({ 'config.json': 'unread', 'model.safetensors': 'bad' })
    writeFileSync(join(path, 'model.safetensors'), TENSOR)
    expect(Object.fromEntries(await states())).toMatchObject({ 'model.safetensors': 'unread' })
    await verifyFiles(model!, (file, one) => checked.set(file, { ...one, at: '2026-11-22' }))
    expect(Object.fromEntries(await states())).toMatchObject({ 'model.safetensors': 'whole' })
  })
})
