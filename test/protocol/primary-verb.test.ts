import { expect, test } from 'vitest'
import { canRestart, canStart, canStop, type EngineState, type EngineView } from '../../src/protocol/engine.ts'
import { foremostEngine, primaryVerb } from '../../src/protocol/primary-verb.ts'
import { aSnapshot } from '../support/snapshots.ts'

const failure = { class: 'x', cause: 'x', fix: null, change: null, canHeal: false, lines: [] }
const engine = (name: string, state: EngineState) => ({ name, state }) as EngineView

const GRID: [EngineState, string][] = [
  [{ is: 'not-installed', failure }, 'install'],
  [{ is: 'stopped' }, 'start'],
  [{ is: 'preflight' }, 'cancel-start'],
  [{ is: 'starting', phase: 'x', percent: 1, leftMs: 5 }, 'cancel-start'],
  [{ is: 'ready', forMs: 1 }, 'stop'],
  [{ is: 'busy', forMs: 1 }, 'stop'],
  [{ is: 'degraded', reason: 'x' }, 'restart'],
  [{ is: 'draining', left: 1 }, 'force-stop'],
  [{ is: 'stopping', why: 'asked', awaits: 'memory' }, 'none'],
  [{ is: 'sleeping', level: 1, step: 'asleep' }, 'start'],
  [{ is: 'sleeping', level: 1, step: 'waking' }, 'none'],
  [{ is: 'backoff', failure, retryInMs: 1, crashes: 1 }, 'retry'],
  [{ is: 'failed', failure }, 'fix'],
  [{ is: 'foreign', holder: { port: 1, pid: null, program: null, models: null } }, 'fix'],
]

test.each(GRID)('an engine that is %j offers %s', (state, verb) => {
  expect(primaryVerb(aSnapshot({ engines: [engine('main', state)] })).do).toBe(verb)
})

test.each(GRID)('what an engine that is %j offers, it allows', (state, verb) => {
  const allowed = {
    start: canStart(state),
    retry: canStart(state),
    stop: canStop(state),
    'cancel-start': canStop(state),
    'force-stop': canStop(state),
    restart: canRestart(state),
  }
  expect(allowed[verb as keyof typeof allowed] ?? true).toBe(true)
})

test('a paused gateway is resumed first, and none offers nothing', () => {
  expect(primaryVerb(aSnapshot({ server: { state: 'paused' } }))).toEqual({ do: 'resume', engine: null })
  expect(primaryVerb(aSnapshot())).toEqual({ do: 'none', engine: null })
})

test('of several engines the one in trouble is shown, then the one on its way', () => {
  const [ready, failed, starting] = [
    engine('a', { is: 'ready', forMs: 1 }),
    engine('b', { is: 'failed', failure }),
    engine('c', { is: 'preflight' }),
  ]
  expect(foremostEngine([ready, starting, failed])?.name).toBe('b')
  expect(foremostEngine([ready, starting])?.name).toBe('c')
})
