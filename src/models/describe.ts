import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ggufShape, type ModelShape, modelShape } from '../policy/model-shape.ts'
import type { ModelView } from '../protocol/models.ts'
import { readGguf } from './gguf.ts'
import { BadFileError } from './read-head.ts'
import { readSafetensors } from './safetensors.ts'

/** Weights by the type they are stored as; null: the files do not tell. */
export type Weights = Record<string, { count: number; bytes: number }> | null

/** What the files of a model say of it. */
export type Described = Pick<
  ModelView,
  'format' | 'bytes' | 'quantization' | 'dtype' | 'architecture' | 'parameters' | 'contextLength' | 'kind' | 'missing'
> & { shape: ModelShape | null; weights: Weights }

const MAX_CONFIG_BYTES = 4 * 2 ** 20
const PYTORCH = /(^|\/)pytorch_model.*\.bin$|consolidated.*\.pth$/

/** A folder as `transformers` writes it. `names`: its files. Never rejects for what it finds. */
export async function describeFolder(folder: string, names: readonly string[]): Promise<Described> {
  const missing: string[] = []
  const config = await readConfig(folder, names, missing)
  const shape = modelShape(config)
  const tensors = await shardsOf(folder, names, missing)
  const weights = await readShards(folder, tensors, missing)
  const torch = names.filter((name) => PYTORCH.test(name))
  const format = tensors.length > 0 ? 'safetensors' : torch.length > 0 ? 'pytorch' : 'other'
  if (format === 'other') missing.push('weights')
  const bytes = await sizeOf(folder, names, missing)
  return {
    format,
    bytes,
    quantization: shape?.quantization ?? null,
    dtype: dtypeOf(weights),
    architecture: shape?.architecture ?? null,
    parameters: parametersOf(weights, shape),
    contextLength: shape?.contextLength ?? null,
    kind: await kindOf(folder, names, shape),
    missing: [...new Set(missing)],
    shape,
    weights,
  }
}

/** What most bytes of its tensors are. */
function dtypeOf(weights: Weights): string | null {
  const [most] = Object.entries(weights ?? {}).sort(([, a], [, b]) => b.bytes - a.bytes)
  return most === undefined ? null : most[0].toLowerCase()
}

/** One GGUF file, or the first of several parts; `all`: the GGUF files beside it. */
export async function describeGguf(folder: string, name: string, all: readonly string[]): Promise<Described> {
  const missing: string[] = []
  const parts = partsOf(name)
  const lacking = parts.filter((part) => !all.includes(part))
  missing.push(...lacking)
  let [bytes, parameters] = [0, 0]
  let first: Awaited<ReturnType<typeof readGguf>> | null = null
  for (const part of parts) {
    if (lacking.includes(part)) continue
    try {
      const head = await readGguf(join(folder, part))
      first ??= head
      bytes += head.bytes
      parameters += head.parameters
    } catch (error) {
      missing.push(`${part} ${said(error)}`)
      bytes += (await stat(join(folder, part)).catch(() => null))?.size ?? 0
    }
  }
  const shape = first === null ? null : ggufShape(first.metadata, first.lengths.get('tokenizer.ggml.tokens') ?? null)
  return {
    format: 'gguf',
    bytes,
    quantization: first?.quantization ?? null,
    dtype: null,
    architecture: shape?.architecture ?? null,
    parameters: parameters > 0 ? parameters : null,
    contextLength: shape?.contextLength ?? null,
    kind: shape?.kind ?? 'other',
    missing,
    shape,
    weights: null,
  }
}

function partsOf(name: string): string[] {
  const part = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(name)
  if (part === null) return [name]
  const five = (number: number): string => String(number).padStart(5, '0')
  const count = Math.min(Number(part[3]), 999)
  return Array.from({ length: count }, (_, i) => `${part[1]}-${five(i + 1)}-of-${part[3]}.gguf`)
}

async function readConfig(folder: string, names: readonly string[], missing: string[]): Promise<unknown> {
  if (!names.includes('config.json')) {
    if (!names.includes('params.json')) missing.push('config.json')
    return null
  }
  try {
    const text = await readFile(join(folder, 'config.json'))
    if (text.length > MAX_CONFIG_BYTES) throw new Error('too large')
    return JSON.parse(text.toString('utf8')) as unknown
  } catch (error) {
    missing.push(
      (error as NodeJS.ErrnoException).code === 'EACCES'
        ? 'config.json may not be read'
        : 'config.json is not valid JSON',
    )
    return null
  }
}

/** Those of the index, or what lies there. */
async function shardsOf(folder: string, names: readonly string[], missing: string[]): Promise<string[]> {
  const there = names.filter((name) => /^[^/\\]*\.safetensors$/.test(name) && !/^consolidated/.test(name))
  const index = names.find((name) => name.endsWith('.safetensors.index.json') && !/[/\\]/.test(name))
  if (index === undefined) return there.length > 0 ? there : names.filter((name) => name.endsWith('.safetensors'))
  try {
    const { weight_map: map } = JSON.parse(await readFile(join(folder, index), 'utf8')) as { weight_map: object }
    const named = [...new Set(Object.values(map).map(String))].filter((name) => !/[/\\]|^\.\.?$/.test(name))
    missing.push(...named.filter((name) => !names.includes(name)))
    return named
  } catch {
    missing.push(`${index} is not a valid index`)
    return there
  }
}

async function readShards(folder: string, shards: readonly string[], missing: string[]): Promise<Weights> {
  const weights: NonNullable<Weights> = {}
  for (const name of shards) {
    if (missing.includes(name)) continue
    try {
      const { types } = await readSafetensors(join(folder, name))
      for (const [type, { count, bytes }] of Object.entries(types)) {
        const before = weights[type] ?? { count: 0, bytes: 0 }
        weights[type] = { count: before.count + count, bytes: before.bytes + bytes }
      }
    } catch (error) {
      missing.push(isAbsent(error) ? name : `${name} ${said(error)}`)
    }
  }
  return Object.keys(weights).length > 0 ? weights : null
}

/** A link that leads nowhere is a file that is missing. */
async function sizeOf(folder: string, names: readonly string[], missing: string[]): Promise<number> {
  const sizes = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(folder, name)).catch(() => null)
      if (found === null) missing.push(name)
      return found?.size ?? 0
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Counted where weights are stored as such; packed ones are not, and there the configuration counts. */
function parametersOf(weights: Weights, shape: ModelShape | null): number | null {
  if (shape !== null && shape.quantization !== null) return shape.parameters
  if (weights === null) return shape?.parameters ?? null
  return Object.values(weights).reduce((sum, { count }) => sum + count, 0)
}

async function kindOf(folder: string, names: readonly string[], shape: ModelShape | null): Promise<ModelView['kind']> {
  // sentence-transformers writes it, also for models that could chat.
  if (names.includes('modules.json')) return 'embedding'
  if (shape === null) return 'other'
  if (shape.kind !== 'chat') return shape.kind
  if (names.some((name) => /^chat_template\.(jinja|json)$/.test(name))) return 'chat'
  const tokenizer = await readFile(join(folder, 'tokenizer_config.json'), 'utf8').catch(() => '')
  return tokenizer.includes('"chat_template"') ? 'chat' : 'completion'
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

function said(error: unknown): string {
  if (error instanceof BadFileError) return error.message
  const { code } = error as NodeJS.ErrnoException
  return code === 'EACCES' ? 'may not be read' : `cannot be read (${code ?? 'error'})`
}

/** What a path holds, a folder or a GGUF file; null where nothing is. `names`: of the files below a folder. */
export async function describePath(
  path: string,
  names: (folder: string) => Promise<string[]>,
): Promise<Described | null> {
  const found = await stat(path).catch(() => null)
  if (found === null) return null
  if (found.isDirectory()) return await describeFolder(path, await names(path))
  const folder = dirname(path)
  const all = (await names(folder)).filter((name) => name.endsWith('.gguf'))
  return await describeGguf(folder, basename(path), all)
}
