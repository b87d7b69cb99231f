import type { Config } from '../protocol/config.ts'
import { isLoopbackHost } from '../protocol/hosts.ts'
import { say } from '../protocol/sentence.ts'

/** What a valid configuration should make its owner think about. */
export function warnings(config: Config): string[] {
  const refusal = startRefusal(config)
  if (refusal) return [refusal]
  const open = openHosts(config)
  if (open.length > 0 && config.auth.mode === 'off') {
    return [say`auth.mode is off and server.host is ${open.join(', ')}: everybody who reaches this machine can use it`]
  }
  if (config.auth.mode === 'required' && config.auth.api_keys.length === 0) {
    return [say('auth.mode is required and auth.api_keys is empty: only keys minted by Lexora are accepted')]
  }
  return []
}

/** Why a valid configuration must not be started (exit 78), with the ways on: open to the network without any key. */
export function startRefusal(config: Config): string | null {
  const open = openHosts(config)
  if (open.length === 0 || config.auth.mode === 'off' || config.auth.api_keys.length > 0) return null
  return say`server.host is ${open.join(', ')} and no key is set; ${WAYS_ON}`
}

function openHosts(config: Config): string[] {
  return [config.server.host].flat().filter((host) => !isLoopbackHost(host))
}

const WAYS_ON = say(
  'start with --host 127.0.0.1 to serve this machine only, list a key in auth.api_keys, or set auth.mode: off to serve everybody',
)
