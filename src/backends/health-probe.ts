import { say } from '../protocol/sentence.ts'
import type { Backend, Health, ReportedModel } from './backend.ts'

const EVERY_MS = 2000
const EVERY_MS_WHILE_DOWN = 500
const TIMEOUT_MS = 2000
const MODELS_EVERY_MS = 30_000
const JITTER = 0.2

/**
 * Watches one backend in the background: health every 2 s (500 ms while it is down), its model list every 30 s and
 * whenever it comes back. GETs only, since a configured backend must not be made to work for us.
 */
export class HealthProbe {
  private readonly backend: Backend
  private readonly chance: () => number
  private readonly onChange: (health: Health) => void
  private timer: NodeJS.Timeout | null = null
  private stopped = false
  private modelsAt = Number.NEGATIVE_INFINITY
  private misses = 0

  constructor(options: { backend: Backend; chance: () => number; onChange: (health: Health) => void }) {
    this.backend = options.backend
    this.chance = options.chance
    this.onChange = options.onChange
  }

  /** Resolves after the first look, so that a start can tell its models. */
  async start(): Promise<void> {
    await this.look()
    this.schedule()
  }

  stop(): void {
    this.stopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private schedule(): void {
    if (this.stopped) return
    const every = this.backend.health.is === 'down' ? EVERY_MS_WHILE_DOWN : EVERY_MS
    const delay = every * (1 - JITTER / 2 + JITTER * this.chance())
    this.timer = setTimeout(() => void this.look().then(() => this.schedule()), delay)
    this.timer.unref()
  }

  private async look(): Promise<void> {
    const before = this.backend.health.is
    const health = await this.measure()
    if (this.stopped) return
    const now = performance.now()
    // One slow answer is not death: vLLM's health check shares a loop with its tokeniser.
    this.misses = health.is === 'down' ? this.misses + 1 : 0
    if (health.is === 'up' || health.reason !== 'timeout' || this.misses > 1) this.backend.probed(health, now)
    if (this.backend.health.is !== before) this.onChange(this.backend.health)
    const due = before !== 'up' || now - this.modelsAt > MODELS_EVERY_MS
    if (this.backend.health.is === 'up' && due) await this.refreshModels(now)
  }

  private async measure(): Promise<Health> {
    const started = performance.now()
    const path = this.backend.options.type === 'vllm' ? '/health' : this.modelsPath()
    const answer = await this.backend.get(path, TIMEOUT_MS)
    const latencyMs = Math.round(performance.now() - started)
    if ('error' in answer) {
      const reason = answer.error === 'TimeoutError' ? 'timeout' : answer.error
      return { is: 'down', latencyMs: null, reason }
    }
    // Any answer but "I am dead" shows a living server: 401, 404 and 405 come from servers without this route or our key.
    if (answer.status >= 500) return { is: 'down', latencyMs, reason: say`status ${answer.status}` }
    return { is: 'up', latencyMs, reason: null }
  }

  private modelsPath(): string {
    return this.backend.options.type === 'azure_openai' ? '/openai/v1/models' : '/v1/models'
  }

  private async refreshModels(now: number): Promise<void> {
    this.modelsAt = now
    const answer = await this.backend.get(this.modelsPath(), TIMEOUT_MS)
    if ('error' in answer || answer.status !== 200) return
    const models = readModels(answer.body)
    if (models !== null && !this.stopped) this.backend.setReported(models)
  }
}

/** Reads a model list of any OpenAI-compatible server; null when it is none. */
function readModels(body: Buffer): ReportedModel[] | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
  const data = (parsed as { data?: unknown } | null)?.data
  if (!Array.isArray(data)) return null
  return data.slice(0, 10_000).flatMap((entry: Record<string, unknown> | null) => {
    const id = entry?.['id']
    if (typeof id !== 'string' || id === '' || id.length > 500) return []
    const length = entry?.['max_model_len'] ?? entry?.['context_length'] ?? entry?.['context_window']
    return {
      id,
      ownedBy: typeof entry?.['owned_by'] === 'string' ? entry['owned_by'] : null,
      contextLength: typeof length === 'number' && length > 0 ? length : null,
      created: typeof entry?.['created'] === 'number' ? entry['created'] : null,
      parent: typeof entry?.['parent'] === 'string' ? entry['parent'] : null,
    }
  })
}
