import { nearestNames } from '../protocol/nearest-name.ts'
import { shapeWithAliases } from './aliases.ts'
import type { Issue } from './issues.ts'
import { dotted, emptyLayer, emptyTree, isTree, type Layer, put, type Tree } from './layer.ts'
import { alternatives, childOf, isMap, keysOf, kindsOf, type Path, type Shape, shapeAt } from './shape.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Variables of ours that are no settings: where files lie, and what the tests of Lexora go by. */
const NOT_A_SETTING = /^LEXORA_(HOME$|CONFIG$|TEST_)/

/** Kubernetes and Docker links set these for a service called "lexora"; LEXORA_PORT is then "tcp://…". */
const SERVICE_LINK = /^LEXORA_(SERVICE_(HOST|PORT)|PORT_\d+_)/

/** The seeds' names. `holdsKey`: the variable is the key itself, so the setting is the variable's name. */
const OLDER_NAMES: Record<string, { path: string[]; holdsKey?: true }> = {
  LEXORA_VLLM_URL: { path: ['vllm', 'url'] },
  LEXORA_PORT: { path: ['server', 'port'] },
  ORCH_INBOUND_API_KEYS: { path: ['auth', 'api_keys'] },
  ORCH_API_KEY_HEADER: { path: ['auth', 'header'] },
  ORCH_CORS_ALLOW_ORIGINS: { path: ['server', 'cors_origins'] },
  ORCH_RETRY_AFTER_SECONDS: { path: ['retry', 'default_retry_after'] },
  VLLM_BASE_URL: { path: ['vllm', 'url'] },
  VLLM_API_KEY: { path: ['vllm', 'api_key_env'], holdsKey: true },
}

/**
 * The settings that environment variables make: LEXORA_SECTION__KEY for any key, and the seeds' older names. An empty
 * variable sets nothing. `file` is what the file says, so that names of backends and engines are met in its spelling.
 */
export function applyEnvironment(env: Environment, file: Tree): { layer: Layer; notes: string[]; issues: Issue[] } {
  const layer = emptyLayer()
  const notes: string[] = []
  const issues: Issue[] = []
  const set = (variable: string, path: Path, shape: Shape, text: string) => {
    const meant = typed(text, shape)
    if ('problem' in meant) issues.push(environmentIssue(variable, path, meant.problem))
    else put(layer, path, meant.value, { from: 'environment', detail: variable })
  }

  for (const [variable, older] of Object.entries(OLDER_NAMES)) {
    const text = env[variable]
    if (!text || text.startsWith('tcp://')) continue
    const today = variableOf(older.path)
    if (env[today]) notes.push(`${variable} has no effect: ${today} is set`)
    else {
      notes.push(`${variable} is an older name of ${today}${older.holdsKey ? `=${variable}` : ''}`)
      set(variable, older.path, shapeAt(older.path)!, older.holdsKey ? variable : text)
    }
  }
  // Shorter names first: LEXORA_RETRY='{…}' must not undo LEXORA_RETRY__BUDGET.
  const variables = Object.keys(env).filter(isSetting)
  for (const variable of variables.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))) {
    const text = env[variable]
    if (!text) continue
    const found = resolve(variable, file)
    if ('shape' in found) set(variable, found.path, found.shape, text)
    else issues.push(environmentIssue(variable, [], found.message))
  }
  return { layer, notes, issues }
}

function isSetting(variable: string): boolean {
  if (!variable.startsWith('LEXORA_') || Object.hasOwn(OLDER_NAMES, variable)) return false
  return !NOT_A_SETTING.test(variable) && !SERVICE_LINK.test(variable)
}

/** The setting that a variable names, or why there is none. */
function resolve(variable: string, file: Tree): { path: string[]; shape: Shape } | { message: string } {
  const parts = variable.slice('LEXORA_'.length).split('__')
  const path: string[] = []
  let shape = shapeWithAliases
  let written: unknown = file
  for (const [index, part] of parts.entries()) {
    const key = isMap(shape) ? nameInMap(part, path, written) : part.toLowerCase()
    const below = key === '' || key === '__proto__' ? undefined : childOf(shape, key)
    if (!below) return { message: unknownVariable(path, key, parts.slice(index + 1), shape) }
    path.push(key)
    shape = below
    written = isTree(written) ? written[key] : undefined
  }
  return { path, shape }
}

/** A variable's name has neither lower case nor "-": a name of the file that differs only so is the one that is meant. */
function nameInMap(part: string, path: string[], written: unknown): string {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '_')
  const known = isTree(written) ? Object.keys(written) : []
  const fresh = path.at(-1) === 'env' ? part : part.toLowerCase()
  return known.find((name) => plain(name) === plain(part)) ?? fresh
}

function unknownVariable(before: string[], wrong: string, after: string[], shape: Shape): string {
  const misspelt = before.length + after.length > 0 ? nearestNames(wrong, keysOf(shape), 1) : []
  const near = misspelt.map((key) => variableOf([...before, key, ...after]))
  if (near.length === 0) near.push(...nearestSettings([...before, wrong, ...after]))
  return `unknown setting${near[0] ? `. Did you mean ${near[0]}?` : '; "lexora config get" shows all there are'}`
}

/** Compared without the prefix, which every name shares and which would make all of them look alike. */
function nearestSettings(parts: string[]): string[] {
  const bare = (variable: string) => variable.slice('LEXORA_'.length)
  const near = nearestNames(bare(variableOf(parts)), settings(shapeWithAliases, []).map(bare), 1)
  return near.map((name) => `LEXORA_${name}`)
}

/** The variables of all single settings, those in maps left out. */
function settings(shape: Shape, path: string[]): string[] {
  return keysOf(shape).flatMap((key) => {
    const below = childOf(shape, key)!
    return keysOf(below).length > 0 ? settings(below, [...path, key]) : [variableOf([...path, key])]
  })
}

function variableOf(path: readonly string[]): string {
  return `LEXORA_${path.map((key) => key.toUpperCase()).join('__')}`
}

/** A variable's text as the kind of value the key takes. What fits none stays text, for the schema to refuse. */
function typed(text: string, shape: Shape): { value: unknown } | { problem: string } {
  const kinds = kindsOf(shape)
  const trimmed = text.trim()
  if (kinds.has('null') && trimmed === 'null') return { value: null }
  if (kinds.has('array') && trimmed.startsWith('[')) return json(trimmed)
  if (kinds.has('object') && trimmed.startsWith('{')) return json(trimmed)
  if (kinds.has('array') && (!kinds.has('string') || trimmed.includes(','))) return { value: list(trimmed, shape) }
  if (kinds.has('object') && !kinds.has('string')) return { problem: 'is a map: write it as JSON' }
  return { value: scalar(trimmed, kinds) }
}

function list(text: string, shape: Shape): unknown[] {
  const items = alternatives(shape).find((one) => one.items)?.items
  const kinds = items ? kindsOf(items) : new Set<string>()
  const parts = text.split(',').map((part) => part.trim())
  return parts.filter((part) => part !== '').map((part) => scalar(part, kinds))
}

function scalar(text: string, kinds: Set<string>): unknown {
  if ((kinds.has('number') || kinds.has('integer')) && NUMBER.test(text)) return Number(text)
  if (kinds.has('boolean')) return BOOLEANS.get(text.toLowerCase()) ?? text
  return text
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const BOOLEANS = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
])

/** The parser's own message would quote the text, which may be a secret. */
function json(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text, (_, value) => (isTree(value) ? Object.assign(emptyTree(), value) : value)) }
  } catch {
    return { problem: 'is not valid JSON' }
  }
}

function environmentIssue(variable: string, path: Path, message: string): Issue {
  return { path: dotted(path), message, source: 'environment', place: variable }
}
