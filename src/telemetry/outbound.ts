import { hostname, networkInterfaces } from 'node:os'
import { isEveryHost, isLoopbackHost } from '../protocol/hosts.ts'
import type { OutboundLines, OutboundPurpose, OutboundRow } from '../protocol/outbound.ts'

const MOST_LINES = 50

type Used = Pick<OutboundLine, 'host' | 'purpose' | 'firstMs' | 'lastMs' | 'count'>

type Rules = { isOutside?: (host: string) => boolean; now?: () => number }

/** One place, for who speaks to it often: nothing is looked up when it is used. */
export class OutboundLine {
  readonly host: string
  readonly purpose: OutboundPurpose
  count = 0
  firstMs = 0
  lastMs = 0
  isListed = false
  private readonly ledger: { now: () => number; list: (line: OutboundLine) => void }

  constructor(host: string, purpose: OutboundPurpose, ledger: OutboundLine['ledger']) {
    this.host = host
    this.purpose = purpose
    this.ledger = ledger
  }

  use(): void {
    this.lastMs = this.ledger.now()
    if (this.count++ === 0) this.firstMs = this.lastMs
    if (!this.isListed) this.ledger.list(this)
  }
}

/**
 * The other computers that this process has spoken to. It holds hosts, purposes and times: no path, no query and no
 * key ever comes into it. Of many places those stay that were used last.
 */
export class OutboundLedger {
  private readonly isOutside: (host: string) => boolean
  private readonly now: () => number
  private readonly sinceMs: number
  private readonly lines: OutboundLine[] = []

  /** `now`: milliseconds since 1970. */
  constructor({ isOutside = isOtherComputer, now = Date.now }: Rules = {}) {
    this.isOutside = isOutside
    this.now = now
    this.sinceMs = now()
  }

  /** Null: it is this computer. It is listed when it is used. `remote`: somebody else's, wherever it seems to be. */
  line(address: string, purpose: OutboundPurpose, remote = false): OutboundLine | null {
    const url = new URL(address)
    if (!remote && !this.isOutside(url.hostname)) return null
    return new OutboundLine(url.host, purpose, { now: this.now, list: (line) => this.list(line) })
  }

  /** Once, or now and then. */
  spoke(address: string, purpose: OutboundPurpose): void {
    const line = this.line(address, purpose)
    if (line === null) return
    const known = this.lines.find(({ host, purpose }) => host === line.host && purpose === line.purpose)
    const used = known ?? line
    used.use()
  }

  report(): OutboundLines {
    const places = new Map<string, Used>()
    for (const line of this.lines) {
      const key = `${line.purpose} ${line.host}`
      places.set(key, joined(places.get(key), line))
    }
    return { since: new Date(this.sinceMs).toISOString(), rows: [...places.values()].map(rowOf).sort(byHost) }
  }

  private list(line: OutboundLine): void {
    if (this.lines.length >= MOST_LINES) {
      const oldest = this.lines.reduce((one, other) => (other.lastMs < one.lastMs ? other : one))
      oldest.isListed = false
      this.lines.splice(this.lines.indexOf(oldest), 1)
    }
    line.isListed = true
    this.lines.push(line)
  }
}

/** Those of two processes that are one to who looks. */
export function joinedLines(one: OutboundLines, other: OutboundLines): OutboundLines {
  const [since = one.since] = [one.since, other.since].sort()
  return { since, rows: [...one.rows, ...other.rows].sort(byHost) }
}

/** `host`: as a URL has it. Who only resolves to this computer counts as another one. */
export function isOtherComputer(host: string): boolean {
  return !isLoopbackHost(host) && !isEveryHost(host) && !isOwnName(host)
}

/** Its own name, or an address that it has at this moment. */
function isOwnName(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  if (bare === hostname().toLowerCase()) return true
  return Object.values(networkInterfaces()).some((list) => (list ?? []).some(({ address }) => address === bare))
}

/** Several lines may be of one place: two backends at it, or one before and after a change. */
function joined(one: Used | undefined, { host, purpose, firstMs, lastMs, count }: Used): Used {
  if (one === undefined) return { host, purpose, firstMs, lastMs, count }
  return {
    host,
    purpose,
    firstMs: Math.min(one.firstMs, firstMs),
    lastMs: Math.max(one.lastMs, lastMs),
    count: one.count + count,
  }
}

function rowOf({ host, purpose, firstMs, lastMs, count }: Used): OutboundRow {
  return { host, purpose, firstAt: new Date(firstMs).toISOString(), lastAt: new Date(lastMs).toISOString(), count }
}

function byHost(one: OutboundRow, other: OutboundRow): number {
  return one.host < other.host ? -1 : one.host > other.host ? 1 : one.purpose < other.purpose ? -1 : 1
}
