import type { EngineFailure } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import type { EngineEvent } from './engine-state-machine.ts'

/** `never`: what has failed stays so until somebody starts it. */
export type RestartPolicy = 'always' | 'never'

/** News as an engine under this policy takes it: to one that is not restarted no failure heals by itself. */
export function underPolicy(event: EngineEvent, policy: RestartPolicy): EngineEvent {
  if (policy === 'always') return event
  if (event.type === 'exited' || event.type === 'lost') return { ...event, failure: final(event.failure) }
  if (event.type !== 'preflight-failed' || event.found.as !== 'failed') return event
  return { ...event, found: { ...event.found, failure: final(event.found.failure) } }
}

function final(failure: EngineFailure): EngineFailure {
  if (!failure.canHeal) return failure
  return { ...failure, canHeal: false, cause: say`It is not restarted by itself. ${failure.cause}` }
}
