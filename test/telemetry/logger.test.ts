import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLogger, type Logger } from '../../src/telemetry/logger.ts'
import { Redactor } from '../../src/telemetry/redact.ts'

type Options = Partial<Parameters<typeof createLogger>[0]>

/** What a logger writes at a fixed moment. */
function written(log: (logger: Logger) => void, options: Options = {}): string {
  let text = ''
  log(
    createLogger({
      level: 'INFO',
      format: 'console',
      colour: false,
      redactor: new Redactor(),
      write: (line) => {
        text += line
      },
      now: () => new Date('2026-11-21T09:08:07.006Z'),
      ...options,
    }),
  )
  return text
}

describe('a line for people', () => {
  test.each<[what: string, log: (logger: Logger) => void, line: string]>([
    ['has time, level and message', (log) => log.info('ready'), '09:08:07 INFO    ready\n'],
    [
      'has its fields, quoted where they need it',
      (log) => log.warn('down', { backend: 'a', why: 'no route', n: 3, up: false, last: null, gone: undefined }),
      '09:08:07 WARNING down backend=a why="no route" n=3 up=false last=null\n',
    ],
    ['quotes an empty text', (log) => log.info('x', { a: '' }), '09:08:07 INFO    x a=""\n'],
  ])('%s', (_, log, line) => {
    expect(written(log)).toBe(line)
  })

  test('is coloured where asked, in its level only', () => {
    expect(written((log) => log.error('x'), { colour: true })).toBe('09:08:07 \u001b[31mERROR  \u001b[0m x\n')
  })
})

test('a line for machines is one JSON object', () => {
  expect(written((log) => log.warn('down', { backend: 'a', n: 3, gone: undefined }), { format: 'json' })).toBe(
    '{"ts":"2026-11-21T09:08:07.006Z","level":"WARNING","msg":"down","backend":"a","n":3}\n',
  )
})

test.each([
  ['DEBUG', 4],
  ['INFO', 3],
  ['WARNING', 2],
  ['ERROR', 1],
] as const)('at level %s it writes %i of one line each', (level, count) => {
  const all = (log: Logger): void => {
    log.debug('d')
    log.info('i')
    log.warn('w')
    log.error('e')
  }
  expect(written(all, { level }).trimEnd().split('\n').length).toBe(count)
})

describe.each(['console', 'json'] as const)('D22: in the form %s', (format) => {
  const evil = fc.array(
    fc.oneof(
      fc.constantFrom('\n', '\r', '\u001b[2J', '\u009b31m', '\u0085', '\u2028', '\u2029', '\u0000', '\u007f', '\b'),
      fc.constantFrom('\u202e', '\u2066', '\u200b', '\ufeff', '\u{e0001}', '"', '\\', '}', '{"level":"ERROR"}'),
      fc.constantFrom('token=abcd"', 'Bearer abcdef\\', 'password: "abcd\\"', 'secret=', '日本'),
      fc.string({ unit: 'binary' }),
    ),
    { maxLength: 8 },
  )
  const texts = evil.map((parts) => parts.join(''))

  test('no text can begin a second line, steer a terminal or turn the direction of reading', () => {
    fc.assert(
      fc.property(texts, texts, (message, value) => {
        const line = written((log) => log.info(message, { value }), { format })
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u)
        expect(line.endsWith('\n')).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

test('no text can break a JSON line or add a field to it', () => {
  const parts = fc.constantFrom('token=abcd', '"', '\\', 'Bearer abcdef', ',"level":"ERROR"', 'secret: ', 'efgh', ' ')
  const texts = fc.oneof(
    fc.array(parts, { maxLength: 8 }).map((list) => list.join('')),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(texts, texts, (message, value) => {
      const line = written((log) => log.info(message, { value }), { format: 'json' })
      const { ts, level, ...rest } = JSON.parse(line) as Record<string, unknown>
      expect([ts, level, Object.keys(rest)]).toEqual(['2026-11-21T09:08:07.006Z', 'INFO', ['msg', 'value']])
    }),
    { numRuns: 1000 },
  )
})

test('a JSON line gives back the very text that was logged', () => {
  const text = 'a\nb\u009bc\u202ed\u{e0001}e"\\f\u2028g 日本 😀'
  const line = written((log) => log.info(text), { format: 'json' })
  expect(JSON.parse(line)).toMatchObject({ msg: text })
})

test.each(['console', 'json'] as const)('a secret does not reach the form %s, in message or field', (format) => {
  const secret = 'pa"ss\\word\'1'
  const redactor = new Redactor()
  redactor.add(secret)
  const line = written((log) => log.info(`with ${secret}`, { value: `it is ${secret}!` }), { format, redactor })
  expect(line).not.toContain('ss\\')
  expect(line.match(/\*\*\*/g)).toHaveLength(2)
})
