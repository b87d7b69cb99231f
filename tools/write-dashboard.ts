/** Writes resources/grafana/lexora.json. */
import { writeFileSync } from 'node:fs'

type Target = { expr: string; legend: string }
type Panel = {
  title: string
  unit: string
  about: string
  targets: Target[]
  kind?: 'timeseries' | 'stat' | 'state-timeline'
}

const RATE = '$__rate_interval'
const quantile = (q: number, metric: string, by: string) =>
  `histogram_quantile(${q}, sum by (le, ${by}) (rate(${metric}_bucket[${RATE}])))`
const rate = (metric: string, by: string, match = '') => `sum by (${by}) (rate(${metric}${match}[${RATE}]))`

const ROWS: { title: string; panels: Panel[] }[] = [
  {
    title: 'Traffic',
    panels: [
      {
        title: 'Requests by outcome',
        unit: 'reqps',
        about: 'Everything that ended, also what was refused.',
        targets: [{ expr: rate('lexora_requests_total', 'outcome'), legend: '{{outcome}}' }],
      },
      {
        title: 'Requests by model',
        unit: 'reqps',
        about: 'Where the work goes.',
        targets: [{ expr: rate('lexora_requests_total', 'model'), legend: '{{model}}' }],
      },
      {
        title: 'Share of errors',
        unit: 'percentunit',
        about: 'Backend errors and broken streams, of all requests.',
        kind: 'stat',
        targets: [
          {
            expr: `sum(rate(lexora_requests_total{outcome=~"backend_error|stream_error"}[${RATE}])) / clamp_min(sum(rate(lexora_requests_total[${RATE}])), 1e-9)`,
            legend: 'errors',
          },
        ],
      },
      {
        title: 'Tokens',
        unit: 'short',
        about: 'Per second, as backends reported them.',
        targets: [{ expr: rate('lexora_tokens_total', 'kind'), legend: '{{kind}}' }],
      },
    ],
  },
  {
    title: 'Latency',
    panels: [
      {
        title: 'Duration',
        unit: 's',
        about: 'From the request line to the last byte.',
        targets: [
          { expr: quantile(0.5, 'lexora_request_duration_seconds', 'model'), legend: 'p50 {{model}}' },
          { expr: quantile(0.95, 'lexora_request_duration_seconds', 'model'), legend: 'p95 {{model}}' },
        ],
      },
      {
        title: 'Time to first token',
        unit: 's',
        about: 'What somebody who reads along feels.',
        targets: [
          { expr: quantile(0.5, 'lexora_time_to_first_token_seconds', 'model'), legend: 'p50 {{model}}' },
          { expr: quantile(0.95, 'lexora_time_to_first_token_seconds', 'model'), legend: 'p95 {{model}}' },
        ],
      },
      {
        title: 'Between two tokens',
        unit: 's',
        about: 'Mean of each stream.',
        targets: [{ expr: quantile(0.95, 'lexora_inter_token_latency_seconds', 'model'), legend: 'p95 {{model}}' }],
      },
      {
        title: "Lexora's own time",
        unit: 's',
        about: 'Total less queue, backend and back-off.',
        targets: [
          {
            expr: `histogram_quantile(0.99, sum by (le) (rate(lexora_overhead_seconds_bucket[${RATE}])))`,
            legend: 'p99',
          },
        ],
      },
    ],
  },
  {
    title: 'Queue and limits',
    panels: [
      {
        title: 'Waiting',
        unit: 'short',
        about: 'Requests that wait for their turn, by band.',
        targets: [{ expr: 'sum by (band) (lexora_queue_depth)', legend: '{{band}}' }],
      },
      {
        title: 'Wait',
        unit: 's',
        about: "95 of 100 waited less in Lexora's queue.",
        targets: [{ expr: quantile(0.95, 'lexora_queue_wait_seconds', 'band'), legend: '{{band}}' }],
      },
      {
        title: 'In flight and permitted',
        unit: 'short',
        about: 'A dashed line that is met means: the engine is full.',
        targets: [
          { expr: 'lexora_in_flight', legend: '{{backend}} in flight' },
          { expr: 'lexora_permit_limit', legend: '{{backend}} permitted' },
        ],
      },
      {
        title: 'Refused by a limit',
        unit: 'reqps',
        about: "The caller's own limits: 429.",
        targets: [{ expr: rate('lexora_rate_limited_total', 'limit'), legend: '{{limit}}' }],
      },
    ],
  },
  {
    title: 'Backends',
    panels: [
      {
        title: 'Up',
        unit: 'short',
        about: '1 while it is thought to be up.',
        kind: 'state-timeline',
        targets: [{ expr: 'lexora_backend_up', legend: '{{backend}}' }],
      },
      {
        title: 'Breaker',
        unit: 'short',
        about: '0 closed, 1 half-open, 2 open.',
        kind: 'state-timeline',
        targets: [{ expr: 'lexora_breaker_state', legend: '{{backend}}' }],
      },
      {
        title: 'Retries',
        unit: 'reqps',
        about: 'Attempts that failed and were repeated.',
        targets: [{ expr: rate('lexora_retries_total', 'backend, reason'), legend: '{{backend}} {{reason}}' }],
      },
      {
        title: 'Fallbacks',
        unit: 'reqps',
        about: 'Requests that went on elsewhere.',
        targets: [{ expr: rate('lexora_fallbacks_total', 'from, to'), legend: '{{from}} → {{to}}' }],
      },
      {
        title: 'Limits kept blind',
        unit: 'short',
        about: "1 while an engine's metrics are not to be believed.",
        kind: 'state-timeline',
        targets: [{ expr: 'lexora_open_loop', legend: '{{backend}}' }],
      },
    ],
  },
  {
    title: 'Engines and GPU',
    panels: [
      {
        title: 'Engine',
        unit: 'short',
        about: 'The state that each engine is in.',
        kind: 'state-timeline',
        targets: [{ expr: 'lexora_engine_state == 1', legend: '{{engine}} {{state}}' }],
      },
      {
        title: 'Restarts that nobody asked for',
        unit: 'short',
        about: 'In the last hour.',
        kind: 'stat',
        targets: [{ expr: 'sum by (engine) (increase(lexora_engine_restarts_total[1h]))', legend: '{{engine}}' }],
      },
      {
        title: 'Turns on the GPU',
        unit: 'short',
        about: 'How often an engine left its GPU to another in the last hour, and why.',
        kind: 'stat',
        targets: [
          {
            expr: 'sum by (engine, reason) (increase(lexora_engine_swaps_total[1h]))',
            legend: '{{engine}}: {{reason}}',
          },
        ],
      },
      {
        title: 'GPU load',
        unit: 'percentunit',
        about: 'Share of the time in which anything ran.',
        targets: [{ expr: 'lexora_gpu_utilization_ratio', legend: 'GPU {{gpu}}' }],
      },
      {
        title: 'GPU memory',
        unit: 'bytes',
        about: 'In use by whomever, and all there is.',
        targets: [
          { expr: 'lexora_gpu_memory_used_bytes', legend: 'GPU {{gpu}} used' },
          { expr: 'lexora_gpu_memory_total_bytes', legend: 'GPU {{gpu}} total' },
        ],
      },
      {
        title: 'GPU temperature',
        unit: 'celsius',
        about: 'As its driver tells.',
        targets: [{ expr: 'lexora_gpu_temperature_celsius', legend: 'GPU {{gpu}}' }],
      },
      {
        title: 'GPU power',
        unit: 'watt',
        about: 'As its driver tells.',
        targets: [{ expr: 'lexora_gpu_power_watts', legend: 'GPU {{gpu}}' }],
      },
    ],
  },
  {
    title: 'Lexora itself',
    panels: [
      {
        title: 'Memory',
        unit: 'bytes',
        about: 'Of its process.',
        targets: [{ expr: 'process_resident_memory_bytes', legend: 'resident' }],
      },
      {
        title: 'Processor',
        unit: 'percentunit',
        about: '1 is one core.',
        targets: [{ expr: `rate(process_cpu_seconds_total[${RATE}])`, legend: 'core' }],
      },
    ],
  },
]

const SOURCE = { type: 'prometheus', uid: '$source' }
const PER_LINE = 4
const HEIGHT = 8

let [id, y] = [1, 0]
const panels: unknown[] = []
for (const { title, panels: own } of ROWS) {
  panels.push({ id: id++, type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y: y++, w: 24, h: 1 } })
  const width = 24 / Math.min(PER_LINE, own.length)
  for (const [i, { title: name, unit, about, targets, kind = 'timeseries' }] of own.entries()) {
    const column = i % PER_LINE
    if (i > 0 && column === 0) y += HEIGHT
    panels.push({
      id: id++,
      type: kind,
      title: name,
      description: about,
      datasource: SOURCE,
      gridPos: { x: column * width, y, w: width, h: HEIGHT },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: targets.map(({ expr, legend }, n) => ({
        refId: 'ABCDEF'[n],
        datasource: SOURCE,
        expr,
        legendFormat: legend,
      })),
    })
  }
  y += HEIGHT
}

const dashboard = {
  uid: 'lexora',
  title: 'Lexora',
  tags: ['lexora', 'llm'],
  schemaVersion: 39,
  editable: true,
  refresh: '10s',
  time: { from: 'now-1h', to: 'now' },
  templating: { list: [{ name: 'source', label: 'Prometheus', type: 'datasource', query: 'prometheus' }] },
  panels,
}
writeFileSync(new URL('../resources/grafana/lexora.json', import.meta.url), `${JSON.stringify(dashboard, null, 2)}\n`)
