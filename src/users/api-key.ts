import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Scope } from '../protocol/users.ts'

/** Who calls, as far as a key tells. `keyId` is safe to log: it identifies the key and reveals nothing of it. */
export type Principal = { user: string | null; keyId: string | null }

/** Keys that Lexora minted start so: one that is unknown is refused even where no key is needed. */
export const MINTED_PREFIX = 'lx-'

/** As long as the configuration admits them. */
const MAX_KEY_LENGTH = 4096
const SECRET_BYTES = 32
const HINT_LENGTH = 4

/** A key of the store, as the ring needs it. Moments are milliseconds since 1970. */
export type RingKey = {
  id: string
  digest: string
  user: string
  scopes: readonly Scope[]
  expiresMs: number | null
  revokedMs: number | null
}

/** Whether a user may call at all. */
export type UserStanding = { disabled: boolean; expiresMs: number | null }

/** `until`: the moment at which this answer may be another one, if nothing is changed before; Infinity: never. */
export type Found =
  | { is: 'known'; principal: Principal; scopes: readonly Scope[]; until: number }
  | { is: 'closed'; why: 'revoked' | 'expired' | 'user disabled' | 'user expired'; until: number }
  | { is: 'unknown'; until: number }

type Entry = { digest: Buffer; principal: Principal; scopes: readonly Scope[]; key: RingKey | null }

/** Counts through all rings, so that what one has found is never taken for what another one would. */
let versions = 0

const UNKNOWN: Found = { is: 'unknown', until: Number.POSITIVE_INFINITY }

/** Keys by digest: the secret itself is not kept, and looking a digest up tells an attacker nothing about the key. */
export class KeyRing {
  private readonly listed: Map<string, Entry>
  private minted = new Map<string, Entry>()
  private standings: ReadonlyMap<string, UserStanding> = new Map()
  /** Grows with every change: what was found before it may not hold any more. */
  version = ++versions

  /** The keys of the configuration. */
  constructor(keys: readonly { key: string; user: string | null }[]) {
    this.listed = new Map(
      keys.map(({ key, user }) => {
        const digest = digestOf(key)
        const principal = { user, keyId: keyIdOf(digest) }
        return [digest, { digest: Buffer.from(digest), principal, scopes: ['inference'], key: null } as Entry]
      }),
    )
  }

  get isEmpty(): boolean {
    return this.listed.size === 0 && this.minted.size === 0
  }

  /** The keys that Lexora minted, and who of its users may not call. Holds from the next request on. */
  replaceMinted(keys: readonly RingKey[], standings: ReadonlyMap<string, UserStanding>): void {
    this.minted = new Map(
      keys.map((key) => {
        const principal = { user: key.user, keyId: key.id }
        return [key.digest, { digest: Buffer.from(key.digest), principal, scopes: key.scopes, key }]
      }),
    )
    this.standings = standings
    this.version = ++versions
  }

  /** `now`: milliseconds since 1970; days on which keys end are days of the calendar. */
  find(secret: string, now: number): Found {
    if (secret.length > MAX_KEY_LENGTH) return UNKNOWN
    const digest = digestOf(secret)
    const entry = this.listed.get(digest) ?? this.minted.get(digest)
    if (entry === undefined || !timingSafeEqual(entry.digest, Buffer.from(digest))) return UNKNOWN
    const { principal, scopes, key } = entry
    const standing = principal.user === null ? undefined : this.standings.get(principal.user)
    const why = closedBy(key, standing, now)
    const until = Math.min(laterThan(now, key?.expiresMs), laterThan(now, standing?.expiresMs))
    return why === null ? { is: 'known', principal, scopes, until } : { is: 'closed', why, until }
  }
}

/** A new secret, told once, and what may be kept of it. */
export function mintSecret(): { secret: string; digest: string; id: string; hint: string } {
  const secret = MINTED_PREFIX + randomBytes(SECRET_BYTES).toString('base64url')
  return { secret, ...describeKey(secret) }
}

/** What may be kept and shown of a key. Of a short one, that somebody made up, hardly anything. */
export function describeKey(secret: string): { digest: string; id: string; hint: string } {
  const digest = digestOf(secret)
  const lead = secret.startsWith(MINTED_PREFIX) ? MINTED_PREFIX.length : 0
  const shown = Math.min(lead + HINT_LENGTH, Math.floor(secret.length / 4))
  return { digest, id: keyIdOf(digest), hint: `${secret.slice(0, shown)}…` }
}

/** Why a user may not call, or null. */
export function userClosedBy(standing: UserStanding | undefined, now: number): 'user disabled' | 'user expired' | null {
  if (standing === undefined) return null
  if (standing.disabled) return 'user disabled'
  return standing.expiresMs !== null && now >= standing.expiresMs ? 'user expired' : null
}

/** Compares secrets in a time that depends on neither. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
}

function closedBy(key: RingKey | null, standing: UserStanding | undefined, now: number) {
  if (key !== null && key.revokedMs !== null) return 'revoked'
  if (key !== null && key.expiresMs !== null && now >= key.expiresMs) return 'expired'
  return userClosedBy(standing, now)
}

function laterThan(now: number, moment: number | null | undefined): number {
  return moment == null || moment <= now ? Number.POSITIVE_INFINITY : moment
}

function digestOf(key: string): string {
  return hash('sha256', key, 'hex')
}

function keyIdOf(digest: string): string {
  return digest.slice(0, 12)
}
