import { START_PHASES, type StartPhase, type StartProgress } from './engine-log.ts'

/** How long each phase of a start took, in ms. Phases that did not come are not there. */
export type PhaseTimings = Partial<Record<StartPhase, number>>

export type StartEstimate = {
  /** 0 to 99: only who has asked the engine knows that it is ready. */
  percent: number
  /** null without an earlier start to learn from. */
  leftMs: number | null
}

/** Where each phase begins, of 100, when nothing is known of earlier starts (reference/vllm.md 2.3). */
const FROM: Record<StartPhase, number> = {
  launching: 0,
  configuring: 2,
  'starting engine': 6,
  downloading: 8,
  'loading weights': 10,
  compiling: 50,
  'measuring memory': 70,
  'capturing graphs': 76,
  'warming up': 96,
  'opening port': 98,
}
const MOST = 99

/** A phase may last longer than it ever did: then it is nearly over for a long time. */
const NEARLY = 0.97

/** How far a start is at `now`, and how long it still takes if it goes as the earlier ones of this model did. */
export function estimateStart(start: StartProgress, earlier: PhaseTimings | null, now: number): StartEstimate {
  const total = earlier === null ? 0 : sum(Object.values(earlier))
  if (earlier === null || total <= 0) return { percent: Math.floor(bySlices(start)), leftMs: null }
  const at = START_PHASES.indexOf(start.phase)
  const inThis = earlier[start.phase] ?? 0
  const spent = now - (start.began.at(-1)?.at ?? now)
  const done = Math.min(NEARLY, Math.max(start.fraction ?? 0, inThis > 0 ? spent / inThis : 0))
  const comes = sum(START_PHASES.slice(at + 1).map((phase) => earlier[phase] ?? 0))
  // With a bar this start's own speed counts, once there is enough of it.
  const fraction = start.fraction ?? 0
  const rest = fraction > 0.05 && fraction < 1 ? (spent / fraction) * (1 - fraction) : inThis * (1 - done)
  const leftMs = Math.round(Math.max(0, rest) + comes)
  return { percent: Math.min(MOST, Math.max(0, Math.floor(100 * (1 - (inThis * (1 - done) + comes) / total)))), leftMs }
}

function bySlices({ phase, fraction }: StartProgress): number {
  const next = START_PHASES[START_PHASES.indexOf(phase) + 1]
  const until = next === undefined ? MOST : FROM[next]
  return Math.min(MOST, FROM[phase] + (until - FROM[phase]) * (fraction ?? 0))
}

/** What a start that has ended well teaches the next one. */
export function timingsOf({ began }: StartProgress, readyAt: number): PhaseTimings {
  const timings: PhaseTimings = {}
  for (const [number, { phase, at }] of began.entries()) {
    const until = began[number + 1]?.at ?? readyAt
    timings[phase] = Math.max(0, until - at)
  }
  return timings
}

/** Earlier timings with those of one more start: half of it is the newest, since caches and disks change. */
export function learnTimings(earlier: PhaseTimings | null, latest: PhaseTimings): PhaseTimings {
  if (earlier === null) return latest
  const learned: PhaseTimings = {}
  for (const phase of START_PHASES) {
    const [before, now] = [earlier[phase], latest[phase]]
    if (now !== undefined) learned[phase] = before === undefined ? now : Math.round((before + now) / 2)
  }
  return learned
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
