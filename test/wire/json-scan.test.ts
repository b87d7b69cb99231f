import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpecialFinder } from '../../src/wire/find-special.ts'
import {
  applySplices,
  dropMembers,
  JsonScanError,
  type ObjectScan,
  scanObject,
  wanted,
} from '../../src/wire/json-scan.ts'
import { atEveryAlignment } from './given.ts'

const DEPTH = 64
const NOTHING = wanted()

const scan = (text: string, names: string[] = [], depth = DEPTH): ObjectScan =>
  scanObject(Buffer.from(text), wanted(...names), depth)

/** Why a text is refused; `fine` when it is not. */
function verdict(bytes: Buffer, depth = DEPTH): 'fine' | JsonScanError['reason'] {
  try {
    scanObject(bytes, NOTHING, depth)
    return 'fine'
  } catch (error) {
    if (error instanceof JsonScanError) return error.reason
    throw error
  }
}

/** The same of JSON.parse, the oracle. */
function parsed(text: string): 'fine' | 'not-object' | 'syntax' {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'fine' : 'not-object'
  } catch {
    return 'syntax'
  }
}

describe('well-formedness, with JSON.parse as the oracle', () => {
  /** Where a scanner goes wrong: ends of numbers, literals, strings and containers. */
  test.each([
    '{}',
    ' {\t"a"\r:\n1 } ',
    '{"a":-0}',
    '{"a":0.5e-7,"b":1E+2}',
    '{"a":01}',
    '{"a":-}',
    '{"a":+1}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":1e}',
    '{"a":1e+}',
    '{"a":0x1}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":tru}',
    '{"a":truee}',
    '{"a":nul',
    '{"a":[]}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[1 2]}',
    '{"a":{}}',
    '{"a":{"b":1,}}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1 "b":2}',
    '{"a" 1}',
    '{"a":}',
    '{a:1}',
    "{'a':1}",
    '{"a":1}}',
    '{"a":1} x',
    '{"a":"\\u12G4"}',
    '{"a":"\\ud800"}',
    '{"a":"\\x"}',
    '{"a":"\\',
    '{"a":"b\\"}',
    '{"a":"\n"}',
    '{"a":"\u007f\u0080\u2028"}',
    '{"a":"\u0000"}',
    '{"a":"日本語 한국어 😀"}',
    '\ufeff{}',
    '\u00a0{}',
    '// x\n{}',
    '',
    ' ',
    '[]',
    '[1,{"a":2}]',
    '[1',
    '"text"',
    '"text',
    '1',
    '1.',
    'null',
    'nul',
    'undefined',
  ])('%j', (text) => {
    atEveryAlignment(text, (bytes) => expect(verdict(bytes)).toBe(parsed(text)))
  })

  const whiteSpace = fc.stringMatching(/^[ \t\r\n]{0,3}$/)

  test('any JSON value is taken for what it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(4), whiteSpace, (value, indent, space) => {
        const text = space + JSON.stringify(value, null, indent) + space
        atEveryAlignment(text, (bytes) => expect(verdict(bytes)).toBe(parsed(text)))
      }),
    )
  })

  /** A valid text with a few characters put in, taken out or doubled: near misses of every kind. */
  const alphabet = fc.constantFrom(...'{}[]:,"\\/ \n\t01-+.eEtfnu\u0000\u001f\u007fé😀')
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(2), alphabet), { minLength: 1, maxLength: 4 })
  const mutated = fc
    .tuple(fc.dictionary(fc.string({ maxLength: 9 }), fc.jsonValue({ maxDepth: 3 })), fc.nat(2), edits)
    .map(([value, indent, changes]) => {
      const characters = [...JSON.stringify(value, null, indent)]
      for (const [at, removed, added] of changes) characters.splice(at % (characters.length + 1), removed, added)
      return characters.join('').toWellFormed()
    })

  test('any text near JSON is taken or refused as JSON.parse does', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        atEveryAlignment(text, (bytes) => expect(verdict(bytes)).toBe(parsed(text)))
      }),
      { numRuns: 2000 },
    )
  })

  test('a refusal says where, within the text', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        fc.pre(parsed(text) === 'syntax')
        const bytes = Buffer.from(text)
        try {
          scanObject(bytes, NOTHING, DEPTH)
        } catch (error) {
          const { offset, message } = error as JsonScanError
          expect(offset).toBeLessThanOrEqual(bytes.length)
          expect(message).toContain(`at byte ${offset}`)
        }
      }),
    )
  })
})

describe('members', () => {
  const ascii = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 8 })
  const keys = fc.oneof(ascii, fc.constantFrom('model', 'stream', '__proto__', 'constructor', 'toString'))
  const spaces = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
  const entries = fc.array(fc.record({ key: keys, value: fc.jsonValue({ maxDepth: 2 }), space: spaces }), {
    maxLength: 10,
  })

  type Entry = { key: string; value: unknown; space: string }

  /** An object's text: keys may repeat, and every token may have white space around it. */
  function objectText(list: readonly Entry[]): string {
    const members = list.map(({ key, value, space }) => [JSON.stringify(key), ':', JSON.stringify(value)].join(space))
    const space = list[0]?.space ?? ' '
    return `${space}{${space}${members.join(`${space},${space}`)}${space}}${space}`
  }

  test('are found where they stand, with the values that JSON.parse gives them', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const names = [...new Set(list.map(({ key }) => key))]
        atEveryAlignment(objectText(list), (bytes) => {
          const { members, count } = scanObject(bytes, wanted(...names), DEPTH)
          expect(count).toBe(list.length)
          const found = members.map(({ name, index, start, end }) => [name, index, bytes.toString('utf8', start, end)])
          expect(found).toEqual(list.map(({ key, value }, i) => [key, i, JSON.stringify(value)]))
        })
      }),
    )
  })

  test('dropped in any number leave the object without them and every other byte as it was', () => {
    fc.assert(
      fc.property(entries, fc.infiniteStream(fc.boolean()), (list, choices) => {
        const bytes = Buffer.from(objectText(list))
        const found = scanObject(bytes, wanted(...list.map(({ key }) => key)), DEPTH)
        const gone = found.members.filter(() => choices.next().value)
        const kept = list.filter((_, i) => gone.every(({ index }) => index !== i))

        const splices = dropMembers(found, gone)
        const result = applySplices(bytes, splices)

        const again = scanObject(result, wanted(...list.map(({ key }) => key)), DEPTH)
        const left = again.members.map(({ name, start, end }) => [name, result.toString('utf8', start, end)])
        expect(left).toEqual(kept.map(({ key, value }) => [key, JSON.stringify(value)]))

        // What went is the members themselves and, for each but a last one left alone, one comma.
        const removed = splices.map(({ start, end }) => bytes.toString('utf8', start, end)).join('')
        const dropped = gone.map(({ keyStart, end }) => bytes.toString('utf8', keyStart, end))
        expect(result.length).toBe(bytes.length - Buffer.byteLength(removed))
        const outside = dropped.reduce((text, member) => text.replace(member, ''), removed).replace(/\s/g, '')
        expect(outside).toBe(','.repeat(Math.min(gone.length, Math.max(0, list.length - 1))))
      }),
    )
  })

  test('with numbers of twenty digits, __proto__ and odd spacing are only bytes', () => {
    const text = '{"seed": 12345678901234567890, "__proto__": {"x": 1e400}, "x_user_id": "ann",  "z":1.50}'
    const bytes = Buffer.from(text)
    const { members } = scanObject(bytes, wanted('x_user_id', '__proto__'), DEPTH)
    expect(members.map(({ name }) => name)).toEqual(['__proto__', 'x_user_id'])
    const found = scanObject(bytes, wanted('x_user_id'), DEPTH)
    expect(applySplices(bytes, dropMembers(found, found.members)).toString()).toBe(
      '{"seed": 12345678901234567890, "__proto__": {"x": 1e400},   "z":1.50}',
    )
  })

  test('that hide their name behind escapes are found under it', () => {
    const { members } = scan('{"mod\\u0065l": 1, "\\u006dodel": 2, "m\\u006Fdel\\n": 3}', ['model'])
    expect(members.map(({ name, index }) => [name, index])).toEqual([
      ['model', 0],
      ['model', 1],
    ])
  })

  test('inside other members are not found', () => {
    expect(scan('{"a":{"model":1},"b":[{"model":2}],"c":"\\"model\\":3"}', ['model']).members).toEqual([])
  })

  test('that come twice are told, once each', () => {
    expect(scan('{"a":1,"b":2,"\\u0061":3,"c":4,"a":5}', ['a', 'b']).duplicates).toEqual(['a'])
  })

  test('of an object inside the text are found from its brace on', () => {
    const bytes = Buffer.from('{"o": {"a": 1} , not JSON')
    const { members, end } = scanObject(bytes, wanted('a'), DEPTH, 6, true)
    expect([members.map(({ start }) => bytes.toString('utf8', start, start + 1)), end]).toEqual([['1'], 14])
  })
})

describe('limits', () => {
  const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

  test('depth counts the object itself as 1', () => {
    expect(verdict(Buffer.from(`{"a":${nested(63)}}`))).toBe('fine')
    expect(verdict(Buffer.from(`{"a":${nested(64)}}`))).toBe('too-deep')
    expect(verdict(Buffer.from(`{"a":${'{"a":'.repeat(63)}1${'}'.repeat(63)}}`))).toBe('fine')
    expect(verdict(Buffer.from(`{"a":${'{"a":'.repeat(64)}1${'}'.repeat(64)}}`))).toBe('too-deep')
  })

  test.each([
    ['D7: two million arrays', '['.repeat(2_000_000)],
    ['two million arrays in a member', `{"a":${'['.repeat(2_000_000)}`],
    ['two million objects', '{"a":'.repeat(2_000_000)],
    ['two million arrays that close', nested(2_000_000)],
  ])('%s are too deep and no crash', (_, text) => {
    expect(verdict(Buffer.from(text))).toBe('too-deep')
  })

  test('D8: an object of more than 10,000 members is refused before it is read to its end', () => {
    const members = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":0`).join()
    expect(verdict(Buffer.from(`{${members(10_000)}}`))).toBe('fine')
    expect(verdict(Buffer.from(`{${members(10_001)}, and no JSON from here`))).toBe('too-many')
  })

  test('a name that comes over and over is refused', () => {
    expect(() => scan(`{${'"a":1,'.repeat(64)}"a":1}`, ['a'])).toThrow('over and over')
  })
})

describe('splices', () => {
  test('none leave the very same buffer', () => {
    const bytes = Buffer.from('{}')
    expect(applySplices(bytes, [])).toBe(bytes)
  })

  test('are made in the order of the text; at one place what is put in comes first', () => {
    const splices = [
      { start: 5, end: 6, text: 'z' },
      { start: 1, end: 2, text: Buffer.from('y') },
      { start: 1, end: 1, text: 'é' },
      { start: 1, end: 1, text: 'è' },
    ]
    expect(applySplices(Buffer.from('abcdef'), splices).toString()).toBe('aéèycdez')
  })
})

describe('a long string', () => {
  const SPECIAL = ['\\n', '\\"', '\\u00e9', 'é', '\u0001', '\n', '\\x', '"']

  test.each(SPECIAL)('with %j at any place, at any alignment, is taken as JSON.parse takes it', (special) => {
    for (let place = 0; place < 200; place += 3) {
      const text = `{ "a": "${'x'.repeat(place)}${special}${'y'.repeat(150)}", "model": "m" }\n`
      for (const offset of [0, 1, 2, 3]) {
        const whole = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]).subarray(offset)
        expect([place, offset, accepts(() => scanObject(whole, wanted('model'), 64))]).toEqual([
          place,
          offset,
          accepts(() => JSON.parse(text)),
        ])
      }
    }
  })

  function accepts(read: () => unknown): boolean {
    try {
      read()
      return true
    } catch {
      return false
    }
  }
})

describe('the search for special bytes', () => {
  const special = (byte: number): boolean => byte < 0x20 || byte === 0x22 || byte === 0x5c

  test('finds every one, wherever it stands, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        fc.nat(300),
        (bytes, from) => {
          const found = bytes.findIndex((byte, i) => i >= from && special(byte))
          expect(new SpecialFinder(bytes).next(from)).toBe(found === -1 ? bytes.length : found)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('goes on behind a window, and is not misled by another text in between', () => {
    const at = [70_000, 131_072, 200_000]
    const bytes = Buffer.alloc(250_000, 'é')
    for (const i of at) bytes[i] = 0x5c
    const finder = new SpecialFinder(bytes)
    const found: number[] = []
    for (let i = finder.next(0); i < bytes.length; i = finder.next(i + 1)) {
      found.push(i)
      expect(new SpecialFinder(Buffer.from('"')).next(0)).toBe(0)
    }
    expect(found).toEqual(at)
  })
})
