import { findListener } from '../engine/ports.ts'
import type { RefusedOrigins } from '../gateway/refused-origins.ts'
import { type AppCommands, refusal } from '../protocol/commands.ts'
import { origin as exactOrigin } from '../protocol/config.ts'
import type { NETWORK_COMMANDS } from '../protocol/network-commands.ts'
import { say } from '../protocol/sentence.ts'
import type { ConfigDesk } from './config-desk.ts'
import { checkLan } from './lan-check.ts'

/** Each asked when a command comes. */
export type NetworkParts = {
  origins: () => RefusedOrigins
  config: () => ConfigDesk
  /** Where this Lexora listens itself. */
  ownPorts: () => number[]
  isSecure: () => boolean
}

export function networkCommands(parts: NetworkParts): Pick<AppCommands, keyof typeof NETWORK_COMMANDS> {
  return {
    listOrigins: async () => ({ origins: parts.origins().list() }),
    allowOrigin: async ({ origin }) => {
      const read = exactOrigin.safeParse(origin)
      if (read.success) return await parts.config().allowOrigin(origin)
      throw refusal('invalid_request', `origin: ${read.error.issues[0]!.message}`, 'origin')
    },
    checkPort: async ({ port: given }) => {
      const port = Number(given)
      if (!Number.isInteger(port) || port < 1 || port > 65_535)
        throw refusal('invalid_request', say('port: must be a whole number from 1 to 65535.'), 'port')
      if (parts.ownPorts().includes(port)) return { port, state: 'own', pid: process.pid, program: null }
      const holder = await findListener(port)
      return { port, state: holder === null ? 'free' : 'used', pid: null, program: null, ...holder }
    },
    checkLan: async () => {
      const [port = 0] = parts.ownPorts()
      return await checkLan({ port, secure: parts.isSecure(), key: null })
    },
    forgetOrigin: async ({ origin }) => {
      if (parts.origins().forget(origin)) return { forgotten: origin }
      throw refusal('not_found', say('This origin does not wait to be allowed.'), 'origin')
    },
  }
}
