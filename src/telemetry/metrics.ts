import { type Counter, collectDefaultMetrics, Gauge, Histogram, Counter as PromCounter, Registry } from 'prom-client'
import type { Outcome } from './outcome.ts'

/** What the gauges show, read when somebody scrapes. `breaker`: 0 closed, 1 half-open, 2 open. */
export type BackendGauges = { name: string; inFlight: number; up: boolean; breaker: 0 | 1 | 2 }

const DURATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const TTFT_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120]
const OVERHEAD_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1]
const SERIES_PER_METRIC = 2000

/**
 * The Prometheus metrics of DESIGN 4.3. Labels come from closed sets only; a child is resolved once per combination,
 * since looking it up by label object at every request costs more than counting (performance.md 2).
 */
export class Metrics {
  private readonly registry = new Registry()
  private readonly requests: Counter<'endpoint' | 'model' | 'backend' | 'outcome'>
  private readonly duration: Histogram<'endpoint' | 'model'>
  private readonly ttft: Histogram<'model'>
  private readonly overhead: Histogram
  private readonly tokens: Counter<'model' | 'kind'>
  private readonly retries: Counter<'backend' | 'reason'>
  private readonly fallbacks: Counter<'from' | 'to'>
  private readonly children = new Map<string, Children>()

  constructor(readBackends: () => BackendGauges[]) {
    const registers = [this.registry]
    this.requests = new PromCounter({
      name: 'lexora_requests_total',
      help: 'Requests that ended, by endpoint, model, backend and outcome.',
      labelNames: ['endpoint', 'model', 'backend', 'outcome'],
      registers,
    })
    this.duration = new Histogram({
      name: 'lexora_request_duration_seconds',
      help: 'From the request line to the last byte of the answer.',
      labelNames: ['endpoint', 'model'],
      buckets: DURATION_BUCKETS,
      registers,
    })
    this.ttft = new Histogram({
      name: 'lexora_time_to_first_token_seconds',
      help: 'From the request line to the first event of a stream.',
      labelNames: ['model'],
      buckets: TTFT_BUCKETS,
      registers,
    })
    this.overhead = new Histogram({
      name: 'lexora_overhead_seconds',
      help: 'Time that Lexora itself took: total less queue, backend and back-off.',
      buckets: OVERHEAD_BUCKETS,
      registers,
    })
    this.tokens = new PromCounter({
      name: 'lexora_tokens_total',
      help: 'Tokens as backends reported them.',
      labelNames: ['model', 'kind'],
      registers,
    })
    this.retries = new PromCounter({
      name: 'lexora_retries_total',
      help: 'Attempts that failed and were repeated, by backend and reason.',
      labelNames: ['backend', 'reason'],
      registers,
    })
    this.fallbacks = new PromCounter({
      name: 'lexora_fallbacks_total',
      help: 'Requests that went on to another backend.',
      labelNames: ['from', 'to'],
      registers,
    })
    this.addGauges(readBackends)
    collectDefaultMetrics({ register: this.registry })
  }

  get contentType(): string {
    return this.registry.contentType
  }

  record(outcome: Outcome): void {
    const children = this.childrenFor(outcome)
    children.requests.inc()
    children.duration.observe(outcome.latencyMs / 1000)
    if (outcome.ttftMs !== null) children.ttft.observe(outcome.ttftMs / 1000)
    this.overhead.observe(Math.max(0, outcome.latencyMs - outcome.awayMs - outcome.queueMs) / 1000)
    if (outcome.usage !== null) {
      children.prompt.inc(outcome.usage.prompt ?? 0)
      children.completion.inc(outcome.usage.completion ?? 0)
      if (outcome.usage.cached !== null) this.tokens.inc({ model: outcome.model, kind: 'cached' }, outcome.usage.cached)
    }
    for (const retry of outcome.retries) this.retries.inc(retry)
    for (const fallback of outcome.fallbacks) this.fallbacks.inc(fallback)
  }

  /** The text exposition. */
  async expose(): Promise<string> {
    return await this.registry.metrics()
  }

  private childrenFor({ endpoint, model, backend, outcome }: Outcome): Children {
    const key = `${endpoint}\n${model}\n${backend}\n${outcome}`
    let children = this.children.get(key)
    if (children === undefined) {
      // Every label is from a closed set, so this bound is never met; it stands in case one day one is not.
      const shown = this.children.size < SERIES_PER_METRIC ? model : 'other'
      children = {
        requests: this.requests.labels({ endpoint, model: shown, backend: backend ?? 'none', outcome }),
        duration: this.duration.labels({ endpoint, model: shown }),
        ttft: this.ttft.labels({ model: shown }),
        prompt: this.tokens.labels({ model: shown, kind: 'prompt' }),
        completion: this.tokens.labels({ model: shown, kind: 'completion' }),
      }
      this.children.set(key, children)
    }
    return children
  }

  private addGauges(readBackends: () => BackendGauges[]): void {
    const gauge = (name: string, help: string, read: (backend: BackendGauges) => number): void => {
      new Gauge({
        name,
        help,
        labelNames: ['backend'],
        registers: [this.registry],
        collect() {
          for (const backend of readBackends()) this.set({ backend: backend.name }, read(backend))
        },
      })
    }
    gauge('lexora_in_flight', 'Requests at the backend now.', ({ inFlight }) => inFlight)
    gauge('lexora_backend_up', '1 while the backend is thought to be up.', ({ up }) => (up ? 1 : 0))
    gauge('lexora_breaker_state', 'Circuit breaker: 0 closed, 1 half-open, 2 open.', ({ breaker }) => breaker)
  }
}

type Children = {
  requests: Counter.Internal
  duration: Histogram.Internal<string>
  ttft: Histogram.Internal<string>
  prompt: Counter.Internal
  completion: Counter.Internal
}
