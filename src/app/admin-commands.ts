import { type AppCommands, CommandError } from '../protocol/commands.ts'
import { problem } from '../protocol/errors.ts'
import type { AppSnapshot, RequestView, ServerView } from '../protocol/snapshot.ts'

/** What the commands act on. */
export type CommandParts = {
  snapshot: () => AppSnapshot
  state: () => ServerView['state']
  /** Asked when a command comes: it is made after them. */
  gateway: () => {
    requests(): RequestView[]
    /** False when there is none of that id. */
    cancel(id: string): boolean
    pause(): void
    resume(): void
  }
}

/** The commands as this process does them. */
export function adminCommands({ snapshot, state, gateway }: CommandParts): AppCommands {
  return {
    snapshot: async () => snapshot(),
    listRequests: async () => ({ requests: gateway().requests() }),
    cancelRequest: async ({ id }) => {
      if (gateway().cancel(id)) return { cancelled: id }
      throw new CommandError(problem('not_found', 'No request of this id is in flight.', { param: 'id' }))
    },
    pause: async () => {
      gateway().pause()
      return { state: state() }
    },
    resume: async () => {
      gateway().resume()
      return { state: state() }
    },
  }
}
