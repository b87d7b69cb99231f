import { createHash } from 'node:crypto'
import { type Document, isAlias, isMap, isScalar, isSeq, Parser, parseDocument, type Scalar, visit } from 'yaml'
import { shapeWithAliases } from './aliases.ts'
import { guessedSecrets, type Span } from './guessed-secrets.ts'
import type { Issue } from './issues.ts'
import { isSecretPlace } from './secrets.ts'
import { childOf, type Path, type Shape } from './shape.ts'

/** `owner`: among whose places it may wander. In a comment, or in a file that nobody can read, it has none. */
type Secret = Span & { found: 'value' | 'comment' | 'guess'; owner: string | null; value: string; source: string }

/** A fault in a text that came back, at its place there. */
export type MaskFault = { path: string; message: string; line: number; column: number }

type PlaceOf = (line: number, column: number) => { line: number; column: number }

/** `typedPlace` tells where in the text that came back something of the whole text stands. */
export type Unmasked = Whole | { ok: false; faults: MaskFault[] }
export type Whole = { ok: true; text: string; typedPlace: PlaceOf }

/** Tells one content of a file from another. */
export function revisionOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
}

/**
 * The text of a configuration file as it may be shown: every secret is a word of its own, `<secret-1>`, numbered in
 * the order of the file. All else stays byte for byte, comments too, less what looks like a secret in them.
 */
export function maskText(text: string): string {
  const word = wordFor(text)
  const puts = secretsOf(text).map(({ start, end }, index) => ({ start, end, by: `<${word}-${index + 1}>` }))
  return replaced(text, puts)
}

/**
 * A text that was made of `maskText(original)`, with its secrets put back. Each may only come back to a place of its
 * owner (the same list of keys, the backends, the engines) or to a comment in which it would be masked again.
 */
export function unmaskText(typed: string, original: string): Unmasked {
  const secrets = secretsOf(original)
  const found = placeholders(typed, wordFor(original)).map((at) => ({ ...at, secret: secrets[at.number - 1] }))
  const isGuessed = secrets.some((secret) => secret.found === 'guess')
  return isGuessed ? putGuessed(typed, found) : putKnown(typed, found)
}

/** A text that holds no masks. */
export function asTyped(text: string): Whole {
  return { ok: true, text, typedPlace: (line, column) => ({ line, column }) }
}

/** Whether there may be masks in a text, whatever it was made of. */
export function mayHoldMasks(text: string): boolean {
  return /<secrets*-\d+>/.test(text)
}

export function maskIssue({ path, message, line, column }: MaskFault, file: string): Issue {
  return { path, message, source: 'file', place: `${file}:${line}:${column}`, file, line, column }
}

type Found = { start: number; end: number; secret: Secret | undefined }

function putKnown(typed: string, found: readonly Found[]): Unmasked {
  const document = parsed(typed)
  const places = document.errors.length > 0 ? null : scalarsOf(document)
  // Whoever reads it next refuses it and names the line; nothing is to be put into it.
  if (places === null) return asTyped(typed)
  const comments = commentsOf(typed)
  const faults: MaskFault[] = []
  const puts: SecretPut[] = []
  for (const { start, end, secret } of found) {
    const name = typed.slice(start, end)
    const place = places.find(({ node: { range } }) => range != null && range[0] <= start && end <= range[1])
    const why = whyNot(name, secret, place, contains(comments, start, end))
    if (secret !== undefined && why === null)
      puts.push({ start, end, by: secret.source, secret, node: place?.node ?? null })
    else faults.push(faultAt(typed, start, place?.path ?? [], `${name} ${why}; write the value itself`))
  }
  return faults.length > 0 ? { ok: false, faults } : putBack(typed, document, puts)
}

/** Of a file that was broken nobody knows what was a value: it is put back as text, and then looked at. */
function putGuessed(typed: string, found: readonly Found[]): Unmasked {
  const unknown = found.find(({ secret }) => secret === undefined)
  if (unknown !== undefined) {
    const message = `${typed.slice(unknown.start, unknown.end)} is no secret of the file; write the value itself`
    return { ok: false, faults: [faultAt(typed, unknown.start, [], message)] }
  }
  const puts = found.map(({ start, end, secret }) => ({ start, end, by: secret!.source }))
  const text = replaced(typed, puts)
  const document = parsed(text)
  const open = document.errors.length > 0 ? null : uncovered(text, document, puts)
  if (open !== null) return wouldShow(typed, open)
  return { ok: true, text, typedPlace: placeMapper(text, typed, puts) }
}

function wouldShow(typed: string, { start }: Span): Unmasked {
  return { ok: false, faults: [faultAt(typed, start, [], 'here a secret would be shown; write the value itself')] }
}

type Put = { start: number; end: number; by: string }
type SecretPut = Put & { secret: Secret; node: Scalar | null }

/** Why a secret may not stand at this place; null: it may. */
function whyNot(name: string, secret: Secret | undefined, place: Place | undefined, inComment: boolean): string | null {
  if (secret === undefined) return 'is no secret of the file'
  if (place === undefined) return inComment ? null : 'stands where no secret belongs'
  if (String(place.node.value).trim() !== name) return 'stands inside another text'
  if (place.owner === null) return 'stands where no secret belongs, so that it would be shown'
  if (place.owner !== secret.owner) return `belongs to ${secret.owner ?? 'a comment'}`
  return null
}

/** As it was written, or in quotes where that would read as something else here. */
function putBack(typed: string, document: Document, puts: SecretPut[]): Unmasked {
  const values = new Map(puts.flatMap(({ node, secret }) => (node === null ? [] : [[node, secret.value] as const])))
  const wanted = valuesOf(document, values)
  const quoted = puts.map((put) =>
    put.node === null
      ? put
      : { ...put, start: put.node.range![0], end: trimmedEnd(typed, put.node), by: JSON.stringify(put.secret.value) },
  )
  for (const tried of [puts, quoted]) {
    const text = replaced(typed, tried)
    const back = parsed(text)
    if (back.errors.length > 0 || valuesOf(back) !== wanted) continue
    const open = uncovered(text, back, tried)
    return open === null ? { ok: true, text, typedPlace: placeMapper(text, typed, tried) } : wouldShow(typed, open)
  }
  const message = 'secrets of this text cannot be put back as it stands now; write their values themselves'
  return { ok: false, faults: [faultAt(typed, puts[0]?.start ?? 0, [], message)] }
}

/** The first that the next reader would see: as a value, in a comment, as a name. */
function uncovered(text: string, document: Document, puts: readonly Put[]): Put | null {
  const places = scalarsOf(document) ?? []
  const shown = places.filter(({ node, owner }) => owner === null && node.value !== null)
  const [masked, comments, names] = [secretsOf(text), commentsOf(text), namesOf(document)]
  let shift = 0
  for (const put of puts) {
    const start = put.start + shift
    const end = start + put.by.length
    shift += put.by.length - (put.end - put.start)
    const isShown = shown.some(({ node: { range } }) => range != null && range[0] < end && start < range[1])
    const isReadInComment = contains(comments, start, end) && !contains(masked, start, end)
    if (isShown || isReadInComment || contains(names, start, end)) return put
  }
  return null
}

/** The keys of all maps. */
function namesOf(document: Document): Span[] {
  const names: Span[] = []
  visit(document, {
    Pair: (_at, { key }) => {
      const range = isScalar(key) ? (key as Scalar).range : null
      if (range != null) names.push({ start: range[0], end: range[1] })
    },
  })
  return names
}

/** Where secrets stand in a text, in its order. */
function secretsOf(text: string): Secret[] {
  const document = parsed(text)
  const places = document.errors.length > 0 ? null : scalarsOf(document)
  const known = (places ?? []).flatMap(({ node, owner }) => {
    const span = owner === null ? null : spanOf(text, node)
    return span === null ? [] : [{ ...span, found: 'value' as const, owner, value: String(node.value) }]
  })
  const found = places === null ? ('guess' as const) : ('comment' as const)
  const comments = places === null ? null : commentsOf(text)
  const guessed = guessedSecrets(text, comments).map((span) => ({ ...span, found, owner: null, value: '' }))
  return [...known, ...guessed]
    .sort((a, b) => a.start - b.start)
    .map((secret) => ({ ...secret, source: text.slice(secret.start, secret.end) }))
}

/** What is replaced of a scalar: all of it, or the lines of a block without its header and indentation. */
function spanOf(text: string, node: Scalar): Span | null {
  if (node.range == null || node.value === null || node.value === '') return null
  const start = node.range[0]
  const end = trimmedEnd(text, node)
  if (node.type !== 'BLOCK_LITERAL' && node.type !== 'BLOCK_FOLDED') return start < end ? { start, end } : null
  const body = text.indexOf('\n', start) + 1
  const lead = text.slice(body, end).search(/\S/)
  return body === 0 || lead === -1 ? null : { start: body + lead, end }
}

function trimmedEnd(text: string, { range }: Scalar): number {
  return range![0] + text.slice(range![0], range![1]).trimEnd().length
}

type Place = { node: Scalar; path: Path; owner: string | null }

/** Every value with where it stands, and whose secret it is where it is one. Null: the text unfolds to too many. */
function scalarsOf(document: Document): Place[] | null {
  const found = new Map<Scalar, Place>()
  let steps = 0
  const walk = (node: unknown, path: Path, shape: Shape | undefined, key: string): void => {
    if (++steps > MOST_STEPS) return
    // What an anchor lends is a secret if it is one at either place.
    if (isAlias(node)) return walk(node.resolve(document), path, shape, key)
    if (isMap(node)) {
      for (const pair of node.items) {
        const name = isScalar(pair.key) ? String(pair.key.value) : ''
        if (name !== '<<') walk(pair.value, [...path, name], shape && childOf(shape, name), name)
        else for (const source of isSeq(pair.value) ? pair.value.items : [pair.value]) walk(source, path, shape, key)
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries())
        walk(item, [...path, index], shape && childOf(shape, index), key)
    } else if (isScalar(node)) {
      const scalar = node as Scalar
      const owner = isSecretPlace(shape, key) ? ownerOf(path) : null
      if (owner !== null || !found.has(scalar)) found.set(scalar, { node: scalar, path, owner })
    }
  }
  walk(document.contents, [], shapeWithAliases, '')
  return steps > MOST_STEPS ? null : [...found.values()]
}

const MOST_STEPS = 40_000

/** A key of one backend may become that of another, but never that of a caller. */
function ownerOf([first, second]: Path): string {
  if (first === 'backends') return 'routing.backends'
  return first === 'auth' || first === 'routing' ? `${first}.${second}` : String(first)
}

/** The comments of a text, in its order. */
function commentsOf(text: string): Span[] {
  const found: Span[] = []
  const left: unknown[] = [...new Parser().parse(text)]
  while (left.length > 0) {
    const token = left.pop()
    if (Array.isArray(token)) left.push(...token)
    else if (typeof token === 'object' && token !== null) {
      const { type, offset, source } = token as { type?: string; offset?: number; source?: string }
      if (type === 'comment') found.push({ start: offset!, end: offset! + source!.length })
      else left.push(...Object.values(token))
    }
  }
  return found.sort((a, b) => a.start - b.start)
}

function contains(spans: readonly Span[], start: number, end: number): boolean {
  return spans.some((span) => span.start <= start && end <= span.end)
}

function faultAt(text: string, offset: number, path: Path, message: string): MaskFault {
  const before = text.slice(0, offset).split('\n')
  return { path: path.join('.'), message, line: before.length, column: before.at(-1)!.length + 1 }
}

function placeholders(text: string, word: string): (Span & { number: number })[] {
  return [...text.matchAll(new RegExp(`<${word}-(\\d{1,6})>`, 'g'))].map(({ index, 0: whole, 1: digits }) => ({
    start: index,
    end: index + whole.length,
    number: Number(digits),
  }))
}

/** A word that the text does not use itself. */
function wordFor(text: string): string {
  let word = 'secret'
  while (text.includes(`<${word}-`)) word += 's'
  return word
}

function replaced(text: string, puts: readonly Put[]): string {
  let [made, at] = ['', 0]
  for (const { start, end, by } of puts) {
    made += text.slice(at, start) + by
    at = end
  }
  return made + text.slice(at)
}

/** A place in `text` as the place in `typed` that it came from. */
function placeMapper(text: string, typed: string, puts: readonly Put[]): PlaceOf {
  const [from, to] = [startsOfLines(text), startsOfLines(typed)]
  return (line, column) => {
    const offset = (from[line - 1] ?? text.length) + column - 1
    let shift = 0
    let typedOffset = offset
    for (const { start, end, by } of puts) {
      if (offset < start + shift) break
      const isInside = offset < start + shift + by.length
      shift += by.length - (end - start)
      typedOffset = isInside ? start : offset - shift
    }
    const index = to.findLastIndex((begin) => begin <= typedOffset)
    return { line: index + 1, column: typedOffset - to[index]! + 1 }
  }
}

function startsOfLines(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
}

function parsed(text: string): Document.Parsed {
  return parseDocument(text, { stringKeys: true, resolveKnownTags: false, logLevel: 'error' })
}

/** All values, to compare: what was put back must be what was taken out, and nothing beside it may have moved. */
function valuesOf(document: Document, instead: ReadonlyMap<Scalar, string> = new Map()): string {
  const places = scalarsOf(document) ?? []
  return JSON.stringify(places.map(({ node, path }) => [path, String(instead.get(node) ?? node.value)]))
}
