import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkModel } from '../../src/engine/model-files.ts'
import { aFolder, type Folder } from './given.ts'

let folder: Folder
beforeEach(() => {
  folder = aFolder()
})
afterEach(() => folder.remove())

/** A safetensors file with one tensor of so many bytes. */
function safetensors(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.alloc(bytes)])
}

function aModel(more: Record<string, string | Buffer> = {}): string {
  const index = { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } }
  const files = {
    'config.json': '{}',
    'model.safetensors.index.json': JSON.stringify(index),
    'model-1.safetensors': safetensors(100),
    'model-2.safetensors': safetensors(50),
    ...more,
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), content)
  return folder.path
}

const check = (model: string, env = {}) => checkModel(model, 'vllm', env, folder.path)
const causeOf = (found: ReturnType<typeof check>): string => (found.is === 'broken' ? found.failure.cause : found.is)

describe('a model folder', () => {
  test('that is whole is told with its weight', () => {
    const path = aModel()
    const bytes = safetensors(100).length + safetensors(50).length
    expect(check(path)).toEqual({ is: 'complete', bytes })
  })

  test('that lacks a shard, or everything, is told with what is missing', () => {
    expect(causeOf(check('/models/none'))).toBe('There is no model folder /models/none.')
    expect(causeOf(check(folder.path))).toBe(`${folder.path} holds no config.json.`)
    const index = JSON.stringify({ weight_map: { a: 'model-1.safetensors', b: 'model-3.safetensors' } })
    expect(causeOf(check(aModel({ 'model.safetensors.index.json': index })))).toBe(
      `${folder.path} lacks model-3.safetensors.`,
    )
  })

  test.each<[what: string, spoil: (path: string) => void, cause: RegExp]>([
    ['cut off', (path) => truncateSync(path, 100), /is cut off: 100 of \d+ bytes/],
    ['empty', (path) => truncateSync(path, 0), /is empty/],
    [
      'a page of a web server',
      (path) => writeFileSync(path, '<!doctype html><title>404</title>'),
      /no safetensors file/,
    ],
  ])('with a shard that is %s is found', (_, spoil, cause) => {
    const path = aModel()
    spoil(join(path, 'model-2.safetensors'))
    const found = check(path)
    expect(found).toMatchObject({ is: 'broken', failure: { class: 'model_bad', canHeal: false } })
    expect(causeOf(found)).toMatch(cause)
  })

  test('with a broken config.json is found', () => {
    expect(causeOf(check(aModel({ 'config.json': '{"a":' })))).toMatch(/config\.json is not valid JSON/)
  })

  test('with other files for weights is left to the engine', () => {
    writeFileSync(join(folder.path, 'config.json'), '{}')
    writeFileSync(join(folder.path, 'pytorch_model.bin'), 'x')
    expect(check(folder.path)).toEqual({ is: 'complete', bytes: null })
  })
})

describe('a hub repository', () => {
  const cached = (): string => {
    const repository = join(folder.path, '.cache/huggingface/hub/models--org--name')
    for (const name of ['blobs', 'refs', 'snapshots/abc']) mkdirSync(join(repository, name), { recursive: true })
    writeFileSync(join(repository, 'refs/main'), 'abc\n')
    return repository
  }

  test('that is not here is fetched by the engine', () => {
    expect(check('org/name')).toEqual({ is: 'to-fetch' })
  })

  test('that is here whole needs no network', () => {
    const repository = cached()
    writeFileSync(join(repository, 'snapshots/abc/config.json'), '{}')
    writeFileSync(join(repository, 'snapshots/abc/model.safetensors'), safetensors(10))
    expect(check('org/name')).toMatchObject({ is: 'complete' })
    expect(check('org/name', { HF_HOME: '/elsewhere' })).toEqual({ is: 'to-fetch' })
  })

  test('that is half here is fetched on', () => {
    const repository = cached()
    writeFileSync(join(repository, 'snapshots/abc/config.json'), '{}')
    writeFileSync(join(repository, 'blobs/123.incomplete'), '')
    expect(check('org/name')).toEqual({ is: 'to-fetch' })
  })
})

describe('a GGUF file', () => {
  test('is known by its first bytes, all its parts too', () => {
    const path = join(folder.path, 'm-00001-of-00002.gguf')
    writeFileSync(path, 'GGUF....')
    expect(causeOf(check(path))).toBe(`There is no ${join(folder.path, 'm-00002-of-00002.gguf')}.`)
    writeFileSync(join(folder.path, 'm-00002-of-00002.gguf'), 'GGUF....')
    expect(check(path)).toEqual({ is: 'complete', bytes: 16 })
    writeFileSync(path, '<html>')
    expect(causeOf(check(path))).toMatch(/is no GGUF file/)
  })
})
