import { describe, expect, test } from 'vitest'
import {
  CRASH_WINDOW_MS,
  type EngineAt,
  type EngineEffect,
  type EngineEvent,
  type EngineMachine,
  INITIAL_ENGINE,
  type Next,
  RESTART_DELAYS_MS,
  reduceEngine,
  STABLE_AFTER_MS,
} from '../../src/policy/engine-state-machine.ts'
import { aFailure } from '../engine/given.ts'

const RUN = 7
const NOW = 1_000_000
const heals = aFailure({ class: 'crash' })
const stays = aFailure({ class: 'bad_flag', canHeal: false })
const holder = { port: 8000, pid: 4711, program: 'python3', models: null }

const STATES: Record<string, EngineAt> = {
  'not-installed': { is: 'not-installed', failure: stays },
  stopped: { is: 'stopped', held: false },
  'stopped, held': { is: 'stopped', held: true },
  preflight: { is: 'preflight' },
  starting: { is: 'starting', phase: 'weights', percent: 40 },
  ready: { is: 'ready', since: NOW },
  busy: { is: 'busy', since: NOW },
  degraded: { is: 'degraded', since: NOW, reason: 'no tokens' },
  'draining, asked': { is: 'draining', since: NOW, why: 'asked', next: { is: 'stopped', held: false } },
  'draining, idle': { is: 'draining', since: NOW, why: 'idle', next: { is: 'stopped', held: false } },
  'draining, restart': { is: 'draining', since: NOW, why: 'restart', next: { is: 'start' } },
  'draining, swap': { is: 'draining', since: NOW, why: 'swap', next: { is: 'stopped', held: false } },
  'draining, swap, sleep': { is: 'draining', since: NOW, why: 'swap', next: { is: 'sleep' } },
  'stopping, asked': { is: 'stopping', why: 'asked', hurried: false, next: { is: 'stopped', held: false } },
  'stopping, hurried': { is: 'stopping', why: 'asked', hurried: true, next: { is: 'stopped', held: false } },
  'stopping, idle': { is: 'stopping', why: 'idle', hurried: false, next: { is: 'stopped', held: false } },
  'stopping, restart': { is: 'stopping', why: 'restart', hurried: false, next: { is: 'start' } },
  'stopping, crashed': {
    is: 'stopping',
    why: 'crashed',
    hurried: true,
    next: { is: 'backoff', failure: heals, delayMs: 2000 },
  },
  'falling asleep': { is: 'sleeping', since: NOW, step: 'falling', wanted: false },
  'falling asleep, wanted': { is: 'sleeping', since: NOW, step: 'falling', wanted: true },
  asleep: { is: 'sleeping', since: NOW, step: 'asleep', wanted: false },
  waking: { is: 'sleeping', since: NOW, step: 'waking', wanted: false },
  backoff: { is: 'backoff', failure: heals, delayMs: 2000 },
  failed: { is: 'failed', failure: stays, left: false },
  'failed, left over': { is: 'failed', failure: stays, left: true },
  foreign: { is: 'foreign', holder },
}

const run = RUN
const EVENTS: Record<string, EngineEvent> = {
  start: { type: 'start', by: 'operator' },
  demand: { type: 'start', by: 'demand' },
  stop: { type: 'stop', held: false },
  'stop, held': { type: 'stop', held: true },
  restart: { type: 'restart' },
  yield: { type: 'yield', sleep: false },
  'yield, sleep': { type: 'yield', sleep: true },
  reconfigured: { type: 'reconfigured' },
  adopt: { type: 'adopt' },
  clear: { type: 'clear' },
  passed: { run, type: 'preflight-passed' },
  'not installed': {
    run,
    type: 'preflight-failed',
    at: NOW,
    found: { as: 'not-installed', failure: stays },
  },
  unfit: { run, type: 'preflight-failed', at: NOW, found: { as: 'failed', failure: stays } },
  foreign: { run, type: 'preflight-failed', at: NOW, found: { as: 'foreign', holder } },
  progress: { run, type: 'progress', phase: 'graphs', percent: 80 },
  ready: { run, type: 'ready', at: NOW },
  full: { run, type: 'load', busy: true },
  'not full': { run, type: 'load', busy: false },
  suspect: { run, type: 'suspect', reason: 'no tokens' },
  recovered: { run, type: 'recovered' },
  idle: { run, type: 'idle', sleep: false },
  'idle, sleep': { run, type: 'idle', sleep: true },
  drained: { run, type: 'drained' },
  slept: { run, type: 'slept' },
  woke: { run, type: 'woke' },
  exited: { run, type: 'exited', at: NOW, failure: heals },
  'exited for good': { run, type: 'exited', at: NOW, failure: stays },
  lost: { run, type: 'lost', at: NOW, failure: heals },
  gone: { run, type: 'gone', left: null },
  'not gone': { run, type: 'gone', left: stays },
  due: { run, type: 'due' },
}

const CRASHED = 'stopping(crashed → backoff 1 s, hurried) + end now'
const CRASHED_FOR_GOOD = 'stopping(crashed → failed, hurried) + end now'
const LOST = 'stopping(unfit → backoff 1 s, hurried) + end now'
const BEGIN = 'preflight + preflight'
const STOPPED = 'stopped'
const HELD = 'stopped(held)'
const STOP = 'stopping(asked → stopped) + end'
const STOP_HELD = 'stopping(asked → stopped(held)) + end'
const RESTART = 'stopping(restart → start) + end'

const SERVING = {
  stop: 'draining(asked → stopped) + drain',
  'stop, held': 'draining(asked → stopped(held)) + drain',
  restart: 'draining(restart → start) + drain',
  yield: 'draining(swap → stopped) + drain',
  'yield, sleep': 'draining(swap → sleep) + drain',
  reconfigured: 'draining(restart → start) + drain',
  idle: 'draining(idle → stopped) + drain',
  'idle, sleep': 'sleeping(falling) + sleep',
  exited: CRASHED,
  'exited for good': CRASHED_FOR_GOOD,
  lost: LOST,
}

const RUNS = {
  stop: STOP,
  'stop, held': STOP_HELD,
  restart: RESTART,
  reconfigured: RESTART,
  exited: CRASHED,
  'exited for good': CRASHED_FOR_GOOD,
  lost: LOST,
}

const NOTHING_TO_START = { start: BEGIN, restart: BEGIN, stop: STOPPED, 'stop, held': HELD, reconfigured: STOPPED }

/** Every cell of the grid that is not "nothing changes". */
const GRID: Record<string, Record<string, string>> = {
  'not-installed': NOTHING_TO_START,
  foreign: NOTHING_TO_START,
  stopped: {
    start: BEGIN,
    demand: BEGIN,
    'stop, held': HELD,
    restart: BEGIN,
    adopt: 'starting(adopting 0) + join',
    clear: 'stopping(asked → stopped, hurried) + end now',
  },
  'stopped, held': {
    start: BEGIN,
    stop: STOPPED,
    restart: BEGIN,
    adopt: 'starting(adopting 0) + join',
    clear: 'stopping(asked → stopped, hurried) + end now',
  },
  preflight: {
    stop: STOPPED,
    'stop, held': HELD,
    reconfigured: BEGIN,
    passed: 'starting(launching 0) + spawn',
    'not installed': 'not-installed',
    unfit: 'failed',
    foreign: 'foreign',
  },
  starting: { ...RUNS, progress: 'starting(graphs 80)', ready: 'ready' },
  ready: { ...SERVING, suspect: 'degraded', full: 'busy' },
  busy: { ...SERVING, suspect: 'degraded', 'not full': 'ready' },
  degraded: { ...SERVING, recovered: 'ready' },
  'draining, asked': {
    start: 'ready',
    stop: 'stopping(asked → stopped, hurried) + end now',
    'stop, held': 'stopping(asked → stopped(held), hurried) + end now',
    restart: 'draining(restart → start)',
    drained: STOP,
    exited: 'stopping(asked → stopped, hurried) + end now',
    'exited for good': 'stopping(asked → stopped, hurried) + end now',
    lost: 'stopping(asked → stopped, hurried) + end now',
  },
  'draining, idle': {
    start: 'ready',
    demand: 'ready',
    stop: 'stopping(asked → stopped, hurried) + end now',
    'stop, held': 'stopping(asked → stopped(held), hurried) + end now',
    restart: 'draining(restart → start)',
    drained: 'stopping(idle → stopped) + end',
    exited: 'stopping(idle → stopped, hurried) + end now',
    'exited for good': 'stopping(idle → stopped, hurried) + end now',
    lost: 'stopping(idle → stopped, hurried) + end now',
  },
  'draining, restart': {
    stop: 'draining(asked → stopped)',
    'stop, held': 'draining(asked → stopped(held))',
    drained: RESTART,
    exited: 'stopping(restart → start, hurried) + end now',
    'exited for good': 'stopping(restart → start, hurried) + end now',
    lost: 'stopping(restart → start, hurried) + end now',
  },
  'draining, swap': {
    stop: 'stopping(asked → stopped, hurried) + end now',
    'stop, held': 'stopping(asked → stopped(held), hurried) + end now',
    restart: 'draining(restart → start)',
    drained: 'stopping(swap → stopped) + end',
    exited: 'stopping(swap → stopped, hurried) + end now',
    'exited for good': 'stopping(swap → stopped, hurried) + end now',
    lost: 'stopping(swap → stopped, hurried) + end now',
  },
  'draining, swap, sleep': {
    stop: 'stopping(asked → stopped, hurried) + end now',
    'stop, held': 'stopping(asked → stopped(held), hurried) + end now',
    restart: 'draining(restart → start)',
    reconfigured: 'draining(swap → stopped)',
    drained: 'sleeping(falling) + sleep',
    exited: 'stopping(swap → stopped, hurried) + end now',
    'exited for good': 'stopping(swap → stopped, hurried) + end now',
    lost: 'stopping(swap → stopped, hurried) + end now',
  },
  'stopping, asked': {
    start: 'stopping(asked → start)',
    stop: 'stopping(asked → stopped, hurried) + end now',
    'stop, held': 'stopping(asked → stopped(held), hurried) + end now',
    restart: 'stopping(asked → start)',
    gone: STOPPED,
    'not gone': 'failed(left over)',
  },
  'stopping, hurried': {
    start: 'stopping(asked → start, hurried)',
    'stop, held': 'stopping(asked → stopped(held), hurried)',
    restart: 'stopping(asked → start, hurried)',
    gone: STOPPED,
    'not gone': 'failed(left over)',
  },
  'stopping, idle': {
    start: 'stopping(idle → start)',
    demand: 'stopping(idle → start)',
    stop: 'stopping(asked → stopped, hurried) + end now',
    'stop, held': 'stopping(asked → stopped(held), hurried) + end now',
    restart: 'stopping(idle → start)',
    gone: STOPPED,
    'not gone': 'failed(left over)',
  },
  'stopping, restart': {
    stop: 'stopping(asked → stopped)',
    'stop, held': 'stopping(asked → stopped(held))',
    gone: BEGIN,
    'not gone': 'failed(left over)',
  },
  'stopping, crashed': {
    start: 'stopping(crashed → start, hurried)',
    stop: 'stopping(asked → stopped, hurried)',
    'stop, held': 'stopping(asked → stopped(held), hurried)',
    restart: 'stopping(crashed → start, hurried)',
    reconfigured: 'stopping(crashed → start, hurried)',
    gone: 'backoff 2 s + wake in 2 s',
    'not gone': 'failed(left over)',
  },
  'falling asleep': {
    ...RUNS,
    start: 'sleeping(falling, wanted)',
    demand: 'sleeping(falling, wanted)',
    slept: 'sleeping(asleep)',
  },
  'falling asleep, wanted': { ...RUNS, slept: 'sleeping(waking) + wake' },
  asleep: {
    ...RUNS,
    exited: 'stopping(crashed → stopped, hurried) + end now',
    lost: 'stopping(unfit → stopped, hurried) + end now',
    yield: 'stopping(swap → stopped) + end',
    'yield, sleep': 'stopping(swap → stopped) + end',
    start: 'sleeping(waking) + wake',
    demand: 'sleeping(waking) + wake',
  },
  waking: { ...RUNS, woke: 'ready' },
  backoff: { start: BEGIN, stop: STOPPED, 'stop, held': HELD, restart: BEGIN, reconfigured: BEGIN, due: BEGIN },
  failed: NOTHING_TO_START,
  'failed, left over': {
    start: 'stopping(restart → start, hurried) + end now',
    restart: 'stopping(restart → start, hurried) + end now',
  },
}

const machineAt = (at: EngineAt, more: Partial<EngineMachine> = {}): EngineMachine => ({
  run: RUN,
  at,
  crashes: [],
  streak: 0,
  ...more,
})

function shown(at: EngineAt | Next | { is: 'sleep' }): string {
  switch (at.is) {
    case 'stopped':
      return at.held ? 'stopped(held)' : 'stopped'
    case 'starting':
      return `starting(${at.phase} ${at.percent})`
    case 'draining':
      return `draining(${at.why} → ${shown(at.next)})`
    case 'stopping':
      return `stopping(${at.why} → ${shown(at.next)}${at.hurried ? ', hurried' : ''})`
    case 'sleeping':
      return `sleeping(${at.step}${at.wanted ? ', wanted' : ''})`
    case 'backoff':
      return `backoff ${at.delayMs / 1000} s`
    case 'failed':
      return 'left' in at && at.left ? 'failed(left over)' : 'failed'
    default:
      return at.is
  }
}

function told(effect: EngineEffect): string {
  if (effect.do === 'end') return effect.hurry ? 'end now' : 'end'
  if (effect.do === 'wake-at') return `wake in ${effect.delayMs / 1000} s`
  return effect.do
}

const step = (machine: EngineMachine, ...events: EngineEvent[]): EngineMachine =>
  events.reduce((at, event) => reduceEngine(at, event)[0], machine)

describe('the engine machine', () => {
  test('has a row for every state', () => {
    expect(Object.keys(GRID).toSorted()).toEqual(Object.keys(STATES).toSorted())
  })

  test.each(Object.keys(STATES))('%s × every event', (name) => {
    const machine = machineAt(STATES[name]!)
    const cells: Record<string, string> = {}
    for (const [event, value] of Object.entries(EVENTS)) {
      const [after, effects] = reduceEngine(machine, value)
      const same = JSON.stringify(after) === JSON.stringify(machine)
      const both = [shown(after.at), ...effects.map(told)].join(' + ')
      if (!same || effects.length > 0) cells[event] = both
    }
    expect(cells).toEqual(GRID[name])
  })

  test.each(Object.keys(STATES))('%s: news of another run changes nothing', (name) => {
    const machine = machineAt(STATES[name]!)
    for (const event of Object.values(EVENTS)) {
      if (!('run' in event)) continue
      for (const other of [RUN - 1, RUN + 1])
        expect(reduceEngine(machine, { ...event, run: other })).toEqual([machine, []])
    }
  })

  test('effects name the run that they are for', () => {
    for (const at of Object.values(STATES)) {
      for (const event of Object.values(EVENTS)) {
        const [after, effects] = reduceEngine(machineAt(at), event)
        for (const effect of effects) expect(effect.run).toBe(after.run)
      }
    }
  })
})

/** From a machine that serves: the run exits after `upMs`, is gone, its back-off ends, and it is up again. */
function crashAfter(machine: EngineMachine, now: number, upMs: number): { machine: EngineMachine; now: number } {
  const at = now + upMs
  const down = step(machine, { run: machine.run, type: 'exited', at, failure: heals })
  return { machine: step(down, { run: down.run, type: 'gone', left: null }), now: at }
}

function up(machine: EngineMachine, at: number): EngineMachine {
  const begun = step(machine, { run: machine.run, type: 'due' })
  return step(begun, { run: begun.run, type: 'preflight-passed' }, { run: begun.run, type: 'ready', at })
}

const served = (): EngineMachine => {
  const begun = step(INITIAL_ENGINE, { type: 'start', by: 'operator' })
  return step(begun, { run: 1, type: 'preflight-passed' }, { run: 1, type: 'ready', at: 0 })
}

describe('restarts', () => {
  test('come after 1, 2, 5 and 15 s, and the fifth crash in ten minutes stops them', () => {
    let machine = served()
    let now = 0
    const ends: string[] = []
    for (let crash = 1; crash <= 5; crash++) {
      ;({ machine, now } = crashAfter(machine, now, 1000))
      ends.push(shown(machine.at))
      if (machine.at.is === 'backoff') machine = up(machine, now + machine.at.delayMs)
    }
    expect(ends).toEqual(['backoff 1 s', 'backoff 2 s', 'backoff 5 s', 'backoff 15 s', 'failed'])
    expect(machine.at).toMatchObject({
      failure: { class: 'crash', cause: expect.stringMatching(/^It crashed 5 times/) },
    })
  })

  test('that take long to load come after 60 s in the end, for ever', () => {
    let machine = served()
    let now = 0
    const delays: number[] = []
    for (let crash = 1; crash <= 7; crash++) {
      ;({ machine, now } = crashAfter(machine, now, CRASH_WINDOW_MS / 4))
      if (machine.at.is !== 'backoff') break
      delays.push(machine.at.delayMs)
      machine = up(machine, now + machine.at.delayMs)
    }
    expect(delays).toEqual([...RESTART_DELAYS_MS, 60_000, 60_000])
  })

  test('after ten good minutes begin at 1 s again', () => {
    let { machine, now } = crashAfter(served(), 0, 1000)
    ;({ machine, now } = crashAfter(up(machine, now), now, STABLE_AFTER_MS))
    expect(shown(machine.at)).toBe('backoff 1 s')
    expect(machine).toMatchObject({ streak: 1, crashes: [now] })
  })

  test('count no more once an operator starts it', () => {
    const { machine } = crashAfter(served(), 0, 1000)
    const stopped = step(machine, { type: 'stop', held: false })
    expect(step(stopped, { type: 'start', by: 'operator' })).toMatchObject({ crashes: [], streak: 0 })
  })

  test('a preflight that may go better later is tried like a crash', () => {
    const begun = step(INITIAL_ENGINE, { type: 'start', by: 'operator' })
    const found = { as: 'failed', failure: heals } as const
    const [after, effects] = reduceEngine(begun, { run: 1, type: 'preflight-failed', at: 0, found })
    expect([shown(after.at), ...effects.map(told)]).toEqual(['backoff 1 s', 'wake in 1 s'])
  })
})
