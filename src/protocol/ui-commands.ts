import { z } from 'zod'
import { row } from './command-row.ts'
import { type GatewayLog, LOG_LEVELS } from './gateway-log.ts'
import type { Happening } from './happenings.ts'
import { type Sentences, say } from './sentence.ts'
import type { SeriesRange, SeriesReport } from './series.ts'

const RANGE_NAMES = ['5m', '15m', '1h', '24h'] as const satisfies readonly SeriesRange[]

const whole = (least: number, most: number) =>
  z.coerce
    .number(say('is not a number'))
    .int(say('is not whole'))
    .min(least, say`is less than ${least}`)
    .max(most, say('is too large'))

/** How an engine came up, or did not: for the timeline of a start. */
export type EngineStartView = {
  at: string
  engine: string
  model: string
  /** `ready`, or the class of its failure. */
  outcome: string
  totalMs: number
  phases: { name: string; ms: number }[]
}

/** What the window needs beyond the state of things: its door, its charts, its log and what has happened. */
export const UI_COMMANDS = {
  uiLink: row<{ url: string; expiresAt: string }>()({
    method: 'POST',
    path: '/admin/ui-link',
    cli: ['ui'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'a link that opens the window in a browser of this machine, once, within ten minutes',
  }),
  series: row<SeriesReport>()({
    method: 'GET',
    path: '/admin/series',
    cli: ['series'],
    scope: 'admin:read',
    args: z.strictObject({
      range: z.enum(RANGE_NAMES, say('is none of 5m, 15m, 1h, 24h')).optional(),
      after: whole(0, 1e11).optional(),
    }),
    about: 'what the charts draw: 5m, 15m, 1h or 24h of load, latency and GPU',
  }),
  recentEvents: row<{ events: Happening[] }>()({
    method: 'GET',
    path: '/admin/recent',
    cli: ['events'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'what has happened to engines, backends and limits lately',
  }),
  sentences: row<{ sentences: Sentences }>()({
    method: 'GET',
    path: '/admin/sentences/{language}',
    cli: ['sentences'],
    scope: 'admin:read',
    args: z.strictObject({ language: z.string().min(1, say('is empty')).max(16, say('is too long')) }),
    about: 'what Lexora says of engines, checks and errors, in Japanese or Korean',
  }),
  engineStarts: row<{ starts: EngineStartView[] }>()({
    method: 'GET',
    path: '/admin/engines/starts',
    cli: ['engines', 'starts'],
    places: ['engine'],
    scope: 'admin:read',
    args: z.strictObject({ engine: z.string().min(1, say('is empty')).max(128, say('is too long')).optional() }),
    about: 'how long the last starts took, phase by phase',
  }),
  gatewayLog: row<GatewayLog>()({
    method: 'GET',
    path: '/admin/logs/gateway',
    cli: ['logs', 'gateway'],
    scope: 'admin:read',
    args: z.strictObject({
      after: whole(0, Number.MAX_SAFE_INTEGER).optional(),
      lines: whole(1, 5000).optional(),
      level: z.enum(LOG_LEVELS, say('is none of DEBUG, INFO, WARNING, ERROR')).optional(),
    }),
    about: 'the last lines of the log of Lexora itself; -f follows',
    terminal: ['follow'],
  }),
} as const
