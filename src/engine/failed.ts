import type { EngineFailure } from '../protocol/engine.ts'

/** A failure that Lexora found itself, before or beside the engine's own words. Nothing heals it unless told so. */
export function failed(
  name: string,
  cause: string,
  fix: string | null,
  more: Partial<Pick<EngineFailure, 'change' | 'canHeal' | 'lines'>> = {},
): EngineFailure {
  return { class: name, cause, fix, change: null, canHeal: false, lines: [], ...more }
}
