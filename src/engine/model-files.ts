import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { hubCache } from '../config/hub-cache.ts'
import type { EngineFailure } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { failed } from './failed.ts'

export type ModelFiles =
  /** `bytes`: of the weights that are read into the GPU. */
  | { is: 'complete'; bytes: number | null }
  /** Not on this machine, or not whole: the engine fetches what it lacks. */
  | { is: 'to-fetch' }
  | { is: 'broken'; failure: EngineFailure }

type Env = Readonly<Record<string, string | undefined>>

/** Whether an engine will find a whole model. Reads headers, never weights. */
export function checkModel(model: string, kind: 'vllm' | 'llama-server', env: Env, home: string): ModelFiles {
  if (kind === 'llama-server' && !model.endsWith('.gguf')) return { is: 'to-fetch' }
  if (model.endsWith('.gguf')) return checkGguf(model)
  const isFolder = isAbsolute(model) || model.startsWith('.') || model.startsWith('~')
  if (isFolder) return checkFolder(model)
  const snapshot = hubSnapshot(model, env, home)
  if (snapshot === null) return { is: 'to-fetch' }
  const found = checkFolder(snapshot)
  // What a broken download lacks, the engine fetches.
  return found.is === 'broken' && found.failure.class === 'model_missing' ? { is: 'to-fetch' } : found
}

function checkFolder(folder: string): ModelFiles {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return broken(
      'model_missing',
      say`There is no model folder ${folder}.`,
      say('Set `model` to a folder or a hub repository.'),
    )
  }
  if (!names.includes('config.json') && !names.includes('params.json')) {
    return broken(
      'model_missing',
      say`${folder} holds no config.json.`,
      say('Set `model` to the folder of a whole model.'),
    )
  }
  const problem = names.includes('config.json') ? configProblem(folder) : null
  if (problem !== null) return { is: 'broken', failure: problem }
  const shards = shardsOf(folder, names)
  const missing = shards.filter((name) => !names.includes(name))
  if (missing.length > 0) {
    const some = missing.slice(0, 3).join(', ')
    const says =
      missing.length > 3 ? say`${folder} lacks ${some}, and ${missing.length - 3} more.` : say`${folder} lacks ${some}.`
    return broken('model_missing', says, say('Download the model again.'))
  }
  let bytes = 0
  for (const name of shards) {
    const shard = checkSafetensors(join(folder, name))
    if (typeof shard !== 'number') return { is: 'broken', failure: shard }
    bytes += shard
  }
  return { is: 'complete', bytes: shards.length > 0 ? bytes : null }
}

function configProblem(folder: string): EngineFailure | null {
  try {
    JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    return null
  } catch {
    return failed('model_bad', say`${join(folder, 'config.json')} is not valid JSON.`, say('Download the model again.'))
  }
}

/** The files that hold the weights: those of the index, or whatever lies there. */
function shardsOf(folder: string, names: readonly string[]): string[] {
  const index = names.find((name) => name.endsWith('.safetensors.index.json'))
  if (index === undefined) return names.filter((name) => name.endsWith('.safetensors'))
  try {
    const { weight_map: map } = JSON.parse(readFileSync(join(folder, index), 'utf8')) as {
      weight_map?: Record<string, string>
    }
    return [...new Set(Object.values(map ?? {}))]
  } catch {
    return names.filter((name) => name.endsWith('.safetensors'))
  }
}

/** Its size, or what is wrong: a file is as long as its header says, or it was cut off on its way here. */
function checkSafetensors(path: string): number | EngineFailure {
  const bad = (why: string): EngineFailure => failed('model_bad', why, say('Remove this file and download it again.'))
  const { size } = statSync(path)
  const head = readAt(path, 0, 8)
  if (head.length < 8) return bad(say`${path} is empty.`)
  const length = Number(head.readBigUInt64LE())
  if (length > 100e6 || length + 8 > size) return bad(say`${path} is cut off, or is no safetensors file.`)
  try {
    const header = JSON.parse(readAt(path, 8, length).toString('utf8')) as Record<
      string,
      { data_offsets?: [number, number] }
    >
    const end = Object.values(header).reduce((most, { data_offsets: at }) => Math.max(most, at?.[1] ?? 0), 0)
    if (end + 8 + length > size) return bad(say`${path} is cut off: ${size} of ${end + 8 + length} bytes are there.`)
    return size
  } catch {
    return bad(say`${path} has a broken header.`)
  }
}

function readAt(path: string, position: number, length: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, readSync(file, bytes, 0, length, position))
  } finally {
    closeSync(file)
  }
}

const GGUF_PART = /-(\d{5})-of-(\d{5})\.gguf$/

function checkGguf(path: string): ModelFiles {
  const part = GGUF_PART.exec(path)
  const paths = part === null ? [path] : partsOf(path, Number(part[2]))
  let bytes = 0
  for (const one of paths) {
    try {
      bytes += statSync(one).size
      if (readAt(one, 0, 4).toString('latin1') !== 'GGUF') {
        return broken('model_bad', say`${one} is no GGUF file.`, say('Download it again.'))
      }
    } catch {
      return broken('model_missing', say`There is no ${one}.`, say('Set `model` to a GGUF file, or download it.'))
    }
  }
  return { is: 'complete', bytes }
}

function partsOf(path: string, count: number): string[] {
  const base = basename(path).replace(GGUF_PART, '')
  const five = (number: number): string => String(number).padStart(5, '0')
  return Array.from({ length: count }, (_, i) => join(dirname(path), `${base}-${five(i + 1)}-of-${five(count)}.gguf`))
}

/** Where the hub's cache holds a repository; null where it does not, or not yet whole. */
function hubSnapshot(model: string, env: Env, home: string): string | null {
  const repository = join(hubCache(env, home), `models--${model.replaceAll('/', '--')}`)
  try {
    if (readdirSync(join(repository, 'blobs')).some((name) => name.endsWith('.incomplete'))) return null
    return join(repository, 'snapshots', readFileSync(join(repository, 'refs', 'main'), 'utf8').trim())
  } catch {
    return null
  }
}

function broken(name: string, cause: string, fix: string): ModelFiles {
  return { is: 'broken', failure: failed(name, cause, fix) }
}
