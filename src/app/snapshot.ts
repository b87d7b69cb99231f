import type { Backend } from '../backends/backend.ts'
import type {
  AppSnapshot,
  BackendReport,
  Band,
  QueueTotals,
  QueueView,
  Stats,
  UserLoad,
  UserView,
  WaiterView,
} from '../protocol/snapshot.ts'
import type { UserMinute } from '../telemetry/user-minutes.ts'

const MAX_USERS = 200
const EVERY_MS = 250

/**
 * Takes snapshots, and by itself only while somebody watches: then it looks four times a second, and tells of what
 * changed. A clock that went on is no change.
 */
export class SnapshotSource {
  private readonly take: (revision: number) => AppSnapshot
  private readonly listeners = new Set<(snapshot: AppSnapshot) => void>()
  private revision = 0
  private told = ''
  private timer: NodeJS.Timeout | null = null

  constructor(take: (revision: number) => AppSnapshot) {
    this.take = take
  }

  read(): AppSnapshot {
    return this.take(++this.revision)
  }

  /** Tells the listener how things are, before this returns, and then of every change. Returns what ends it. */
  subscribe(listener: (snapshot: AppSnapshot) => void): () => void {
    this.timer ??= setInterval(() => this.look(null), EVERY_MS)
    // A function may listen twice; each has its own end.
    const own = (snapshot: AppSnapshot): void => listener(snapshot)
    this.listeners.add(own)
    this.look(own)
    return () => {
      this.listeners.delete(own)
      if (this.listeners.size > 0) return
      if (this.timer !== null) clearInterval(this.timer)
      this.timer = null
    }
  }

  private look(newcomer: ((snapshot: AppSnapshot) => void) | null): void {
    const snapshot = this.read()
    const content = contentOf(snapshot)
    if (content === this.told) return newcomer?.(snapshot)
    this.told = content
    for (const listener of this.listeners) listener(snapshot)
  }
}

function contentOf({ revision: _, takenAt: __, server, health, ...rest }: AppSnapshot): string {
  const { uptimeSeconds: ___, ...place } = server
  return JSON.stringify({ place, status: health.status, reasons: health.reasons, ...rest })
}

export function backendReport(
  backend: Backend,
  queues: readonly QueueView[],
  now: number,
  fallsBack: boolean,
): BackendReport {
  const { name, options, health, inFlight } = backend
  return {
    name,
    type: options.type,
    host: options.type === 'dummy' ? null : new URL(options.url).host,
    status: health.is,
    reason: health.reason,
    breaker: backend.breakerAt(now),
    inFlight,
    limit: queues.find((queue) => queue.backend === name)?.permits.limit ?? null,
    models: [...backend.models],
    fallbacks: fallsBack ? [...options.fallbackBackends] : [],
    latencyMs: health.latencyMs,
  }
}

/** Who runs or waits now, and who was heard of in the last minute; the busiest first. `limitsOf`: null where limits are off. */
export function userViews(
  loads: readonly UserLoad[],
  minutes: readonly UserMinute[],
  limitsOf: (user: string) => UserView['limits'],
): UserView[] {
  const views = new Map<string, UserView>()
  for (const load of loads) {
    const limits = limitsOf(load.name) === null ? null : load.limits
    views.set(load.name, {
      ...load,
      limits,
      requestsThisMinute: 0,
      tokensThisMinute: 0,
      rateLimited: 0,
      waitedMs: null,
      remote: false,
    })
  }
  for (const minute of minutes) {
    const load = views.get(minute.name) ?? { inFlight: 0, waiting: 0, limits: limitsOf(minute.name) }
    views.set(minute.name, { ...load, ...minute })
  }
  const busy = ({ inFlight, waiting, requestsThisMinute }: UserView): number =>
    (inFlight + waiting) * 1e6 + requestsThisMinute
  return [...views.values()].sort((a, b) => busy(b) - busy(a)).slice(0, MAX_USERS)
}

export function queueTotals(depth: Readonly<Record<Band, number>>): QueueTotals {
  return { waiting: depth.high + depth.normal + depth.low, by_band: { ...depth } }
}

/** The body of `GET /stats`: what has happened, and who waits now, in that page's spelling. */
export function statsReport(stats: Stats, queues: readonly QueueView[], users: readonly UserView[]) {
  const all: Record<Band, number> = { high: 0, normal: 0, low: 0 }
  const backends: Record<string, QueueTotals & { in_flight: number; limit: number }> = {}
  for (const { backend, permits, depth } of queues) {
    for (const band of ['high', 'normal', 'low'] as const) all[band] += depth[band]
    backends[backend] = { in_flight: permits.inFlight, limit: permits.limit, ...queueTotals(depth) }
  }
  return {
    ...stats,
    queue: { ...queueTotals(all), backends },
    users: Object.fromEntries(users.map((user) => [user.name, userRow(user)])),
    waiting: queues.flatMap(({ backend, waiting }) => waiting.map((waiter) => waiterRow(backend, waiter))),
  }
}

function userRow({ inFlight, waiting, requestsThisMinute, tokensThisMinute, rateLimited, waitedMs }: UserView) {
  return {
    in_flight: inFlight,
    waiting,
    requests_this_minute: requestsThisMinute,
    tokens_this_minute: tokensThisMinute,
    rate_limited: rateLimited,
    waited_ms: waitedMs,
  }
}

function waiterRow(backend: string, { id, place, band, flow, user, model, ageMs, predictedWaitMs }: WaiterView) {
  return { id, backend, place, band, flow, user, model, age_ms: ageMs, predicted_wait_ms: predictedWaitMs }
}
