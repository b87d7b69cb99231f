import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  stringify,
  visit,
  YAMLMap,
} from 'yaml'
import type { ConfigChange } from '../protocol/config-view.ts'
import { say } from '../protocol/sentence.ts'
import { didYouMean } from './issues.ts'
import { isTree } from './layer.ts'
import { unmaskSecrets } from './secrets.ts'
import { childOf, configShape, isMap as isNameMap, keysOf, type Shape, schemaKeys } from './shape.ts'

export type Edited = { ok: true; text: string } | { ok: false; path: string; message: string }

type Steps = readonly string[]

/**
 * The text of a configuration file with some settings changed. All else in it stays as it was written: order, comments,
 * and, where one plain value takes the place of another, every byte. `inForce` tells names that hold dots from paths.
 */
export function editYaml(text: string, changes: readonly ConfigChange[], inForce: unknown): Edited {
  let edited = text
  for (const { path, value } of changes) {
    const steps = stepsOf(path, inForce)
    if (steps === null) return { ok: false, path, message: `no such setting${didYouMean(path, schemaKeys())}` }
    const unmasked = unmaskSecrets(value, steps, [heldAt(edited, steps), valueAt(inForce, steps)])
    if (!unmasked.ok) return { ok: false, path: unmasked.refused.join('.'), message: ONLY_A_MASK }
    const step = changeOne(edited, steps, unmasked.value)
    if ('problem' in step) return { ok: false, path, message: step.problem }
    edited = step.text
  }
  return { ok: true, text: edited }
}

const ONLY_A_MASK = say('`***` only stands for a value that is not shown; give the value itself')

/** What the file has there. */
function heldAt(text: string, steps: Steps): unknown {
  const document = parseDocument(text, { stringKeys: true, resolveKnownTags: false, logLevel: 'error' })
  if (document.errors.length > 0) return undefined
  return valueAt(document.toJS(), steps)
}

function valueAt(tree: unknown, steps: Steps): unknown {
  return steps.reduce<unknown>((at, name) => (isTree(at) && Object.hasOwn(at, name) ? at[name] : undefined), tree)
}

/** The path that a dotted key means, whether or not it is there yet; null: the schema has no such place. */
function stepsOf(key: string, inForce: unknown): Steps | null {
  return resolve(key.split('.'), configShape, inForce)
}

function resolve(words: Steps, shape: Shape, tree: unknown): Steps | null {
  if (words.length === 0) return []
  const below = isTree(tree) ? tree : {}
  // Names that people choose may hold dots: one that is there already goes first, then the shortest that fits.
  const lengths = isNameMap(shape) ? words.map((_, i) => i + 1) : [1]
  const names = lengths.map((length) => words.slice(0, length).join('.'))
  const ordered = [...names.filter((name) => Object.hasOwn(below, name)), ...names]
  for (const name of ordered) {
    const child = name === '' || name === '__proto__' ? undefined : childOf(shape, name)
    if (child === undefined || (!isNameMap(shape) && !keysOf(shape).includes(name))) continue
    const rest = resolve(words.slice(name.split('.').length), child, below[name])
    if (rest !== null) return [name, ...rest]
  }
  return null
}

function changeOne(text: string, steps: Steps, value: unknown): { text: string } | { problem: string } {
  const document = parseDocument(text, { stringKeys: true, resolveKnownTags: false, logLevel: 'error' })
  if (document.errors.length > 0) return { problem: 'the file cannot be edited: it is not valid YAML' }
  const problem = whyNot(document, steps)
  if (problem !== null) return { problem }
  const removes = value === null || value === undefined
  const node = document.getIn(steps, true)
  if (removes) {
    if (node === undefined) return { text }
    document.deleteIn(steps)
    return { text: printed(document) }
  }
  if (grows(document, node, value)) return { text: printed(document) }
  const spliced = splice(text, node, value)
  if (spliced !== null) return { text: spliced }
  makeWay(document, steps)
  document.setIn(steps, nodeOf(document, value))
  return { text: printed(document) }
}

/** What an anchor stands for is written elsewhere, and perhaps used twice. */
function whyNot(document: Document, steps: Steps): string | null {
  for (let depth = 1; depth <= steps.length; depth++) {
    const node = document.getIn(steps.slice(0, depth), true)
    if (isAlias(node)) return 'is given by an anchor in the file; change it there by hand'
    const isOnTheWay = depth < steps.length
    if (isOnTheWay && isSeq(node)) return 'lies in a list; change the list as a whole'
  }
  return null
}

/** A plain value in the place of another: nothing else moves by a byte. Null where that cannot be. */
function splice(text: string, node: unknown, value: unknown): string | null {
  if (!isScalar(node) || node.range == null || typeof value === 'object') return null
  if (node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL') return null
  const [start, end] = node.range
  // An empty value has no place of its own.
  if (start === end) return null
  // Only the line break that ends the document goes: those of a text of line breaks alone are its own.
  const word = stringify(value, { lineWidth: 0 }).replace(/\n$/, '')
  return word.includes('\n') ? null : text.slice(0, start) + word + text.slice(end)
}

/** A list that is only added to keeps what is written about its items. */
function grows(document: Document, node: unknown, value: unknown): boolean {
  if (!isSeq(node) || !Array.isArray(value)) return false
  const held = node.toJS(document) as unknown[]
  const added = value.slice(held.length)
  if (added.length === 0 || !isDeepStrictEqual(held, value.slice(0, held.length))) return false
  for (const item of added) node.add(nodeOf(document, item))
  return true
}

/** Texts of several lines become blocks, but not those whose lines begin or end in spaces: blocks lose some of these. */
function nodeOf(document: Document, value: unknown): unknown {
  const node = document.createNode(value)
  visit(node, {
    Scalar: (_key, scalar) => {
      const { value: text } = scalar
      if (typeof text === 'string' && text.includes('\n') && !LINES.test(text)) scalar.type = 'QUOTE_DOUBLE'
    },
  })
  return node
}

const LINES = /^\S+( +\S+)*(\n\S+( +\S+)*)*\n?$/

/** Sections that are missing, or empty because all of their lines are comments, become maps. */
function makeWay(document: Document, steps: Steps): void {
  if (!isMap(document.contents)) document.contents = document.createNode({}) as never
  for (let depth = 1; depth < steps.length; depth++) {
    const path = steps.slice(0, depth)
    const there = document.getIn(path, true)
    if (isCollection(there)) continue
    const map = new YAMLMap()
    // What was commented out stays to be read, above what comes.
    if (isScalar(there)) map.commentBefore = [there.commentBefore, there.comment].filter(Boolean).join('\n') || null
    document.setIn(path, map)
  }
}

function printed(document: Document): string {
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** A word of the command line as the value that it means in YAML. */
export function meantBy(word: string): unknown {
  const document = parseDocument(word, { resolveKnownTags: false, logLevel: 'error' })
  return document.errors.length > 0 ? word : (document.toJS() as unknown)
}
