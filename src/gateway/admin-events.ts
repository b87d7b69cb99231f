import type { ServerResponse } from 'node:http'
import type { AppSnapshot } from '../protocol/snapshot.ts'

/** Tells the listener how things are, at once, and then of every change; returns what ends it. */
export type Subscribe = (listener: (snapshot: AppSnapshot) => void) => () => void

const KEEP_ALIVE_MS = 15_000
/** A watcher that takes nothing for this long is cut. */
const DEAF_MS = 60_000
/** Far more than the faces of one user. */
const MAX_WATCHERS = 64

type Watcher = {
  readonly res: ServerResponse
  /** Whether it may still watch; asked at every sign of life. */
  readonly isWelcome: () => boolean
  unsubscribe: () => void
  /** Since when its connection has been full. */
  blockedAt: number | null
  /** What it could not be sent yet: the newest only. */
  missed: string | null
}

/**
 * `GET /admin/events`: a snapshot first, then one after each change. Every event is a whole snapshot, so a watcher that
 * cannot keep up skips the older ones, and costs the memory of two however slow it is.
 */
export class AdminEvents {
  private readonly subscribe: Subscribe
  private readonly watchers = new Set<Watcher>()
  private written: { snapshot: AppSnapshot; event: string } | null = null
  private keepAlive: NodeJS.Timeout | null = null

  constructor(subscribe: Subscribe) {
    this.subscribe = subscribe
  }

  get isFull(): boolean {
    return this.watchers.size >= MAX_WATCHERS
  }

  /** Streams into `res` until its client leaves or `close` is called. */
  open(res: ServerResponse, isWelcome: () => boolean = () => true): void {
    res.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const watcher: Watcher = { res, isWelcome, unsubscribe: () => undefined, blockedAt: null, missed: null }
    this.watchers.add(watcher)
    res.on('drain', () => this.catchUp(watcher))
    res.on('close', () => this.remove(watcher))
    this.keepAlive ??= setInterval(() => this.tend(), KEEP_ALIVE_MS)
    watcher.unsubscribe = this.subscribe((snapshot) => this.send(watcher, this.eventOf(snapshot)))
  }

  /** Lexora stops: every stream ends cleanly. */
  close(): void {
    for (const watcher of [...this.watchers]) {
      this.remove(watcher)
      watcher.res.end()
    }
  }

  /** Made once per snapshot, whoever watches. The id tells processes apart. */
  private eventOf(snapshot: AppSnapshot): string {
    if (this.written?.snapshot !== snapshot) {
      const id = `${Date.parse(snapshot.server.startedAt)}-${snapshot.revision}`
      this.written = { snapshot, event: `id: ${id}\nevent: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n` }
    }
    return this.written.event
  }

  private send(watcher: Watcher, event: string): void {
    if (watcher.blockedAt !== null) watcher.missed = event
    else if (!watcher.res.write(event)) watcher.blockedAt = performance.now()
  }

  private catchUp(watcher: Watcher): void {
    const { missed } = watcher
    watcher.blockedAt = null
    watcher.missed = null
    if (missed !== null) this.send(watcher, missed)
  }

  private tend(): void {
    const now = performance.now()
    for (const { res, blockedAt, isWelcome } of this.watchers) {
      if (!isWelcome()) res.end()
      else if (blockedAt === null) res.write(': keep-alive\n\n')
      else if (now - blockedAt >= DEAF_MS) res.destroy()
    }
  }

  private remove(watcher: Watcher): void {
    if (!this.watchers.delete(watcher)) return
    watcher.unsubscribe()
    if (this.watchers.size > 0) return
    if (this.keepAlive !== null) clearInterval(this.keepAlive)
    this.keepAlive = null
    this.written = null
  }
}
