/** So many of its newest lines are kept, in memory. */
export const GATEWAY_LOG_LINES = 20_000

export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** One line of the gateway's own log, secrets masked. */
export type LogEntry = {
  /** Counts up from 1 in each run of Lexora. */
  seq: number
  /** ISO 8601. */
  at: string
  level: LogLevel
  message: string
  /** `name=value`, joined by spaces; empty where there are none. */
  details: string
}

export type GatewayLog = {
  entries: LogEntry[]
  /** Ask for `after` this, and what is new comes. */
  next: number
  /** So many lines between `after` and these are not kept any more. */
  missed: number
}
