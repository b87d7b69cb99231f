import { type AppCommands, refusal } from '../protocol/commands.ts'
import type { Happening } from '../protocol/happenings.ts'
import type { SeriesRange, SeriesReport } from '../protocol/series.ts'
import type { EngineStartView, UI_COMMANDS } from '../protocol/ui-commands.ts'
import type { LogBuffer } from '../telemetry/log-buffer.ts'
import { ja } from './sentences/ja.ts'
import { ko } from './sentences/ko.ts'

/** What the window's own commands act on. */
export type UiParts = {
  /** A link that opens the window; null: it is switched off. */
  newUiLink: () => { url: string; expiresAt: Date } | null
  readSeries: (range: SeriesRange, after: number | null) => SeriesReport
  recentEvents: () => Happening[]
  engineStarts: (engine: string | null) => EngineStartView[]
  logBuffer: LogBuffer
}

const LOG_LINES = 1000

const SENTENCES = new Map([
  ['ja', ja],
  ['ko', ko],
])

export function uiCommands(parts: UiParts, onNoUi: () => Error): Pick<AppCommands, keyof typeof UI_COMMANDS> {
  return {
    uiLink: async () => {
      const link = parts.newUiLink()
      if (link === null) throw onNoUi()
      return { url: link.url, expiresAt: link.expiresAt.toISOString() }
    },
    series: async ({ range, after } = {}) =>
      parts.readSeries(range ?? '5m', after === undefined ? null : Number(after)),
    recentEvents: async () => ({ events: parts.recentEvents() }),
    sentences: async ({ language }) => {
      const sentences = SENTENCES.get(language)
      if (sentences === undefined) throw refusal('not_found', 'language: is none of ja, ko', 'language')
      return { sentences }
    },
    engineStarts: async ({ engine } = {}) => ({ starts: parts.engineStarts(engine ?? null) }),
    gatewayLog: async ({ after, lines, level } = {}) =>
      parts.logBuffer.read({
        after: after === undefined ? null : Number(after),
        lines: Number(lines ?? LOG_LINES),
        level: level ?? 'DEBUG',
      }),
  }
}
