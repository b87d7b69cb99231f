import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRetryAfter } from '../../src/policy/retry-after.ts'

/** Saturday. */
const NOW = Date.UTC(2026, 10, 21, 12, 0, 0)

describe('Retry-After in seconds', () => {
  test.each([
    ['0', 0],
    ['1', 1000],
    ['007', 7000],
    ['2026', 2_026_000],
    [' 30 ', 30_000],
    ['999999999', 999_999_999_000],
  ])('%j is %i ms', (header, ms) => {
    expect(parseRetryAfter(header, NOW)).toBe(ms)
  })
})

describe('Retry-After as a date', () => {
  test.each([
    ['in five seconds', 'Sat, 21 Nov 2026 12:00:05 GMT', 5000],
    ['now', 'Sat, 21 Nov 2026 12:00:00 GMT', 0],
    ['in the past', 'Fri, 20 Nov 2026 12:00:00 GMT', 0],
    ['over the turn of a year', 'Fri, 01 Jan 2027 00:00:00 GMT', (40 * 24 + 12) * 3_600_000],
  ])('%s', (_, header, ms) => {
    expect(parseRetryAfter(header, NOW)).toBe(ms)
  })

  test('every second of the calendar reads as itself', () => {
    const dates = fc.date({
      min: new Date(NOW),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(dates, (date) => {
        const whole = Math.floor(date.getTime() / 1000) * 1000
        expect(parseRetryAfter(new Date(whole).toUTCString(), NOW)).toBe(whole - NOW)
      }),
    )
  })
})

describe('what is neither is no wait at all', () => {
  test.each([
    ['nothing', undefined],
    ['null', null],
    ['the header twice', ['1', '2']],
    ['an empty text', ''],
    ['a word', 'soon'],
    ['a negative number', '-5'],
    ['a signed number', '+5'],
    ['a fraction', '1.5'],
    ['an exponent', '1e3'],
    ['hexadecimal', '0x10'],
    ['more seconds than a timer can hold', '10000000000'],
    ['1e20', '100000000000000000000'],
    ['digits of another script', '\u0661\u0662'],
    ['two values in one line', '1, 2'],
    ['an ISO date', '2026-11-21T12:00:05Z'],
    ['the RFC 850 form', 'Saturday, 21-Nov-26 12:00:05 GMT'],
    ['the asctime form', 'Sat Nov 21 12:00:05 2026'],
    ['another time zone', 'Sat, 21 Nov 2026 12:00:05 CET'],
    ['a month in lower case', 'Sat, 21 nov 2026 12:00:05 GMT'],
    ['a day of one digit', 'Sat, 1 Nov 2026 12:00:05 GMT'],
    ['a day that does not exist', 'Sat, 31 Feb 2026 12:00:05 GMT'],
    ['an hour that does not exist', 'Sat, 21 Nov 2026 24:00:05 GMT'],
    ['a leap second', 'Thu, 31 Dec 2026 23:59:60 GMT'],
    ['a year that the calendar would take for 1926', 'Sat, 21 Nov 0026 12:00:05 GMT'],
    ['the wrong day of the week', 'Mon, 21 Nov 2026 12:00:05 GMT'],
    ['the name of a date that is none', 'Invalid Date'],
    ['a date with a tail', 'Sat, 21 Nov 2026 12:00:05 GMT; x'],
  ])('%s', (_, header) => {
    expect(parseRetryAfter(header, NOW)).toBeNull()
  })
})

test('any text at all is null or a finite wait that is not negative', () => {
  const near = fc.stringMatching(/^Mon, \d{2} Feb \d{4} \d{2}:\d{2}:\d{2} GMT$/)
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[-+ ]?\d*\.?\d*$/), near)
  fc.assert(
    fc.property(texts, (text) => {
      const wait = parseRetryAfter(text, NOW)
      if (wait === null) return
      expect(Number.isFinite(wait)).toBe(true)
      expect(wait).toBeGreaterThanOrEqual(0)
    }),
    { numRuns: 1000 },
  )
})
