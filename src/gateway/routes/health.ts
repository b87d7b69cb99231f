import type { BackendRegistry } from '../../backends/registry.ts'
import type { RequestLogState } from '../../telemetry/request-log.ts'

/** The body of `GET /health` (DESIGN 4.3): the seeds' fields, and exact twins of what they print for people. */
export type HealthReport = {
  status: 'healthy' | 'degraded' | 'unhealthy'
  model: string | null
  gpu_memory_used: string | null
  gpu_memory_total: string | null
  gpu_memory_used_bytes: number | null
  gpu_memory_total_bytes: number | null
  uptime: string
  uptime_seconds: number
  vllm_status: 'connected' | 'disconnected' | 'not_configured'
  backends: Record<string, BackendHealth>
  reasons: string[]
  version: string
}

type BackendHealth = {
  status: 'up' | 'down' | 'unknown'
  latency_ms: number | null
  models: string[]
  breaker: string
  reason?: string
}

export function readHealth(facts: {
  registry: BackendRegistry
  requestLog: RequestLogState | null
  uptimeSeconds: number
  version: string
}): HealthReport {
  const now = performance.now()
  const backends: Record<string, BackendHealth> = {}
  const reasons: string[] = []
  let [usable, vllm, connected] = [0, 0, 0]
  for (const backend of facts.registry.all()) {
    const { is, latencyMs, reason } = backend.health
    const up = is !== 'down' && backend.breakerAt(now) === 'closed'
    if (up) usable++
    else
      reasons.push(
        `backend ${backend.name} is ${is === 'down' ? `down (${reason})` : `failing: its breaker is ${backend.breakerAt(now)}`}`,
      )
    if (backend.options.type === 'vllm') {
      vllm++
      if (is === 'up') connected++
    }
    const told = reason === null ? {} : { reason }
    backends[backend.name] = {
      status: is,
      latency_ms: latencyMs,
      models: [...backend.models],
      breaker: backend.breakerAt(now),
      ...told,
    }
  }
  if (facts.requestLog?.failing != null) reasons.push(`request log cannot be written (${facts.requestLog.failing})`)
  return {
    status: usable === 0 ? 'unhealthy' : reasons.length > 0 ? 'degraded' : 'healthy',
    model: firstModel(facts.registry),
    gpu_memory_used: null,
    gpu_memory_total: null,
    gpu_memory_used_bytes: null,
    gpu_memory_total_bytes: null,
    uptime: printDuration(facts.uptimeSeconds),
    uptime_seconds: Math.floor(facts.uptimeSeconds),
    vllm_status: vllm === 0 ? 'not_configured' : connected > 0 ? 'connected' : 'disconnected',
    backends,
    reasons,
    version: facts.version,
  }
}

function firstModel(registry: BackendRegistry): string | null {
  for (const backend of registry.all()) for (const model of backend.models) return model
  return null
}

/** As the seeds print it: `3d 4h 12m`, and seconds below a minute. */
export function printDuration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)}s`
  const minutes = Math.floor(seconds / 60)
  const parts = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'm'],
  ] as const
  return parts.flatMap(([value, unit]) => (value > 0 ? [`${value}${unit}`] : [])).join(' ')
}
