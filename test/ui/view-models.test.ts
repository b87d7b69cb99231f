import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { loadTranslator, translator } from '../../renderer/i18n/index.ts'
import { heard, newRun, PROOF_MS, proofOf, type Run } from '../../renderer/view-models/connect.ts'
import { errorsLately, eventLine, gate, verdict } from '../../renderer/view-models/dashboard.ts'
import { engineReadout, gatewayReadout, lanWords, load, verbWords } from '../../renderer/view-models/frame.ts'
import { beforeAnswer, chatModels } from '../../renderer/view-models/models.ts'
import { requestPhase } from '../../renderer/view-models/request-views.ts'
import { EDITORS, type Editor, editorSettings, snippet, YOUR_KEY } from '../../renderer/view-models/snippets.ts'
import { phaseWords } from '../../renderer/view-models/start.ts'
import { START_PHASES } from '../../src/policy/engine-log.ts'
import { ENGINE_STATES, type EngineState, type EngineView } from '../../src/protocol/engine.ts'
import { SERIES_NAMES, type SeriesReport } from '../../src/protocol/series.ts'
import type { AppSnapshot, ModelEntry, RequestView } from '../../src/protocol/snapshot.ts'
import type { DataNews } from '../../src/protocol/window.ts'
import { anEngine as anEngineView, ENGINES_IN } from '../support/engine-states.ts'
import { aQueue, aSnapshot } from '../support/snapshots.ts'

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

const aReport = (values: Partial<SeriesReport['values']>): SeriesReport => ({
  range: '5m',
  stepS: 1,
  from: 0,
  values: {
    ...(Object.fromEntries(SERIES_NAMES.map((name) => [name, []])) as unknown as SeriesReport['values']),
    ...values,
  },
})

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
    [
      'an engine that loads, whatever lists its model',
      aSnapshot({ models: [{ ...READY, state: 'starting' }], engines: [anEngine(ENGINES_IN.starting)] }),
      'qwen is starting',
      'starting',
    ],
    [
      'one that starts beside another that serves',
      aSnapshot({ models: [{ ...READY, id: 'other' }], engines: [anEngine(ENGINES_IN.preflight)] }),
      'qwen is starting',
      'starting',
    ],
    [
      'one that a request would start',
      aSnapshot({ models: [{ ...READY, state: 'on_demand' }], engines: [anEngine({ is: 'stopped' })] }),
      'qwen is stopped',
      'stopped',
    ],
    ['stopping', aSnapshot({ engines: [anEngine(ENGINES_IN.stopping)] }), 'qwen is stopping', 'starting'],
    ['draining', aSnapshot({ engines: [anEngine(ENGINES_IN.draining)] }), 'qwen is stopping', 'starting'],
    ['asleep', aSnapshot({ engines: [anEngine(ENGINES_IN.sleeping)] }), 'qwen is asleep', 'stopped'],
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

test('what is not read yet is not called nothing', () => {
  const says = (recent: SeriesReport | null): string => verdict(aSnapshot({ models: [READY] }), recent, t).says
  expect(says(null)).toContain('Reading the last 5 min.')
  expect(says(aReport({ finished: [0] }))).toContain('No requests in the last 5 min.')
})

test.each<[Shown: string, state: EngineState]>([
  ['Starting 2/5 · loading weights', ENGINES_IN.starting],
  ['Stopping · waiting for VRAM', ENGINES_IN.stopping],
  ['Crashed · retry in 8.0 s (2/5)', ENGINES_IN.backoff],
  ['Failed · GPU memory is taken', ENGINES_IN.failed],
  ['Failed', { is: 'failed', failure: { ...FAILURE, class: 'unknown' } }],
  ['Slow · no tokens', ENGINES_IN.degraded],
  ['Waiting for its GPU', { is: 'stopped', turn: 'awaited' }],
])('the header says: %s', (words, state) => {
  expect(plain(engineReadout(aSnapshot({ engines: [anEngine(state)] }), t).words)).toBe(words)
})

test('other languages have words for each phase, and say what kind of failure it is before its English cause', async () => {
  const ja = await loadTranslator('ja')
  for (const phase of START_PHASES) expect(phaseWords(phase, ja)).not.toBe(phase)
  expect(phaseWords('a phase of tomorrow', ja)).toBe('a phase of tomorrow')
  const failed = aSnapshot({ engines: [anEngine(ENGINES_IN.failed)] })
  expect(verdict(failed, null, ja).says).toBe('GPU メモリが使用中 · Too little memory is free.')
  expect(verdict(failed, null, t).says).toBe('Too little memory is free.')
})

test('a gateway with no backend that answers is not called running', () => {
  const { health } = aSnapshot()
  expect(gatewayReadout(aSnapshot({ health: { ...health, status: 'unhealthy' } }), false, t)).toMatchObject({
    shape: 'degraded',
    words: 'No backend answers',
  })
})

test.each([
  [[], 'this computer only'],
  [['192.168.1.20:8001', '10.0.0.2:8001'], 'LAN 192.168.1.20'],
])('reached at %j is said: %s', (network, words) => {
  expect(lanWords(aSnapshot({ server: { network } }), t)).toBe(words)
})

test('the places of an engine that does not run are none', () => {
  const of = (state: EngineState) => load(aSnapshot({ queues: [aQueue()], engines: [anEngine(state)] })).limit
  expect([of(ENGINES_IN.ready), of(ENGINES_IN.draining), of(ENGINES_IN.stopped), of(ENGINES_IN.failed)]).toEqual([
    8, 8, 0, 0,
  ])
})

test('the badge counts a quarter of an hour where the charts have it, and says how long it counts', () => {
  const five = aReport({ failed: [1, 1] })
  expect(errorsLately(null, five)).toEqual({ failed: 2, minutes: 5 })
  expect(errorsLately(five, five)).toEqual({ failed: 2, minutes: 5 })
  const hour = { ...aReport({ failed: [9, ...Array.from({ length: 45 }, () => 1)] }), range: '1h' as const, stepS: 20 }
  expect(errorsLately(hour, five)).toEqual({ failed: 45, minutes: 15 })
})

test('the header says each part by shape and word', () => {
  const snapshot = aSnapshot({ engines: [anEngine({ is: 'backoff', failure: FAILURE, retryInMs: 8000, crashes: 2 })] })
  const backoff = engineReadout(snapshot, t)
  expect({ ...backoff, words: plain(backoff.words) }).toMatchObject({
    shape: 'degraded',
    words: 'Crashed · retry in 8.0 s (2/5)',
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
    app: null,
    endpoint: '',
    stream: true,
    model: 'm',
    backend: 'main',
    attempts: 1,
    mostAttempts: 1,
    ageMs: 9,
    tokens: null,
  } as const
  expect(gate(snapshot, [request], t)).toMatchObject({
    waiting: [{ who: 'kim' }],
    running: [{ who: 'anonymous', says: 'reading', prefill: true }],
    limit: 8,
  })
})

test('the gate draws as many strokes as it counts, whatever the list of requests says', () => {
  const busy = (inFlight: number) =>
    aSnapshot({ queues: [{ ...aQueue(), permits: { ...aQueue().permits, inFlight } }] })
  const one = { id: 'r', phase: 'decode', user: 'kim', ageMs: 9 } as RequestView
  expect(gate(busy(0), [one], t).running).toEqual([])
  expect(gate(busy(2), [one], t).running.map(({ who }) => who)).toEqual(['kim', '–'])
})

test.each<[request: Partial<RequestView>, place: number | null, words: string]>([
  [{ phase: 'backoff', attempts: 1, mostAttempts: 3 }, null, 'try 2 of 3 is due'],
  [{ phase: 'queued' }, 4, 'queued, no. 4'],
  [{ phase: 'queued' }, 1, 'queued, next'],
  [{ phase: 'queued' }, null, 'queued'],
  [{ phase: 'decode', attempts: 2, mostAttempts: 3 }, null, 'answering'],
])('where the request %j stands', (request, place, words) => {
  expect(requestPhase(request as RequestView, place, t)).toBe(words)
})

test.each(ENGINE_STATES)('an engine that becomes %s is told as a sentence', (state) => {
  const event = { seq: 1, at: '2026-11-21T14:00:00.000Z', what: 'engine', engine: 'main', state, cause: 'x' } as const
  expect(eventLine(event, t).says).toMatch(/^(The port of )?main[ :].*[.x]$/)
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
    key: null,
  }
  expect(snippet('curl', of)).toContain(`it'\\''s`)
  expect(snippet('curl', of)).not.toContain('Authorization')
  expect(snippet('python', { ...of, key: YOUR_KEY })).toContain('api_key="YOUR_KEY"')
})

test.each(Object.keys(EDITORS) as Editor[])(
  'settings for %s name address, model and key, and none where none is needed',
  (editor) => {
    const of = { address: 'http://localhost:8001/v1', model: 'acme/small:4bit', context: 4096 }
    const [keyed, open] = [{ key: 'sk-lexora-1' }, { key: null }].map(({ key }) =>
      editorSettings(editor, { ...of, key }),
    )
    for (const part of ['http://localhost:8001', 'acme/small:4bit', 'sk-lexora-1']) expect(keyed).toContain(part)
    expect(open).toBe(keyed!.replace('sk-lexora-1', 'none'))
  },
)

test('settings of an editor are what it can read', () => {
  const of = { address: 'http://localhost:8001/v1', model: 'acme/small', key: null }
  const { models } = parseYaml(editorSettings('continue', { ...of, context: null }))
  expect(models).toEqual([
    { name: 'acme/small', provider: 'openai', model: 'acme/small', apiBase: of.address, apiKey: 'none' },
  ])
  const zed = (context: number | null) =>
    JSON.parse(editorSettings('zed', { ...of, context }).replace(/^\/\/.*\n/, '')).language_models.openai_compatible
      .Lexora
  expect(zed(4096)).toEqual({ api_url: of.address, available_models: [{ name: 'acme/small', max_tokens: 4096 }] })
  expect(zed(null).available_models[0].max_tokens).toBe(8192)
  // Its address has no /v1: the program adds it.
  expect(editorSettings('claude', { ...of, context: null })).toContain('ANTHROPIC_BASE_URL=http://localhost:8001\n')
})

test('models that an engine will serve may be asked, after those that are ready; what the request meets is said', () => {
  const models: ModelEntry[] = [
    { ...READY, id: 'sleeper', state: 'on_demand' },
    { ...READY, id: 'loads', state: 'starting' },
    { ...READY, id: 'gone', state: 'unavailable' },
    READY,
  ]
  expect(chatModels(models)).toEqual(['qwen', 'sleeper', 'loads'])
  expect(['qwen', 'sleeper', 'loads'].map((id) => beforeAnswer(models, id))).toEqual([
    null,
    'verdict.says.onDemand',
    'verdict.says.startingWait',
  ])
})

describe('the tick of a snippet that was run', () => {
  const snippetOf = (model = 'tiny') => `curl … ${model}`
  const answered = (body: unknown, status = 200): Run => {
    const news: DataNews[] = [
      { is: 'head', status, headers: {} },
      { is: 'chunk', text: JSON.stringify(body).slice(0, 9) },
      { is: 'chunk', text: JSON.stringify(body).slice(9) },
      { is: 'end' },
    ]
    return news.reduce((run, one) => heard(run, one, 1500), newRun(snippetOf(), 'tiny', 1000))
  }
  const good = answered({ choices: [{}], usage: { completion_tokens: 7 } })
  const entry: ModelEntry = {
    id: 'tiny',
    object: 'model',
    created: 0,
    owned_by: 'x',
    state: 'ready',
    backends: ['main'],
  }
  const now = { snippet: snippetOf(), models: [entry], isLive: true, at: 1600 }

  test('tells the status, the tokens and the end of a whole answer', () => {
    expect(good).toMatchObject({ status: 200, tokens: 7, problem: null, sentAt: 1000, endedAt: 1500 })
    expect(answered({ error: { code: 'queue_full' } }, 503)).toMatchObject({ status: 503, problem: 'queue_full' })
    expect(heard(newRun('a', 'b', 0), { is: 'failed', reason: 'gone' }, 9)).toMatchObject({ problem: 'gone' })
    expect(answered('no answer')).toMatchObject({ problem: '?' })
  })

  test.each<[string, Run | null, Partial<typeof now>, ReturnType<typeof proofOf>]>([
    ['nothing before the first run', null, {}, null],
    ['nothing while it runs', newRun(snippetOf(), 'tiny', 1000), {}, 'busy'],
    ['that it works', good, {}, 'ok'],
    ['that for a minute', good, { at: 1500 + PROOF_MS - 1 }, 'ok'],
    ['not longer', good, { at: 1500 + PROOF_MS }, 'old'],
    ['nothing of another snippet', good, { snippet: snippetOf('big') }, 'changed'],
    ['that its model is gone', good, { models: [] }, 'down'],
    ['that Lexora is gone', good, { isLive: false }, 'offline'],
    ['that it failed', answered({}, 503), {}, 'failed'],
    ['no failure of another snippet', answered({}, 503), { snippet: snippetOf('big') }, null],
  ])('says %s', (_, run, changed, proof) => {
    expect(proofOf(run, { ...now, ...changed })).toBe(proof)
  })
})
