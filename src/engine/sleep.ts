import { postJson } from './http.ts'
import type { Target } from './readiness.ts'

const SLEEP_WITHIN_MS = 120_000

/** vLLM gives its memory back and keeps its process. Call without requests in flight: they would hang. */
export async function fallAsleep({ port, key }: Target, level: 1 | 2): Promise<string | null> {
  return await tell(port, key, `/sleep?level=${level}&mode=wait`)
}

/** Level 2 has thrown the weights away: without reading them again it would answer 200 with garbage. */
export async function wakeUp({ port, key }: Target, level: 1 | 2): Promise<string | null> {
  if (level === 1) return await tell(port, key, '/wake_up')
  return (
    (await tell(port, key, '/wake_up?tags=weights')) ??
    (await tell(port, key, '/collective_rpc', { method: 'reload_weights' })) ??
    (await tell(port, key, '/wake_up?tags=kv_cache'))
  )
}

/** null, or what went wrong. */
async function tell(port: number, key: string | null, path: string, body: unknown = {}): Promise<string | null> {
  const { status, error, text } = await postJson(port, path, key, SLEEP_WITHIN_MS, body)
  if (status >= 200 && status < 300) return null
  return `${path} was answered with ${error ?? `status ${status}: ${text.slice(0, 200)}`}`
}
