import { effectOf } from '../protocol/config-effect.ts'
import type { ConfigEntry } from '../protocol/config-view.ts'
import { isUnbuilt } from './effects.ts'
import { isTree } from './layer.ts'
import type { LoadedConfig } from './load.ts'
import { maskSecrets } from './secrets.ts'
import { alternatives, childOf, configShape, describeKinds, isMap, keysOf, type Shape } from './shape.ts'

const SOURCES = { default: 'default', file: 'file', environment: 'env', flag: 'flag' } as const

/** Every setting there is, in the order of the schema: its value with secrets masked, and where it comes from. */
export function describeConfig({ config, explain }: Pick<LoadedConfig, 'config' | 'explain'>): ConfigEntry[] {
  return leaves(config, configShape, []).map(({ path, value, shape }) => {
    const key = path.join('.')
    const said = explain(key)
    const source = SOURCES[said?.from ?? 'default']
    return {
      path: key,
      value: maskSecrets(value, path),
      default: maskSecrets(shape.default ?? null, path),
      source,
      detail: source === 'default' ? '' : (said?.detail ?? ''),
      locked: source === 'env' || source === 'flag',
      kind: describeKinds(shape),
      doc: shape.description ?? '',
      applies: effectOf(path),
      unbuilt: isUnbuilt(path),
      secret: isSecret(shape),
    }
  })
}

type Leaf = { path: string[]; value: unknown; shape: Shape }

/** A map of plain values is one setting, as is a section that may be absent altogether. */
function leaves(value: unknown, shape: Shape, path: string[]): Leaf[] {
  const isSection = isTree(value) && (keysOf(shape).length > 0 || holdsSections(shape)) && !mayBeNull(shape)
  if (!isSection) return [{ path, value, shape }]
  const entries = Object.entries(value)
  if (isMap(shape) && entries.length === 0) return [{ path, value, shape }]
  return entries.flatMap(([name, below]) => {
    const child = childOf(shape, name)
    return child === undefined ? [] : leaves(below, child, [...path, name])
  })
}

function holdsSections(shape: Shape): boolean {
  const below = childOf(shape, 'any')
  return isMap(shape) && below !== undefined && keysOf(below).length > 0
}

function mayBeNull(shape: Shape): boolean {
  return alternatives(shape).some(({ type }) => [type].flat().includes('null'))
}

function isSecret(shape: Shape): boolean {
  return alternatives(shape).some(({ writeOnly, items }) => writeOnly || (items !== undefined && isSecret(items)))
}
