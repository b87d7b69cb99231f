import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DONE_EVENT, readEvents, SseFramer } from '../../src/wire/sse.ts'
import { cutAt, DONE, finishes, role, says } from './given.ts'

const LINE_ENDS = { LF: ['\n'], CRLF: ['\r\n'], CR: ['\r'], mixed: ['\n', '\r\n', '\r'] }

/** The text with its line ends in another style; a mixed style takes them in turn. */
function withLineEnds(text: string, ends: readonly string[]): Buffer {
  let line = 0
  return Buffer.from(text.replaceAll('\n', () => ends[line++ % ends.length]!))
}

/** Where events end, by the letter of the standard: after the line end of each empty line. */
function eventEnds(bytes: Buffer): number[] {
  const ends: number[] = []
  let lineStart = 0
  for (const { index, 0: lineEnd } of bytes.toString('latin1').matchAll(/\r\n|\r|\n/g)) {
    if (index === lineStart) ends.push(index + lineEnd.length)
    lineStart = index + lineEnd.length
  }
  return ends
}

function frame(pieces: readonly Buffer[]): { out: Buffer[]; held: number } {
  const framer = new SseFramer()
  return { out: pieces.flatMap((piece) => framer.push(piece) ?? []), held: framer.pending }
}

const WORDS = [
  'Grüße',
  '日本語のテキスト',
  '안녕하세요',
  'Здравствуйте',
  'Γειά σου',
  'ไทย',
  '👩‍👩‍👧 emoji',
  'العربية',
  'plain \\r\\n escapes',
]
const STREAM = [
  ': a comment first\n\n',
  role(),
  ...WORDS.map((word) => says(word)),
  'event: named\nid: 7\nretry: 10\ndata: two\ndata: lines\n\n',
  ...WORDS.map((word) => says(word)),
  '\n',
  finishes('stop'),
].join('')

describe.each(Object.entries(LINE_ENDS))('a stream of many scripts with %s line ends', (style, ends) => {
  const bytes = Buffer.concat([withLineEnds(STREAM, ends), withLineEnds(DONE, ends.slice(0, 1))])
  const boundaries = eventEnds(bytes)

  test('is 4 KB and ends at an event boundary', () => {
    expect(bytes.length).toBeGreaterThan(4000)
    expect(boundaries.at(-1)).toBe(bytes.length)
  })

  test('B22, B23: cut in two anywhere, comes out whole and only at event boundaries', () => {
    for (let at = 0; at <= bytes.length; at++) {
      const framer = new SseFramer()
      const first = framer.push(bytes.subarray(0, at))
      const second = framer.push(bytes.subarray(at))
      expect(Buffer.concat([first ?? Buffer.of(), second ?? Buffer.of()]).equals(bytes)).toBe(true)
      expect(framer.pending).toBe(0)
      const complete = boundaries.findLast((end) => end <= at) ?? 0
      // In a mixed style a CR that ends an event cannot be known to be half of a CRLF.
      if (style === 'mixed' && bytes[at - 1] === 0x0d) continue
      expect(first?.length ?? 0).toBe(complete)
    }
  })

  test('byte by byte comes out one event at a time', () => {
    const { out, held } = frame(cutAt(bytes, [...bytes.keys()]))
    expect(Buffer.concat(out).equals(bytes)).toBe(true)
    expect(held).toBe(0)
    if (style !== 'mixed') expect(out.length).toBe(boundaries.length)
  })
})

describe('any text in any pieces', () => {
  const parts = fc.constantFrom(
    'data: ä',
    ':c',
    'x',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    '\r\r',
    '\r\n\r\n',
    '日',
    '{}',
    'data:',
  )
  const texts = fc.array(parts, { maxLength: 40 }).map((list) => Buffer.from(list.join('')))
  const cuts = fc.array(fc.nat(), { maxLength: 12 })
  const cutting = (bytes: Buffer, offsets: number[]) =>
    cutAt(
      bytes,
      offsets.map((offset) => offset % (bytes.length + 1)),
    )

  test('is neither changed nor reordered, and what is held is what has not come out', () => {
    fc.assert(
      fc.property(texts, cuts, (bytes, offsets) => {
        const { out, held } = frame(cutting(bytes, offsets))
        const length = bytes.length - held
        expect(Buffer.concat(out).equals(bytes.subarray(0, length))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('comes out only where an event ends, and no whole event but one that ends in CR is held', () => {
    fc.assert(
      fc.property(texts, cuts, (bytes, offsets) => {
        const ends = eventEnds(bytes)
        const halves = ends.flatMap((end) => (bytes[end - 1] === 0x0a && bytes[end - 2] === 0x0d ? [end - 1] : []))
        const { out } = frame(cutting(bytes, offsets))
        let at = 0
        for (const { length } of out) {
          at += length
          expect([...ends, ...halves]).toContain(at)
        }
        const sure = ends.findLast((end) => bytes[end - 1] === 0x0a) ?? 0
        expect(at).toBeGreaterThanOrEqual(sure)
      }),
      { numRuns: 1000 },
    )
  })

  test('holds the same events however it is cut', () => {
    const read = (pieces: Buffer[]) =>
      pieces.flatMap((piece) => [...readEvents(piece)].map(({ name, data }) => ({ name, data })))
    const told = (pieces: Buffer[]) => read(frame(pieces).out).filter(({ name, data }) => name ?? data)
    fc.assert(
      fc.property(texts, cuts, (text, offsets) => {
        const bytes = Buffer.concat([text, Buffer.from('\n\n')])
        expect(told(cutting(bytes, offsets))).toEqual(told([bytes]))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the framer', () => {
  test('hands a chunk of whole events on as the very same buffer', () => {
    const chunk = Buffer.from(says('a') + says('b'))
    expect(new SseFramer().push(chunk)).toBe(chunk)
  })

  test('counts what it holds of an event that never ends', () => {
    const framer = new SseFramer()
    for (let i = 0; i < 10; i++) framer.push(Buffer.alloc(1000, 'x'))
    expect(framer.pending).toBe(10_000)
  })
})

describe('an event', () => {
  const read = (text: string) => [...readEvents(Buffer.from(text))].map(({ name, data }) => ({ name, data }))

  test.each([
    ['has data without its space', 'data:x\n\n', { name: null, data: 'x' }],
    ['keeps further spaces', 'data:  x \n\n', { name: null, data: ' x ' }],
    ['joins its lines of data', 'data: a\ndata:\ndata: b\n\n', { name: null, data: 'a\n\nb' }],
    ['has a name', 'event: error\ndata: x\n\n', { name: 'error', data: 'x' }],
    ['keeps its last name', 'event: a\nevent: b\ndata: x\n\n', { name: 'b', data: 'x' }],
    ['of comments has no data', ': keep-alive\n\n', { name: null, data: null }],
    ['ignores fields that it does not know', 'id: 1\nretry: 2\nfoo: 3\ndata: x\n\n', { name: null, data: 'x' }],
    ['may follow a byte order mark', '\ufeffdata: x\n\n', { name: null, data: 'x' }],
    ['keeps colons', 'data: a: b\n\n', { name: null, data: 'a: b' }],
    ['keeps a character split over no line', 'data: 日本\r\n\r\n', { name: null, data: '日本' }],
  ])('%s', (_, text, event) => {
    expect(read(text)).toEqual([event])
  })

  test('forgets the name of the one before', () => {
    expect(read('event: a\ndata: 1\n\ndata: 2\n\n')).toEqual([
      { name: 'a', data: '1' },
      { name: null, data: '2' },
    ])
  })

  test('spans its bytes, end to end', () => {
    const bytes = Buffer.from('data: 1\n\n: c\r\n\r\ndata: 2\r\r')
    expect([...readEvents(bytes)].map(({ start, end }) => bytes.toString('utf8', start, end))).toEqual([
      'data: 1\n\n',
      ': c\r\n\r\n',
      'data: 2\r\r',
    ])
  })

  test('that says the stream is done is worded as OpenAI does', () => {
    expect(DONE_EVENT.toString()).toBe(DONE)
  })
})
