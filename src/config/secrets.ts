import { isTree } from './layer.ts'
import { alternatives, childOf, configShape, type Path, type Shape, shapeAt } from './shape.ts'

const MASK = '***'

/** A copy that may be shown: every value that the schema marks as secret is masked, and every option of an engine that is named like one. */
export function maskSecrets(value: unknown, path: Path = []): unknown {
  return masked(value, path.length > 0 ? shapeAt(path) : configShape, String(path.at(-1) ?? ''))
}

function masked(value: unknown, shape: Shape | undefined, key: string): unknown {
  if (value === null || value === undefined) return value
  if (Array.isArray(value)) return value.map((item, index) => masked(item, shape && childOf(shape, index), key))
  if (isTree(value)) {
    const entries = Object.entries(value).map(([name, below]) => [
      name,
      masked(below, shape && childOf(shape, name), name),
    ])
    return Object.fromEntries(entries)
  }
  return isSecretPlace(shape, key) ? MASK : value
}

/**
 * A value made of masked ones, with those that are hidden put back from `sources`, of which the first that has one goes
 * first. A mask that stands alone or in a list has no place of its own: `refused` is its path, as that of one unknown.
 */
export function unmaskSecrets(value: unknown, path: Path, sources: readonly unknown[]): Unmasked {
  if (isTree(value)) {
    const put: Record<string, unknown> = {}
    for (const [name, below] of Object.entries(value)) {
      const [held] = sources.flatMap((source) => (isTree(source) && Object.hasOwn(source, name) ? [source[name]] : []))
      const isHeld = isMask(below, [...path, name]) && held !== undefined && !isMask(held, [...path, name])
      const inner = sources.map((source) => (isTree(source) ? source[name] : undefined))
      const back: Unmasked = isHeld ? { ok: true, value: held } : unmaskSecrets(below, [...path, name], inner)
      if (!back.ok) return back
      put[name] = back.value
    }
    return { ok: true, value: put }
  }
  if (Array.isArray(value)) {
    const bad = value.map((item, index) => unmaskSecrets(item, [...path, index], [])).find(({ ok }) => !ok)
    return bad ?? { ok: true, value }
  }
  return isMask(value, path) ? { ok: false, refused: path } : { ok: true, value }
}

type Unmasked = { ok: true; value: unknown } | { ok: false; refused: Path }

function isMask(value: unknown, path: Path): boolean {
  const name = path.findLast((step) => typeof step === 'string') ?? ''
  return value === MASK && isSecretPlace(shapeAt(path), name)
}

/** Whether a value here is a secret: by its shape, or by the name of its key. */
export function isSecretPlace(shape: Shape | undefined, key: string): boolean {
  const secret = shape !== undefined && alternatives(shape).some(({ writeOnly }) => writeOnly)
  return secret || SECRET_NAME.test(key)
}

/** For the free maps, such as the options of an engine. */
const SECRET_NAME = /(^|[-_])(api[-_]?key|token|secret|password)$/i
