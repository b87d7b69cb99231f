import { expect, test } from 'vitest'
import {
  type EngineEvent,
  type EngineMachine,
  INITIAL_ENGINE,
  reduceEngine,
} from '../../src/policy/engine-state-machine.ts'
import { underPolicy } from '../../src/policy/restart-policy.ts'
import { aFailure } from '../engine/given.ts'

const NOW = 1_000_000
const failure = aFailure({ class: 'crash', cause: 'It crashed.' })
const holder = { port: 8000, pid: 1, program: 'x', models: null }
const ready: EngineMachine = { ...INITIAL_ENGINE, run: 1, at: { is: 'ready', since: NOW } }

test.each<[what: string, event: EngineEvent]>([
  ['a crash', { type: 'exited', run: 1, at: NOW, failure }],
  ['one that was given up', { type: 'lost', run: 1, at: NOW, failure }],
])('%s leads to another start, or to none', (_, event) => {
  const next = (policy: 'always' | 'never') => reduceEngine(ready, underPolicy(event, policy))[0].at
  expect(next('always')).toMatchObject({ is: 'stopping', next: { is: 'backoff', failure } })
  expect(next('never')).toMatchObject({
    is: 'stopping',
    next: { is: 'failed', failure: { class: 'crash', cause: 'It is not restarted by itself. It crashed.' } },
  })
})

test('a start that may do later is not tried again either', () => {
  const checking: EngineMachine = { ...INITIAL_ENGINE, run: 1, at: { is: 'preflight' } }
  const event: EngineEvent = { type: 'preflight-failed', run: 1, at: NOW, found: { as: 'failed', failure } }
  expect(reduceEngine(checking, underPolicy(event, 'always'))[0].at.is).toBe('backoff')
  expect(reduceEngine(checking, underPolicy(event, 'never'))[0].at.is).toBe('failed')
})

test.each<EngineEvent>([
  { type: 'ready', run: 1, at: NOW },
  { type: 'exited', run: 1, at: NOW, failure: aFailure({ canHeal: false }) },
  { type: 'preflight-failed', run: 1, at: NOW, found: { as: 'foreign', holder } },
  { type: 'preflight-failed', run: 1, at: NOW, found: { as: 'not-installed', failure } },
])('all else stays as it is: %j', (event) => {
  expect(underPolicy(event, 'never')).toEqual(event)
})
