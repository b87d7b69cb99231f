import type { EngineFailure } from '../../src/protocol/engine.ts'

/** A failure; override what the test is about. */
export const aFailure = (more: Partial<EngineFailure> = {}): EngineFailure => ({
  class: 'unknown',
  cause: 'It ended.',
  fix: null,
  change: null,
  canHeal: true,
  lines: [],
  ...more,
})
