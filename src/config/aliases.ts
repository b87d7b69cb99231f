import { type Issue, located } from './issues.ts'
import { isTree, type Layer, type Origin, originOf, pathKey, put, type Tree, takeOrigins, valueAt } from './layer.ts'
import { configShape, type Path, type Shape, shapeAt } from './shape.ts'

/** One older spelling from the seeds. `convert` turns its value into that of the key it stands for, `also` into that of a second. */
type Alias = { from: string; to: string; convert?: Convert; least?: number; also?: { to: string; convert: Convert } }
type Convert = (value: number) => number

/** A limit of n a minute is a bucket of n that fills in a minute. */
const perSecond: Convert = (perMinute) => perMinute / 60

const ALIASES: readonly Alias[] = [
  { from: 'retry.max_attempts', to: 'retry.max_retries', convert: (attempts) => attempts - 1, least: 1 },
  { from: 'retry.delay_seconds', to: 'retry.base_delay' },
  { from: 'retry.backoff_multiplier', to: 'retry.exponential_base' },
  {
    from: 'rate_limits.default.requests_per_minute',
    to: 'rate_limit.default_burst',
    least: 1,
    also: { to: 'rate_limit.default_rate', convert: perSecond },
  },
  { from: 'rate_limits.default.tokens_per_minute', to: 'rate_limit.tokens_per_minute' },
  { from: 'rate_limits.users', to: 'rate_limit.users' },
  { from: 'backends', to: 'routing.backends' },
]

/** The schema's shape with the older spellings beside the keys they stand for. */
export const shapeWithAliases: Shape = withAliases(configShape)

/** Rewrites a layer to today's keys, in place. Each value keeps its origin and the spelling it was written in. */
export function applyAliases(layer: Layer): { notes: string[]; issues: Issue[] } {
  const notes: string[] = []
  const issues: Issue[] = []
  const refuse = (path: Path, message: string) => {
    issues.push(located({ path, message }, originOf(layer, path)))
    takeOrigins(layer, path)
  }
  for (const alias of ALIASES) {
    const from = alias.from.split('.')
    const value = valueAt(layer.tree, from)
    if (value === undefined) continue
    const targets = [alias.to, ...(alias.also ? [alias.also.to] : [])]
    const set = targets.find((to) => valueAt(layer.tree, to.split('.')) !== undefined)
    if (set) {
      refuse(from, `is an older spelling of ${set}, which is also set; remove one`)
    } else if (alias.least !== undefined && typeof value === 'number' && value < alias.least) {
      refuse(from, `must be at least ${alias.least}`)
    } else {
      const origin = move(layer, alias, value)
      notes.push(`${origin.detail}: ${alias.from} is an older spelling of ${targets.join(' and ')}`)
    }
  }
  removeEmptied(layer.tree)
  return { notes, issues }
}

function move(layer: Layer, { from, to, convert, also }: Alias, value: unknown): Origin {
  const path = to.split('.')
  const around = originOf(layer, from.split('.'))?.origin
  const origins = takeOrigins(layer, from.split('.'))
  // A variable may have set only something inside, as LEXORA_BACKENDS__MAIN__URL does.
  const origin: Origin = { ...(around ?? origins[0]![1]), written: from }
  const converted = (by: Convert | undefined) => (by && typeof value === 'number' ? by(value) : value)
  put(layer, path, converted(convert), origin)
  for (const [below, own] of origins) {
    layer.origins.set(pathKey(path) + below, { ...own, written: from + below.replaceAll('\u0000', '.') })
  }
  if (also) put(layer, also.to.split('.'), converted(also.convert), origin)
  if (from === 'backends' && isTree(value)) switchRoutingOn(layer, value, origin)
  return origin
}

/** Seed 002 has no types: there a backend is called by the name of its type. */
function switchRoutingOn(layer: Layer, backends: Tree, origin: Origin): void {
  if (valueAt(layer.tree, ['routing', 'enabled']) === undefined) put(layer, ['routing', 'enabled'], true, origin)
  const types = shapeAt(['routing', 'backends', 'NAME', 'type'])?.enum ?? []
  for (const [name, backend] of Object.entries(backends)) {
    if (!isTree(backend) || backend.type !== undefined || !types.includes(name)) continue
    put(layer, ['routing', 'backends', name, 'type'], name, origin)
  }
}

/** What is left of rate_limits once its keys have moved. */
function removeEmptied(tree: Tree): void {
  const limits = tree.rate_limits
  if (!isTree(limits)) return
  if (isTree(limits.default) && Object.keys(limits.default).length === 0) delete limits.default
  if (Object.keys(limits).length === 0) delete tree.rate_limits
}

function withAliases(shape: Shape): Shape {
  const extended = structuredClone(shape)
  for (const { from, to } of ALIASES) {
    let at: Shape = extended
    for (const key of from.split('.').slice(0, -1)) {
      at.properties ??= {}
      at = at.properties[key] ??= { type: 'object' }
    }
    at.properties ??= {}
    at.properties[from.split('.').at(-1)!] = shapeAt(to.split('.'), extended)!
  }
  return extended
}
