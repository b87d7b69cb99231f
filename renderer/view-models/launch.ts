import type { EngineView } from '../../src/protocol/engine.ts'
import type { MessageKey } from '../i18n/index.ts'
import { type Typed, typedValue } from './settings.ts'

export type Scalar = string | number | boolean
type Args = Readonly<Record<string, unknown>>

/** An option that has a field of its own. `options`: the usual values, beside whatever it has now. */
export type LaunchFlag = {
  name: string
  label: MessageKey
  is: 'text' | 'number' | 'switch' | 'choice'
  options?: string[]
}

const FLAGS: Partial<Record<string, readonly LaunchFlag[]>> = {
  vllm: [
    { name: 'max-model-len', label: 'fit.context', is: 'text' },
    { name: 'max-num-seqs', label: 'fit.atOnce', is: 'number' },
    { name: 'gpu-memory-utilization', label: 'fit.share', is: 'number' },
    { name: 'tensor-parallel-size', label: 'launch.flag.gpus', is: 'number' },
    { name: 'dtype', label: 'launch.flag.dtype', is: 'choice', options: ['auto', 'bfloat16', 'float16', 'float32'] },
    { name: 'quantization', label: 'launch.flag.quantization', is: 'text' },
    { name: 'kv-cache-dtype', label: 'launch.flag.kv', is: 'choice', options: ['auto', 'fp8', 'fp8_e4m3', 'fp8_e5m2'] },
    { name: 'enforce-eager', label: 'launch.flag.eager', is: 'switch' },
  ],
  'llama-server': [
    { name: 'ctx-size', label: 'fit.context', is: 'number' },
    { name: 'parallel', label: 'fit.atOnce', is: 'number' },
    { name: 'n-gpu-layers', label: 'launch.flag.layers', is: 'text' },
    { name: 'cache-type-k', label: 'launch.flag.kv', is: 'choice', options: ['f16', 'q8_0', 'q4_0'] },
  ],
}

export function launchFlags({ kind }: Pick<EngineView, 'kind'>): readonly LaunchFlag[] {
  return FLAGS[kind] ?? []
}

/** As the configuration writes it: underscores mean the same. */
function spelling(args: Args, name: string): string {
  const other = name.replaceAll('-', '_')
  return other in args && !(name in args) ? other : name
}

/** What stands in the field of an option. */
export function flagText(args: Args, name: string): string {
  const value = args[spelling(args, name)]
  return value === undefined || value === null ? '' : String(value)
}

/** The options without a field, as lines; lists stay as the file has them. */
export function otherLines(args: Args, flags: readonly LaunchFlag[]): string {
  return Object.entries(others(args, flags))
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join('\n')
}

function others(args: Args, flags: readonly LaunchFlag[]): Args {
  const taken = new Set(flags.map(({ name }) => spelling(args, name)))
  return Object.fromEntries(
    Object.entries(args).filter(([name, value]) => !taken.has(name) && typeof value !== 'object'),
  )
}

/** Variables as lines; what they hold is masked. */
export function variableLines(env: Args): string {
  return otherLines(env, [])
}

/** What was typed, by the option's name; `lines`: all of those without a field, `env`: variables; null where not touched. */
export type LaunchDraft = { fields: Readonly<Record<string, string>>; lines: string | null; env: string | null }

export const NO_DRAFT: LaunchDraft = { fields: {}, lines: null, env: null }

type Changes = Record<string, Scalar | null>

export type LaunchChanges = {
  /** By their names; null takes one away. */
  args: Changes
  env: Changes
  /** What cannot be read: of a field by its name, of `lines` or of `env`. */
  bad: ({ name: string } & Extract<Typed, { ok: false }>) | null
}

/** What a draft changes of the options and variables that the configuration has. */
export function launchChanges(
  { args, env }: { args: Args; env: Args },
  flags: readonly LaunchFlag[],
  draft: LaunchDraft,
): LaunchChanges {
  const changes: Changes = {}
  for (const { name, is } of flags) {
    const text = draft.fields[name]?.trim()
    if (text === undefined || text === flagText(args, name)) continue
    const read = typedValue(text, is === 'number' ? { is } : { is: 'text', secret: false }, { kind: 'a number' })
    if (!read.ok) return { args: {}, env: {}, bad: { name, ...read } }
    changes[spelling(args, name)] = is === 'switch' && text !== '' ? text === 'true' : (read.value as Scalar | null)
  }
  const lines = lineChanges(others(args, flags), draft.lines)
  if (!lines.ok) return { args: {}, env: {}, bad: { name: 'lines', ...lines } }
  const variables = lineChanges(others(env, []), draft.env)
  if (!variables.ok) return { args: {}, env: {}, bad: { name: 'env', ...variables } }
  return { args: { ...changes, ...lines.changes }, env: variables.changes, bad: null }
}

/** Fit for an address, which is written down in many places. */
export function maskedChanges(changes: LaunchChanges['args']): LaunchChanges['args'] {
  const entries = Object.entries(changes)
  return Object.fromEntries(entries.map(([name, value]) => [name, value !== null && SECRET.test(name) ? '***' : value]))
}

/** As the core takes an option for a secret one: `max-num-batched-tokens` is none. */
const SECRET = /(^|[-_])(api[-_]?key|token|secret|password)$/i

function lineChanges(
  before: Args,
  text: string | null,
): { ok: true; changes: Changes } | Extract<Typed, { ok: false }> {
  if (text === null) return { ok: true, changes: {} }
  const read = typedValue(text, { is: 'lines' }, { kind: 'a map' })
  if (!read.ok) return read
  const after = (read.value ?? {}) as Record<string, Scalar>
  const gone = Object.keys(before).filter((name) => !(name in after))
  const come = Object.entries(after).filter(([name, value]) => String(before[name] ?? '') !== String(value))
  return { ok: true, changes: { ...Object.fromEntries(gone.map((name) => [name, null])), ...Object.fromEntries(come) } }
}
