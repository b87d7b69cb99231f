import { type BackendLoad, chooseBackend } from '../../src/policy/choose-backend.ts'
import { type Breaker, breakerAllows, CLOSED, nextBreaker, settleBreaker } from '../../src/policy/circuit-breaker.ts'
import { decideRetry, type Failure, type RetryPolicy } from '../../src/policy/retry.ts'
import { countRequest, newRetryBudget, type RetryBudget, takeRetry } from '../../src/policy/retry-budget.ts'
import { type BackendView, planRoute, type RouteTable } from '../../src/policy/route.ts'
import { problem } from '../../src/protocol/errors.ts'
import { Chance } from './chance.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'

const FAILING = 0.3
const PER_SECOND = 10
const SUCCESS_MS = 1000
const FAILURE_MS = 50
const PATIENCE_MS = 60_000
const MODEL = 'm'

/** What an empty configuration gives (DESIGN 3). */
const POLICY: RetryPolicy & { budget: number } = {
  maxRetries: 3,
  baseDelayMs: 1000,
  maxDelayMs: 30_000,
  exponentialBase: 2,
  respectRetryAfter: true,
  maxRetryAfterMs: 60_000,
  defaultRetryAfterMs: 30_000,
  fallback: { enabled: true, onRateLimit: true, onContextOverflow: false },
  budget: 0.1,
}
const TABLE: RouteTable = { aliases: new Map(), tasks: new Map(), defaultBackend: null, defaultModel: null }

type Server = { view: BackendView; breaker: Breaker; probing: boolean; failing: number; failures: number }
type Ask = { arrivedAt: number; tried: string[]; retries: number; lost: number; staleRetried: boolean }
type Run = { requests: number; attempts: number; answered: number; opened: number[]; failuresBeforeOpen: number }

/** One backend that fails some of its calls beside a healthy one: what clients see, and how often is asked upstream. */
function run(seed: number, ms: number): Run {
  const chance = new Chance(seed)
  const budget = newRetryBudget()
  const servers = [aServer('shaky', FAILING), aServer('healthy', 0)]
  const result: Run = { requests: 0, attempts: 0, answered: 0, opened: [], failuresBeforeOpen: Number.NaN }
  const events: { at: number; then: () => void }[] = []
  const later = (at: number, then: () => void): void => {
    events.push({ at, then })
    events.sort((a, b) => a.at - b.at)
  }
  let now = 0
  const arrive = (): void => {
    result.requests++
    countRequest(budget, now)
    attempt({ arrivedAt: now, tried: [], retries: 0, lost: 0, staleRetried: false }, null)
    if (now < ms) later(now + chance.gapMs(PER_SECOND), arrive)
  }
  later(0, arrive)
  for (let next = events.shift(); next !== undefined; next = events.shift()) {
    now = next.at
    next.then()
  }
  return result

  function attempt(ask: Ask, again: Server | null): void {
    const server = again ?? chosen(ask)
    ask.tried.push(server.view.name)
    result.attempts++
    server.view.inFlight++
    const isProbe = settleBreaker(server.breaker, now).is === 'half-open' && !server.probing
    if (isProbe) {
      server.probing = true
      server.breaker = nextBreaker(server.breaker, 'probe-started', now)
    }
    const fails = chance.next() < server.failing
    later(now + (fails ? FAILURE_MS : SUCCESS_MS), () => {
      server.view.inFlight--
      if (fails) fail(server)
      else if (server.breaker !== CLOSED) server.breaker = nextBreaker(server.breaker, 'success', now)
      if (isProbe) {
        server.probing = false
        server.breaker = nextBreaker(server.breaker, 'probe-dropped', now)
      }
      if (fails) repair(ask, server)
      else result.answered++
    })
  }

  function fail(server: Server): void {
    server.failures++
    server.breaker = nextBreaker(server.breaker, 'failure', now)
    if (server.breaker.is !== 'open') return
    result.opened.push(now)
    if (Number.isNaN(result.failuresBeforeOpen)) result.failuresBeforeOpen = server.failures
  }

  function repair(ask: Ask, server: Server): void {
    const failure = aFailure(chance)
    if (failure.kind === 'lost') ask.lost++
    const untriedPeers = candidates().filter((name) => !ask.tried.includes(name)).length
    const remainingMs = ask.arrivedAt + PATIENCE_MS - now
    const tried = { ...ask, untriedPeers, untriedFallbacks: 0, remainingMs, repeatable: true }
    const decision = decideRetry(failure, tried, POLICY, chance.next())
    if (decision.do === 'give-up') return
    if (decision.do === 'next-backend') return attempt(ask, null)
    if (decision.budgeted && !mayRetry(budget)) return
    ask.retries++
    later(now + decision.afterMs, () => attempt(ask, server))
  }

  function mayRetry(of: RetryBudget): boolean {
    return takeRetry(of, POLICY.budget, now)
  }

  /** Usable ones; all where none is. */
  function candidates(): string[] {
    for (const server of servers) server.view.usable = breakerAllows(server.breaker, now)
    const asked = { model: MODEL, task: null, unit: 'u', allowRemote: false }
    const views = servers.map(({ view }) => view)
    const route = planRoute(asked, views, TABLE)
    return route.ok ? route.candidates.map(({ backend }) => backend) : []
  }

  function chosen(ask: Ask): Server {
    const names = candidates()
    const fresh = names.filter((name) => !ask.tried.includes(name))
    const loads = (fresh.length > 0 ? fresh : names).map((name) => loadOf(serverOf(name)))
    return serverOf(chooseBackend(loads, 500)!.backend)
  }

  function serverOf(name: string): Server {
    return servers.find(({ view }) => view.name === name)!
  }
}

function aServer(name: string, failing: number): Server {
  const view: BackendView = {
    name,
    models: new Set([MODEL]),
    modelMapping: new Map(),
    soleModel: null,
    fallbackBackends: [],
    usable: true,
    modelsKnown: true,
    inFlight: 0,
    remote: false,
    spent: false,
  }
  return { view, breaker: CLOSED, probing: false, failing, failures: 0 }
}

function loadOf({ view: { name, inFlight } }: Server): BackendLoad {
  const idle = { prefillBacklog: 0, prefillRate: 5, cachedTokens: 0, queueWaitMs: 0, weight: 1, swapMs: 0, kvUse: 0 }
  return { ...idle, backend: name, inFlight }
}

/** Half are answers with 500, half connections that end. */
function aFailure(chance: Chance): Failure {
  const lost = chance.next() < 0.5
  return {
    kind: lost ? 'lost' : 'status',
    problem: problem('backend_invalid_response', 'It failed.'),
    status: lost ? null : 500,
    retryAfterMs: null,
    overflow: false,
    garbledRetryAfter: false,
    answer: null,
    reason: lost ? 'lost' : 'status_500',
  }
}

export const chaos: Experiment = {
  id: 'P3.3',
  title: 'a backend that fails 30 % of its calls, beside a healthy one; 10 requests a second',
  run({ quick, seed }) {
    const ms = quick ? 120_000 : 600_000
    const runs = Array.from({ length: 5 }, (_, i) => run(seed + i, ms))
    const sum = (of: (run: Run) => number): number => runs.reduce((total, one) => total + of(one), 0)
    const figure = (name: string, value: number, target: Figure['target'] = null): Figure => {
      return { id: 'P3.3', name, value, unit: '', target }
    }
    const requests = sum((one) => one.requests)
    const failures = Math.max(...runs.map((one) => one.failuresBeforeOpen))
    return [
      figure('failures until it is open, most of 5 seeds', failures, atMost(3)),
      figure('success seen by clients', sum(({ answered }) => answered) / requests, atLeast(0.999)),
      figure('attempts, of requests', sum(({ attempts }) => attempts) / requests, atMost(1.1)),
      figure('times it opened a minute', sum(({ opened }) => opened.length) / ((5 * ms) / 60_000)),
    ]
  },
}
