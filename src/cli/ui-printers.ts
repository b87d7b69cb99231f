import type { AppCommands } from '../protocol/commands.ts'
import type { LogEntry } from '../protocol/gateway-log.ts'
import type { Happening } from '../protocol/happenings.ts'
import { SERIES_NAMES } from '../protocol/series.ts'
import type { UI_COMMANDS } from '../protocol/ui-commands.ts'
import { type Column, duration, moment, plain, table } from './format.ts'
import type { Look } from './status-view.ts'

type Printers = {
  [Name in keyof typeof UI_COMMANDS]: (result: Awaited<ReturnType<AppCommands[Name]>>, look: Look) => string[]
}

export const UI_PRINTERS: Printers = {
  uiLink: ({ url, expiresAt }) => [
    url,
    `Good once, until ${expiresAt.slice(11, 16)} UTC, in a browser of this machine.`,
  ],
  series: ({ values, from, stepS }, look) => {
    const columns: Column[] = [
      { title: 'SERIES' },
      { title: 'LAST', align: 'right' },
      { title: 'MEAN', align: 'right' },
      { title: 'MOST', align: 'right' },
    ]
    const rows = SERIES_NAMES.map((name) => {
      const told = values[name].filter((value) => value !== null)
      const mean = told.length === 0 ? null : told.reduce((sum, value) => sum + value, 0) / told.length
      return [name, shown(values[name].at(-1)), shown(mean), shown(told.length === 0 ? null : Math.max(...told))]
    })
    const count = values.output.length
    const begin = new Date(from * 1000).toISOString().slice(11, 19)
    return [
      ...table(columns, rows, look.width),
      '',
      `${count} values of ${stepS} s from ${begin} UTC; all of them: --json`,
    ]
  },
  recentEvents: ({ events }) => (events.length === 0 ? ['Nothing has happened yet.'] : events.map(eventLine)),
  sentences: ({ sentences }) => Object.entries(sentences).map(([english, theirs]) => `${english}\t${theirs}`),
  engineStarts: ({ starts }) =>
    starts.length === 0
      ? ['No engine was started yet.']
      : starts.map(({ at, engine, model, outcome, totalMs, phases }) => {
          const parts = phases.map(({ name, ms }) => `${plain(name)} ${duration(ms)}`).join(', ')
          return `${at}  ${plain(engine)} (${plain(model)})  ${plain(outcome)} after ${duration(totalMs)}: ${parts}`
        }),
  gatewayLog: ({ entries, missed }) => [
    ...(missed > 0 ? [`… ${missed} lines are not kept any more`] : []),
    ...entries.map(entryLine),
  ],
}

/** One line of the log of Lexora itself, as it is read in a terminal. */
export function entryLine({ at, level, message, details }: LogEntry): string {
  return plain(`${at} ${level.padEnd(7)} ${message}${details === '' ? '' : ` ${details}`}`)
}

function shown(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-'
  return String(Math.round(value * 1000) / 1000)
}

function eventLine(event: Happening): string {
  const time = moment(event.at)
  switch (event.what) {
    case 'engine':
      return `${time}  engine ${plain(event.engine)}: ${event.state}${event.cause === null ? '' : `: ${plain(event.cause)}`}`
    case 'backend':
      return `${time}  backend ${plain(event.backend)} is ${event.up ? 'up' : `down: ${plain(event.reason ?? 'no reason told')}`}`
    case 'gateway':
      return `${time}  the gateway is ${event.state}`
    case 'gpu':
      return `${time}  the GPU ${event.readable ? 'answers again' : `cannot be read: ${plain(event.reason ?? '')}`}`
    case 'limited':
      return `${time}  ${plain(event.user)} met a limit, ${event.times} times`
    case 'config':
      return `${time}  another configuration is in force: ${event.paths.map(plain).join(', ')}`
    case 'network':
      return `${time}  ${event.open ? 'other machines can connect now' : 'only this machine can connect now'}`
  }
}
