import { describe, expect, test } from 'vitest'
import {
  appendLines,
  engineLine,
  logText,
  MOST_LINES,
  matching,
  passes,
  pieces,
  placesOf,
  searchOf,
  sinceLastStart,
} from '../../renderer/view-models/log.ts'

describe('a line of an engine', () => {
  test.each([
    [
      '(EngineCore pid=7) INFO 11-21 12:01:30 [core.py:71] Starting',
      '12:01:30',
      'INFO',
      '[core.py:71] Starting',
      'info',
    ],
    ['WARNING 11-21 12:01:30 [a.py:1] slow', '12:01:30', 'WARNING', '[a.py:1] slow', 'warning'],
    ['ValueError: no memory', '', '', 'ValueError: no memory', 'error'],
    ['Loading weights:  40%', '', '', 'Loading weights:  40%', 'info'],
  ])('%j', (raw, time, level, text, severity) => {
    expect(engineLine(raw, 3)).toEqual({ number: 3, time, level, text, severity })
  })
})

test('only the lines that match are left where these are wanted, and all while nothing is searched', () => {
  const lines = ['a needle', 'hay', 'A Needle'].map((text, i) => engineLine(text, i + 1))
  const left = (search: RegExp | 'bad' | null, only: boolean) =>
    matching(lines, search, only).map(({ number }) => number)
  expect(left(searchOf('needle'), true)).toEqual([1, 3])
  expect([left(searchOf('needle'), false), left(null, true), left('bad', true)]).toEqual(Array(3).fill([1, 2, 3]))
})

test('the severity chosen lets worse ones through', () => {
  const [error, warning, info] = (['error', 'warning', 'info'] as const).map((severity) => ({
    ...engineLine('', 1),
    severity,
  }))
  const through = (wanted: 'all' | 'warning' | 'error') => [error!, warning!, info!].map((line) => passes(line, wanted))
  expect([through('all'), through('warning'), through('error')]).toEqual([
    [true, true, true],
    [true, true, false],
    [true, false, false],
  ])
})

test('the oldest lines give way', () => {
  const lines = Array.from({ length: MOST_LINES }, (_, i) => engineLine('x', i))
  const more = appendLines(lines, [engineLine('new', MOST_LINES)])
  expect([more.length, more[0]!.number, more.at(-1)!.text]).toEqual([MOST_LINES, 1, 'new'])
})

test('a search marks every place, and says when it is no search', () => {
  expect(pieces('a KV cache, a kv CACHE', searchOf('kv cache') as RegExp).filter(({ hit }) => hit)).toHaveLength(2)
  expect(pieces('a KV cache, a kv CACHE', searchOf('KV') as RegExp).filter(({ hit }) => hit)).toHaveLength(1)
  expect(pieces('abc', searchOf('x*') as RegExp)).toEqual([{ text: 'abc', hit: false }])
  expect([searchOf(''), searchOf('(')]).toEqual([null, 'bad'])
})

describe('where a reader may go', () => {
  const lines = [
    '2026-11-21T12:00:00.000Z L Lexora starts vllm',
    '2026-11-21T12:00:01.000Z O INFO 11-21 12:00:01 [core.py:1] loading',
    '2026-11-21T12:00:02.000Z E ValueError: no memory',
    '2026-11-21T12:05:00.000Z L Lexora starts vllm',
    '2026-11-21T12:05:01.000Z O WARNING 11-21 12:05:01 [core.py:1] slow',
    'a line without a stamp',
  ].map(engineLine)

  test('a stamp gives every line its time, and a start is told from what an engine says', () => {
    expect(lines.map(({ start, severity, text }) => [start === true, severity, text])).toEqual([
      [true, 'info', 'Lexora starts vllm'],
      [false, 'info', '[core.py:1] loading'],
      [false, 'error', 'ValueError: no memory'],
      [true, 'info', 'Lexora starts vllm'],
      [false, 'warning', '[core.py:1] slow'],
      [false, 'info', 'a line without a stamp'],
    ])
    expect(lines.map(({ time }) => time !== '')).toEqual([true, true, true, true, true, false])
  })

  test('one error is offered once, and the newest start first', () => {
    expect(placesOf(lines).map(({ what, line }) => [what, lines.indexOf(line)])).toEqual([
      ['firstError', 2],
      ['lastWarning', 4],
      ['start', 3],
      ['start', 0],
    ])
  })

  test('since the last start: that line and what follows', () => {
    expect(sinceLastStart(lines)).toEqual(lines.slice(3))
    expect(sinceLastStart(lines.slice(1, 3))).toBe(null)
  })

  test('what is saved reads as it was shown', () => {
    expect(logText(lines.slice(1, 2))).toBe(`${lines[1]!.time} INFO [core.py:1] loading\n`)
  })
})
