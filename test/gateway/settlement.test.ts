import { describe, expect, test } from 'vitest'
import { type Ending, type Facts, Settlement } from '../../src/gateway/settlement.ts'
import type { Outcome } from '../../src/telemetry/outcome.ts'

const FACTS: Facts = {
  reqId: 'r1',
  user: null,
  keyId: 'k1',
  app: null,
  address: '127.0.0.1',
  remote: false,
  task: null,
  endpoint: '/v1/chat/completions',
}
const OK: Ending = { outcome: 'ok', status: 200, error: null }

/** An account opened at 0, and the outcomes that it has told, as they were when it told them. */
function opened(facts: Partial<Facts> = {}) {
  const outcomes: Outcome[] = []
  const settlement = new Settlement({ ...FACTS, ...facts }, 0, (outcome) => outcomes.push(structuredClone(outcome)))
  return { settlement, outcomes }
}

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]]
  return list.flatMap((first, i) => permutations(list.toSpliced(i, 1)).map((rest) => [first, ...rest]))
}

describe('one request has one outcome', () => {
  const endings = {
    finish: OK,
    close: { outcome: 'client_closed', status: 499, error: 'client_closed' },
    error: { outcome: 'backend_error', status: 502, error: 'backend_unreachable' },
    abort: { outcome: 'stream_error', status: 200, error: 'shutting_down' },
    timeout: { outcome: 'backend_error', status: 504, error: 'backend_timeout' },
  } satisfies Record<string, Ending>
  const orders = permutations([...(Object.keys(endings) as (keyof typeof endings)[]), 'retry' as const])

  test.each(['away', 'here'] as const)('in every order of its endings, with the request %s at each', (where) => {
    for (const order of orders) {
      const { settlement, outcomes } = opened()
      const closed: boolean[] = []
      let now = 0
      for (const step of order) {
        settlement.leave(++now)
        if (where === 'here') settlement.comeBack(++now)
        if (step === 'retry') settlement.retried('a', 'lost', 10)
        else closed.push(settlement.settle(endings[step], ++now))
      }
      const first = order.find((step) => step !== 'retry')!
      const retries = order[0] === 'retry' ? [{ backend: 'a', reason: 'lost', afterMs: 10 }] : []
      expect(outcomes).toMatchObject([{ ...endings[first], retries }])
      expect(closed).toEqual([true, false, false, false, false])
      expect(settlement.isSettled).toBe(true)
    }
  })
})

test('an outcome holds all that was learned on the way', () => {
  const { settlement, outcomes } = opened({ user: 'ann', task: 'summary' })
  settlement.model = 'tiny'
  settlement.stream = true
  settlement.backend = 'b'
  settlement.retried('a', 'status_503', 60)
  settlement.fellBack('a', 'b')
  settlement.band = 'high'
  settlement.waited(10)
  settlement.waited(5)
  settlement.firstToken(120)
  settlement.finish = 'stop'
  settlement.requestBytes = 412
  settlement.answerBytes += 1000
  settlement.answerBytes += 48
  settlement.settle({ ...OK, usage: { prompt: 1, completion: 2, cached: null } }, 200)
  expect(outcomes).toEqual([
    {
      reqId: 'r1',
      app: null,
      address: '127.0.0.1',
      remote: false,
      user: 'ann',
      keyId: 'k1',
      task: 'summary',
      endpoint: '/v1/chat/completions',
      model: 'tiny',
      backend: 'b',
      stream: true,
      status: 200,
      outcome: 'ok',
      error: null,
      retries: [{ backend: 'a', reason: 'status_503', afterMs: 60 }],
      fallbacks: [{ from: 'a', to: 'b' }],
      band: 'high',
      queueMs: 15,
      ttftMs: 120,
      latencyMs: 200,
      awayMs: 0,
      usage: { prompt: 1, completion: 2, cached: null },
      finish: 'stop',
      requestBytes: 412,
      answerBytes: 1048,
    },
  ])
})

test('of a request refused at once, model, backend, first token and usage are not made up', () => {
  const { settlement, outcomes } = opened()
  settlement.settle({ outcome: 'client_error', status: 401, error: 'invalid_api_key' }, 1)
  expect(outcomes).toMatchObject([{ model: 'other', backend: null, ttftMs: null, usage: null, awayMs: 0, user: null }])
})

describe('time away', () => {
  const awayMs = (walk: (settlement: Settlement) => void, end: number): number | undefined => {
    const { settlement, outcomes } = opened()
    walk(settlement)
    settlement.settle(OK, end)
    return outcomes[0]?.awayMs
  }

  test('is the sum of all absences', () => {
    const walk = (settlement: Settlement) => {
      settlement.leave(10)
      settlement.comeBack(30)
      settlement.leave(50)
      settlement.comeBack(55)
    }
    expect(awayMs(walk, 100)).toBe(25)
  })

  test('lasts until the end when it has not come back', () => {
    expect(awayMs((settlement) => settlement.leave(40), 100)).toBe(60)
  })

  test('begins at the first leaving and ends at the first coming back', () => {
    const walk = (settlement: Settlement) => {
      settlement.leave(10)
      settlement.leave(20)
      settlement.comeBack(30)
      settlement.comeBack(90)
    }
    expect(awayMs(walk, 100)).toBe(20)
  })
})

test('the first token counts once', () => {
  const { settlement, outcomes } = opened()
  settlement.firstToken(5)
  settlement.firstToken(50)
  settlement.settle(OK, 100)
  expect(outcomes[0]?.ttftMs).toBe(5)
})
