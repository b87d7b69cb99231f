/** What Lexora has to reach, and the judging of it: ratios and distances to bare within one run. */
import type { Row } from './measure.ts'

export type Goal = {
  scenario: string
  figure: string
  bound: 'at most' | 'at least'
  value: number
  /** Void where bare misses the same bound: then the machine was too busy for anybody. */
  voidWithBare?: boolean
}

export const goals: Goal[] = [
  { scenario: 'non-stream', figure: 'timesBare', bound: 'at most', value: 1.5 },
  { scenario: 'non-stream-20k', figure: 'timesBare', bound: 'at most', value: 1.5 },
  { scenario: 'stream', figure: 'timesBare', bound: 'at most', value: 1.25 },
  { scenario: 'latency', figure: 'p50OverBareMs', bound: 'at most', value: 0.15 },
  { scenario: 'latency', figure: 'p99OverBareMs', bound: 'at most', value: 1 },
  { scenario: 'first-byte', figure: 'p50OverBareMs', bound: 'at most', value: 0.2 },
  ...['non-stream', 'non-stream-20k', 'stream', 'latency', 'first-byte'].map(
    (scenario): Goal => ({ scenario, figure: 'failed', bound: 'at most', value: 0 }),
  ),
  ...['stream', 'silentStream', 'beforeFirstByte', 'nonStream'].map(
    (figure): Goal => ({ scenario: 'client-leaves', figure, bound: 'at least', value: 100, voidWithBare: true }),
  ),
  { scenario: 'slow-reader', figure: 'heldKb', bound: 'at most', value: 64 },
  { scenario: 'many-streams', figure: 'lost', bound: 'at most', value: 0 },
  { scenario: 'most-streams', figure: 'lost', bound: 'at most', value: 0 },
  { scenario: 'most-streams', figure: 'kbPerStream', bound: 'at most', value: 48 },
  { scenario: 'most-streams', figure: 'oneWayP99Ms', bound: 'at most', value: 40, voidWithBare: true },
  { scenario: 'decision', figure: 'decisionUs', bound: 'at most', value: 100 },
  { scenario: 'record', figure: 'recordUs', bound: 'at most', value: 1 },
  { scenario: 'record', figure: 'dropped', bound: 'at most', value: 0 },
  { scenario: 'idle', figure: 'corePercent', bound: 'at most', value: 1 },
  { scenario: 'watchers', figure: 'watchersPercent', bound: 'at most', value: 2 },
  { scenario: 'backend-back', figure: 'backMs', bound: 'at most', value: 1_000 },
  { scenario: 'soak', figure: 'heapBytesPerRequest', bound: 'at most', value: 8 },
  { scenario: 'soak', figure: 'failed', bound: 'at most', value: 0 },
  { scenario: 'window', figure: 'paintMs', bound: 'at most', value: 1_000 },
  { scenario: 'window', figure: 'fps', bound: 'at least', value: 50 },
  { scenario: 'window', figure: 'listenersGrown', bound: 'at most', value: 0 },
  { scenario: 'window', figure: 'windowMb', bound: 'at most', value: 2 },
  { scenario: 'window', figure: 'filesGrown', bound: 'at most', value: 3 },
  { scenario: 'desktop', figure: 'loopP99Ms', bound: 'at most', value: 20 },
  { scenario: 'desktop', figure: 'failed', bound: 'at most', value: 0 },
]

/** A median that is known no better than within this share of itself says nothing of the proxies. */
const SPREAD_LIMIT = 0.2

export type Verdict = { goal: Goal; measured: number | null; is: 'met' | 'missed' | 'void' | 'no figure' }

export function judge(goal: Goal, rows: Row[]): Verdict {
  const measured = figure(rows, 'lexora', goal.figure)
  if (measured === null) return { goal, measured, is: 'no figure' }
  if (goal.figure === 'timesBare' && voidReason(rows) !== null) return { goal, measured, is: 'void' }
  if (keeps(goal, measured)) return { goal, measured, is: 'met' }
  const bare = figure(rows, 'bare', goal.figure)
  return { goal, measured, is: goal.voidWithBare && bare !== null && !keeps(goal, bare) ? 'void' : 'missed' }
}

function keeps({ bound, value }: Goal, measured: number): boolean {
  return bound === 'at least' ? measured >= value : measured <= value
}

/** Why this scenario's ratios to bare say nothing, or null. */
export function voidReason(rows: Row[]): string | null {
  const [middle, low, high] = ['timesBare', 'timesBareLow', 'timesBareHigh'].map((name) => figure(rows, 'lexora', name))
  if (middle == null || low == null || high == null || high - low <= SPREAD_LIMIT * middle) return null
  return `void: all that is sure is that it lies between ${low.toFixed(2)} and ${high.toFixed(2)} × bare`
}

function figure(rows: Row[], target: Row['target'], name: string): number | null {
  const value = rows.find((row) => row.target === target)?.figures[name]
  return value === undefined || Number.isNaN(value) ? null : value
}
