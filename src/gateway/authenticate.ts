import type { Socket } from 'node:net'
import { type Problem, problem } from '../protocol/errors.ts'
import { type KeyRing, MINTED_PREFIX, type Principal, sameSecret } from '../users/api-key.ts'

export type AuthOptions = {
  /** `loopback`: keys are optional, unless one that we minted is presented. */
  mode: 'required' | 'loopback' | 'off'
  keys: KeyRing
  adminKey: string | null
}

export type Authenticated = { ok: true; principal: Principal } | { ok: false; problem: Problem }

const NOBODY: Authenticated = { ok: true, principal: { user: null, keyId: null } }

/** Bearer key → caller, as `auth.mode` says (DESIGN 3). `keys` are the credentials found in the request's headers. */
export function authenticate(keys: readonly string[], { mode, keys: ring }: AuthOptions): Authenticated {
  if (mode === 'off') return NOBODY
  if (keys.length > 1) return refused('Two different API keys were sent.')
  const key = keys[0]
  const principal = key === undefined ? null : ring.find(key)
  if (principal !== null) return { ok: true, principal }
  if (mode === 'required')
    return refused(key === undefined ? 'Send an API key as Authorization: Bearer.' : 'The API key is not known here.')
  // On loopback clients send placeholders (EMPTY, ollama, sk-…): they are nobody. A key of ours that is gone is not.
  return key?.startsWith(MINTED_PREFIX) ? refused('The API key is not known here.') : NOBODY
}

/**
 * Who may pass operators' doors: who holds the admin key, or a session of this machine. `session` is what a window or
 * the CLI shows, null where this caller cannot be one of them.
 */
export function authenticateAdmin(
  keys: readonly string[],
  { adminKey }: Pick<AuthOptions, 'adminKey'>,
  session: string | null,
): Problem | null {
  if (session !== null && keys.length === 1 && sameSecret(keys[0]!, session)) return null
  if (adminKey === null) return problem('permission_denied', 'Set auth.admin_key to use this route.')
  if (keys.length !== 1) return problem('invalid_api_key', 'Send the admin key as Authorization: Bearer.')
  return sameSecret(keys[0]!, adminKey) ? null : problem('permission_denied', 'This route needs the admin key.')
}

/** Whether the other end is here: loopback, or an address of this machine, which both ends of such a connection bear. */
export function isOwnMachine({ remoteAddress, localAddress }: Pick<Socket, 'remoteAddress' | 'localAddress'>): boolean {
  if (remoteAddress === undefined) return false
  return remoteAddress === localAddress || /^(::ffff:)?127\.|^::1$/.test(remoteAddress)
}

function refused(message: string): Authenticated {
  return { ok: false, problem: problem('invalid_api_key', message) }
}
