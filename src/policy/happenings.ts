import type { EngineView } from '../protocol/engine.ts'
import type { WhatHappened } from '../protocol/happenings.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'

/** The parts of two looks that tell what happened in between. */
export type Look = Pick<AppSnapshot, 'engines' | 'backends' | 'gpu' | 'users'> & {
  /** `open`: other machines can connect. */
  server: Pick<AppSnapshot['server'], 'state'> & { open: boolean }
}

/** States that are only on the way to others, and would fill the list. */
const PASSING = new Set(['preflight', 'busy', 'draining', 'stopping'])

/** What an operator may want to know of that happened between two looks, in the order of importance. */
export function happeningsBetween(before: Look, after: Look): WhatHappened[] {
  return [
    ...after.engines.flatMap((engine) => engineNews(before.engines, engine)),
    ...after.backends.flatMap((backend): WhatHappened[] => {
      const was = before.backends.find(({ name }) => name === backend.name)?.status ?? 'unknown'
      if (was === backend.status || backend.status === 'unknown') return []
      if (was === 'unknown' && backend.status === 'up') return []
      return [{ what: 'backend', backend: backend.name, up: backend.status === 'up', reason: backend.reason }]
    }),
    ...gpuNews(before.gpu, after.gpu),
    ...gatewayNews(before.server.state, after.server.state),
    ...(before.server.open === after.server.open ? [] : [{ what: 'network' as const, open: after.server.open }]),
    ...after.users.flatMap((user): WhatHappened[] => {
      const times = user.rateLimited - (before.users.find(({ name }) => name === user.name)?.rateLimited ?? 0)
      return times > 0 ? [{ what: 'limited', user: user.name, times }] : []
    }),
  ]
}

function engineNews(before: readonly EngineView[], { name, state }: EngineView): WhatHappened[] {
  const was = before.find((engine) => engine.name === name)?.state.is
  const isRest = was === 'busy' && state.is === 'ready'
  // One that is seen first is news only where it cannot run: then nobody saw it fail.
  if (was === undefined && !('failure' in state)) return []
  if (was === state.is || PASSING.has(state.is) || isRest) return []
  const cause = 'failure' in state ? state.failure.cause : state.is === 'degraded' ? state.reason : null
  return [{ what: 'engine', engine: name, state: state.is, cause }]
}

function gpuNews(before: AppSnapshot['gpu'], after: AppSnapshot['gpu']): WhatHappened[] {
  if (before.is === 'read' && after.is === 'failed') return [{ what: 'gpu', readable: false, reason: after.reason }]
  return before.is === 'failed' && after.is === 'read' ? [{ what: 'gpu', readable: true, reason: null }] : []
}

function gatewayNews(before: AppSnapshot['server']['state'], after: AppSnapshot['server']['state']): WhatHappened[] {
  return before === after ? [] : [{ what: 'gateway', state: after }]
}
