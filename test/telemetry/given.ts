import type { Outcome } from '../../src/telemetry/outcome.ts'

/** A chat that was answered at the first try. */
export function anOutcome(changes: Partial<Outcome> = {}): Outcome {
  return {
    reqId: 'r1',
    user: null,
    keyId: null,
    app: null,
    address: '127.0.0.1',
    remote: false,
    task: null,
    model: 'tiny',
    backend: 'main',
    endpoint: '/v1/chat/completions',
    stream: false,
    status: 200,
    outcome: 'ok',
    error: null,
    retries: [],
    fallbacks: [],
    band: 'normal',
    queueMs: 0,
    ttftMs: null,
    latencyMs: 100,
    awayMs: 99,
    usage: null,
    finish: null,
    requestBytes: 120,
    answerBytes: 600,
    ...changes,
  }
}
