import type { AppCommands } from '../src/protocol/commands.ts'
import { RANGES, SERIES_NAMES, type SeriesName, type SeriesRange, type SeriesReport } from '../src/protocol/series.ts'
import { Store } from './store.ts'

/** Values of the last seconds may still change, since tokens are told when an answer ends. */
const OVERLAP_STEPS = 20

/** The charts' values, asked for once and then added to. The five minutes of the tiles are always kept. */
export class SeriesStore {
  readonly recent = new Store<SeriesReport | null>(null)
  readonly shown = new Store<SeriesReport | null>(null)
  readonly failed = new Store<string | null>(null)
  range: SeriesRange = '15m'
  private readonly commands: Pick<AppCommands, 'series'>
  private busy = false

  constructor(commands: Pick<AppCommands, 'series'>) {
    this.commands = commands
  }

  choose(range: SeriesRange): void {
    this.range = range
    this.shown.set(range === '5m' ? this.recent.get() : null)
    void this.refresh()
  }

  async refresh(): Promise<void> {
    if (this.busy) return
    this.busy = true
    try {
      this.recent.set(await this.more('5m', this.recent.get()))
      const { range } = this
      const next = range === '5m' ? this.recent.get() : await this.due(range)
      if (range === this.range) this.shown.set(next)
      this.failed.set(null)
    } catch (error) {
      this.failed.set((error as Error).message)
    } finally {
      this.busy = false
    }
  }

  /** A long range has news only once a step. */
  private async due(range: SeriesRange): Promise<SeriesReport> {
    const before = this.shown.get()
    if (before?.range !== range) return await this.more(range, null)
    const until = before.from + before.values.output.length * before.stepS
    return Date.now() / 1000 >= until + before.stepS ? await this.more(range, before) : before
  }

  private async more(range: SeriesRange, before: SeriesReport | null): Promise<SeriesReport> {
    if (before === null) return await this.commands.series({ range })
    const { stepS } = RANGES[range]
    const end = before.from + before.values.output.length * stepS
    return append(before, await this.commands.series({ range, after: Math.max(0, end - OVERLAP_STEPS * stepS) }))
  }
}

/** What is new takes the place of what it overlaps; the oldest falls off. After a hole only what is new is left. */
export function append(before: SeriesReport, news: SeriesReport): SeriesReport {
  const { stepS } = news
  const kept = Math.round((news.from - before.from) / stepS)
  const count = news.values.output.length
  if (count === 0) return before
  if (before.range !== news.range || kept < 0 || kept > before.values.output.length) return news
  const most = RANGES[news.range].steps
  const drop = Math.max(0, kept + count - most)
  const values = Object.fromEntries(
    SERIES_NAMES.map((name) => [name, [...before.values[name].slice(0, kept), ...news.values[name]].slice(drop)]),
  ) as Record<SeriesName, (number | null)[]>
  return { range: news.range, stepS, from: before.from + drop * stepS, values }
}

/** The last value of a series that is fresh: one that is older than three steps is none. */
export function lastOf(report: SeriesReport | null, name: SeriesName): number | null {
  const values = report?.values[name].slice(-3) ?? []
  return values.filter((value) => value !== null).at(-1) ?? null
}

/** Mean of what was read in a part of the range. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const told = values.filter((value) => value !== null)
  return told.length === 0 ? null : told.reduce((sum, value) => sum + value, 0) / told.length
}

export function sumOf(values: readonly (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0)
}
