import type { Config } from '../protocol/config.ts'
import { isLoopbackHost } from './rules.ts'

/** What a valid configuration should make its owner think about. */
export function warnings(config: Config): string[] {
  const { mode, api_keys } = config.auth
  const open = openHosts(config)
  const hosts = open.join(', ')
  if (open.length > 0 && mode === 'off') {
    return [`auth.mode is off and server.host is ${hosts}: everybody who reaches this machine can use it`]
  }
  if (open.length > 0 && api_keys.length === 0) return [`server.host is ${hosts} and no key is set; ${WAYS_ON}`]
  if (mode === 'required' && api_keys.length === 0) {
    return ['auth.mode is required and auth.api_keys is empty: only keys minted by Lexora are accepted']
  }
  return []
}

/** The listeners that other machines can reach. Without a key none of them may be opened unless auth.mode is off. */
export function openHosts(config: Config): string[] {
  return [config.server.host].flat().filter((host) => !isLoopbackHost(host))
}

export const WAYS_ON =
  'start with --host 127.0.0.1 to serve this machine only, list a key in auth.api_keys, or set auth.mode: off to serve everybody'
