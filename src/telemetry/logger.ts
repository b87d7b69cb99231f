import { LOG_LEVELS, type LogEntry, type LogLevel } from '../protocol/gateway-log.ts'
import type { Redactor } from './redact.ts'

export type LogFields = Record<string, string | number | boolean | null | undefined>

export type Logger = {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

const COLOURS: Record<LogLevel, string> = { DEBUG: '90', INFO: '36', WARNING: '33', ERROR: '31' }

/**
 * One line per event: `console` for people (coloured where `colour`), `json` for machines. Every text passes the
 * redactor, and control characters in it cannot start a second line or move a terminal's cursor. `level` may change.
 */
export function createLogger(options: {
  level: LogLevel
  format: 'console' | 'json'
  colour: boolean
  redactor: Redactor
  write: (line: string) => void
  now: () => Date
  /** Hears of every line that is written, masked like it. */
  keep?: (entry: Omit<LogEntry, 'seq'>) => void
}): Logger {
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(options.level)) return
    const { redactor } = options
    const now = options.now()
    const [told, facts] = [redactor.redact(message), redactFields(fields, redactor)]
    const line = options.format === 'json' ? jsonLine : consoleLine(options.colour)
    // Masked before they stand in a line: a mask over the finished line could take a quote or its backslash along.
    options.write(`${line(now, level, told, facts)}\n`)
    options.keep?.({ at: now.toISOString(), level, message: printable(told), details: detailsOf(facts).join(' ') })
  }
  return {
    debug: (message, fields) => log('DEBUG', message, fields),
    info: (message, fields) => log('INFO', message, fields),
    warn: (message, fields) => log('WARNING', message, fields),
    error: (message, fields) => log('ERROR', message, fields),
  }
}

function redactFields(fields: LogFields, redactor: Redactor): LogFields {
  const redacted = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? redactor.redact(value) : value,
  ])
  return Object.fromEntries(redacted)
}

function jsonLine(at: Date, level: LogLevel, message: string, fields: LogFields): string {
  return printable(JSON.stringify({ ts: at.toISOString(), level, msg: message, ...fields }))
}

function consoleLine(colour: boolean) {
  return (at: Date, level: LogLevel, message: string, fields: LogFields): string => {
    const label = level.padEnd(7)
    const shown = colour ? `\u001b[${COLOURS[level]}m${label}\u001b[0m` : label
    return [at.toISOString().slice(11, 19), shown, printable(message), ...detailsOf(fields)].join(' ')
  }
}

function detailsOf(fields: LogFields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${printed(value)}`]))
}

function printed(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value)
  return /^[\w./:@-]+$/.test(value) ? value : printable(JSON.stringify(value))
}

/** Control, format and bidirectional characters as escapes, in the form that JSON reads. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  )
}
