/** When a changed setting takes effect. */
export type Effect = 'now' | 'engine-restart' | 'restart'

/** Settings that do not take effect at once; "*" stands for any name. Every other one holds from the next request on. */
const LATER: readonly (readonly [path: string, effect: Effect])[] = [
  ['logging.format', 'restart'],
  ['cache', 'restart'],
  ['ui', 'restart'],
  ['telemetry', 'restart'],
  ['engines.*.autostart', 'restart'],
  ['engines.*.on_demand', 'now'],
  ['engines.*.restart', 'now'],
  ['engines.*.idle_unload_minutes', 'now'],
  ['engines.*', 'engine-restart'],
]

/** When a change of the setting at this path takes effect. An engine that is added or removed comes or goes at once. */
export function effectOf(path: readonly (string | number)[]): Effect {
  if (path[0] === 'engines' && path.length < 3) return 'now'
  const row = LATER.find(([pattern]) => {
    const steps = pattern.split('.')
    return steps.length <= path.length && steps.every((step, i) => step === '*' || step === String(path[i]))
  })
  return row?.[1] ?? 'now'
}
