import type { EngineFailure, PortHolder } from '../protocol/engine.ts'

/** One engine as it stands. Nothing but `reduceEngine` makes the next one. */
export type EngineMachine = {
  /** The last run that was begun. News that names another changes nothing. */
  run: number
  at: EngineAt
  /** When runs crashed, in the last ten minutes. */
  crashes: readonly number[]
  /** Crashes since it last served for ten minutes on end. */
  streak: number
}

export type EngineAt =
  | { is: 'not-installed'; failure: EngineFailure }
  /** `held`: freed for something else, so that requests do not start it again. */
  | { is: 'stopped'; held: boolean }
  | { is: 'preflight' }
  | { is: 'starting'; phase: string; percent: number }
  | { is: 'ready' | 'busy'; since: number }
  | { is: 'degraded'; since: number; reason: string }
  | { is: 'draining'; since: number; why: 'asked' | 'idle' | 'restart' | 'swap'; next: Next | { is: 'sleep' } }
  | { is: 'stopping'; why: 'asked' | 'idle' | 'restart' | 'swap' | 'crashed' | 'unfit'; next: Next; hurried: boolean }
  | { is: 'sleeping'; since: number; step: 'falling' | 'asleep' | 'waking'; wanted: boolean }
  | { is: 'backoff'; failure: EngineFailure; delayMs: number }
  /** `left`: something of ours could not be ended, and must be before the next start. */
  | { is: 'failed'; failure: EngineFailure; left: boolean }
  | { is: 'foreign'; holder: PortHolder }

/** What comes once the run that stops is gone. */
export type Next =
  | { is: 'stopped'; held: boolean }
  | { is: 'start' }
  | { is: 'backoff'; failure: EngineFailure; delayMs: number }
  | { is: 'failed'; failure: EngineFailure }

/** What somebody asks for; it names no run, since it is about whatever is there. */
export type EngineCommand =
  | { type: 'start'; by: 'operator' | 'demand' }
  | { type: 'stop'; held: boolean }
  | { type: 'restart' }
  /** Another engine needs its GPU: it goes once it has finished what it has, however long that takes. */
  | { type: 'yield'; sleep: boolean }
  /** Its effective command changed. */
  | { type: 'reconfigured' }
  /** A living engine of an earlier Lexora was found, and it is what the configuration wants. */
  | { type: 'adopt' }
  /** One was found that is not wanted. */
  | { type: 'clear' }

/** What became of a run. `at` is the time. */
export type EngineNews = { run: number } & (
  | { type: 'preflight-passed' }
  | { type: 'preflight-failed'; at: number; found: PreflightFailure }
  | { type: 'progress'; phase: string; percent: number }
  /** The answer came from our process, its model is listed, the warm-up brought a token or a vector. */
  | { type: 'ready'; at: number }
  | { type: 'load'; busy: boolean }
  | { type: 'suspect'; reason: string }
  | { type: 'recovered' }
  | { type: 'idle'; sleep: boolean }
  | { type: 'drained' }
  | { type: 'slept' }
  | { type: 'woke' }
  /** Its process ended, and nobody asked for it: whatever its exit code, a crash. */
  | { type: 'exited'; at: number; failure: EngineFailure }
  /** It lives and is given up: stalled, hung, deaf on a stolen port, serving the wrong model. */
  | { type: 'lost'; at: number; failure: EngineFailure }
  /** The end was verified. `left`: not everything could be ended. */
  | { type: 'gone'; left: EngineFailure | null }
  /** The back-off is over. */
  | { type: 'due' }
)

export type PreflightFailure =
  | { as: 'not-installed' | 'failed'; failure: EngineFailure }
  | { as: 'foreign'; holder: PortHolder }

export type EngineEvent = EngineCommand | EngineNews

/** What the owner does. Each is answered by news of the same run, unless the state has moved on. */
export type EngineEffect =
  | { do: 'preflight' | 'spawn' | 'join' | 'drain' | 'sleep' | 'wake'; run: number }
  /** End whatever of this run lives; `hurry` skips every wait for it to go by itself. May be said twice. */
  | { do: 'end'; run: number; hurry: boolean }
  | { do: 'wake-at'; run: number; delayMs: number }

export type EngineStep = [next: EngineMachine, effects: EngineEffect[]]

export const RESTART_DELAYS_MS = [1000, 2000, 5000, 15_000, 60_000] as const
const CRASHES_THAT_STOP_IT = 5
export const CRASH_WINDOW_MS = 600_000
/** Served so long, it starts with a clean sheet. */
export const STABLE_AFTER_MS = 600_000

export const INITIAL_ENGINE: EngineMachine = { run: 0, at: { is: 'stopped', held: false }, crashes: [], streak: 0 }

/**
 * The one machine of an engine's life. A spawn is asked for only from a preflight, and a preflight begins only where
 * the last run is known to be gone: never are two alive. Drawn in src/README.md.
 */
export function reduceEngine(machine: EngineMachine, event: EngineEvent): EngineStep {
  if ('run' in event && event.run !== machine.run) return [machine, []]
  const cells = CELLS[machine.at.is] as Record<string, Cell<EngineAt, EngineEvent> | undefined>
  return cells[event.type]?.(machine, machine.at, event) ?? [machine, []]
}

type Cell<At, Event> = (machine: EngineMachine, at: At, event: Event) => EngineStep
type Named<Type extends EngineEvent['type']> = Extract<EngineEvent, { type: Type }>
type Row<At> = { [Type in EngineEvent['type']]?: Cell<At, Named<Type>> }
type In<Is extends EngineAt['is']> = Extract<EngineAt, { is: Is }>

const crash: Row<EngineAt> = {
  exited: (machine, at, { at: now, failure }) => crashed(machine, at, now, failure, 'crashed'),
  lost: (machine, at, { at: now, failure }) => crashed(machine, at, now, failure, 'unfit'),
}

/** Nothing runs, and only an operator or another configuration changes that. */
const idle: Row<In<'not-installed' | 'foreign'>> = {
  start: (machine, _, { by }) => (by === 'operator' ? begin(afresh(machine)) : [machine, []]),
  restart: (machine) => begin(afresh(machine)),
  stop: (machine, _, { held }) => [to(machine, { is: 'stopped', held }), []],
  reconfigured: (machine) => [to(machine, { is: 'stopped', held: false }), []],
}

const serving: Row<In<'ready' | 'busy' | 'degraded'>> = {
  ...crash,
  stop: (machine, { since }, { held }) => drain(machine, since, 'asked', { is: 'stopped', held }),
  restart: (machine, { since }) => drain(afresh(machine), since, 'restart', { is: 'start' }),
  yield: (machine, { since }, { sleep }) =>
    drain(machine, since, 'swap', sleep ? { is: 'sleep' } : { is: 'stopped', held: false }),
  reconfigured: (machine, { since }) => drain(machine, since, 'restart', { is: 'start' }),
  suspect: (machine, { since }, { reason }) => [to(machine, { is: 'degraded', since, reason }), []],
  idle: (machine, { since }, { sleep }) =>
    sleep ? fall(machine, since) : drain(machine, since, 'idle', { is: 'stopped', held: false }),
}

const load: Row<In<'ready' | 'busy'>> = {
  load: (machine, { since }, { busy }) => [to(machine, { is: busy ? 'busy' : 'ready', since }), []],
}

const CELLS: { [Is in EngineAt['is']]: Row<In<Is>> } = {
  'not-installed': idle,
  foreign: idle,

  stopped: {
    start: (machine, { held }, { by }) => (by === 'demand' && held ? [machine, []] : begin(afresh(machine))),
    restart: (machine) => begin(afresh(machine)),
    stop: (machine, _, { held }) => [to(machine, { is: 'stopped', held }), []],
    adopt: (machine) => join(machine),
    clear: (machine) => end(nextRun(machine), 'asked', { is: 'stopped', held: false }, true),
  },

  failed: {
    start: (machine, at, { by }) => (by === 'operator' ? again(machine, at) : [machine, []]),
    restart: (machine, at) => again(machine, at),
    stop: (machine, at, { held }) => [at.left ? machine : to(machine, { is: 'stopped', held }), []],
    reconfigured: (machine, at) => [at.left ? machine : to(machine, { is: 'stopped', held: false }), []],
  },

  preflight: {
    'preflight-passed': (machine) => [
      to(machine, { is: 'starting', phase: 'launching', percent: 0 }),
      [{ do: 'spawn', run: machine.run }],
    ],
    'preflight-failed': (machine, _, { at, found }) => refused(machine, at, found),
    stop: (machine, _, { held }) => [to(machine, { is: 'stopped', held }), []],
    reconfigured: (machine) => begin(machine),
  },

  starting: {
    ...crash,
    progress: (machine, _, { phase, percent }) => [to(machine, { is: 'starting', phase, percent }), []],
    ready: (machine, _, { at }) => [to(machine, { is: 'ready', since: at }), []],
    stop: (machine, _, { held }) => end(machine, 'asked', { is: 'stopped', held }, false),
    restart: (machine) => end(afresh(machine), 'restart', { is: 'start' }, false),
    reconfigured: (machine) => end(machine, 'restart', { is: 'start' }, false),
  },

  ready: { ...serving, ...load },
  busy: { ...serving, ...load },
  degraded: {
    ...serving,
    recovered: (machine, { since }) => [to(machine, { is: 'ready', since }), []],
  },

  draining: {
    drained: (machine, { since, why, next }) =>
      next.is === 'sleep' ? fall(machine, since) : end(machine, why, next, false),
    stop: (machine, at, { held }) =>
      at.why === 'restart'
        ? [to(machine, { ...at, why: 'asked', next: { is: 'stopped', held } }), []]
        : end(machine, 'asked', { is: 'stopped', held: held || (at.next.is === 'stopped' && at.next.held) }, true),
    // Nothing was sent to it yet, so it can stay. Its operator's stop is not undone by somebody's request.
    start: (machine, { since, why }, { by }) =>
      why === 'idle' || (why === 'asked' && by === 'operator')
        ? [to(machine, { is: 'ready', since }), []]
        : [machine, []],
    restart: (machine, at) => [to(machine, { ...at, why: 'restart', next: { is: 'start' } }), []],
    // Asleep it would wake up as what it was.
    reconfigured: (machine, at) =>
      at.next.is === 'sleep' ? [to(machine, { ...at, next: awake(at.next) }), []] : [machine, []],
    exited: (machine, { why, next }) => end(machine, why, awake(next), true),
    lost: (machine, { why, next }) => end(machine, why, awake(next), true),
  },

  stopping: {
    gone: (machine, { next }, { left }) =>
      left === null ? follow(machine, next) : [to(machine, { is: 'failed', failure: left, left: true }), []],
    stop: (machine, at, { held }) => {
      const stopping = { ...at, why: 'asked', hurried: true, next: { is: 'stopped', held } } as const
      const second = at.next.is === 'stopped' && !at.hurried
      return second
        ? [to(machine, stopping), [{ do: 'end', run: machine.run, hurry: true }]]
        : [to(machine, { ...stopping, hurried: at.hurried }), []]
    },
    start: (machine, at, { by }) =>
      by === 'operator' || at.why === 'idle' ? [to(machine, { ...at, next: { is: 'start' } }), []] : [machine, []],
    restart: (machine, at) => [to(machine, { ...at, next: { is: 'start' } }), []],
    reconfigured: (machine, at) =>
      at.next.is === 'stopped' ? [machine, []] : [to(machine, { ...at, next: { is: 'start' } }), []],
  },

  sleeping: {
    exited: (machine, at, { at: now, failure }) => diedAsleep(machine, at, now, failure, 'crashed'),
    lost: (machine, at, { at: now, failure }) => diedAsleep(machine, at, now, failure, 'unfit'),
    slept: (machine, at) =>
      at.step !== 'falling'
        ? [machine, []]
        : at.wanted
          ? wake(machine, at)
          : [to(machine, { ...at, step: 'asleep' }), []],
    woke: (machine, { since, step }) => (step === 'waking' ? [to(machine, { is: 'ready', since }), []] : [machine, []]),
    start: (machine, at) => {
      if (at.step === 'asleep') return wake(machine, at)
      return at.step === 'falling' ? [to(machine, { ...at, wanted: true }), []] : [machine, []]
    },
    yield: (machine, { step }) =>
      step === 'asleep' ? end(machine, 'swap', { is: 'stopped', held: false }, false) : [machine, []],
    stop: (machine, _, { held }) => end(machine, 'asked', { is: 'stopped', held }, false),
    restart: (machine) => end(afresh(machine), 'restart', { is: 'start' }, false),
    reconfigured: (machine) => end(machine, 'restart', { is: 'start' }, false),
  },

  backoff: {
    due: (machine) => begin(machine),
    start: (machine, _, { by }) => (by === 'operator' ? begin(machine) : [machine, []]),
    restart: (machine) => begin(machine),
    reconfigured: (machine) => begin(afresh(machine)),
    stop: (machine, _, { held }) => [to(machine, { is: 'stopped', held }), []],
  },
}

function to(machine: EngineMachine, at: EngineAt): EngineMachine {
  return { ...machine, at }
}

function nextRun(machine: EngineMachine): EngineMachine {
  return { ...machine, run: machine.run + 1 }
}

/** Somebody decided anew, so what went wrong before does not count. */
function afresh(machine: EngineMachine): EngineMachine {
  return { ...machine, crashes: [], streak: 0 }
}

function begin(machine: EngineMachine): EngineStep {
  const begun = nextRun(machine)
  return [to(begun, { is: 'preflight' }), [{ do: 'preflight', run: begun.run }]]
}

function join(machine: EngineMachine): EngineStep {
  const begun = nextRun(machine)
  return [to(begun, { is: 'starting', phase: 'adopting', percent: 0 }), [{ do: 'join', run: begun.run }]]
}

function again(machine: EngineMachine, { left }: In<'failed'>): EngineStep {
  return left ? end(afresh(machine), 'restart', { is: 'start' }, true) : begin(afresh(machine))
}

/** Whoever has ended does not fall asleep any more. */
function awake(next: In<'draining'>['next']): Next {
  return next.is === 'sleep' ? { is: 'stopped', held: false } : next
}

function fall(machine: EngineMachine, since: number): EngineStep {
  const asleep = { is: 'sleeping', since, step: 'falling', wanted: false } as const
  return [to(machine, asleep), [{ do: 'sleep', run: machine.run }]]
}

function drain(
  machine: EngineMachine,
  since: number,
  why: In<'draining'>['why'],
  next: In<'draining'>['next'],
): EngineStep {
  return [to(machine, { is: 'draining', since, why, next }), [{ do: 'drain', run: machine.run }]]
}

function wake(machine: EngineMachine, at: In<'sleeping'>): EngineStep {
  return [to(machine, { ...at, step: 'waking', wanted: false }), [{ do: 'wake', run: machine.run }]]
}

function end(machine: EngineMachine, why: In<'stopping'>['why'], next: Next, hurry: boolean): EngineStep {
  return [to(machine, { is: 'stopping', why, next, hurried: hurry }), [{ do: 'end', run: machine.run, hurry }]]
}

function follow(machine: EngineMachine, next: Next): EngineStep {
  if (next.is === 'start') return begin(machine)
  if (next.is === 'failed') return [to(machine, { ...next, left: false }), []]
  if (next.is === 'stopped') return [to(machine, next), []]
  return [to(machine, next), [{ do: 'wake-at', run: machine.run, delayMs: next.delayMs }]]
}

/** A run is over without being asked to. What is left of it is ended first; only then comes what `judge` says. */
function crashed(
  machine: EngineMachine,
  at: EngineAt,
  now: number,
  failure: EngineFailure,
  why: 'crashed' | 'unfit',
): EngineStep {
  const [counted, next] = judge(machine, 'since' in at ? at.since : null, now, failure)
  return end(counted, why, next, true)
}

/** Another may have its GPU by now, so it does not come back by itself; the next request brings it. */
function diedAsleep(
  machine: EngineMachine,
  at: In<'sleeping'>,
  now: number,
  failure: EngineFailure,
  why: 'crashed' | 'unfit',
): EngineStep {
  const [after, effects] = crashed(machine, at, now, failure, why)
  if (at.step !== 'asleep' || after.at.is !== 'stopping' || after.at.next.is !== 'backoff') return [after, effects]
  return [to(after, { ...after.at, next: { is: 'stopped', held: false } }), effects]
}

function refused(machine: EngineMachine, now: number, found: PreflightFailure): EngineStep {
  if (found.as === 'foreign') return [to(machine, { is: 'foreign', holder: found.holder }), []]
  if (found.as === 'not-installed') return [to(machine, { is: 'not-installed', failure: found.failure }), []]
  return follow(...judge(machine, null, now, found.failure))
}

/** After a crash: again in a while, or not again. */
function judge(
  machine: EngineMachine,
  servedSince: number | null,
  now: number,
  failure: EngineFailure,
): [EngineMachine, Next] {
  const crashes = [...machine.crashes.filter((at) => now - at < CRASH_WINDOW_MS), now]
  const wasStable = servedSince !== null && now - servedSince >= STABLE_AFTER_MS
  const streak = wasStable ? 1 : machine.streak + 1
  const counted = { ...machine, crashes, streak }
  if (!failure.canHeal) return [counted, { is: 'failed', failure }]
  if (crashes.length >= CRASHES_THAT_STOP_IT) {
    const cause = `It crashed ${crashes.length} times in ten minutes. The last time: ${failure.cause}`
    return [counted, { is: 'failed', failure: { ...failure, cause } }]
  }
  const delayMs = RESTART_DELAYS_MS[Math.min(streak, RESTART_DELAYS_MS.length) - 1]!
  return [counted, { is: 'backoff', failure, delayMs }]
}
