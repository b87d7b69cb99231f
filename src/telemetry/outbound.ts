import type { Socket } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { isEveryHost, isLoopbackHost } from '../protocol/hosts.ts'
import type { OutboundLines, OutboundPurpose, OutboundRow } from '../protocol/outbound.ts'

const MOST_LINES = 50

type Used = Pick<OutboundLine, 'host' | 'purpose' | 'firstMs' | 'lastMs' | 'count'> & { bytes: Bytes | null }

type Bytes = { sent: number; received: number }

type Rules = { isOutside?: (host: string) => boolean; now?: () => number }

/** One place, for who speaks to it often: nothing is looked up when it is used. */
export class OutboundLine {
  readonly host: string
  readonly purpose: OutboundPurpose
  count = 0
  firstMs = 0
  lastMs = 0
  isListed = false
  /** Of connections that are closed. Null: none was ever seen. */
  private closed: Bytes | null = null
  private readonly open = new Set<Socket>()
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

  /** Counts what a connection carries. The system's own figures are read: nothing is done while bytes pass. */
  carries(socket: Socket): void {
    this.closed ??= { sent: 0, received: 0 }
    this.open.add(socket)
    socket.once('close', () => {
      if (!this.open.delete(socket)) return
      this.closed = plus(this.closed, bytesOf(socket))
    })
  }

  /** As an earlier process left it. */
  resume({ firstMs, lastMs, count, bytes }: Omit<Used, 'host' | 'purpose'>): void {
    Object.assign(this, { firstMs, lastMs, count, closed: bytes })
  }

  get bytes(): Bytes | null {
    let sum = this.closed
    for (const socket of this.open) sum = plus(sum, bytesOf(socket))
    return sum
  }
}

/**
 * The other computers that this process has spoken to. It holds hosts, purposes and times: no path, no query and no
 * key ever comes into it. Of many places those stay that were used last.
 */
export class OutboundLedger {
  private readonly isOutside: (host: string) => boolean
  private readonly now: () => number
  private sinceMs: number
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
    return this.known(url.host, purpose) ?? this.made(url.host, purpose)
  }

  /** Once, or now and then. */
  spoke(address: string, purpose: OutboundPurpose): void {
    this.line(address, purpose)?.use()
  }

  /** A connection to there was made. */
  carried(address: string, purpose: OutboundPurpose, socket: Socket): void {
    this.line(address, purpose)?.carries(socket)
  }

  /** Goes on with the list of an earlier process. To be called before anybody is spoken to. */
  resume({ since, rows }: OutboundLines): void {
    this.sinceMs = Date.parse(since)
    for (const { host, purpose, firstAt, lastAt, count, sent, received } of rows.slice(0, MOST_LINES)) {
      const bytes = sent === null || received === null ? null : { sent, received }
      const line = this.made(host, purpose)
      line.resume({ firstMs: Date.parse(firstAt), lastMs: Date.parse(lastAt), count, bytes })
      this.list(line)
    }
  }

  report(): OutboundLines {
    const places = new Map<string, Used>()
    for (const line of this.lines) {
      const key = `${line.purpose} ${line.host}`
      places.set(key, joined(places.get(key), line))
    }
    return { since: new Date(this.sinceMs).toISOString(), rows: [...places.values()].map(rowOf).sort(byHost) }
  }

  private known(host: string, purpose: OutboundPurpose): OutboundLine | undefined {
    return this.lines.find((line) => line.host === host && line.purpose === purpose)
  }

  private made(host: string, purpose: OutboundPurpose): OutboundLine {
    return new OutboundLine(host, purpose, { now: this.now, list: (line) => this.list(line) })
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
  const places = new Map<string, Used>()
  for (const row of [...one.rows, ...other.rows]) {
    const { host, purpose, firstAt, lastAt, count, sent, received } = row
    const key = `${purpose} ${host}`
    const bytes = sent === null || received === null ? null : { sent, received }
    const used = { host, purpose, firstMs: Date.parse(firstAt), lastMs: Date.parse(lastAt), count, bytes }
    places.set(key, joined(places.get(key), used))
  }
  return { since, rows: [...places.values()].map(rowOf).sort(byHost) }
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
function joined(one: Used | undefined, { host, purpose, firstMs, lastMs, count, bytes }: Used): Used {
  if (one === undefined) return { host, purpose, firstMs, lastMs, count, bytes }
  return {
    host,
    purpose,
    firstMs: Math.min(one.firstMs, firstMs),
    lastMs: Math.max(one.lastMs, lastMs),
    count: one.count + count,
    bytes: plus(one.bytes, bytes),
  }
}

function rowOf({ host, purpose, firstMs, lastMs, count, bytes }: Used): OutboundRow {
  const times = { firstAt: new Date(firstMs).toISOString(), lastAt: new Date(lastMs).toISOString() }
  return { host, purpose, ...times, count, sent: bytes?.sent ?? null, received: bytes?.received ?? null }
}

function plus(one: Bytes | null, other: Bytes | null): Bytes | null {
  if (one === null || other === null) return one ?? other
  return { sent: one.sent + other.sent, received: one.received + other.received }
}

function bytesOf({ bytesWritten, bytesRead }: Socket): Bytes {
  return { sent: bytesWritten ?? 0, received: bytesRead ?? 0 }
}

function byHost(one: OutboundRow, other: OutboundRow): number {
  return one.host < other.host ? -1 : one.host > other.host ? 1 : one.purpose < other.purpose ? -1 : 1
}
