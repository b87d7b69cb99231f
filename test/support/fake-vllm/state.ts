import { createCounters } from './counters.ts'
import { createEngine } from './engine.ts'
import type { Settings } from './options.ts'

export type ServerState = ReturnType<typeof createState>

/** All that a fake server knows and that changes. */
export function createState(settings: Settings, onChange: () => void) {
  return {
    engine: createEngine(settings, onChange),
    counters: createCounters(),
    /** Adapters loaded at run time: name → path. */
    loras: new Map<string, string>(),
    /** Prompts seen before, for the cached counts of usage. */
    cachedPrompts: new Set<string>(),
    startedAt: Date.now(),
  }
}
