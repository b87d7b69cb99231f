import type { EngineFailure, EngineState, EngineView } from '../../src/protocol/engine.ts'

export const A_FAILURE: EngineFailure = {
  class: 'vram_busy',
  cause: 'Too little memory is free.',
  fix: null,
  change: null,
  canHeal: false,
  lines: [],
}

/** One of each, in their order. */
export const ENGINES_IN: Record<EngineState['is'], EngineState> = {
  'not-installed': { is: 'not-installed', failure: A_FAILURE },
  stopped: { is: 'stopped' },
  preflight: { is: 'preflight' },
  starting: { is: 'starting', phase: 'loading weights', percent: 40, leftMs: 134_000 },
  ready: { is: 'ready', forMs: 1000 },
  busy: { is: 'busy', forMs: 1000 },
  degraded: { is: 'degraded', reason: 'no tokens' },
  draining: { is: 'draining', left: 3 },
  stopping: { is: 'stopping', why: 'asked', awaits: 'memory' },
  sleeping: { is: 'sleeping', level: 1, step: 'asleep' },
  backoff: { is: 'backoff', failure: A_FAILURE, retryInMs: 8000, crashes: 2 },
  failed: { is: 'failed', failure: A_FAILURE },
  foreign: { is: 'foreign', holder: { port: 8000, pid: 4711, program: 'python3', models: null } },
}

export function anEngine(state: EngineState, name = 'main', model = 'qwen3-8b', changes: Partial<EngineView> = {}) {
  const view: EngineView = {
    name,
    kind: 'vllm',
    model,
    state,
    launch: null,
    version: null,
    pid: null,
    port: null,
    uptimeMs: null,
    restarts: 0,
    onDemand: true,
    idleUnloadMinutes: 0,
    derived: {},
    warnings: [],
    lastFailure: null,
    receipt: null,
    ...changes,
  }
  return view
}
