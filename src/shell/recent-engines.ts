import { type EngineView, isServing } from '../protocol/engine.ts'

/** By name: who served last comes first. `serving`: who served when it was looked at last. */
export type RecentEngines = { order: readonly string[]; serving: readonly string[] }

const MOST_KEPT = 50

/** One that has begun to serve goes to the front; one that goes on serving stays where it is. */
export function nextRecent({ order, serving }: RecentEngines, engines: readonly EngineView[]): RecentEngines {
  const now = engines.filter(({ state }) => isServing(state)).map(({ name }) => name)
  const fresh = now.filter((name) => !serving.includes(name))
  if (fresh.length === 0) return { order, serving: now }
  return { order: [...fresh, ...order.filter((name) => !fresh.includes(name))].slice(0, MOST_KEPT), serving: now }
}

/** As a menu lists them; who never served comes last, in the order of the configuration. */
export function byRecency(engines: readonly EngineView[], order: readonly string[]): EngineView[] {
  const rank = ({ name }: EngineView): number => (order.includes(name) ? order.indexOf(name) : order.length)
  return engines.toSorted((a, b) => rank(a) - rank(b))
}
