import { hash, timingSafeEqual } from 'node:crypto'

/** Who calls, as far as a key tells. `keyId` is safe to log: it identifies the key and reveals nothing of it. */
export type Principal = { user: string | null; keyId: string | null }

/** Keys that Lexora minted start so: one that is unknown is refused even where no key is needed. */
export const MINTED_PREFIX = 'lx-'

/** As long as the configuration admits them. */
const MAX_KEY_LENGTH = 4096

/** Keys by digest: the secret itself is not kept, and looking a digest up tells an attacker nothing about the key. */
export class KeyRing {
  private readonly byDigest = new Map<string, Principal>()

  constructor(keys: readonly { key: string; user: string | null }[]) {
    for (const { key, user } of keys) {
      const digest = digestOf(key)
      this.byDigest.set(digest, { user, keyId: digest.slice(0, 12) })
    }
  }

  get isEmpty(): boolean {
    return this.byDigest.size === 0
  }

  find(key: string): Principal | null {
    if (key.length > MAX_KEY_LENGTH) return null
    return this.byDigest.get(digestOf(key)) ?? null
  }
}

/** Compares secrets in a time that depends on neither. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
}

function digestOf(key: string): string {
  return hash('sha256', key, 'hex')
}
