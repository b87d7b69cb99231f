import type { Config } from '../protocol/config.ts'
import { isTree, type Layer, type Origin, originOf, pathKey, valueAt } from './layer.ts'
import { type Path, shapeAt } from './shape.ts'

export type Said = { value: unknown; from: Origin['from'] | 'default'; detail: string }

/** Which source won a key, and what the weaker ones said. Values are raw: a face masks secrets before it prints them. */
export type Explanation = Said & { path: Path; overridden: Said[] }

/** Answers undefined for a key that the configuration does not have. `layers` come strongest first. */
export function explainKey(config: Config, layers: readonly Layer[], key: string): Explanation | undefined {
  const path = pathOf(config, key)
  if (!path) return undefined
  const value = valueAt(config, path)
  const said = layers.flatMap((layer): Said[] => {
    const given = valueAt(layer.tree, path)
    const origin = given === undefined ? undefined : (originOf(layer, path)?.origin ?? firstBelow(layer, path))
    return origin ? [{ value: given, from: origin.from, detail: origin.detail }] : []
  })
  const fallback = shapeAt(path)?.default
  const byDefault: Said = { value: fallback, from: 'default', detail: 'built in' }
  const winner = said[0] ?? byDefault
  // Sections and maps are joined from all sources: nothing in them is overridden as a whole.
  const overridden = isTree(value) ? [] : said.slice(1)
  if (said.length > 0 && fallback !== undefined && !isTree(value)) overridden.push(byDefault)
  return { path, value, from: winner.from, detail: winner.detail, overridden }
}

/** The path that a dotted key means. Names may hold dots themselves ("qwen2.5"), so it is matched, not split. */
function pathOf(tree: unknown, key: string): Path | undefined {
  if (typeof tree !== 'object' || tree === null) return undefined
  for (const [name, below] of Object.entries(tree)) {
    const step = Array.isArray(tree) ? Number(name) : name
    if (key === name) return [step]
    const rest = key.startsWith(`${name}.`) ? pathOf(below, key.slice(name.length + 1)) : undefined
    if (rest) return [step, ...rest]
  }
  return undefined
}

function firstBelow(layer: Layer, path: Path): Origin | undefined {
  const prefix = `${pathKey(path)}\u0000`
  for (const [key, origin] of layer.origins) if (key.startsWith(prefix)) return origin
  return undefined
}
