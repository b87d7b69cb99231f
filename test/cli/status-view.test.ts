import { describe, expect, test } from 'vitest'
import { type Look, statusLine, statusLines } from '../../src/cli/status-view.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { anEngine } from '../support/engine-states.ts'
import { aQueue, aSnapshot, aUser, aWaiter } from '../support/snapshots.ts'

const PLAIN: Look = { width: 120, paint: (_, text) => text }

const view = (snapshot: AppSnapshot, look: Partial<Look> = {}) =>
  statusLines(snapshot, { ...PLAIN, ...look }).join('\n')

/** Two that flood and one that is polite, in front of one GPU. */
function anOverload(): AppSnapshot {
  const base = aSnapshot()
  const limits = { perSecond: 10, burst: 20, tokensPerMinute: 60_000, maxConcurrent: 4 }
  return {
    ...base,
    server: { ...base.server, inFlight: 69 },
    backends: [
      { ...base.backends[0]!, inFlight: 8, limit: 8, models: ['qwen3-8b', 'embed'] },
      {
        ...base.backends[0]!,
        name: 'spare',
        status: 'down',
        reason: 'ECONNREFUSED',
        breaker: 'open',
        latencyMs: null,
        models: [],
      },
    ],
    health: { ...base.health, status: 'degraded', reasons: ['backend spare is down (ECONNREFUSED)'] },
    queues: [
      aQueue({
        permits: { inFlight: 8, limit: 8, auto: true, openLoop: false, alarm: null, kvUse: 0.6, foreign: 0 },
        depth: { high: 1, normal: 2, low: 58 },
        waiting: [
          aWaiter({
            band: 'high',
            user: 'polite',
            flow: { user: 'polite', app: 'chat' },
            ageMs: 210,
            predictedWaitMs: 400,
          }),
          aWaiter({ place: 2, user: 'flood-a', ageMs: 1900, predictedWaitMs: 4100 }),
          aWaiter({ place: 3, user: 'flood-a', ageMs: 2100, predictedWaitMs: 4900 }),
          ...Array.from({ length: 58 }, (_, i) =>
            aWaiter({ place: i + 4, band: 'low', user: 'flood-b', ageMs: 12_000, predictedWaitMs: 65_000 }),
          ),
        ],
      }),
    ],
    users: [
      aUser({
        name: 'flood-b',
        inFlight: 4,
        waiting: 58,
        tokensThisMinute: 15_000,
        requestsThisMinute: 120,
        waitedMs: { mean: 9100, max: 14_200 },
        limits,
      }),
      aUser({
        name: 'flood-a',
        inFlight: 4,
        waiting: 2,
        requestsThisMinute: 118,
        tokensThisMinute: 14_800,
        rateLimited: 2310,
        limits,
      }),
      aUser({
        name: 'polite',
        waiting: 1,
        requestsThisMinute: 60,
        tokensThisMinute: 900,
        waitedMs: { mean: 40, max: 410 },
      }),
    ],
    stats: {
      ...base.stats,
      requests_per_minute: 1298,
      errors_last_hour: 3,
      ttft: { p50: 120.4, p95: 1480, p99: 2100 },
    },
  }
}

describe('status', () => {
  test('of a Lexora at rest fits a few lines', () => {
    expect(view(aSnapshot())).toBe(`\
Lexora 1.2.3 · serving · http://localhost:8001/v1
healthy · up 3h 12m · pid 4711 · /etc/lexora_config.yaml
0 requests/min · 0 tokens/min · 0 errors in the last hour · first token p50 -, p95 -

BACKEND  STATE  RUNNING  LIMIT  WAITING  PROBE  MODELS
main     up           0      -        0   2 ms  tiny`)
  })

  test('of one under load shows who waits, in which order, and how long', () => {
    expect(view(anOverload())).toBe(`\
Lexora 1.2.3 · serving · http://localhost:8001/v1
degraded · up 3h 12m · pid 4711 · /etc/lexora_config.yaml
  backend spare is down (ECONNREFUSED)
1,298 requests/min · 30,700 tokens/min · 3 errors in the last hour · first token p50 120 ms, p95 1,480 ms

BACKEND  STATE               RUNNING   LIMIT  WAITING  PROBE  MODELS
main     up                        8  8 auto       61   2 ms  qwen3-8b, embed
spare    down, breaker open        0       -        0      -  -

Waiting for main: high 1 · normal 2 · low 58
PLACE  BAND    USER     APP   MODEL  WAITED  EXPECTED
    1  high    polite   chat  tiny    0.2 s    ~0.4 s
    2  normal  flood-a  chat  tiny    1.9 s    ~4.1 s
    3  normal  flood-a  chat  tiny    2.1 s    ~4.9 s
    4  low     flood-b  chat  tiny     12 s    ~1m 5s
    5  low     flood-b  chat  tiny     12 s    ~1m 5s
    6  low     flood-b  chat  tiny     12 s    ~1m 5s
    7  low     flood-b  chat  tiny     12 s    ~1m 5s
    8  low     flood-b  chat  tiny     12 s    ~1m 5s
… and 53 more

USER     RUNNING  WAITING  EXPECTED  WAITED mean    max  REQ/MIN  TOKENS/MIN  REFUSED  LIMITS
flood-b        4       58    ~1m 5s        9.1 s   14 s      120      15,000        0  10/s, burst 20 · 60,000 tokens/m…
flood-a        4        2    ~4.1 s            -      -      118      14,800    2,310  10/s, burst 20 · 60,000 tokens/m…
polite         0        1    ~0.4 s       0.04 s  0.4 s       60         900        0  -`)
  })

  test('shows an engine that starts with its phase, and metrics that are silent', () => {
    const queue = aQueue()
    const snapshot = aSnapshot({
      server: { state: 'starting' },
      backends: [],
      queues: [
        { ...queue, permits: { ...queue.permits, auto: true, openLoop: true, alarm: 'its metrics stand still' } },
      ],
      engines: [
        anEngine({ is: 'starting', phase: 'loading weights', percent: 41.6, leftMs: null }, 'qwen', 'Qwen/Qwen3-8B'),
      ],
    })
    expect(view(snapshot).split('\n').slice(3)).toEqual([
      '',
      'ENGINE  MODEL          STATE',
      'qwen    Qwen/Qwen3-8B  starting: loading weights 42 %',
      '',
      'main: its metrics stand still',
    ])
  })

  test('is cut at the width of the terminal', () => {
    for (const width of [60, 20, 1]) {
      const lines = view(anOverload(), { width }).split('\n')
      expect(Math.max(...lines.map((line) => line.length))).toBe(width)
      expect(lines.filter((line) => line.endsWith('…')).length).toBeGreaterThan(5)
    }
  })

  test('keeps its columns with names in other scripts', () => {
    const users = [aUser({ name: 'やまだ' }), aUser({ name: '김민수' }), aUser({ name: 'ann' })]
    const rows = view(aSnapshot({ users })).split('\n').slice(-3)
    expect(rows.map((row) => row.slice(0, row.indexOf('0')))).toEqual([
      'やまだ        ',
      '김민수        ',
      'ann           ',
    ])
  })

  test('lets no name steer the terminal', () => {
    const name = 'a\x1b[2Jb\r\n\x07\u202ec\u009b31m'
    const snapshot = aSnapshot({
      users: [aUser({ name })],
      queues: [
        aQueue({
          depth: { high: 0, normal: 1, low: 0 },
          waiting: [aWaiter({ user: name, model: name, flow: { user: name, app: name } })],
        }),
      ],
    })
    expect(view(snapshot).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  test('says it in colour too, never in colour alone', () => {
    const painted = view(anOverload(), { paint: (tone, text) => `<${tone}>${text}</>` })
    expect(painted.split('\n').slice(0, 2)).toEqual([
      '<bold>Lexora 1.2.3</> · <good>serving</> · http://localhost:8001/v1',
      '<warn>degraded</> · up 3h 12m · pid 4711 · /etc/lexora_config.yaml',
    ])
    expect(painted.replace(/<\/?\w*>/g, '')).toBe(view(anOverload()))
  })
})

test('in a pipe a status is one line', () => {
  expect(statusLine(anOverload())).toBe(
    '2026-11-21T12:00:00.000Z serving degraded running=8 waiting=61 high=1 normal=2 low=58 ' +
      'requests_per_minute=1298 errors_last_hour=3',
  )
})
