import type { Path } from './shape.ts'

/** Where a value was written, and how to say so. */
export type Origin = {
  from: 'flag' | 'environment' | 'file'
  /** For people: "LEXORA_SERVER__PORT", "config/lexora_config.yaml:12:3", "server.port". */
  detail: string
  /** The key as it was written there, where that is an older spelling. */
  written?: string
  file?: string
  line?: number
  column?: number
}

export type Tree = { [key: string]: unknown }

/** What one source says: a tree of plain values, and where each of them was written. */
export type Layer = { tree: Tree; origins: Map<string, Origin> }

export function emptyLayer(): Layer {
  return { tree: emptyTree(), origins: new Map() }
}

/** Without a prototype, so that no name in a file can reach one. */
export function emptyTree(): Tree {
  return Object.create(null) as Tree
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Joined with a character that no key holds, for map keys may hold dots ("qwen2.5"). */
export function pathKey(path: Path): string {
  return path.join('\u0000')
}

export function dotted(path: Path): string {
  return path.join('.')
}

/** The value at a path; undefined where there is none. */
export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Tree)[key]
  }
  return value
}

/** Sets a value and remembers its origin; makes the maps on the way. A value that stands in the way is replaced. */
export function put(layer: Layer, path: Path, value: unknown, origin: Origin): void {
  let tree = layer.tree
  for (const key of path.slice(0, -1)) {
    const below = tree[key]
    if (isTree(below)) tree = below
    else tree = tree[key] = emptyTree()
  }
  tree[path.at(-1)!] = value
  layer.origins.set(pathKey(path), origin)
}

/** Takes a value out; answers the origins of it and of everything in it, keyed by the path below it. */
export function takeOrigins(layer: Layer, path: Path): [below: string, Origin][] {
  const parent = valueAt(layer.tree, path.slice(0, -1)) as Tree
  delete parent[path.at(-1)!]
  const prefix = pathKey(path)
  const taken: [string, Origin][] = []
  for (const [key, origin] of layer.origins) {
    if (key !== prefix && !key.startsWith(`${prefix}\u0000`)) continue
    layer.origins.delete(key)
    taken.push([key.slice(prefix.length), origin])
  }
  return taken
}

/** The later of two trees wins; maps are joined, lists replaced. Neither is changed. */
export function merge(base: Tree, over: Tree): Tree {
  const joined = Object.assign(emptyTree(), base)
  for (const [key, value] of Object.entries(over)) {
    const below = joined[key]
    joined[key] = isTree(value) ? merge(isTree(below) ? below : emptyTree(), value) : value
  }
  return joined
}

/** An origin, and how many steps of the path asked for it covers. */
export type Found = { origin: Origin; depth: number }

/** Where the value at a path was written: its own origin, or that of the nearest thing around it that has one. */
export function originOf(layer: Layer, path: Path): Found | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const origin = layer.origins.get(pathKey(path.slice(0, depth)))
    if (origin) return { origin, depth }
  }
  return undefined
}

/** The paths of all values in a tree: scalars and lists. An empty map says nothing. */
export function* leaves(tree: Tree, prefix: Path = []): Generator<Path> {
  for (const [key, value] of Object.entries(tree)) {
    const path = [...prefix, key]
    if (isTree(value)) yield* leaves(value, path)
    else yield path
  }
}
