import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { ENGINE_STATES, type EngineView } from '../protocol/engine.ts'
import type { GpuView } from '../protocol/snapshot.ts'
import type { Outcome } from './outcome.ts'
import { CounterTally, type HistogramCell, HistogramTally } from './tally.ts'

/** What the gauges show, read when somebody scrapes. `breaker`: 0 closed, 1 half-open, 2 open. */
export type BackendGauges = {
  name: string
  inFlight: number
  up: boolean
  breaker: 0 | 1 | 2
  /** Null: nothing was sent there yet. */
  permits: { limit: number; openLoop: boolean } | null
}

export type Gauges = {
  backends: BackendGauges[]
  depth: Record<string, number>
  engines: Pick<EngineView, 'name' | 'state' | 'restarts'>[]
  /** How often one left its GPU to another, and why. */
  swaps: { engine: string; because: string; count: number }[]
  /** Empty where nothing is known of them. */
  gpus: GpuView[]
}

const DURATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const TTFT_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120]
const QUEUE_BUCKETS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const INTER_TOKEN_BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1]
const OVERHEAD_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1]

/** prom-client's statistics of a timer that it starts, by the end of their names. */
const SAMPLED_DELAYS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99']
/** The longest that timer can take; there is no way not to start it. */
const SAMPLED_EVERY_MS = 2 ** 31 - 1

/** The Prometheus metrics of DESIGN 4.3. Labels come from closed sets only; cells are resolved once per combination. */
export class Metrics {
  private readonly registry = new Registry()
  private readonly requests: CounterTally
  private readonly duration: HistogramTally
  private readonly ttft: HistogramTally
  private readonly overhead: HistogramCell
  private readonly queueWait: HistogramTally
  private readonly interToken: HistogramTally
  private readonly tokens: CounterTally
  private readonly retries: CounterTally
  private readonly fallbacks: CounterTally
  private readonly rateLimited: CounterTally
  private readonly cells = new Map<string, Cells>()
  private readonly waits = new Map<string, HistogramCell>()
  /** Most requests are like the one before. */
  private last = {
    endpoint: '',
    model: '',
    backend: null as string | null,
    outcome: '',
    cells: null as unknown as Cells,
  }

  constructor(read: () => Gauges) {
    const counter = (name: string, help: string) => new CounterTally(this.registry, name, help)
    const histogram = (name: string, help: string, bounds: readonly number[]) =>
      new HistogramTally(this.registry, name, help, bounds)
    this.requests = counter('lexora_requests_total', 'Requests that ended, by endpoint, model, backend and outcome.')
    this.duration = histogram(
      'lexora_request_duration_seconds',
      'From the request line to the last byte of the answer.',
      DURATION_BUCKETS,
    )
    this.ttft = histogram(
      'lexora_time_to_first_token_seconds',
      'From the request line to the first event of a stream.',
      TTFT_BUCKETS,
    )
    this.overhead = histogram(
      'lexora_overhead_seconds',
      'Time that Lexora itself took: total less queue, backend and back-off.',
      OVERHEAD_BUCKETS,
    ).cell({})
    this.queueWait = histogram('lexora_queue_wait_seconds', "Time in Lexora's own queue, by band.", QUEUE_BUCKETS)
    this.interToken = histogram(
      'lexora_inter_token_latency_seconds',
      'Mean time between two tokens of a stream, once per stream.',
      INTER_TOKEN_BUCKETS,
    )
    this.tokens = counter('lexora_tokens_total', 'Tokens as backends reported them.')
    this.retries = counter('lexora_retries_total', 'Attempts that failed and were repeated, by backend and reason.')
    this.fallbacks = counter('lexora_fallbacks_total', 'Requests that went on to another backend.')
    this.rateLimited = counter('lexora_rate_limited_total', "Requests refused by their caller's own limits.")
    this.addGauges(read)
    this.addEngines(read)
    this.addGpus(read)
    // It would wake an idle program a hundred times a second, and counts its own interval into each delay it tells.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: SAMPLED_EVERY_MS })
    for (const name of SAMPLED_DELAYS) this.registry.removeSingleMetric(`nodejs_eventloop_lag_${name}_seconds`)
  }

  get contentType(): string {
    return this.registry.contentType
  }

  record(outcome: Outcome): void {
    const cells = this.cellsFor(outcome)
    cells.requests.value++
    cells.duration.observe(outcome.latencyMs / 1000)
    if (outcome.ttftMs !== null) cells.ttft.observe(outcome.ttftMs / 1000)
    this.overhead.observe(Math.max(0, outcome.latencyMs - outcome.awayMs - outcome.queueMs) / 1000)
    if (outcome.band !== null) this.waitCell(outcome.band).observe(outcome.queueMs / 1000)
    if (outcome.usage !== null) {
      const perToken = interTokenMs(outcome)
      if (perToken !== null) cells.interToken.observe(perToken / 1000)
      cells.prompt.value += outcome.usage.prompt ?? 0
      cells.completion.value += outcome.usage.completion ?? 0
      cells.cached.value += outcome.usage.cached ?? 0
    }
    if (outcome.limit !== undefined) this.rateLimited.cell({ limit: outcome.limit }).value++
    for (const { backend, reason } of outcome.retries) this.retries.cell({ backend, reason }).value++
    for (const fallback of outcome.fallbacks) this.fallbacks.cell(fallback).value++
  }

  /** The text exposition. */
  async expose(): Promise<string> {
    return await this.registry.metrics()
  }

  private waitCell(band: string): HistogramCell {
    let cell = this.waits.get(band)
    if (cell === undefined) {
      cell = this.queueWait.cell({ band })
      this.waits.set(band, cell)
    }
    return cell
  }

  private cellsFor({ endpoint, model, backend, outcome }: Outcome): Cells {
    const { last } = this
    if (last.model === model && last.endpoint === endpoint && last.backend === backend && last.outcome === outcome) {
      return last.cells
    }
    const key = `${endpoint}\n${model}\n${backend}\n${outcome}`
    let cells = this.cells.get(key)
    if (cells === undefined) {
      cells = {
        requests: this.requests.cell({ endpoint, model, backend: backend ?? 'none', outcome }),
        duration: this.duration.cell({ endpoint, model }),
        ttft: this.ttft.cell({ model }),
        interToken: this.interToken.cell({ model }),
        prompt: this.tokens.cell({ model, kind: 'prompt' }),
        completion: this.tokens.cell({ model, kind: 'completion' }),
        cached: this.tokens.cell({ model, kind: 'cached' }),
      }
      this.cells.set(key, cells)
    }
    this.last = { endpoint, model, backend, outcome, cells }
    return cells
  }

  private addGauges(read: () => Gauges): void {
    const gauge = (name: string, help: string, figure: (backend: BackendGauges) => number): void => {
      new Gauge({
        name,
        help,
        labelNames: ['backend'],
        registers: [this.registry],
        collect() {
          this.reset()
          for (const backend of read().backends) this.set({ backend: backend.name }, figure(backend))
        },
      })
    }
    gauge('lexora_in_flight', 'Requests at the backend now.', ({ inFlight }) => inFlight)
    gauge('lexora_backend_up', '1 while the backend is thought to be up.', ({ up }) => (up ? 1 : 0))
    gauge('lexora_breaker_state', 'Circuit breaker: 0 closed, 1 half-open, 2 open.', ({ breaker }) => breaker)
    gauge(
      'lexora_permit_limit',
      'Requests that the backend may have at once now.',
      ({ permits }) => permits?.limit ?? 0,
    )
    gauge('lexora_open_loop', '1 while the limit is kept without believable engine metrics.', ({ permits }) =>
      permits?.openLoop ? 1 : 0,
    )
    new Gauge({
      name: 'lexora_queue_depth',
      help: 'Requests that wait for their turn, by band.',
      labelNames: ['band'],
      registers: [this.registry],
      collect() {
        for (const [band, count] of Object.entries(read().depth)) this.set({ band }, count)
      },
    })
  }

  private addEngines(read: () => Gauges): void {
    new Gauge({
      name: 'lexora_engine_state',
      help: '1 for the state that the engine is in, 0 for every other.',
      labelNames: ['engine', 'state'],
      registers: [this.registry],
      collect() {
        this.reset()
        for (const { name, state } of read().engines) {
          for (const one of ENGINE_STATES) this.set({ engine: name, state: one }, one === state.is ? 1 : 0)
        }
      },
    })
    new Counter({
      name: 'lexora_engine_restarts_total',
      help: 'Starts of the engine that nobody asked for.',
      labelNames: ['engine'],
      registers: [this.registry],
      collect() {
        this.reset()
        for (const { name, restarts } of read().engines) this.inc({ engine: name }, restarts)
      },
    })
    new Counter({
      name: 'lexora_engine_swaps_total',
      help: 'Times that the engine left its GPU to another: it was idle, the other was late, or an operator asked.',
      labelNames: ['engine', 'reason'],
      registers: [this.registry],
      collect() {
        this.reset()
        for (const { engine, because, count } of read().swaps) this.inc({ engine, reason: because }, count)
      },
    })
  }

  /** What a card does not tell has no series, rather than a zero that would be believed. */
  private addGpus(read: () => Gauges): void {
    const gauge = (name: string, help: string, figure: (gpu: GpuView) => number | null): void => {
      new Gauge({
        name: `lexora_gpu_${name}`,
        help,
        labelNames: ['gpu'],
        registers: [this.registry],
        collect() {
          this.reset()
          for (const gpu of read().gpus) {
            const value = figure(gpu)
            if (value !== null) this.set({ gpu: gpu.index }, value)
          }
        },
      })
    }
    gauge('utilization_ratio', 'Share of the time in which anything ran on the GPU.', (gpu) => gpu.utilization)
    gauge('memory_used_bytes', 'Memory of the GPU in use, by whomever.', (gpu) => gpu.usedBytes)
    gauge('memory_total_bytes', 'Memory of the GPU.', (gpu) => gpu.totalBytes)
    gauge('temperature_celsius', 'Temperature of the GPU.', (gpu) => gpu.temperatureC)
    gauge('power_watts', 'Power that the GPU draws.', (gpu) => gpu.powerW)
  }
}

/** Mean milliseconds between two tokens; null for what is no stream, or of fewer than two tokens. */
function interTokenMs({ outcome, stream, ttftMs, latencyMs, usage }: Outcome): number | null {
  const tokens = usage?.completion ?? 0
  if (outcome !== 'ok' || !stream || ttftMs === null || tokens < 2) return null
  return (latencyMs - ttftMs) / (tokens - 1)
}

type Cells = {
  requests: { value: number }
  duration: HistogramCell
  ttft: HistogramCell
  interToken: HistogramCell
  prompt: { value: number }
  completion: { value: number }
  cached: { value: number }
}
