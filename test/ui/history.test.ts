import { describe, expect, test } from 'vitest'
import {
  addFilter,
  curlOf,
  filterText,
  inOrder,
  isReplayable,
  moved,
  parseFilter,
  queryOf,
  rowSpeed,
  toCsv,
  toJsonLines,
  waterfall,
} from '../../renderer/view-models/history.ts'
import type { HistoryRow } from '../../src/protocol/users.ts'

describe('the columns', () => {
  test.each<[string, string[], string]>([
    ['the default order, where nothing was kept', [], 'time user model status total'],
    ['the kept one', ['total', 'status', 'model', 'user', 'time'], 'total status model user time'],
    [
      'a new one behind the one it follows by default',
      ['total', 'model', 'user', 'time'],
      'total model status user time',
    ],
    ['a new first one first', ['status', 'user'], 'time status total user model'],
    ['no unknown name, and none twice', ['gone', 'user', 'time', 'user'], 'user model status total time'],
  ])('come in %s', (_, kept, expected) => {
    expect(inOrder(['time', 'user', 'model', 'status', 'total'], kept).join(' ')).toBe(expected)
  })

  test('move by one, and not beyond an end', () => {
    const order = ['time', 'user', 'model']
    expect(moved(order, 'user', 1)).toEqual(['time', 'model', 'user'])
    expect(moved(order, 'user', -1)).toEqual(['user', 'time', 'model'])
    expect(moved(order, 'time', -1)).toEqual(order)
    expect(moved(order, 'model', 1)).toEqual(order)
    expect(moved(order, 'gone', 1)).toEqual(order)
  })
})

const aRow = (changes: Partial<HistoryRow> = {}): HistoryRow => ({
  id: 'req-1',
  at: '2026-11-21T14:32:04.118Z',
  user: 'kim',
  keyId: null,
  app: null,
  model: 'qwen',
  backend: 'main',
  endpoint: '/v1/chat/completions',
  stream: true,
  band: 'normal',
  status: 200,
  outcome: 'ok',
  error: null,
  attempts: 1,
  tries: [],
  fellBack: false,
  queueMs: 400,
  ttftMs: 600,
  totalMs: 2600,
  promptTokens: 12,
  completionTokens: 81,
  cachedTokens: 0,
  finish: 'stop',
  requestBytes: 412,
  answerBytes: 2048,
  ...changes,
})

describe('a filter', () => {
  test.each([
    ['user:kim', { kind: 'user', value: 'kim' }],
    ['Status:5xx', { kind: 'status', value: '5xx' }],
    ['since:15m', { kind: 'since', value: '15m' }],
    ['ttft>2s', { kind: 'ttft', value: '>2s' }],
    ['Queue < 500 ms', { kind: 'queue', value: '<500ms' }],
    ['total>1.5', { kind: 'total', value: '>1.5s' }],
    ['outcome:ok', { kind: 'outcome', value: 'ok' }],
    ['what it says', { kind: 'text', value: 'what it says' }],
    ['"qwen3:8b"', { kind: 'text', value: 'qwen3:8b' }],
    ['model:qwen3:8b', { kind: 'model', value: 'qwen3:8b' }],
    ['usr:kim', null],
    ['qwen3:8b', null],
    ['status:9', null],
    ['since:soon', null],
    ['outcome:fine', null],
    ['user:', null],
    ['  ', null],
  ])('%j is %j', (text, filter) => {
    expect(parseFilter(text)).toEqual(filter)
  })

  test('is written as it was typed, and replaces one of its kind', () => {
    const kim = parseFilter('user:kim')!
    const filters = addFilter([kim], parseFilter('user:raj')!)
    expect(filters.map(filterText)).toEqual(['user:raj'])
  })

  test('becomes a part of what is asked for, also a status and what is measured', () => {
    const filters = ['since:1h', 'user:kim', 'status:429', 'ttft>2', 'Queue < 500 ms', 'needle'].map(
      (text) => parseFilter(text)!,
    )
    const now = Date.parse('2026-11-21T12:00:00Z')
    expect(queryOf(filters, now)).toEqual({
      since: '2026-11-21T11:00:00.000Z',
      user: 'kim',
      status: '429',
      ttft: '>2s',
      queue: '<500ms',
      search: 'needle',
    })
    expect(filters.map(filterText)).toContain('queue<500ms')
  })
})

test('speed counts from the first token on', () => {
  expect([rowSpeed(aRow()), rowSpeed(aRow({ completionTokens: null })), rowSpeed(aRow({ totalMs: 600 }))]).toEqual([
    40,
    null,
    null,
  ])
})

test.each([
  ['a stream', aRow(), ['queue', 'promptPhase', 'answer']],
  ['a whole answer', aRow({ ttftMs: null }), ['queue', 'whole']],
  ['one that was refused', aRow({ ttftMs: null, queueMs: null, totalMs: 3 }), ['whole']],
])('the time of %s falls into parts that add up', (_, row, names) => {
  const bars = waterfall(row)
  expect(bars.map(({ name }) => name)).toEqual(names)
  expect(bars.reduce((sum, { ms }) => sum + ms, 0)).toBe(row.totalMs)
})

describe('an export', () => {
  test('quotes what CSV would take apart, and disarms formulas', () => {
    const text = toCsv([aRow({ user: 'a,"b"', app: '=HYPERLINK("x")', error: 'two\nlines' })])
    const [head, ...rest] = text.split('\r\n')
    expect(head).toMatch(/^at,id,user,app,/)
    expect(rest.join('')).toContain('"a,""b"""')
    expect(rest.join('')).toContain(`"'=HYPERLINK(""x"")"`)
    expect(rest.join('')).toContain('"two\nlines"')
  })

  test('as JSON lines can be read back', () => {
    const rows = [aRow(), aRow({ id: 'req-2' })]
    expect(
      toJsonLines(rows)
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as HistoryRow),
    ).toEqual(rows)
  })
})

test('each try that failed has its own step, and the rest follows the last of them', () => {
  const tries = [
    { backend: 'a', reason: 'lost', afterMs: 300 },
    { backend: 'b', reason: 'status_503', afterMs: 500 },
  ]
  const bars = waterfall(aRow({ queueMs: 100, ttftMs: 600, totalMs: 1000, attempts: 3, tries }))
  expect(bars.map(({ name, ms, failed }) => [name, ms, failed?.backend ?? null])).toEqual([
    ['queue', 100, null],
    ['try', 200, 'a'],
    ['try', 200, 'b'],
    ['promptPhase', 100, null],
    ['answer', 400, null],
  ])
})

test.each([
  [
    '/v1/chat/completions',
    true,
    '{"model":"qwen","messages":[{"role":"user","content":"Write your text here"}],"stream":true}',
  ],
  ['/v1/embeddings', false, '{"model":"qwen","input":"Write your text here"}'],
  ['/v2/rerank', false, '{"model":"qwen","query":"Write your text here","documents":["Write your text here"]}'],
])('a request to %s is asked again from a terminal', (endpoint, stream, body) => {
  const row = aRow({ endpoint, stream, band: 'low' })
  expect(curlOf(row, 'http://localhost:8001/v1').split(' \\\n  ')).toEqual([
    `curl ${stream ? '-N ' : ''}http://localhost:8001${endpoint}`,
    '-H "Content-Type: application/json"',
    '-H "Authorization: Bearer YOUR_KEY"',
    '-H "x-lexora-priority: low"',
    `-d '${body}'`,
  ])
  expect(isReplayable(row)).toBe(endpoint === '/v1/chat/completions')
})
