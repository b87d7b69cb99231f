import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ago,
  change,
  clock,
  duration,
  gib,
  gigabytes,
  kilo,
  NONE,
  number,
  percent,
  seconds,
  signedPercent,
  withUnit,
} from '../../renderer/format.ts'

const plain = (text: string): string => text.replaceAll('\u00a0', ' ').replaceAll('\u202f', '_')

describe('a number', () => {
  test.each<[value: number | null, digits: number, shown: string]>([
    [0, 0, '0'],
    [999, 0, '999'],
    [1000, 0, '1_000'],
    [1234567.89, 1, '1_234_567.9'],
    [-5, 0, '−5'],
    [-0.2, 0, '0'],
    [null, 0, NONE],
    [Number.NaN, 2, NONE],
  ])('%d with %d digits is %s', (value, digits, shown) => {
    expect(plain(number(value, digits))).toBe(shown)
  })

  test('keeps its unit on its line, and a dash has none', () => {
    expect(withUnit(180, 'ms')).toBe('180\u00a0ms')
    expect(withUnit(null, 'ms')).toBe(NONE)
  })
})

describe('a share', () => {
  test.each<[share: number | null, shown: string]>([
    [0, '0 %'],
    [0.612, '61 %'],
    [0.997, '99.7 %'],
    [0.99999, '99.9 %'],
    [1, '100 %'],
    [null, NONE],
  ])('%d is %s', (share, shown) => {
    expect(plain(percent(share))).toBe(shown)
  })

  test('is never 100 % while anything is missing', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (share) => {
        expect(percent(share)).not.toMatch(/^100/)
      }),
    )
  })
})

describe('a time', () => {
  test.each<[ms: number | null, shown: string]>([
    [0, '0 ms'],
    [999, '999 ms'],
    [999.6, '1.0 s'],
    [1400, '1.4 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min'],
    [107_000, '1 min 47 s'],
    [3_600_000, '1 h'],
    [11_520_000, '3 h 12 min'],
    [187_200_000, '2 d 4 h'],
    [null, NONE],
  ])('%d ms is %s', (ms, shown) => {
    expect(plain(duration(ms))).toBe(shown)
  })

  test('in a column has one decimal of seconds in every row', () => {
    expect(plain(seconds(180))).toBe('0.2 s')
  })

  test('of the day has seconds in lists and none on axes', () => {
    const at = new Date(2026, 10, 21, 4, 5, 6)
    expect([clock(at), clock(at, false), clock('nonsense')]).toEqual(['04:05:06', '04:05', NONE])
  })
})

test('memory is told as the driver counts it, context in k', () => {
  expect([gib(32 * 1024 ** 3), gib(null), kilo(32_768), kilo(4000), kilo(400)]).toEqual([
    '32.0',
    NONE,
    '32k',
    '4k',
    '400',
  ])
})

test('a change below one percent is none', () => {
  expect([change(100.5, 100), change(104, 100), change(1, 0), change(null, 1)]).toEqual([null, 0.04, null, null])
  expect([signedPercent(0.04), signedPercent(-0.04), signedPercent(null)].map(plain)).toEqual(['+4 %', '−4 %', ''])
})

test.each<[seconds: number, language: string, said: string]>([
  [-5, 'en', 'now'],
  [59, 'en', 'now'],
  [60, 'en', '1 minute ago'],
  [3599, 'en', '59 minutes ago'],
  [7200, 'en', '2 hours ago'],
  [3 * 86_400, 'en', '3 days ago'],
  [300, 'ja', '5 分前'],
  [300, 'ko', '5분 전'],
])('%i seconds back is, in %s, %s', (seconds, language, said) => {
  const now = new Date('2026-11-22T12:00:00.000Z')
  expect(ago(new Date(now.getTime() - seconds * 1000).toISOString(), now, language)).toBe(said)
})

test.each<[bytes: number | null, said: string]>([
  [null, '–'],
  [0, '0 B'],
  [412, '412 B'],
  [2048, '2.0 kB'],
  [310_000_000, '310 MB'],
  [15_400_000_000, '15.4 GB'],
])('%j bytes of a file are %j', (bytes, said) => {
  expect(gigabytes(bytes).replaceAll(/[\u00a0\u202f]/g, ' ')).toBe(said)
})
