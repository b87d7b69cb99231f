import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { RequestLog, type RequestLogState } from '../../src/telemetry/request-log.ts'
import { anOutcome } from './given.ts'

const NOW = new Date('2026-11-21T09:08:07.006Z')

// Only the calendar is ours: files are written in real time.
beforeEach(() => vi.useFakeTimers({ toFake: ['Date'], now: NOW }))
afterEach(() => vi.useRealTimers())

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-request-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function aLog(dir: string, { keepDays = 14 } = {}) {
  const told: RequestLogState[] = []
  return { log: new RequestLog({ dir, keepDays, onState: (state) => told.push(state) }), told }
}

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** One outcome through a log of its own, and the line it left. */
async function lineOf(changes: Partial<Outcome>): Promise<Record<string, unknown>> {
  const dir = aFolder()
  const { log } = aLog(dir)
  log.record(anOutcome(changes), new Date())
  await log.close()
  return linesOf(join(dir, 'requests-20261121.jsonl'))[0]!
}

describe('a line', () => {
  test('holds every field of DESIGN 4.3', async () => {
    const line = await lineOf({
      reqId: 'r-1',
      user: 'ann',
      keyId: '0123456789ab',
      task: 'summary',
      stream: true,
      retries: [{ backend: 'a', reason: 'lost', afterMs: 10 }],
      fallbacks: [{ from: 'a', to: 'main' }],
      queueMs: 1.4,
      ttftMs: 12.6,
      latencyMs: 99.5,
      usage: { prompt: 16, completion: 8, cached: null },
    })
    expect(line).toEqual({
      ts: '2026-11-21T09:08:07.006Z',
      req_id: 'r-1',
      user: 'ann',
      key_id: '0123456789ab',
      task: 'summary',
      model: 'tiny',
      backend: 'main',
      endpoint: '/v1/chat/completions',
      stream: true,
      status: 200,
      outcome: 'ok',
      ok: true,
      error: null,
      retries: 1,
      fallback: true,
      queue_ms: 1,
      ttft_ms: 13,
      latency_ms: 100,
      usage_prompt: 16,
      usage_completion: 8,
      usage_cached: null,
    })
  })

  test('of a refusal holds nulls where nothing is known', async () => {
    const line = await lineOf({ backend: null, status: 401, outcome: 'client_error', error: 'invalid_api_key' })
    expect(line).toMatchObject({
      user: null,
      key_id: null,
      task: null,
      backend: null,
      ok: false,
      error: 'invalid_api_key',
      fallback: false,
      ttft_ms: null,
      usage_prompt: null,
    })
  })

  test('D22: gives back odd names as they were, on one line', async () => {
    const user = 'a"b\\c\nd","status":200,\u0000\u2028\u202e 日本 😀'
    expect(await lineOf({ user, reqId: '', model: '"' })).toMatchObject({ user, req_id: '', model: '"', status: 200 })
  })
})

describe('the file', () => {
  test('is named for the day in UTC and only ours to read', async () => {
    const dir = join(aFolder(), 'logs')
    const { log } = aLog(dir)
    log.record(anOutcome(), new Date())
    await log.close()
    const path = join(dir, 'requests-20261121.jsonl')
    expect(readdirSync(dir)).toEqual(['requests-20261121.jsonl'])
    expect([statSync(path).mode & 0o777, statSync(dir).mode & 0o777]).toEqual([0o600, 0o700])
  })

  test('keeps what is in it, in order', async () => {
    const dir = aFolder()
    for (const run of ['a', 'b']) {
      const { log } = aLog(dir)
      for (let i = 0; i < 3; i++) log.record(anOutcome({ reqId: `${run}${i}` }), new Date())
      await log.close()
    }
    const ids = linesOf(join(dir, 'requests-20261121.jsonl')).map((line) => line['req_id'])
    expect(ids).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2'])
  })

  test('changes with the day', async () => {
    const dir = aFolder()
    const { log } = aLog(dir)
    log.record(anOutcome({ reqId: 'today' }), new Date())
    await log.close()
    vi.setSystemTime('2026-11-22T00:00:00Z')
    log.record(anOutcome({ reqId: 'tomorrow' }), new Date())
    await log.close()
    expect(readdirSync(dir)).toEqual(['requests-20261121.jsonl', 'requests-20261122.jsonl'])
    expect(linesOf(join(dir, 'requests-20261122.jsonl'))).toMatchObject([{ req_id: 'tomorrow' }])
  })

  test('goes after keep_days, and no other file with it', async () => {
    const dir = aFolder()
    const kept = ['notes.txt', 'requests-2026.jsonl', 'requests-20261119.jsonl', 'requests-20261120.jsonl']
    for (const name of [...kept, 'requests-20261118.jsonl', 'requests-19991231.jsonl'])
      writeFileSync(join(dir, name), '')
    const { log } = aLog(dir, { keepDays: 2 })
    log.record(anOutcome(), new Date())
    await log.close()
    expect(readdirSync(dir).toSorted()).toEqual([...kept, 'requests-20261121.jsonl'])
  })

  test('is not made while there is nothing to write', async () => {
    const dir = join(aFolder(), 'logs')
    await aLog(dir).log.close()
    expect(existsSync(dir)).toBe(false)
  })
})

describe('a folder that cannot be written', () => {
  /** A file stands where the folder should be: it stops even root. */
  function anObstacle() {
    const dir = join(aFolder(), 'logs')
    writeFileSync(dir, '')
    return {
      dir,
      remove() {
        rmSync(dir)
        mkdirSync(dir)
      },
    }
  }

  test('costs lines, which are counted, and is told once', async () => {
    const { log, told } = aLog(anObstacle().dir)
    for (let batch = 0; batch < 3; batch++) {
      log.record(anOutcome(), new Date())
      log.record(anOutcome(), new Date())
      await log.close()
    }
    expect(told).toEqual([{ failing: 'EEXIST', dropped: 2 }])
    expect(log.state).toEqual({ failing: 'EEXIST', dropped: 6 })
  })

  test('is used again as soon as it can be', async () => {
    const obstacle = anObstacle()
    const { log, told } = aLog(obstacle.dir)
    log.record(anOutcome({ reqId: 'lost' }), new Date())
    await log.close()
    obstacle.remove()
    log.record(anOutcome({ reqId: 'kept' }), new Date())
    await log.close()
    expect(told).toEqual([
      { failing: 'EEXIST', dropped: 1 },
      { failing: null, dropped: 1 },
    ])
    expect(linesOf(join(obstacle.dir, 'requests-20261121.jsonl'))).toMatchObject([{ req_id: 'kept' }])
  })
})

test('what the disk cannot take in time is dropped and counted, not held without bound', async () => {
  const dir = aFolder()
  const { log } = aLog(dir)
  const count = 30_000
  for (let i = 0; i < count; i++) log.record(anOutcome(), new Date())
  await log.close()
  const written = linesOf(join(dir, 'requests-20261121.jsonl')).length
  expect(log.state.dropped).toBeGreaterThan(0)
  expect(written + log.state.dropped).toBe(count)
})
