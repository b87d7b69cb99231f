import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Store } from '../../src/store/database.ts'
import { History, type HistoryState } from '../../src/store/history.ts'
import { BatchWriter, readBatch } from '../../src/store/history-batch.ts'
import { type HistoryBounds, type HistoryQuery, HistoryTables } from '../../src/store/history-tables.ts'
import { HISTORY_MIGRATIONS } from '../../src/store/migrations.ts'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { aFolder, HISTORY_ENTRY } from '../support/records.ts'
import { anOutcome } from '../telemetry/given.ts'

const AT = Date.parse('2026-11-21T12:34:56.789Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
const EVERYTHING = { sinceMs: null, untilMs: null, before: null, limit: 1000 }

function someTables(bounds: Partial<HistoryBounds> = {}) {
  const failing: (string | null)[] = []
  const store = new Store({
    path: ':memory:',
    migrations: HISTORY_MIGRATIONS,
    onSetAside: () => undefined,
    onFailing: (reason) => failing.push(reason),
    now: () => new Date(AT),
  })
  onTestFinished(() => store.close())
  const tables = new HistoryTables(store, { maxRows: 1000, keepDays: 14, ...bounds })
  const write = (outcomes: Partial<Outcome>[], at = AT, isKnown = true, engineModel: string | null = null): void => {
    const writer = new BatchWriter()
    for (const outcome of outcomes) writer.add(anOutcome(outcome), at, isKnown, engineModel)
    tables.write(writer.take())
  }
  const count = (table: string): number =>
    Number(store.database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count'])
  return { store, tables, write, count, failing }
}

const words = fc.option(fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }))
const tokens = fc.option(fc.nat(1_000_000))
const outcomes = fc.record({
  reqId: fc.stringMatching(/^[\w.:-]{1,40}$/),
  user: words,
  keyId: words,
  app: words,
  backend: words,
  band: fc.constantFrom('high', 'normal', 'low'),
  error: words,
  stream: fc.boolean(),
  status: fc.integer({ min: 200, max: 599 }),
  ttftMs: tokens,
  usage: fc.option(fc.record({ prompt: tokens, completion: tokens, cached: tokens })),
})

describe('a batch', () => {
  test('comes out in another thread as it went in', () => {
    fc.assert(
      fc.property(fc.array(outcomes, { maxLength: 150 }), fc.boolean(), (given, isKnown) => {
        const writer = new BatchWriter()
        for (const outcome of given) writer.add(anOutcome(outcome as Partial<Outcome>), AT, isKnown)
        const rows = readBatch(structuredClone(writer.take()))
        expect(rows).toMatchObject(
          given.map(({ reqId, user, keyId, app, backend, band, error, stream, status, ttftMs, usage }) => ({
            ...{ id: reqId, user, keyId, app, backend, band, error, stream, status, ttftMs, isKnown },
            attempts: backend === null ? 0 : 1,
            promptTokens: usage?.prompt ?? null,
            completionTokens: usage?.completion ?? null,
            cachedTokens: usage?.cached ?? null,
          })),
        )
      }),
    )
  })

  test('keeps which tries failed, where and when, and that a fallback answered', () => {
    const writer = new BatchWriter()
    const retries = [{ backend: 'a', reason: 'lost', afterMs: 12.4 }]
    writer.add(anOutcome({ retries, fallbacks: [{ from: 'a', to: 'b' }] }), AT, true)
    writer.add(anOutcome({}), AT, true)
    expect(readBatch(writer.take())).toMatchObject([
      { tries: [{ backend: 'a', reason: 'lost', afterMs: 12 }], fellBack: true },
      { tries: [], fellBack: false },
    ])
  })

  test('keeps why the model stopped', () => {
    const writer = new BatchWriter()
    for (const finish of ['length', null, 'stop', 'length']) writer.add(anOutcome({ finish }), AT, true)
    expect(readBatch(writer.take()).map(({ finish }) => finish)).toEqual(['length', null, 'stop', 'length'])
  })

  test('keeps how much was asked and answered, and what is not known', () => {
    const writer = new BatchWriter()
    writer.add(anOutcome({ requestBytes: 412, answerBytes: 2048 }), AT, true)
    writer.add(anOutcome({ requestBytes: null, answerBytes: null }), AT, true)
    expect(readBatch(writer.take())).toMatchObject([
      { requestBytes: 412, answerBytes: 2048 },
      { requestBytes: null, answerBytes: null },
    ])
  })

  test('that was taken is somebody else’s', () => {
    const writer = new BatchWriter()
    writer.add(anOutcome({ user: 'ann' }), AT, true)
    const first = writer.take()
    writer.add(anOutcome({ user: 'bob' }), AT, true)
    expect([readBatch(first)[0]?.user, readBatch(writer.take())[0]?.user, writer.count]).toEqual(['ann', 'bob', 0])
  })

  test('uses the memory of one that was read again, whatever its size and what stands in it', () => {
    const writer = new BatchWriter()
    const takeOf = (ids: string[]) => {
      for (const reqId of ids) writer.add(anOutcome({ reqId }), AT, true)
      return writer.take()
    }
    const many = Array.from({ length: 500 }, (_, i) => `first-${i}`)
    for (const ids of [many, ['second'], many.map((id) => `third-${id}`), ['fourth', 'fifth']]) {
      const batch = takeOf(ids)
      expect(readBatch(batch).map(({ id }) => id)).toEqual(ids)
      writer.reuse({ numbers: batch.numbers.buffer, ids: batch.ids.buffer })
    }
    const [one, other] = [takeOf(['a']), takeOf(['b'])]
    expect([readBatch(one)[0]?.id, readBatch(other)[0]?.id]).toEqual(['a', 'b'])
  })
})

describe('requests that ended', () => {
  test('are found by user, model, outcome, time and words, the newest first', () => {
    const { tables, write } = someTables()
    write([{ reqId: 'r1', user: 'ann', app: '50%_off', finish: 'length', requestBytes: null }])
    write([{ reqId: 'r2', user: null, model: 'big', outcome: 'backend_error', error: 'backend_timeout' }], AT + HOUR)
    const found = (query: object) => tables.requests({ ...EVERYTHING, ...query }).rows.map(({ id }) => id)
    expect(found({})).toEqual(['r2', 'r1'])
    expect(tables.requests(EVERYTHING).rows.map(({ finish }) => finish)).toEqual([null, 'length'])
    const sizes = tables.requests(EVERYTHING).rows.map(({ requestBytes, answerBytes }) => [requestBytes, answerBytes])
    expect(sizes).toEqual([
      [120, 600],
      [null, 600],
    ])
    expect(found({ user: 'ann' })).toEqual(['r1'])
    expect(found({ user: 'anonymous' })).toEqual(['r2'])
    expect(found({ model: 'big' })).toEqual(['r2'])
    expect([found({ outcome: 'ok' }), found({ outcome: 'error' })]).toEqual([['r1'], ['r2']])
    expect([found({ sinceMs: AT + 1 }), found({ untilMs: AT + 1 })]).toEqual([['r2'], ['r1']])
    expect([found({ search: '0%_o' }), found({ search: '%' }), found({ search: 'TIMEOUT' })]).toEqual([
      ['r1'],
      ['r1'],
      ['r2'],
    ])
    expect(found({ search: "' OR 1=1 --" })).toEqual([])
  })

  test('come in pages that neither repeat nor miss one', () => {
    const { tables, write } = someTables()
    write(Array.from({ length: 25 }, (_, i) => ({ reqId: `r${i}` })))
    const seen: string[] = []
    let before: number | null = null
    for (let pages = 0; pages < 10; pages++) {
      const { rows, next } = tables.requests({ ...EVERYTHING, before, limit: 10 })
      seen.push(...rows.map(({ id }) => id))
      if (next === null) break
      before = Number(next)
      write([{ reqId: 'meanwhile' }])
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => `r${24 - i}`))
  })

  test('are kept up to so many, and so many days', () => {
    const { tables, write, count } = someTables({ maxRows: 100, keepDays: 2 })
    write(
      Array.from({ length: 10 }, () => ({})),
      AT - 3 * DAY,
    )
    write(Array.from({ length: 1500 }, () => ({})))
    expect(count('requests')).toBe(100)
    expect(tables.usage({ sinceMs: AT - 9 * DAY, untilMs: AT, by: [] })).toMatchObject([{ requests: 1510 }])
  })

  test('of a second with very many are the first ones, and all that failed; what they add up to counts every one', () => {
    const { write, count, tables } = someTables({ maxRows: 10_000 })
    const flood = Array.from(
      { length: 1200 },
      (_, i) => ({ outcome: i % 100 === 99 ? 'backend_error' : 'ok' }) as const,
    )
    write(flood)
    expect(count('requests')).toBe(500 + 7)
    write([{}], AT + 1000)
    expect(count('requests')).toBe(500 + 7 + 1)
    const [row] = tables.usage({ sinceMs: AT - HOUR, untilMs: AT + HOUR, by: [] })
    expect(row).toMatchObject({ requests: 1201, errors: 12 })
  })

  test('tell why they were refused or failed, of one user or of all, the most frequent reason first', () => {
    const { write, tables } = someTables()
    const refused = { user: 'ann', outcome: 'client_error', error: 'rate_limit_exceeded' } as const
    write([refused, refused, { user: 'ann' }, { user: 'ann', error: 'client_closed' }])
    write([{ error: 'backend_timeout' }])
    write([refused], AT - 8 * DAY)
    const reasons = (user?: string, sinceMs = AT - 7 * DAY) => tables.reasons({ user, sinceMs, untilMs: AT + 1 })
    expect(reasons('ann')).toEqual([
      { reason: 'rate_limit_exceeded', requests: 2 },
      { reason: 'client_closed', requests: 1 },
    ])
    expect(reasons('anonymous')).toEqual([{ reason: 'backend_timeout', requests: 1 }])
    expect(reasons(undefined, 0).map(({ requests }) => requests)).toEqual([3, 1, 1])
  })

  test('may not be kept at all; what they add up to is', () => {
    const { write, count } = someTables({ maxRows: 0 })
    write([{}, {}])
    expect([count('requests'), count('usage')]).toEqual([0, 1])
  })
})

describe('usage', () => {
  test('adds up by what is asked to be told apart', () => {
    const { tables, write } = someTables()
    const usage = { prompt: 10, completion: 5, cached: 2 }
    write([{ user: 'ann', usage }, { user: 'ann', usage, outcome: 'stream_error' }, { user: 'bob' }, { user: null }])
    write([{ user: 'ann', model: 'big', usage }], AT + HOUR)
    const query = { sinceMs: AT - HOUR, untilMs: AT + 2 * HOUR }
    const nothing = { hour: null, day: null, user: null, model: null, backend: null }
    expect(tables.usage({ ...query, by: ['user'] })).toMatchObject([
      { ...nothing, user: null, requests: 1 },
      { ...nothing, user: 'ann', requests: 3, errors: 1, promptTokens: 30, completionTokens: 15, cachedTokens: 6 },
      { ...nothing, user: 'bob', requests: 1, promptTokens: 0 },
    ])
    expect(tables.usage({ ...query, by: ['hour', 'model'] }).map(({ hour, model }) => [hour, model])).toEqual([
      ['2026-11-21T12', 'tiny'],
      ['2026-11-21T13', 'big'],
    ])
    expect(tables.usage({ ...query, by: ['day'] })).toMatchObject([{ day: '2026-11-21', requests: 5 }])
    expect(tables.usage({ ...query, untilMs: AT, by: [] })).toMatchObject([{ ...nothing, requests: 4 }])
  })

  test('of 100,000 names that nobody knows takes 1,001 rows an hour, and none from those who are known', () => {
    const { write, count, tables } = someTables()
    for (let i = 0; i < 50; i++)
      write(
        Array.from({ length: 2000 }, (_, j) => ({ user: `junk-${i}-${j}` })),
        AT,
        false,
      )
    write([{ user: 'ann' }], AT, true)
    expect(count('usage')).toBe(1002)
    expect(count('seen')).toBe(1)
    const rows = tables.usage({ sinceMs: AT, untilMs: AT, by: ['user'] })
    expect(rows.find(({ user }) => user === 'other')?.requests).toBe(99_000)
    expect(rows.find(({ user }) => user === 'ann')?.requests).toBe(1)
  })

  test('of today is remembered over a restart, and so is who was last heard of when', () => {
    const { tables, write } = someTables()
    write([{ user: 'ann', usage: { prompt: 7, completion: 1, cached: 0 } }], AT - DAY)
    write([{ user: 'ann', keyId: 'k1', usage: { prompt: 3, completion: 2, cached: 0 } }])
    expect(tables.memory(AT)).toEqual({
      today: [{ user: 'ann', requests: 1, tokens: 5, errors: 0 }],
      seen: [
        { kind: 'key', name: 'k1', atMs: AT },
        { kind: 'user', name: 'ann', atMs: AT },
      ],
    })
  })
})

test.each<[string, Partial<HistoryQuery>, string[]]>([
  ['a status', { status: '503' }, ['slow']],
  ['a class of them', { status: '5xx' }, ['broken', 'slow']],
  ['above a bound', { bounds: { queue: null, ttft: { above: true, ms: 2000 }, total: null } }, ['slow']],
  [
    'below one, which what was not measured is not',
    { bounds: { queue: null, ttft: { above: false, ms: 50 }, total: null } },
    ['quick'],
  ],
  ['several', { status: '2xx', bounds: { queue: null, ttft: null, total: { above: true, ms: 1 } } }, ['quick']],
])('requests are found by %s in all that is kept, page by page', (_, query, ids) => {
  const { tables, write } = someTables()
  write([
    { reqId: 'slow', status: 503, outcome: 'backend_error', ttftMs: 2500, queueMs: 50, latencyMs: 9000 },
    { reqId: 'broken', status: 500, outcome: 'backend_error', ttftMs: null, latencyMs: 20 },
  ])
  write(Array.from({ length: 300 }, (_, i) => ({ reqId: `r${i}`, status: 404, ttftMs: null })))
  write([{ reqId: 'quick', status: 200, ttftMs: 20, queueMs: 5, latencyMs: 30 }])
  const found: string[] = []
  let before: number | null = null
  do {
    const page: ReturnType<HistoryTables['requests']> = tables.requests({ ...EVERYTHING, ...query, before, limit: 1 })
    found.push(...page.rows.map(({ id }) => id))
    before = page.next === null ? null : Number(page.next)
  } while (before !== null)
  expect(found).toEqual(ids)
})

test('when a model on the disk was last asked is remembered over a restart', () => {
  const { tables, write } = someTables()
  write([{}], AT - DAY, false, 'acme/tiny')
  write([{}], AT - 5, false, 'acme/tiny')
  write([{}], AT, false)
  write([{}], AT - 7, false, '/models/old')
  expect(tables.memory(AT).seen).toEqual([
    { kind: 'model', name: 'acme/tiny', atMs: AT - 5 },
    { kind: 'model', name: '/models/old', atMs: AT - 7 },
  ])
})

test('a disk that is full costs the batch, which is undone as a whole', () => {
  const { store, write, count, failing } = someTables()
  write([{ reqId: 'before' }])
  const { page_count: pages } = store.database.prepare('PRAGMA page_count').get() as { page_count: number }
  store.database.exec(`PRAGMA max_page_count = ${pages + 1}`)
  const many = Array.from({ length: 500 }, (_, i) => ({ reqId: `r${i}`, user: 'x'.repeat(100) }))
  expect(() => write(many)).toThrow(/full/)
  expect([count('requests'), failing]).toEqual([1, [expect.stringMatching(/full/)]])
  store.database.exec('PRAGMA max_page_count = 100000')
  write([{ reqId: 'after' }], AT + 1000)
  expect([count('requests'), failing.at(-1)]).toEqual([2, null])
})

describe('the thread', () => {
  function aHistory(path: string) {
    const states: HistoryState[] = []
    const aside: string[] = []
    const history = new History({
      entry: HISTORY_ENTRY,
      path,
      bounds: { maxRows: 1000, keepDays: 14 },
      onState: (state) => states.push(state),
      onSetAside: (keptAs) => aside.push(keptAs),
    })
    onTestFinished(() => history.close())
    return { history, states, aside }
  }

  test('has written what was recorded when it is asked, and when it is closed', async () => {
    const path = join(aFolder(), 'history.db')
    const { history } = aHistory(path)
    for (let i = 0; i < 5000; i++) history.record(anOutcome({ reqId: `r${i}` }), AT, true)
    expect((await history.usage({ sinceMs: AT, untilMs: AT, by: [] }))[0]?.requests).toBe(5000)
    history.record(anOutcome({ reqId: 'last' }), AT + 1000, true)
    await history.close()
    const again = aHistory(path).history
    expect((await again.requests({ ...EVERYTHING, limit: 1 })).rows[0]?.id).toBe('last')
  })

  test('keeps a file that it cannot read aside, tells of it, and begins a new one', async () => {
    const path = join(aFolder(), 'history.db')
    writeFileSync(path, 'no database '.repeat(1000))
    const { history, aside, states } = aHistory(path)
    history.record(anOutcome(), AT, true)
    expect((await history.requests(EVERYTHING)).rows).toHaveLength(1)
    expect(aside).toEqual([expect.stringContaining(`${path}.unreadable-`)])
    expect(states).toEqual([])
  })

  test('that cannot open its file costs the history, and is told once', async () => {
    const { history, states } = aHistory(join(aFolder(), 'file.txt'.repeat(100), 'history.db'))
    history.record(anOutcome(), AT, true)
    await expect(history.requests(EVERYTHING)).rejects.toThrow()
    for (let i = 0; i < 100; i++) history.record(anOutcome(), AT, true)
    await expect(history.requests(EVERYTHING)).rejects.toThrow()
    expect(states).toEqual([expect.objectContaining({ failing: expect.any(String) })])
    expect(history.state.dropped).toBe(101)
  })
})
