import type { BackendRegistry } from '../backends/registry.ts'
import type { Band } from '../policy/band-shares.ts'
import { planRoute, type RouteTable } from '../policy/route.ts'
import type { Problem } from '../protocol/errors.ts'
import type { Principal } from '../users/api-key.ts'
import type { AdmissionController, Admitted, UserRules } from './admission-controller.ts'
import type { Queues } from './queues.ts'
import type { RequestHead } from './request-head.ts'
import type { Settlement } from './settlement.ts'
import { Turn } from './turn.ts'

const UNREAD = Buffer.alloc(0)
/** What an image, a recording or a conversation is reckoned as, since it is not read. [D] */
const TOKENS_RESERVED = 800

export type SeatOptions = {
  registry: BackendRegistry
  admission: AdmissionController
  queues: Queues
  routes: RouteTable
}

/** Who asks for which model. `model` null: the request names none. */
export type SeatRequest = {
  head: RequestHead
  model: string | null
  principal: Principal
  requestId: string
  settlement: Settlement
}

export type SeatOwner = {
  /** It may go to this backend; `model` is the name to ask for there. */
  onSeat(backend: string, model: string | null): void
  onRefused(told: Problem, headers: readonly string[]): void
}

/** Milliseconds. */
export type SeatPatience = { queueMs: number; engineMs: number }

/**
 * What a request that is passed through unread needs before it may go: a route, room in its caller's limits, and a
 * permit of one backend. Whoever asks calls `leave` once, whatever came of it.
 */
export class Seat {
  private readonly options: SeatOptions
  private turn: Turn | null = null
  private admitted: Admitted | null = null

  constructor(options: SeatOptions) {
    this.options = options
  }

  get isWaiting(): boolean {
    return this.turn?.isWaiting ?? false
  }

  /** Tells its owner, perhaps before this returns. */
  ask(
    { head, model: asked, principal, requestId, settlement }: SeatRequest,
    patience: SeatPatience,
    owner: SeatOwner,
  ): void {
    const { registry, admission, queues, routes } = this.options
    const views = registry.views(performance.now())
    const only = views.length === 1 ? views[0]!.name : null
    const table = { ...routes, defaultBackend: routes.defaultBackend ?? (asked === null ? only : null) }
    const named = head.user?.slice(0, 256) || null
    const rules = admission.rulesOf(principal, named)
    const unit = head.session ?? principal.user ?? named ?? principal.keyId ?? requestId
    const route = planRoute({ model: asked, task: null, unit, allowRemote: rules.allowRemote }, views, table)
    if (!route.ok) return owner.onRefused(route.problem, [])
    settlement.model = registry.serves(route.model) ? route.model : 'other'
    settlement.user ??= named
    const foreseen = { body: UNREAD, model: settlement.model, app: '', generates: false, choices: 1 }
    const asking = { principal, named, model: route.model, foreseen, maxTokens: null }
    const admittance = admission.admit(asking, performance.now())
    if (!admittance.ok) {
      settlement.limit = admittance.limit
      return owner.onRefused(admittance.problem, admittance.headers)
    }
    this.admitted = admittance.admitted
    const band = bandOf(rules)
    settlement.band = band
    const { backend, model } = route.candidates[0]!
    this.turn = new Turn(
      queues,
      {
        requestId,
        band,
        user: principal.user ?? principal.keyId ?? named ?? '',
        app: head.path,
        weight: rules.weight,
        model: settlement.model,
        named: settlement.user,
        forecast: { ...this.admitted.forecast, promptTokens: TOKENS_RESERVED },
        maxTokens: null,
        body: UNREAD,
        text: null,
        session: null,
        streams: false,
      },
      {
        onTurn: (waitedMs) => {
          settlement.waited(waitedMs)
          owner.onSeat(backend, model)
        },
        onRefused: (told, waitedMs) => {
          settlement.waited(waitedMs)
          owner.onRefused(told, [])
        },
      },
    )
    const told = this.turn.ask(route.candidates[0]!, patience, performance.now())
    if (told !== null) owner.onRefused(told, [])
  }

  /** Gives the permit back. What such an answer cost in tokens nobody tells: it counts as one request. */
  leave(aborted: boolean): void {
    const now = performance.now()
    const { admitted, turn } = this
    this.admitted = null
    this.turn = null
    if (admitted !== null) this.options.admission.settleUnused(admitted, now)
    turn?.end(null, true, aborted, now)
  }
}

function bandOf({ maxBand }: UserRules): Band {
  return maxBand === 'high' ? 'normal' : maxBand
}
