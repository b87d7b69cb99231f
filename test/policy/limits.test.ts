import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Account,
  formatReset,
  LimitLedger,
  limitRetryAfterSeconds,
  type Receipt,
  type UserLimits,
} from '../../src/policy/limits.ts'
import { perMinute } from '../../src/policy/token-bucket.ts'

const NONE: UserLimits = { requests: null, tokensPerMinute: null, maxConcurrent: null }

function anAccount(id: string, limits: Partial<UserLimits> = {}): Account {
  return { id, limits: { ...NONE, ...limits } }
}

function admitted(ledger: LimitLedger, accounts: Account[], reserve: number, now: number): Receipt {
  const admission = ledger.admit(accounts, reserve, now)
  if (!admission.ok) throw new Error(`refused by ${admission.limit}`)
  return admission.receipt
}

describe('a request', () => {
  test('is refused by the limit that makes it wait longest, of all its accounts', () => {
    const owner = anAccount('key', { requests: perMinute(1) })
    const named = anAccount('key/anna', { requests: { perSecond: 10, burst: 1 } })
    const ledger = new LimitLedger()
    admitted(ledger, [owner, named], 0, 0)
    expect(ledger.admit([owner, named], 0, 0)).toEqual({ ok: false, limit: 'requests', waitMs: 60_000 })
  })

  test('that is refused costs nothing, in no account and of no limit (C6)', () => {
    const free = anAccount('free', { requests: perMinute(2), tokensPerMinute: 1000 })
    const full = anAccount('full', { maxConcurrent: 1 })
    const ledger = new LimitLedger()
    const first = admitted(ledger, [full], 0, 0)
    for (let i = 0; i < 50; i++) {
      expect(ledger.admit([free, full], 500, 0)).toEqual({ ok: false, limit: 'concurrency', waitMs: 1000 })
    }
    ledger.settle(first, 0, 0)
    expect(ledger.standings([free], 0).requests!.remaining).toBe(2)
    admitted(ledger, [free, full], 500, 0)
  })

  test('larger than a whole minute of tokens still gets through when nothing else runs (P2.3)', () => {
    const small = anAccount('small', { tokensPerMinute: 100 })
    const ledger = new LimitLedger()
    const receipt = admitted(ledger, [small], 5000, 0)
    ledger.settle(receipt, 250, 0)
    // In debt by one bucket at most: 100 to get back to nothing and 50 for the next.
    expect(ledger.admit([small], 50, 0)).toEqual({ ok: false, limit: 'tokens', waitMs: 90_000 })
  })

  test('without limits passes', () => {
    expect(new LimitLedger().admit([anAccount('anyone')], 1e9, 0).ok).toBe(true)
  })

  test('100 at once at a limit of 10: exactly 10 pass (C9)', () => {
    const ledger = new LimitLedger()
    const account = anAccount('a', { maxConcurrent: 10 })
    expect(Array.from({ length: 100 }, () => ledger.admit([account], 0, 0).ok).filter(Boolean)).toHaveLength(10)
  })
})

describe('the end of a request', () => {
  const account = anAccount('a', { requests: perMinute(10), tokensPerMinute: 1000, maxConcurrent: 5 })
  const left = (ledger: LimitLedger) => {
    const { requests, tokens } = ledger.standings([account], 0)
    return [requests!.remaining, tokens!.remaining]
  }

  test.each<[end: string, act: (ledger: LimitLedger, receipt: Receipt) => void, left: number[]]>([
    ['done: the true usage', (ledger, receipt) => ledger.settle(receipt, 120, 0), [9, 880]],
    ['a cache hit: no tokens', (ledger, receipt) => ledger.settle(receipt, 0, 0), [9, 1000]],
    ['never run: nothing', (ledger, receipt) => ledger.refund(receipt, 0), [10, 1000]],
    ['none yet: what is reserved', () => {}, [9, 600]],
  ])('%s', (_, act, expected) => {
    const ledger = new LimitLedger()
    const receipt = admitted(ledger, [account], 400, 0)
    act(ledger, receipt)
    expect(left(ledger)).toEqual(expected)
  })

  test('counts once, and only its own (C8)', () => {
    const ledger = new LimitLedger()
    const [one] = [admitted(ledger, [account], 400, 0), admitted(ledger, [account], 400, 0)]
    ledger.refund(one!, 0)
    ledger.refund(one!, 0)
    ledger.settle(one!, 900, 0)
    expect(left(ledger)).toEqual([9, 600])
    expect(ledger.outstanding()).toEqual({ concurrent: 1, reserved: 400 })
  })
})

describe('many users', () => {
  test('a million names leave 10,000 accounts, and the one in use is kept (C10)', () => {
    const ledger = new LimitLedger()
    const key = anAccount('key', { requests: perMinute(5) })
    for (let i = 0; i < 5; i++) admitted(ledger, [key], 0, 0)
    const limits: UserLimits = { ...NONE, requests: perMinute(1) }
    for (let i = 0; i < 200_000; i++) {
      if (i % 1000 === 0) expect(ledger.admit([key], 0, 0).ok).toBe(false)
      ledger.admit([{ id: `junk ${i}`, limits }], 0, 0)
    }
    expect(ledger.size).toBe(10_000)
  })

  test('one with a request in flight is not forgotten before idle ones', () => {
    const ledger = new LimitLedger(3)
    const busy = anAccount('busy', { maxConcurrent: 1 })
    admitted(ledger, [busy], 0, 0)
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      ledger.settle(admitted(ledger, [anAccount(id)], 0, 0), 0, 0)
    }
    expect(ledger.admit([busy], 0, 0).ok).toBe(false)
  })

  test('a changed limit keeps what was used', () => {
    const ledger = new LimitLedger()
    for (let i = 0; i < 5; i++) admitted(ledger, [anAccount('a', { requests: perMinute(10) })], 0, 0)
    admitted(ledger, [anAccount('a', { requests: perMinute(6) })], 0, 0)
    expect(ledger.admit([anAccount('a', { requests: perMinute(6) })], 0, 0).ok).toBe(false)
  })
})

test.each([
  [0, '0ms'],
  [120, '120ms'],
  [1500, '1.5s'],
  [59_000, '59s'],
  [360_000, '6m0s'],
  [3_603_000, '1h0m3s'],
])('%i ms until reset is written %s', (ms, text) => {
  expect(formatReset(ms)).toBe(text)
})

test.each([
  [0, 1],
  [1, 1],
  [1001, 2],
  [Infinity, 86_400],
])('%d ms are %i whole seconds of Retry-After', (ms, seconds) => {
  expect(limitRetryAfterSeconds(ms)).toBe(seconds)
})

type Step = { by: number; user: number; reserve: number; do: 'admit' | 'settle' | 'refund'; used: number }
const steps = fc.array(
  fc.record<Step>({
    by: fc.nat(2000),
    user: fc.nat(2),
    reserve: fc.nat(400),
    do: fc.constantFrom('admit', 'admit', 'settle', 'refund'),
    used: fc.nat(600),
  }),
  { maxLength: 60 },
)

/** 3 users of one key: the key has its limits, each user further ones. */
const KEY = anAccount('key', { requests: { perSecond: 2, burst: 8 }, tokensPerMinute: 3000, maxConcurrent: 6 })
const USERS = [0, 1, 2].map((i) =>
  anAccount(`key/${i}`, { requests: { perSecond: 1, burst: 4 }, tokensPerMinute: 1500, maxConcurrent: 3 }),
)

test('over any story: concurrency holds, requests keep to burst + rate × time, and all sums return to zero', () => {
  fc.assert(
    fc.property(steps, (story) => {
      const ledger = new LimitLedger()
      const open: { receipt: Receipt; user: number }[] = []
      const kept: { at: number; receipt: Receipt }[] = []
      let now = 0
      for (const step of story) {
        now += step.by
        if (step.do === 'admit') {
          const admission = ledger.admit([KEY, USERS[step.user]!], step.reserve, now)
          if (!admission.ok) continue
          open.push({ receipt: admission.receipt, user: step.user })
          kept.push({ at: now, receipt: admission.receipt })
          if (open.length > 6 || open.filter(({ user }) => user === step.user).length > 3) return false
        } else {
          const ended = open.shift()
          if (ended === undefined) continue
          if (step.do === 'settle') ledger.settle(ended.receipt, step.used, now)
          else {
            ledger.refund(ended.receipt, now)
            kept.splice(
              kept.findIndex(({ receipt }) => receipt === ended.receipt),
              1,
            )
          }
        }
      }
      for (let from = 0; from < kept.length; from++) {
        const seconds = (kept.at(-1)!.at - kept[from]!.at) / 1000
        if (kept.length - from > 8 + 2 * seconds + 1e-3) return false
      }
      for (const { receipt } of open) ledger.settle(receipt, 1, now)
      const { concurrent, reserved } = ledger.outstanding()
      return concurrent === 0 && reserved === 0
    }),
    { numRuns: 10_000 },
  )
})

test('over 100,000 ends the tokens charged are the tokens used, exactly (P2.2)', () => {
  const ledger = new LimitLedger()
  // Large enough that neither the burst nor the debt cuts anything off.
  const account = anAccount('a', { tokensPerMinute: 1e12 })
  const random = lcg(7)
  let used = 0
  const open: Receipt[] = []
  for (let i = 0; i < 100_000; i++) {
    open.push(admitted(ledger, [account], Math.floor(random() * 3000), 0))
    const [receipt] = open.splice(Math.floor(random() * open.length), 1)
    const tokens = Math.floor(random() * 5000)
    const ran = random() > 0.2
    if (ran) ledger.settle(receipt!, tokens, 0)
    else ledger.refund(receipt!, 0)
    used += ran ? tokens : 0
  }
  expect(1e12 - ledger.standings([account], 0).tokens!.remaining).toBe(used)
})

function lcg(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
