import { expect, test } from 'vitest'
import { translator } from '../../renderer/i18n/index.ts'
import {
  adoption,
  callersSay,
  linkPieces,
  portsToTry,
  remedyOf,
  troubleVerbs,
} from '../../renderer/view-models/remedy.ts'
import type { EngineFailure, EngineState } from '../../src/protocol/engine.ts'
import type { BackendReport, ModelEntry } from '../../src/protocol/snapshot.ts'
import { A_FAILURE, anEngine, ENGINES_IN } from '../support/engine-states.ts'
import { aSnapshot } from '../support/snapshots.ts'

const t = translator('en')

test.each([
  [{ 'args.gpu-memory-utilization': 0.77 }, 'Set args.gpu-memory-utilization to 0.77 and start'],
  [{ 'args.max-len': null }, 'Remove args.max-len and start'],
  [{ port: 8002, 'args.eager': true }, 'Apply 2 changes and start'],
])('%j is offered as: %s', (change, words) => {
  const paths = Object.entries(change).map(([name, value]) => ({ path: `engines.main.${name}`, value }))
  expect(remedyOf('main', { change }, t)).toEqual({ changes: paths, words })
})

test.each([[null], [{ change: null }], [{ change: {} }]])('%j has no button', (failure) => {
  expect(remedyOf('main', failure, t)).toBe(null)
})

const failed = (changes: Partial<EngineFailure>): EngineState => ({
  is: 'failed',
  failure: { ...A_FAILURE, class: 'unknown', ...changes },
})
const FIX = 'Accept its licence on https://huggingface.co/meta/llama, and set HF_TOKEN to a token of that account.'

test.each<[what: string, state: EngineState, verbs: string[], first: boolean]>([
  ['a computed mend', failed({ class: 'vram_busy', change: { port: 1 } }), ['change', 'holders'], true],
  ['memory without one', failed({ class: 'vram_peak' }), ['start', 'holders'], false],
  ['a gated model', failed({ class: 'auth', fix: FIX }), ['licence', 'start'], true],
  ['broken files', failed({ class: 'model_bad' }), ['files', 'start'], true],
  ['an old engine', failed({ class: 'engine_old' }), ['versions', 'start'], true],
  ['a full disk', failed({ class: 'disk' }), ['data', 'start'], true],
  ['a hang', failed({ class: 'hang', canHeal: true }), ['diagnostics', 'start'], true],
  ['what would fail the same way', failed({}), ['start', 'log'], false],
  ['what can heal', failed({ canHeal: true }), ['start', 'log'], true],
  ['a missing engine', ENGINES_IN['not-installed'], ['install', 'start'], true],
  ['a port that is taken', ENGINES_IN.foreign, ['free-port', 'start'], true],
  [
    'a port that a server with models has',
    { is: 'foreign', holder: { port: 8000, pid: 1, program: 'x', models: ['m'] } },
    ['free-port', 'adopt'],
    true,
  ],
])('of %s the buttons are what helps', (_, state, verbs, first) => {
  const shown = troubleVerbs(anEngine(state), t)
  expect([shown.verbs.map((verb) => verb.do), shown.first]).toEqual([verbs, first])
})

test('an address in a sentence is a link, without the sentence’s own marks', () => {
  expect(linkPieces(FIX)).toEqual([
    { text: 'Accept its licence on ', url: null },
    { text: 'https://huggingface.co/meta/llama', url: 'https://huggingface.co/meta/llama' },
    { text: ', and set HF_TOKEN to a token of that account.', url: null },
  ])
  expect(linkPieces('nothing')).toEqual([{ text: 'nothing', url: null }])
})

test('ports are tried upwards from the one that is taken, and end where ports end', () => {
  expect(portsToTry(8000).slice(0, 2)).toEqual([8001, 8002])
  expect(portsToTry(65_534)).toEqual([65_535])
})

test('a server is made a backend only where that puts no other one out of use', () => {
  const backend = {
    path: 'routing.backends.port-8000',
    value: { type: 'openai_compatible', url: 'http://127.0.0.1:8000' },
  }
  const entry = (path: string, value: unknown, source: string) => ({ path, value, source })
  const off = entry('routing.enabled', false, 'default')
  expect(adoption(8000, [entry('routing.enabled', true, 'file')])).toEqual([backend])
  expect(adoption(8000, [off, entry('vllm.url', 'x', 'default')])).toEqual([
    backend,
    { path: 'routing.enabled', value: true },
  ])
  expect(adoption(8000, [off, entry('vllm.url', 'x', 'file')])).toBeNull()
})

test('what callers get is said as it is', () => {
  const engine = anEngine(ENGINES_IN.failed, 'main', 'qwen')
  const entry = { id: 'qwen', state: 'ready', backends: ['main', 'cloud'] } as ModelEntry
  const [backend] = aSnapshot().backends
  const own = { ...backend!, name: 'main', fallbacks: ['near', 'far'] }
  const says = (state: ModelEntry['state'], ...backends: BackendReport[]) =>
    callersSay(engine, { models: [{ ...entry, state }], backends }, t)
  expect(says('ready')).toBe('Callers of qwen are answered by cloud.')
  expect(says('unavailable')).toBe('Callers of qwen get 503 engine_failed now.')
  const [near, far] = [
    { ...backend!, name: 'near' },
    { ...backend!, name: 'far' },
  ]
  expect(says('unavailable', own, near, far)).toBe('Callers of qwen are answered by near, far.')
  expect(says('unavailable', own, { ...near, status: 'down' }, far)).toBe('Callers of qwen are answered by far.')
  const broken = [own, { ...near, breaker: 'open' as const }, { ...far, status: 'down' as const }]
  expect(says('unavailable', ...broken)).toBe('Callers of qwen get 503 engine_failed now.')
  const coming = anEngine(ENGINES_IN.backoff)
  expect(callersSay(coming, { models: [], backends: [own, near] }, t)).toBe('Callers wait for the next try.')
})
