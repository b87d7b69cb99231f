import type { Config } from '../protocol/config.ts'
import { isTree, valueAt } from './layer.ts'
import type { Path } from './shape.ts'

/** A key whose feature is not in this release, with "*" for any name. The release that brings it removes the row. */
const UNBUILT: readonly string[] = ['routing.backends.*.proxy', 'routing.auto', 'cache', 'telemetry']

/** One line for each key that was set and does nothing yet. What is empty, null, false or not enabled asks for nothing. */
export function unbuilt({ config, explicit }: { config: Config; explicit: ReadonlySet<string> }): string[] {
  return UNBUILT.flatMap((key) =>
    matches(config, key.split('.'))
      .filter((path) => explicit.has(path.join('.')))
      .filter((path) => asksForSomething(valueAt(config, path)))
      .map((path) => `${path.join('.')} has no effect yet: this release does not have that feature`),
  )
}

/** Whether this setting does nothing yet. */
export function isUnbuilt(path: readonly string[]): boolean {
  return UNBUILT.some((key) => key.split('.').every((step, i) => step === '*' || step === path[i]))
}

function matches(value: unknown, [key, ...rest]: string[], path: Path = []): Path[] {
  if (key === undefined) return [path]
  if (!isTree(value)) return []
  const names = key === '*' ? Object.keys(value) : [key]
  return names.flatMap((name) => matches(value[name], rest, [...path, name]))
}

function asksForSomething(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (isTree(value)) return value.enabled !== false && Object.values(value).some(asksForSomething)
  return value !== null && value !== false
}
