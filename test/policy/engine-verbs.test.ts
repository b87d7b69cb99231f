/** What faces offer, held against the machine: a button that is offered does something. */
import { describe, expect, test } from 'vitest'
import { type EngineAt, type EngineCommand, reduceEngine } from '../../src/policy/engine-state-machine.ts'
import {
  canRestart,
  canStart,
  canStop,
  ENGINE_STATES,
  type EngineState,
  isComing,
  isServing,
} from '../../src/protocol/engine.ts'
import { aFailure } from '../engine/given.ts'

const failure = aFailure()
const holder = { port: 8000, pid: null, program: null, models: null }
const since = 0
const later = { is: 'stopped', held: false } as const

/** A state as faces see it, and as the machine has it. */
const PAIRS: [EngineState, EngineAt][] = [
  [
    { is: 'not-installed', failure },
    { is: 'not-installed', failure },
  ],
  [{ is: 'stopped' }, later],
  [{ is: 'preflight' }, { is: 'preflight' }],
  [
    { is: 'starting', phase: 'x', percent: 1, leftMs: null },
    { is: 'starting', phase: 'x', percent: 1 },
  ],
  [
    { is: 'ready', forMs: 1 },
    { is: 'ready', since },
  ],
  [
    { is: 'busy', forMs: 1 },
    { is: 'busy', since },
  ],
  [
    { is: 'degraded', reason: 'x' },
    { is: 'degraded', since, reason: 'x' },
  ],
  [
    { is: 'draining', left: 1 },
    { is: 'draining', since, why: 'asked', next: later },
  ],
  [
    { is: 'stopping', why: 'asked', awaits: 'process' },
    { is: 'stopping', why: 'asked', next: later, hurried: false },
  ],
  [
    { is: 'sleeping', level: 1, step: 'asleep' },
    { is: 'sleeping', since, step: 'asleep', wanted: false },
  ],
  [
    { is: 'backoff', failure, retryInMs: 1, crashes: 1 },
    { is: 'backoff', failure, delayMs: 1 },
  ],
  [
    { is: 'failed', failure },
    { is: 'failed', failure, left: false },
  ],
  [
    { is: 'foreign', holder },
    { is: 'foreign', holder },
  ],
]

const does = (at: EngineAt, command: EngineCommand): boolean => {
  const machine = { run: 1, at, crashes: [], streak: 0 }
  const [after, effects] = reduceEngine(machine, command)
  return effects.length > 0 || JSON.stringify(after.at) !== JSON.stringify(at)
}

describe.each(PAIRS)('$is', (state, at) => {
  test('starts where that is offered, and only there', () => {
    // A drain is gone back on by who asked for it; faces offer to hurry it instead.
    const starts = does(at, { type: 'start', by: 'operator' }) && state.is !== 'draining'
    expect(canStart(state)).toBe(starts)
  })

  test('stops where that is offered', () => {
    if (canStop(state)) expect(does(at, { type: 'stop', held: false })).toBe(true)
    else expect(['not-installed', 'stopped', 'failed', 'foreign']).toContain(state.is)
  })

  test('restarts where that is offered', () => {
    if (canRestart(state)) expect(does(at, { type: 'restart' })).toBe(true)
  })

  test('serves, comes, or is at rest: never two of them', () => {
    expect(isServing(state) && isComing(state)).toBe(false)
    expect(isServing(state)).toBe(['ready', 'busy', 'degraded'].includes(state.is))
  })
})

test('every state is one of the list', () => {
  expect(PAIRS.map(([{ is }]) => is)).toEqual([...ENGINE_STATES])
})
