import { CommandError } from '../../src/protocol/commands.ts'
import { clock } from '../format.ts'

export type Severity = 'error' | 'warning' | 'info'

export type LogLine = {
  number: number
  time: string
  level: string
  text: string
  severity: Severity
  cut?: boolean
  start?: boolean
}

/** More than a window can read; the oldest give way. */
export const MOST_LINES = 100_000

const MOST_STARTS = 10

const ERROR = /\b(ERROR|CRITICAL|FATAL|Traceback|[A-Z]\w+(?:Error|Exception):)/
const WARNING = /\bWARN(?:ING)?\b/
/** vLLM: `(EngineCore pid=1) INFO 11-21 12:01:30 [core.py:71] text`, with or without the part in front. */
const VLLM = /^(?:\([^)]*\) )?(DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d (\d\d:\d\d:\d\d)(?:\.\d+)? (.*)$/

/** What the guard writes before each line: when, and from which stream; `L`: it says this itself. */
const STAMP = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ([OEL]) (.*)$/

/** A line of an engine's log, with its time, and the level that it carries where it has any. */
export function engineLine(line: string, number: number): LogLine {
  const [, at, stream, printed] = STAMP.exec(line) ?? []
  const text = printed ?? line
  const stamped = at === undefined ? '' : clock(at)
  if (stream === 'L') return { number, time: stamped, level: '', text, severity: 'info', start: true }
  const [, level, time, rest] = VLLM.exec(text) ?? []
  const severity = severityOf(level ?? text)
  return { number, time: stamped || (time ?? ''), level: level ?? '', text: rest ?? text, severity }
}

function severityOf(text: string): Severity {
  if (ERROR.test(text)) return 'error'
  return WARNING.test(text) ? 'warning' : 'info'
}

/** Adds what is new, and drops the oldest beyond what is kept. */
export function appendLines(before: readonly LogLine[], news: readonly LogLine[]): readonly LogLine[] {
  if (news.length === 0) return before
  const all = before.length + news.length
  return all <= MOST_LINES ? [...before, ...news] : [...before.slice(all - MOST_LINES), ...news]
}

/** The last start among these, and all that came after it; null: there is none. */
export function sinceLastStart(lines: readonly LogLine[]): readonly LogLine[] | null {
  const at = lines.findLastIndex(({ start }) => start === true)
  return at === -1 ? null : lines.slice(at)
}

/** Where a reader may want to go: the first and last error, the last warning, the last starts. */
export function placesOf(
  lines: readonly LogLine[],
): { what: 'firstError' | 'lastError' | 'lastWarning' | 'start'; line: LogLine }[] {
  const firstError = lines.find(({ severity }) => severity === 'error')
  const lastError = lines.findLast(({ severity }) => severity === 'error')
  const lastWarning = lines.findLast(({ severity }) => severity === 'warning')
  const starts = lines.filter(({ start }) => start === true).slice(-MOST_STARTS)
  return [
    ...(firstError === undefined ? [] : [{ what: 'firstError' as const, line: firstError }]),
    ...(lastError === undefined || lastError === firstError ? [] : [{ what: 'lastError' as const, line: lastError }]),
    ...(lastWarning === undefined ? [] : [{ what: 'lastWarning' as const, line: lastWarning }]),
    ...starts.reverse().map((line) => ({ what: 'start' as const, line })),
  ]
}

export function logText(lines: readonly LogLine[]): string {
  return lines.map(({ time, level, text }) => `${[time, level, text].filter(Boolean).join(' ')}\n`).join('')
}

export type LogFilter = { severity: 'all' | 'warning' | 'error'; search: string }

export function passes({ severity }: LogLine, wanted: LogFilter['severity']): boolean {
  return wanted === 'all' || severity === 'error' || (wanted === 'warning' && severity === 'warning')
}

/** Null: there is nothing to look for. `bad`: it is no regular expression. Case counts only where capitals are typed. */
export function searchOf(text: string): RegExp | 'bad' | null {
  if (text === '') return null
  try {
    return new RegExp(text, /[A-Z]/.test(text) ? '' : 'i')
  } catch {
    return 'bad'
  }
}

/** Those that match, where only these are wanted. */
export function matching(lines: readonly LogLine[], search: RegExp | 'bad' | null, only: boolean): readonly LogLine[] {
  return only && search instanceof RegExp ? lines.filter(({ text }) => search.test(text)) : lines
}

/** The places of a text that match, for the marks; empty matches mark nothing. */
export function pieces(text: string, search: RegExp): { text: string; hit: boolean }[] {
  const all = new RegExp(search.source, `${search.flags}g`)
  const found: { text: string; hit: boolean }[] = []
  let at = 0
  for (const match of text.matchAll(all)) {
    if (match[0] === '') continue
    if (match.index > at) found.push({ text: text.slice(at, match.index), hit: false })
    found.push({ text: match[0], hit: true })
    at = match.index + match[0].length
  }
  if (at < text.length) found.push({ text: text.slice(at), hit: false })
  return found
}

export function reasonOf(error: unknown): string {
  return error instanceof CommandError || error instanceof Error ? error.message : String(error)
}
