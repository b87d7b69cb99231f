import type { Config } from '../protocol/config.ts'
import { type Effect, effectOf } from '../protocol/config-effect.ts'

/** One setting that differs, as its dotted path. A backend, engine or user that comes or goes is one change. */
export type Change = { path: string; effect: Effect }

/** What another configuration changes, and when each of it takes effect. Equal configurations change nothing. */
export function planReload(before: Config, after: Config): Change[] {
  return differing(before, after, []).map((path) => ({ path: path.join('.'), effect: effectOf(path) }))
}

function differing(before: unknown, after: unknown, path: readonly string[]): string[][] {
  if (!isTree(before) || !isTree(after)) return isSame(before, after) ? [] : [[...path]]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => differing(before[key], after[key], [...path, key]))
}

/** Plain values and lists of them. A list is one setting. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
