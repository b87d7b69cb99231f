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

/** Whether a value here is a secret: by its shape, or by the name of its key. */
export function isSecretPlace(shape: Shape | undefined, key: string): boolean {
  const secret = shape !== undefined && alternatives(shape).some(({ writeOnly }) => writeOnly)
  return secret || SECRET_NAME.test(key)
}

/** For the free maps, such as the options of an engine. */
const SECRET_NAME = /(^|[-_])(api[-_]?key|token|secret|password)$/i
