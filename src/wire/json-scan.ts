import { SpecialFinder } from './find-special.ts'

/**
 * One pass over a JSON text as bytes: is it well-formed, is it an object, and where do the few members stand that the
 * gateway must read or change? Nothing is decoded that was not asked for, so twenty-digit numbers, duplicate keys and
 * `__proto__` stay what they are: bytes.
 */
export type Member = {
  name: string
  /** Position among the object's members, from 0. */
  index: number
  /** Offset of the opening quote of the key. */
  keyStart: number
  start: number
  end: number
  /** Offset of the comma before the key and after the value; -1 where there is none. */
  commaBefore: number
  commaAfter: number
}

export type ObjectScan = {
  members: Member[]
  /** How many members the object has in all. */
  count: number
  /** Offset just after the opening brace. */
  open: number
  end: number
  /** Wanted names that came more than once. */
  duplicates: string[]
}

export class JsonScanError extends Error {
  readonly offset: number
  readonly reason: 'syntax' | 'too-deep' | 'too-many' | 'not-object'

  constructor(reason: JsonScanError['reason'], offset: number, message: string) {
    super(message)
    this.reason = reason
    this.offset = offset
  }
}

/** Names to look for, by their length: most other keys cost nothing then. Made once per use. */
export type Wanted = { names: ReadonlySet<string>; byLength: readonly (readonly Name[])[] }
type Name = { text: string; bytes: Buffer }

const MAX_NAME_LENGTH = 32

export function wanted(...names: string[]): Wanted {
  const all = names.map((text) => ({ text, bytes: Buffer.from(text) }))
  const byLength = Array.from({ length: MAX_NAME_LENGTH + 1 }, (_, length) =>
    all.filter(({ bytes }) => bytes.length === length),
  )
  return { names: new Set(names), byLength }
}

const MAX_MEMBERS = 10_000
const MAX_WANTED = 64

/**
 * Scans the object that starts at `from` (white space allowed before it) and, unless `partial`, must be the whole text.
 * Throws JsonScanError; never reads beyond `bytes`. `maxDepth` counts the object itself as 1.
 */
export function scanObject(bytes: Buffer, looking: Wanted, maxDepth: number, from = 0, partial = false): ObjectScan {
  const finder = new SpecialFinder(bytes)
  let at = skipSpace(bytes, from)
  if (bytes[at] !== 0x7b) {
    // Tell a JSON text of another kind from something that is no JSON at all.
    if (!partial) skipSpaceToEnd(bytes, skipValue(bytes, finder, at, maxDepth))
    throw new JsonScanError('not-object', at, 'not a JSON object')
  }
  const scan: ObjectScan = { members: [], count: 0, open: at + 1, end: 0, duplicates: [] }
  at = skipSpace(bytes, at + 1)
  if (bytes[at] === 0x7d) {
    scan.end = at + 1
  } else {
    let commaBefore = -1
    for (;;) {
      if (bytes[at] !== 0x22) throw syntax(bytes, at)
      const keyStart = at
      const keyEnd = skipString(bytes, finder, at)
      at = skipSpace(bytes, keyEnd)
      if (bytes[at] !== 0x3a) throw syntax(bytes, at)
      const start = skipSpace(bytes, at + 1)
      const end = skipValue(bytes, finder, start, maxDepth - 1)
      at = skipSpace(bytes, end)
      const last = bytes[at] !== 0x2c
      const name = keyName(bytes, keyStart, keyEnd, looking)
      if (name !== null) {
        const commaAfter = last ? -1 : at
        if (!scan.duplicates.includes(name) && scan.members.some((member) => member.name === name))
          scan.duplicates.push(name)
        scan.members.push({ name, index: scan.count, keyStart, start, end, commaBefore, commaAfter })
        if (scan.members.length > MAX_WANTED) throw new JsonScanError('too-many', at, 'the same names over and over')
      }
      if (++scan.count > MAX_MEMBERS) throw new JsonScanError('too-many', at, `more than ${MAX_MEMBERS} members`)
      if (last) break
      commaBefore = at
      at = skipSpace(bytes, at + 1)
    }
    if (bytes[at] !== 0x7d) throw syntax(bytes, at)
    scan.end = at + 1
  }
  if (!partial) skipSpaceToEnd(bytes, scan.end)
  return scan
}

function keyName(bytes: Buffer, start: number, end: number, { names, byLength }: Wanted): string | null {
  const length = end - start - 2
  if (length <= MAX_NAME_LENGTH) {
    for (const name of byLength[length]!) if (startsWith(bytes, start + 1, name.bytes)) return name.text
  }
  // A key may hide a wanted name behind escapes ("mod\u0065l"), which a backend would read as that name.
  let slash = start
  while (slash < end && bytes[slash] !== 0x5c) slash++
  if (slash === end) return null
  const decoded = JSON.parse(bytes.toString('utf8', start, end)) as string
  return names.has(decoded) ? decoded : null
}

function startsWith(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

function skipSpaceToEnd(bytes: Buffer, at: number): void {
  const end = skipSpace(bytes, at)
  if (end < bytes.length) throw syntax(bytes, end)
}

function syntax(bytes: Buffer, offset: number): JsonScanError {
  const found = offset >= bytes.length ? 'the end' : describe(bytes[offset]!)
  return new JsonScanError('syntax', offset, `unexpected ${found} at byte ${offset}`)
}

function describe(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

function skipValue(bytes: Buffer, finder: SpecialFinder, at: number, depth: number): number {
  const byte = bytes[at]
  if (byte === 0x22) return skipString(bytes, finder, at)
  if (byte === 0x7b) return skipContainer(bytes, finder, at, depth, 0x7d)
  if (byte === 0x5b) return skipContainer(bytes, finder, at, depth, 0x5d)
  if (byte === 0x74) return skipLiteral(bytes, at, 'true')
  if (byte === 0x66) return skipLiteral(bytes, at, 'false')
  if (byte === 0x6e) return skipLiteral(bytes, at, 'null')
  return skipNumber(bytes, at)
}

function skipContainer(bytes: Buffer, finder: SpecialFinder, open: number, depth: number, close: number): number {
  if (depth <= 0) throw new JsonScanError('too-deep', open, `nested too deep at byte ${open}`)
  let at = skipSpace(bytes, open + 1)
  if (bytes[at] === close) return at + 1
  for (;;) {
    if (close === 0x7d) {
      if (bytes[at] !== 0x22) throw syntax(bytes, at)
      at = skipSpace(bytes, skipString(bytes, finder, at))
      if (bytes[at] !== 0x3a) throw syntax(bytes, at)
      at = skipSpace(bytes, at + 1)
    }
    at = skipSpace(bytes, skipValue(bytes, finder, at, depth - 1))
    if (bytes[at] === close) return at + 1
    if (bytes[at] !== 0x2c) throw syntax(bytes, at)
    at = skipSpace(bytes, at + 1)
  }
}

function skipLiteral(bytes: Buffer, at: number, literal: string): number {
  for (let i = 1; i < literal.length; i++) {
    if (bytes[at + i] !== literal.charCodeAt(i)) throw syntax(bytes, at + i)
  }
  return at + literal.length
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

function skipDigits(bytes: Buffer, from: number): number {
  if (!isDigit(bytes[from])) throw syntax(bytes, from)
  let at = from + 1
  while (isDigit(bytes[at])) at++
  return at
}

function skipNumber(bytes: Buffer, from: number): number {
  let at = bytes[from] === 0x2d ? from + 1 : from
  at = bytes[at] === 0x30 ? at + 1 : skipDigits(bytes, at)
  if (bytes[at] === 0x2e) at = skipDigits(bytes, at + 1)
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const sign = bytes[at + 1]
    at = skipDigits(bytes, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1)
  }
  return at
}

/** A string with so many plain bytes in a row is long: there looking at many at once is quicker. */
const SHORT_RUN_BYTES = 8

function skipString(bytes: Buffer, finder: SpecialFinder, open: number): number {
  let at = open + 1
  // Where escapes stand close together, searching would only be work on top.
  let runFrom = at + SHORT_RUN_BYTES
  for (;;) {
    const byte = bytes[at]
    if (byte === 0x22) return at + 1
    if (byte === 0x5c) {
      at = skipEscape(bytes, at)
      runFrom = at + SHORT_RUN_BYTES
    } else if (byte === undefined || byte < 0x20) {
      throw syntax(bytes, at)
    } else if (++at >= runFrom) {
      at = finder.next(at)
    }
  }
}

/** 1 for every byte that may follow a backslash, but for `u`. */
const ESCAPES = new Uint8Array(256)
for (const char of '"\\/bfnrt') ESCAPES[char.charCodeAt(0)] = 1

function skipEscape(bytes: Buffer, at: number): number {
  const byte = bytes[at + 1]
  if (byte === 0x75) {
    for (let i = 2; i < 6; i++) {
      if (!isHex(bytes[at + i])) throw syntax(bytes, at + i)
    }
    return at + 6
  }
  if (byte === undefined || ESCAPES[byte] === 0) throw syntax(bytes, at + 1)
  return at + 2
}

function isHex(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}

/** A change to an object's text: members to drop, and texts to put in place of byte ranges. */
export type Splice = { start: number; end: number; text: string | Buffer }

/** The splices that drop `gone` from its object, commas included; `gone` holds members of one scan, in order. */
export function dropMembers(scan: ObjectScan, gone: readonly Member[]): Splice[] {
  const splices: Splice[] = []
  let tail = scan.count
  const ordered = [...gone].sort((a, b) => a.index - b.index)
  // Members at the end give up the comma before them; all others the comma behind.
  while (ordered.length > 0 && ordered.at(-1)!.index === tail - 1) {
    const last = ordered.pop()!
    tail = last.index
    splices.push({ start: last.commaBefore === -1 ? last.keyStart : last.commaBefore, end: last.end, text: '' })
  }
  for (const member of ordered) splices.push({ start: member.keyStart, end: member.commaAfter + 1, text: '' })
  return splices
}

/**
 * Copies `bytes` once with every splice made; returns `bytes` itself when there is none. Splices must not overlap; those
 * that only put something in come before one that takes away at the same place, and otherwise in the order given.
 */
export function applySplices(bytes: Buffer, splices: readonly Splice[]): Buffer {
  if (splices.length === 0) return bytes
  const ordered = [...splices].sort((a, b) => a.start - b.start || a.end - b.end)
  const parts: Buffer[] = []
  let at = 0
  for (const { start, end, text } of ordered) {
    if (start > at) parts.push(bytes.subarray(at, start))
    if (text.length > 0) parts.push(typeof text === 'string' ? Buffer.from(text) : text)
    at = end
  }
  parts.push(bytes.subarray(at))
  return Buffer.concat(parts)
}
