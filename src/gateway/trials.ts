import type { BackendRegistry } from '../backends/registry.ts'
import { decideRetry, type Failure, type RetryDecision, type RetryPolicy } from '../policy/retry.ts'
import type { Candidate } from '../policy/route.ts'

/** Shorter than any engine's restart, longer than a large process takes to die. */
const ONE_DEATH_MS = 1000

/** What one request has tried so far, and what is left to try. */
export class Trials {
  private readonly registry: BackendRegistry
  private readonly policy: RetryPolicy
  private readonly tried: string[] = []
  private candidates: readonly Candidate[] = []
  private retries = 0
  private lost = 0
  private lostAt = Number.NEGATIVE_INFINITY
  private staleRetried = false

  constructor(registry: BackendRegistry, policy: RetryPolicy) {
    this.registry = registry
    this.policy = policy
  }

  begin(candidates: readonly Candidate[]): void {
    this.candidates = candidates
  }

  /** Nobody knows yet where it may go. */
  get isEmpty(): boolean {
    return this.candidates.length === 0
  }

  /** Those to choose the first from: they list the model alike. */
  firsts(): Candidate[] {
    const [first] = this.candidates
    return this.candidates.filter(({ role }) => role === first!.role)
  }

  note(backend: string): void {
    this.tried.push(backend)
  }

  /**
   * An attempt failed. Each must be told here before anything is decided. `engineAt`: the time, where the backend is an
   * engine of ours: its process closes its sockets one by one as it dies, so that losses at once are one death.
   */
  failed({ kind }: Failure, engineAt: number | null): void {
    if (kind !== 'lost' && kind !== 'stale') return
    const isSame = engineAt !== null && engineAt - this.lostAt < ONE_DEATH_MS
    this.lostAt = engineAt ?? this.lostAt
    if (!isSame) this.lost++
  }

  /** Two connections were lost with it in flight: it may be what kills the engine, and is not sent a third time. */
  get isSuspect(): boolean {
    return this.lost >= 2
  }

  /** After a failure that the client has seen nothing of. `repeatable`: doing it twice does no harm. */
  decide(failure: Failure, left: { remainingMs: number; repeatable: boolean }, now: number, chance: number) {
    const untried = this.untried(now)
    const { retries, lost, staleRetried } = this
    const untriedPeers = untried.filter(({ role }) => role === 'peer').length
    const untriedFallbacks = untried.length - untriedPeers
    return decideRetry(
      failure,
      { retries, lost, staleRetried, untriedPeers, untriedFallbacks, ...left },
      this.policy,
      chance,
    )
  }

  /** How often it may still be repeated. */
  get retriesLeft(): number {
    return Math.max(0, this.policy.maxRetries - this.retries)
  }

  /** The decision was to try again. */
  repeats({ budgeted }: Extract<RetryDecision, { do: 'retry' }>): void {
    if (budgeted) this.retries++
    else this.staleRetried = true
  }

  /** Where it goes after a failure: another that lists the model, else the first fallback. */
  next(now: number): Candidate | undefined {
    const untried = this.untried(now)
    return untried.find(({ role }) => role === 'peer') ?? untried[0]
  }

  /** Where else it may wait, or run, without that anything has failed. */
  elsewhere(now: number): Candidate | undefined {
    const next = this.next(now)
    return next?.role === 'fallback' && !this.policy.fallback.enabled ? undefined : next
  }

  private untried(now: number): Candidate[] {
    return this.candidates.filter(
      ({ backend }) => !this.tried.includes(backend) && this.registry.get(backend)!.viewAt(now).usable,
    )
  }
}
