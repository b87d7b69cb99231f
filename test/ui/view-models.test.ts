import { describe, expect, test } from 'vitest'
import { translator } from '../../renderer/i18n/index.ts'
import { eventLine, gate, verdict } from '../../renderer/view-models/dashboard.ts'
import { engineReadout, gatewayReadout, verbWords } from '../../renderer/view-models/frame.ts'
import { snippet } from '../../renderer/view-models/snippets.ts'
import type { EngineState, EngineView } from '../../src/protocol/engine.ts'
import type { AppSnapshot, ModelEntry } from '../../src/protocol/snapshot.ts'
import { anEngine as anEngineView } from '../support/engine-states.ts'
import { aSnapshot } from '../support/snapshots.ts'

const t = translator('en')
const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

const FAILURE = {
  class: 'vram_busy',
  cause: 'Another program holds the memory.',
  fix: null,
  change: null,
  canHeal: false,
  lines: [],
}

const anEngine = (state: EngineState): EngineView => anEngineView(state, 'main', 'qwen', { onDemand: false })

const READY: ModelEntry = {
  id: 'qwen',
  object: 'model',
  created: 0,
  owned_by: 'lexora',
  state: 'ready',
  backends: ['main'],
}

describe('the verdict', () => {
  test.each<[what: string, snapshot: AppSnapshot, title: string, shape: string]>([
    ['serving', aSnapshot({ models: [READY] }), 'Serving qwen', 'ready'],
    ['two models', aSnapshot({ models: [READY, { ...READY, id: 'b' }] }), 'Serving 2 models', 'ready'],
    ['paused', aSnapshot({ models: [READY], server: { state: 'paused' } }), 'Paused', 'degraded'],
    [
      'starting',
      aSnapshot({ engines: [anEngine({ is: 'starting', phase: 'loading weights', percent: 40, leftMs: 21_000 })] }),
      'qwen is starting',
      'starting',
    ],
    ['failed', aSnapshot({ engines: [anEngine({ is: 'failed', failure: FAILURE })] }), 'qwen cannot run', 'failed'],
    [
      'failed beside others',
      aSnapshot({ models: [READY], engines: [anEngine({ is: 'failed', failure: FAILURE })] }),
      'qwen cannot run, others serve',
      'degraded',
    ],
    ['stopped', aSnapshot({ engines: [anEngine({ is: 'stopped' })] }), 'qwen is stopped', 'stopped'],
    ['nothing', aSnapshot({ backends: [] }), 'Nothing to serve yet', 'stopped'],
  ])('of %s', (_, snapshot, title, shape) => {
    expect(verdict(snapshot, null, t)).toMatchObject({ title, shape })
  })

  test('says how a start goes on', () => {
    const engine = anEngine({ is: 'starting', phase: 'loading weights', percent: 40, leftMs: 21_000 })
    expect(plain(verdict(aSnapshot({ engines: [engine] }), null, t).says)).toBe(
      'loading weights, 40 %; about 21.0 s left. Requests wait and then run.',
    )
  })
})

test('the header says each part by shape and word', () => {
  const snapshot = aSnapshot({ engines: [anEngine({ is: 'backoff', failure: FAILURE, retryInMs: 8000, crashes: 2 })] })
  const backoff = engineReadout(snapshot, t)
  expect({ ...backoff, words: plain(backoff.words) }).toMatchObject({
    shape: 'degraded',
    words: 'Crashed · retry in 8.0 s',
  })
  expect(gatewayReadout(snapshot, false, t)).toMatchObject({ shape: 'ready', words: 'Running' })
  expect(gatewayReadout(snapshot, true, t)).toMatchObject({ shape: 'degraded', words: 'Not reachable' })
})

test('the primary button has the words of its verb', () => {
  const words = (state: EngineState) => plain(verbWords(aSnapshot({ engines: [anEngine(state)] }), t).words)
  expect(words({ is: 'starting', phase: 'x', percent: 1, leftMs: 134_000 })).toBe('Cancel start (2 min 14 s)')
  expect(words({ is: 'ready', forMs: 1 })).toBe('Stop engine')
})

test('the gate shows who waits before who runs', () => {
  const snapshot = aSnapshot({
    queues: [
      {
        backend: 'main',
        permits: { inFlight: 1, limit: 8, auto: false, openLoop: false, alarm: null, kvUse: null, foreign: 0 },
        depth: { high: 0, normal: 1, low: 0 },
        waiting: [
          {
            id: 'w',
            band: 'normal',
            flow: { user: 'kim', app: '' },
            user: 'kim',
            model: 'm',
            place: 1,
            ageMs: 200,
            predictedWaitMs: null,
          },
        ],
      },
    ],
  })
  const request = {
    id: 'r',
    phase: 'prefill',
    user: null,
    endpoint: '',
    stream: true,
    model: 'm',
    backend: 'main',
    attempts: 1,
    ageMs: 9,
    tokens: null,
  } as const
  expect(gate(snapshot, [request], t)).toMatchObject({
    waiting: [{ who: 'kim' }],
    running: [{ who: 'anonymous', says: 'reading', prefill: true }],
    limit: 8,
  })
})

test('an event is a sentence', () => {
  const at = '2026-11-21T14:00:00.000Z'
  expect(eventLine({ seq: 1, at, what: 'limited', user: 'ci', times: 2 }, t).says).toBe(
    'ci met a limit: 2 requests got 429.',
  )
  expect(
    eventLine({ seq: 1, at, what: 'engine', engine: 'main', state: 'failed', cause: 'No memory.' }, t),
  ).toMatchObject({
    shape: 'failed',
    says: 'main failed: No memory.',
  })
})

test('a snippet survives an apostrophe, and names no key that is not needed', () => {
  const of = {
    address: 'http://localhost:8001/v1',
    model: 'qwen',
    messages: [{ role: 'user', content: "it's" }],
    needsKey: false,
  }
  expect(snippet('curl', of)).toContain(`it'\\''s`)
  expect(snippet('curl', of)).not.toContain('Authorization')
  expect(snippet('python', { ...of, needsKey: true })).toContain('api_key="YOUR_KEY"')
})
