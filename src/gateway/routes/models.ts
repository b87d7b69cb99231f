import type { Backend } from '../../backends/backend.ts'
import type { BackendRegistry } from '../../backends/registry.ts'
import type { RouteTable } from '../../policy/route.ts'
import type { ModelEntry } from '../../protocol/snapshot.ts'

/** All models of all backends merged by name, and the aliases. `created` is one constant, since vLLM's changes at each call. */
export function listModels(registry: BackendRegistry, routes: RouteTable, created: number): ModelEntry[] {
  const entries = new Map<string, ModelEntry>()
  const now = performance.now()
  for (const backend of registry.all()) {
    const state = stateOf(backend, now)
    for (const id of backend.models) {
      const reported = backend.reported.find((model) => model.id === id)
      const entry = entries.get(id) ?? newEntry(id, reported?.ownedBy ?? backend.name, reported?.created ?? created)
      if (reported?.contextLength != null) entry.max_model_len ??= reported.contextLength
      const parent = reported?.parent ?? backend.parents.get(id) ?? null
      if (parent !== null) entry.parent ??= parent
      if (BEST_FIRST.indexOf(state) < BEST_FIRST.indexOf(entry.state)) entry.state = state
      entry.backends.push(backend.name)
      entries.set(id, entry)
    }
  }
  for (const [alias, to] of routes.aliases) {
    // A split is listed as its first model that is served: which one answers depends on who asks.
    const targets = typeof to === 'string' ? [to] : to.map(({ model }) => model)
    const target = targets.map((model) => entries.get(model)).find((entry) => entry !== undefined)
    if (target !== undefined && !entries.has(alias)) entries.set(alias, { ...target, id: alias, root: target.id })
  }
  return [...entries.values()]
}

/** A model of several backends has the state of the one that answers soonest. */
const BEST_FIRST: readonly ModelEntry['state'][] = ['ready', 'starting', 'on_demand', 'unavailable']

/** An engine takes requests before it runs, but it serves only when it does. */
function stateOf(backend: Backend, now: number): ModelEntry['state'] {
  if (!backend.viewAt(now).usable) return 'unavailable'
  switch (backend.engine?.standing().is ?? 'serving') {
    case 'coming':
      return 'starting'
    case 'startable':
      return 'on_demand'
    default:
      return 'ready'
  }
}

function newEntry(id: string, ownedBy: string, created: number): ModelEntry {
  return { id, object: 'model', created, owned_by: ownedBy, state: 'unavailable', backends: [] }
}
