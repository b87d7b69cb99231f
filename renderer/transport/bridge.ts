import { type AppCommands, COMMANDS, CommandError, type CommandName } from '../../src/protocol/commands.ts'
import type { WindowBridge } from '../../src/protocol/window.ts'
import type { LexoraClient } from '../lexora.ts'

/** The desktop app's own Lexora, or the one that it is attached to, by `window.lexora`. */
export function bridgeClient(bridge: WindowBridge): LexoraClient {
  const call = async (name: CommandName, args: Record<string, unknown> = {}): Promise<unknown> => {
    const answer = await bridge.call(name, args)
    if (answer.ok) return answer.result
    throw new CommandError(answer.problem)
  }
  const calls = (Object.keys(COMMANDS) as CommandName[]).map((name) => [
    name,
    (args?: Record<string, unknown>) => call(name, args),
  ])
  return {
    commands: Object.fromEntries(calls) as AppCommands,
    subscribe: (onSnapshot, onLink) => {
      onLink({ is: 'connecting' })
      return bridge.subscribe((snapshot) => {
        if (snapshot === null) return onLink({ is: 'lost', since: Date.now(), retryAt: Date.now() + 1000 })
        onLink({ is: 'live' })
        onSnapshot(snapshot)
      })
    },
    send: (request, listener) => bridge.send(request, listener),
    platform: bridge.platform,
    desktop: bridge.desktop,
    signIn: null,
    signOut: null,
  }
}
