/** How a figure is taken: a window of steady load, rounds that alternate between targets, the median of them. */
import { median, medianInterval } from './numbers.ts'
import { cpuMicroseconds, foreignMicroseconds, residentBytes } from './procfs.ts'
import type { Rig, Target, TargetName } from './rig.ts'

/** Named with their unit: `cpuUs`, `p50Ms`, `rssMb`. */
export type Figures = Record<string, number>
export type Row = { target: TargetName; figures: Figures }
/** `warmMs`: load before every window. */
export type Pace = { rounds: number; warmMs: number; windowMs: number }
/** `brief` pairs windows that are close in time; `long` is for loads whose requests take a second themselves. */
export type Turns = { casts: number; brief: Pace; long: Pace }
export type Settings = Pace & {
  /**
   * Many short windows, for costs that are compared round by round: what slows the machine slows both of a pair. And
   * several casts of fresh processes: what V8 makes of the same program differs from start to start by some percent.
   */
  turns: Turns
  /** Hard work of a new target before anything is measured, once with each kind of answer it will give. */
  settleMs: number
  /** Windows that may be taken again because somebody else used the machine, per scenario. */
  repeats: number
}
export type Bench = {
  rig: Rig
  settings: Settings
  /** The warm targets of the scenario under way, as far as they have been started. */
  standing: Map<TargetName, Target>
}
export type Measured = { rows: Row[]; notes: string[] }

/** More foreign CPU than this share of one core, and the window is taken again. */
const FOREIGN_SHARE_LIMIT = 0.15

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Polls a state until it is there. The bound only ends a run that would never end. */
export async function until<State>(
  what: string,
  read: () => Promise<State>,
  reached: (state: State) => boolean,
  withinMs = 10_000,
): Promise<State> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const state = await read()
    if (reached(state)) return state
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${withinMs / 1000} s`)
    await pause(10)
  }
}

/**
 * Takes measurements while nobody else uses the machine: a disturbed one is taken again, up to the scenario's bound,
 * and the least disturbed one counts. One per scenario.
 */
export function quietly({ settings }: Bench) {
  let repeatsLeft = settings.repeats
  let taken = 0
  let disturbed = 0
  const watched = async <Result>(measure: () => Promise<Result>) => {
    const before = { at: performance.now(), foreign: foreignMicroseconds(process.pid) }
    const result = await measure()
    const foreign = foreignMicroseconds(process.pid) - before.foreign
    return { result, foreignShare: foreign / ((performance.now() - before.at) * 1000) }
  }
  return {
    take: async <Result>(measure: () => Promise<Result>): Promise<Result> => {
      let best = await watched(measure)
      while (best.foreignShare > FOREIGN_SHARE_LIMIT && repeatsLeft > 0) {
        repeatsLeft--
        const again = await watched(measure)
        if (again.foreignShare < best.foreignShare) best = again
      }
      taken++
      if (best.foreignShare > FOREIGN_SHARE_LIMIT) disturbed++
      return best.result
    },
    notes: (): string[] => {
      const repeated = settings.repeats - repeatsLeft
      return [
        ...(repeated > 0 ? [`${repeated} measurements taken again for foreign CPU`] : []),
        ...(disturbed > 0 ? [`${disturbed} of ${taken} measurements stayed disturbed by foreign CPU`] : []),
      ]
    },
  }
}

/** What one target showed, by round. */
type Rounds = Map<number, Figures>

type Steady<Counted> = {
  pace: 'brief' | 'long'
  /** Answers the targets, warm, and lets the mock behave as the load needs it. Asked once for every cast. */
  cast: () => Promise<Target[]>
  begin: (target: Target) => Promise<void>
  take: () => Promise<Counted>
  end: () => Promise<void>
  figures: (counted: Counted, window: { cpuUs: number; seconds: number }) => Figures
}

/**
 * Measures every target under the same steady load, in turns. The mock asked directly has no cost to take and says
 * only what the rig can do: one window of each cast is enough.
 */
export async function measureInTurns<Counted>(bench: Bench, load: Steady<Counted>): Promise<Measured> {
  const { casts } = bench.settings.turns
  const pace = bench.settings.turns[load.pace]
  const samples = new Map<TargetName, Rounds>()
  const quiet = quietly(bench)
  for (let cast = 0; cast < casts; cast++) {
    if (cast > 0) await dismiss(bench)
    const targets = await load.cast()
    for (let round = 0; round < pace.rounds; round++) {
      for (const target of rotated(targets, round)) {
        if (round > 0 && target.pid === null) continue
        const taken: Rounds = samples.get(target.name) ?? new Map()
        samples.set(target.name, taken)
        taken.set(cast * pace.rounds + round, await quiet.take(() => takeWindow(pace, target, load)))
      }
    }
  }
  const bare = samples.get('bare')
  const rows = [...samples].map(([target, taken]) => ({
    target,
    figures: { ...medians([...taken.values()]), ...(bare && besideBare(taken, bare)) },
  }))
  return { rows, notes: quiet.notes() }
}

/** Stops the targets that stand: what one scenario leaves in a heap is not the next one's price. */
export async function dismiss({ standing }: Bench): Promise<void> {
  for (const target of standing.values()) await target.stop()
  standing.clear()
}

/** What a target costs beside bare, from the two windows of each round: medians, and how sure that is. */
function besideBare(taken: Rounds, bare: Rounds): Figures {
  const pairs = (name: string): [number, number][] =>
    [...taken].flatMap(([round, figures]) => {
      const [mine, its] = [figures[name], bare.get(round)?.[name]]
      return mine === undefined || Number.isNaN(mine) || its === undefined ? [] : [[mine, its]]
    })
  const ratios = pairs('cpuUs').map(([mine, its]) => mine / its)
  const [timesBareLow, timesBareHigh] = medianInterval(ratios)
  const over = (name: string) => median(pairs(name).map(([mine, its]) => mine - its))
  return {
    ...(ratios.length > 0 && {
      ...{ timesBare: median(ratios), timesBareLow, timesBareHigh },
    }),
    ...{ p50OverBareMs: over('p50Ms'), p99OverBareMs: over('p99Ms') },
  }
}

async function takeWindow<Counted>(pace: Pace, target: Target, load: Steady<Counted>): Promise<Figures> {
  await load.begin(target)
  try {
    await pause(pace.warmMs)
    await load.take()
    const before = { at: performance.now(), cpu: cpuOf(target) }
    await pause(pace.windowMs)
    const counted = await load.take()
    const after = { at: performance.now(), cpu: cpuOf(target) }
    const seconds = (after.at - before.at) / 1000
    const figures = load.figures(counted, { cpuUs: after.cpu - before.cpu, seconds })
    if (target.pid !== null) figures.rssMb = residentBytes(target.pid) / 2 ** 20
    return figures
  } finally {
    await load.end()
  }
}

const cpuOf = (target: Target) => (target.pid === null ? Number.NaN : cpuMicroseconds(target.pid))

function rotated<Item>(items: Item[], by: number): Item[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

function medians(samples: Figures[]): Figures {
  const names = Object.keys(samples[0] ?? {})
  return Object.fromEntries(names.map((name) => [name, median(samples.map((figures) => figures[name] ?? 0))]))
}
