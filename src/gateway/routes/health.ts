import type { Backend } from '../../backends/backend.ts'
import type { BackendRegistry } from '../../backends/registry.ts'
import type { EngineView } from '../../protocol/engine.ts'
import { say } from '../../protocol/sentence.ts'
import type { BackendHealth, EngineHealth, HealthReport, QueueTotals } from '../../protocol/snapshot.ts'
import type { RequestLogState } from '../../telemetry/request-log.ts'

export function readHealth(facts: {
  registry: BackendRegistry
  engines: readonly EngineView[]
  /** Of all GPUs together; null where nothing tells. */
  memory: { usedBytes: number; totalBytes: number } | null
  queue: QueueTotals
  requestLog: RequestLogState | null
  /** What else an operator should look at; serving goes on. */
  troubles?: readonly string[]
  uptimeSeconds: number
  version: string
}): HealthReport {
  const now = performance.now()
  const backends: Record<string, BackendHealth> = {}
  const reasons: string[] = []
  let [usable, vllm, connected] = [0, 0, 0]
  for (const backend of facts.registry.all()) {
    const { is, reason } = backend.health
    const standing = backend.engine?.standing()
    if (standing?.is === 'unavailable') {
      reasons.push(standing.problem.message)
      backends[backend.name] = { ...healthOf(backend, now), status: 'down', reason: standing.problem.message }
      continue
    }
    const up = standing !== undefined || (is !== 'down' && backend.breakerAt(now) === 'closed')
    if (up) usable++
    else
      reasons.push(
        is === 'down'
          ? say`backend ${backend.name} is down (${reason})`
          : say`backend ${backend.name} is failing: its breaker is ${backend.breakerAt(now)}`,
      )
    if (backend.options.type === 'vllm') {
      vllm++
      if (is === 'up') connected++
    }
    backends[backend.name] = healthOf(backend, now)
  }
  if (facts.requestLog?.failing != null) reasons.push(say`request log cannot be written (${facts.requestLog.failing})`)
  reasons.push(...(facts.troubles ?? []))
  return {
    status: usable === 0 ? 'unhealthy' : reasons.length > 0 ? 'degraded' : 'healthy',
    model: firstModel(facts.registry),
    gpu_memory_used: printMemory(facts.memory?.usedBytes),
    gpu_memory_total: printMemory(facts.memory?.totalBytes),
    gpu_memory_used_bytes: facts.memory?.usedBytes ?? null,
    gpu_memory_total_bytes: facts.memory?.totalBytes ?? null,
    uptime: printDuration(facts.uptimeSeconds),
    uptime_seconds: Math.floor(facts.uptimeSeconds),
    vllm_status: vllm === 0 ? 'not_configured' : connected > 0 ? 'connected' : 'disconnected',
    backends,
    engines: Object.fromEntries(facts.engines.map((engine) => [engine.name, engineHealth(engine)])),
    queue: facts.queue,
    reasons,
    version: facts.version,
  }
}

function healthOf(backend: Backend, now: number): BackendHealth {
  const { is, latencyMs, reason } = backend.health
  return {
    status: is,
    latency_ms: latencyMs,
    models: [...backend.models],
    breaker: backend.breakerAt(now),
    ...(reason === null ? {} : { reason }),
  }
}

function engineHealth({ state }: EngineView): EngineHealth {
  return state.is === 'starting' ? { state: state.is, phase: state.phase, percent: state.percent } : { state: state.is }
}

function firstModel(registry: BackendRegistry): string | null {
  for (const backend of registry.all()) for (const model of backend.models) return model
  return null
}

/** As the seeds print it: `24GB`, of 2^30 bytes, as drivers count. */
function printMemory(bytes: number | undefined): string | null {
  return bytes === undefined ? null : `${Math.round(bytes / 2 ** 30)}GB`
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
