import {
  type GatewayLog,
  GATEWAY_LOG_LINES as KEPT,
  LOG_LEVELS,
  type LogEntry,
  type LogLevel,
} from '../protocol/gateway-log.ts'

const MAX_CHARS = 2000

/** The newest lines of the log of this process, by number. Its oldest give way: at most 20,000 of 2,000 characters. */
export class LogBuffer {
  private readonly ring: LogEntry[] = []
  private count = 0

  add(entry: Omit<LogEntry, 'seq'>): void {
    this.ring[this.count % KEPT] = {
      ...entry,
      seq: ++this.count,
      message: entry.message.slice(0, MAX_CHARS),
      details: entry.details.slice(0, MAX_CHARS),
    }
  }

  /** The newest `lines` of this level or worse; or the first of them after a number, so that nothing is skipped. */
  read({ after, lines, level }: { after: number | null; lines: number; level: LogLevel }): GatewayLog {
    const oldest = Math.max(1, this.count - KEPT + 1)
    // A number from before a restart of Lexora is none of ours.
    const since = after !== null && after <= this.count ? after : null
    const least = LOG_LEVELS.indexOf(level)
    const entries: LogEntry[] = []
    if (since === null) {
      for (let seq = this.count; seq >= oldest && entries.length < lines; seq--) {
        const entry = this.ring[(seq - 1) % KEPT]!
        if (LOG_LEVELS.indexOf(entry.level) >= least) entries.unshift(entry)
      }
      return { entries, next: this.count, missed: 0 }
    }
    let seq = Math.max(since + 1, oldest)
    for (; seq <= this.count && entries.length < lines; seq++) {
      const entry = this.ring[(seq - 1) % KEPT]!
      if (LOG_LEVELS.indexOf(entry.level) >= least) entries.push(entry)
    }
    return { entries, next: seq - 1, missed: Math.max(0, oldest - since - 1) }
  }
}
