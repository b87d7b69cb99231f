/** The figures as people and as programs read them. */
import { arch, cpus, platform, release } from 'node:os'
import { goals, judge, type Verdict, voidReason } from './goals.ts'
import type { Row } from './measure.ts'

export type ScenarioResult = { name: string; title: string; rows: Row[]; notes: string[]; seconds: number }

export type Report = {
  at: string
  machine: string
  node: string
  placement: string
  mode: string
  scenarios: ScenarioResult[]
  verdicts: Verdict[]
}

export function report(about: { placement: string; mode: string }, scenarios: ScenarioResult[]): Report {
  return {
    at: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${platform()} ${release()} ${arch()}`,
    node: process.version,
    ...about,
    scenarios,
    verdicts: goals.flatMap((goal) => {
      const found = scenarios.find(({ name }) => name === goal.scenario)
      return found ? [judge(goal, found.rows)] : []
    }),
  }
}

const headings: Record<string, string> = {
  cpuUs: 'CPU µs',
  perSecond: 'per second',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  rssMb: 'RSS MB',
  timesBare: 'CPU × bare',
  timesBareLow: 'at least, 19 of 20',
  timesBareHigh: 'at most, 19 of 20',
  p50OverBareMs: 'p50 − bare',
  p99OverBareMs: 'p99 − bare',
  silentStream: 'silent stream',
  beforeFirstByte: 'before first byte',
  nonStream: 'non-stream',
  slowestMs: 'slowest ms',
  heldKb: 'held KB',
  rssGrowthKb: 'RSS growth KB',
  pushedMb: 'pushed MB',
  kbPerStream: 'KB per stream',
  oneWayP50Ms: 'one-way p50 ms',
  oneWayP99Ms: 'one-way p99 ms',
  decisionUs: 'µs per decision',
  recordUs: 'µs per request',
  dropped: 'dropped',
  corePercent: '% of a core',
  requests: 'requests',
  heapBytesPerRequest: 'heap bytes per request',
  watchersPercent: '% of a core',
  eventsPerSecond: 'events/s each',
  backMs: 'served again after ms',
  paintMs: 'first paint ms',
  fps: 'frames/s in a flood',
  longestFrameMs: 'longest frame ms',
  listenersGrown: 'listeners more',
  windowMb: 'heap MB more',
  filesGrown: 'server files more',
}

export function scenarioTable({ title, rows, notes }: ScenarioResult): string {
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]
  const lines = rows.map(({ target, figures }) => [target, ...names.map((name) => number(figures[name]))])
  const head = ['target', ...names.map((name) => headings[name] ?? name)]
  const reason = voidReason(rows)
  const below = [...notes, ...(reason ? [reason] : [])].map((note) => `- ${note}\n`).join('')
  return `### ${title}\n\n${table(head, lines)}${below ? `\n${below}` : ''}`
}

export function verdictTable(verdicts: Verdict[]): string {
  return table(
    ['scenario', 'figure', 'goal', 'Lexora', ''],
    verdicts.map(({ goal, measured, is }) => [
      goal.scenario,
      headings[goal.figure] ?? goal.figure,
      `${goal.bound} ${goal.value}`,
      number(measured),
      is === 'missed' ? '**missed**' : is,
    ]),
  )
}

function table(head: string[], lines: string[][]): string {
  const widths = head.map((cell, at) => Math.max(cell.length, ...lines.map((line) => line[at]?.length ?? 0)))
  const row = (cells: string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`
  return row(head) + row(widths.map((width) => '-'.repeat(width))) + lines.map(row).join('')
}

/** Three significant digits, thousands as they are. */
function number(value: number | null | undefined): string {
  if (value === undefined || value === null || Number.isNaN(value)) return ''
  if (!Number.isFinite(value)) return 'never'
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toPrecision(3)
}
