import { z } from 'zod'
import { configSchema } from '../protocol/config.ts'
import { say } from '../protocol/sentence.ts'

/**
 * The schema as plain data (JSON Schema), for everything that asks about keys rather than values: typing environment
 * variables, naming the nearest key, masking secrets, the published schema file.
 */
export type Shape = {
  type?: string | string[]
  properties?: Record<string, Shape>
  additionalProperties?: Shape | boolean
  items?: Shape
  anyOf?: Shape[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  description?: string
  writeOnly?: boolean
}

export type Path = readonly (string | number)[]

export const configShape = z.toJSONSchema(configSchema, { io: 'input' }) as Shape

/** The alternatives of a shape, itself if it is only one. */
export function alternatives(shape: Shape): Shape[] {
  return shape.anyOf ?? [shape]
}

/** The kinds of value a shape accepts: string, number, integer, boolean, array, object, null. */
export function kindsOf(shape: Shape): Set<string> {
  return new Set(alternatives(shape).flatMap(({ type }) => type ?? []))
}

/** The keys that a shape knows by name; empty for maps of free names and for values. */
export function keysOf(shape: Shape | undefined): string[] {
  return shape ? alternatives(shape).flatMap(({ properties }) => Object.keys(properties ?? {})) : []
}

/** Whether a shape is a map whose names the user chooses, such as routing.backends. */
export function isMap(shape: Shape): boolean {
  return alternatives(shape).some((one) => one.properties === undefined && isShape(one.additionalProperties))
}

/** What lies under one key or index, or undefined if the schema has no such place. */
export function childOf(shape: Shape, key: string | number): Shape | undefined {
  for (const one of alternatives(shape)) {
    if (typeof key === 'number') {
      if (one.items) return one.items
    } else if (one.properties && Object.hasOwn(one.properties, key)) {
      return one.properties[key]
    } else if (isShape(one.additionalProperties)) {
      return one.additionalProperties
    }
  }
  return undefined
}

export function shapeAt(path: Path, root: Shape = configShape): Shape | undefined {
  let shape: Shape | undefined = root
  for (const key of path) shape = shape && childOf(shape, key)
  return shape
}

/** Every key the schema names, maps with NAME in place of the user's name: "routing.backends.NAME.url". */
export function schemaKeys(shape: Shape = configShape, prefix: string[] = []): string[] {
  const below = alternatives(shape).flatMap((one) => {
    const named = Object.entries(one.properties ?? {}).flatMap(([key, child]) => schemaKeys(child, [...prefix, key]))
    const free = isShape(one.additionalProperties) ? schemaKeys(one.additionalProperties, [...prefix, 'NAME']) : []
    const listed = one.items ? schemaKeys(one.items, prefix).filter((key) => key !== prefix.join('.')) : []
    return [...named, ...free, ...listed]
  })
  const own = prefix.length > 0 && prefix.at(-1) !== 'NAME' ? [prefix.join('.')] : []
  return [...new Set([...own, ...below])]
}

/** What a value must be, in words: "a whole number or auto". */
export function describeKinds(shape: Shape): string {
  const words = alternatives(shape).flatMap((one) => {
    if (one.const !== undefined) return [String(one.const)]
    if (one.enum) return one.enum.map(String)
    return [one.type ?? []].flat().map((kind) => KIND_WORDS[kind] ?? kind)
  })
  return [...new Set(words)].filter((word) => word !== 'null').join(' or ')
}

/** What a value is, in words; the value itself is never repeated, since it may be a secret. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return say('nothing')
  if (Array.isArray(value)) return say('a list')
  if (Number.isInteger(value)) return say('a whole number')
  if (typeof value === 'number') return Number.isFinite(value) ? say('a fraction') : say('a number without end')
  return KIND_WORDS[typeof value] ?? typeof value
}

const KIND_WORDS: Record<string, string> = {
  string: say('text'),
  number: say('a number'),
  integer: say('a whole number'),
  boolean: say('true or false'),
  array: say('a list'),
  object: say('a map'),
}

function isShape(value: Shape | boolean | undefined): value is Shape {
  return typeof value === 'object' && Object.keys(value).length > 0
}
