/**
 * Lexora's configuration under test. Every feature that costs something is on; limits and queue are there and wide,
 * so that none of them refuses.
 */
export const API_KEY = 'lx-bench-0123456789abcdef0123456789abcdef'

const WIDE = 1_000_000

export function everythingOn(upstreamPort: number): Record<string, unknown> {
  return {
    server: { host: '127.0.0.1' },
    auth: { mode: 'required', api_keys: [{ key: API_KEY, user: 'bench' }] },
    rate_limit: {
      enabled: true,
      default_rate: WIDE,
      default_burst: WIDE,
      users: { bench: { rate: WIDE, burst: WIDE, tokens_per_minute: 1_000_000_000, max_concurrent: 20_000 } },
    },
    queue: { max_size: 20_000 },
    routing: {
      enabled: true,
      default_backend: 'mock',
      backends: { mock: { type: 'vllm', url: `http://127.0.0.1:${upstreamPort}`, max_in_flight: 20_000 } },
    },
    metrics: { enabled: true, request_log: { enabled: true } },
    logging: { level: 'INFO', format: 'json' },
  }
}
