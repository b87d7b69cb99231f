import type { Socket } from 'node:net'
import { type Problem, problem } from '../protocol/errors.ts'
import type { Caller, Scope } from '../protocol/users.ts'
import { type Found, type KeyRing, MINTED_PREFIX, type Principal, sameSecret } from '../users/api-key.ts'

/** Read anew for every request: an operator may change them. */
export type AuthOptions = {
  /** `loopback`: keys are optional, unless one that we minted is presented. */
  mode: 'required' | 'loopback' | 'off'
  keys: KeyRing
  adminKey: string | null
  /** Why keys that were minted are not known any more; null: none was lost. */
  lost?: string | null
}

/** `until`: when it has to be asked again at the latest, in milliseconds since 1970. */
export type Authenticated =
  | { ok: true; principal: Principal; until: number }
  | { ok: false; problem: Problem; until: number }

const FOREVER = Number.POSITIVE_INFINITY
export const NOBODY: Authenticated = { ok: true, principal: { user: null, keyId: null }, until: FOREVER }

const CLOSED: Record<(Found & { is: 'closed' })['why'], Problem> = {
  revoked: problem('invalid_api_key', 'The API key was revoked.'),
  expired: problem('invalid_api_key', 'The API key has expired.'),
  'user disabled': problem('permission_denied', 'This user is disabled. Ask the operator of this Lexora.'),
  'user expired': problem('permission_denied', 'This user has expired. Ask the operator of this Lexora.'),
}

/**
 * Bearer key → caller, as `auth.mode` says (DESIGN 3). `keys` are the credentials found in the request's headers, `now`
 * milliseconds since 1970.
 */
export function authenticate(keys: readonly string[], auth: AuthOptions, now: number): Authenticated {
  const { mode, keys: ring, lost = null } = auth
  if (mode === 'off') return NOBODY
  if (keys.length > 1) return refused('Two different API keys were sent.')
  const key = keys[0]
  const found = key === undefined ? null : ring.find(key, now)
  if (found?.is === 'closed') return { ok: false, problem: CLOSED[found.why], until: found.until }
  if (found?.is === 'known') {
    const { principal, scopes, until } = found
    if (scopes.includes('inference')) return { ok: true, principal, until }
    return { ok: false, problem: problem('permission_denied', 'This key may not send requests.'), until }
  }
  if (mode === 'required') {
    if (lost !== null)
      return refused('The keys of this Lexora could not be read. Its operator finds the way on in its log.')
    return refused(key === undefined ? 'Send an API key as Authorization: Bearer.' : 'The API key is not known here.')
  }
  // On loopback clients send placeholders (EMPTY, ollama, sk-…): they are nobody. A key of ours that is gone is not.
  return key?.startsWith(MINTED_PREFIX) ? refused('The API key is not known here.') : NOBODY
}

/** A session of this machine, shown by a window or the CLI; null where this caller cannot be one of them. */
type AdminDoor = { session: string | null; scope: Scope; here: boolean; face: 'window' | 'cli' }

/** Who may pass operators' doors: who holds the admin key, a key with this scope, or a session of this machine. */
export function authenticateAdmin(
  keys: readonly string[],
  { adminKey, keys: ring }: Pick<AuthOptions, 'adminKey' | 'keys'>,
  { session, scope, here, face }: AdminDoor,
  now: number,
): { ok: true; caller: Caller } | { ok: false; problem: Problem } {
  const no = (code: 'permission_denied' | 'invalid_api_key', message: string) =>
    ({ ok: false, problem: problem(code, message) }) as const
  const key = keys.length === 1 ? keys[0]! : null
  if (session !== null && key !== null && sameSecret(key, session))
    return { ok: true, caller: { who: face, face, here } }
  if (adminKey !== null && key !== null && sameSecret(key, adminKey))
    return { ok: true, caller: { who: 'admin_key', face: 'http', here } }
  const found = key === null ? null : ring.find(key, now)
  if (found?.is === 'closed') return { ok: false, problem: CLOSED[found.why] }
  if (found?.is === 'known' && found.scopes.some((held) => opens(held, scope)))
    return { ok: true, caller: { who: found.principal.keyId!, face: 'http', here } }
  if (found?.is === 'known' && found.scopes.some((held) => held !== 'inference'))
    return no('permission_denied', `This key has no scope ${scope}.`)
  if (adminKey === null) return no('permission_denied', 'Set auth.admin_key to use this route.')
  if (key === null) return no('invalid_api_key', 'Send the admin key as Authorization: Bearer.')
  return no('permission_denied', 'This route needs the admin key.')
}

function opens(held: Scope, wanted: Scope): boolean {
  return held === wanted || (held === 'admin:write' && wanted === 'admin:read')
}

/** Whether the other end is here: loopback, or an address of this machine, which both ends of such a connection bear. */
export function isOwnMachine({ remoteAddress, localAddress }: Pick<Socket, 'remoteAddress' | 'localAddress'>): boolean {
  if (remoteAddress === undefined) return false
  return remoteAddress === localAddress || /^(::ffff:)?127\.|^::1$/.test(remoteAddress)
}

function refused(message: string): Authenticated {
  return { ok: false, problem: problem('invalid_api_key', message), until: FOREVER }
}
