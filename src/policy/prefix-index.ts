/** A conversation is known by its text in blocks of this many bytes (scheduling.md 3.2). */
export const BLOCK_BYTES = 256

/** A claim of fewer blocks teaches nothing: routing does not go by it either. */
const CLAIM_BLOCKS = 4

/** A claim that was wrong makes the room smaller, one that was right makes it larger; found in test/sim, P3.1. */
const SHRINK = 0.95
const GROW = 1.005
const LEAST_ROOM = 1 / 16

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * One hash per whole block of `bytes[from, to)`, each chained to all before it (FNV-1a), so that equal hashes mean equal
 * beginnings. `seed` sets apart what must never share: the model's name. At most `most` blocks.
 */
export function blockHashes(bytes: Uint8Array, from: number, to: number, seed: string, most = 4096): Uint32Array {
  const count = Math.min(most, Math.floor((to - from) / BLOCK_BYTES))
  const hashes = new Uint32Array(count)
  let hash = textHash(seed)
  for (let block = 0, at = from; block < count; block++) {
    for (const end = at + BLOCK_BYTES; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
    hashes[block] = hash >>> 0 || 1
  }
  return hashes
}

/** The hash of a name, for an affinity that the client itself declares: its session. Never 0. */
export function textHash(text: string): number {
  let hash = FNV_OFFSET
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
  return hash >>> 0 || 1
}

/**
 * Which beginnings one backend's prefix cache probably holds: a shadow of it. What a request needs is held while it runs
 * and idle from then on; when idle blocks have no room, what was used longest ago goes, a text's end before its
 * beginning. How much room running requests leave is learned from what answers tell of cached tokens. A guess, never
 * wrong in what is answered, only in where. (2026-11-21: an index by age alone and with four entries per hash lost
 * beginnings that were there and kept claiming what was gone.)
 */
export class PrefixIndex {
  readonly #most: number
  #room: number
  /** The one used longest ago first. */
  readonly #idle = new Set<number>()
  /** In flight, and in how many requests. */
  readonly #held = new Map<number, number>()

  /** `blocks`: how many the backend's cache can hold, in blocks of this index. */
  constructor(blocks: number) {
    this.#most = blocks
    this.#room = blocks
  }

  /** Idle blocks for which there is room, as far as is known. */
  get room(): number {
    return this.#room
  }

  /** How many are remembered. */
  get size(): number {
    return this.#idle.size + this.#held.size
  }

  /** How many of the first blocks are known, without a gap. */
  known(hashes: Uint32Array): number {
    let count = 0
    while (count < hashes.length && (this.#idle.has(hashes[count]!) || this.#held.has(hashes[count]!))) count++
    return count
  }

  /** A request with these goes there now. To be followed by one `free`. */
  hold(hashes: Uint32Array): void {
    for (const hash of hashes) {
      this.#idle.delete(hash)
      this.#held.set(hash, (this.#held.get(hash) ?? 0) + 1)
    }
  }

  /** It is over. What is not held, since the engine was restarted meanwhile, is not known either. */
  free(hashes: Uint32Array): void {
    for (let i = hashes.length - 1; i >= 0; i--) {
      const hash = hashes[i]!
      const holders = this.#held.get(hash)
      if (holders === undefined) continue
      if (holders > 1) this.#held.set(hash, holders - 1)
      else {
        this.#held.delete(hash)
        this.#idle.add(hash)
      }
    }
    this.#makeRoom()
  }

  /** All of these have gone there, and nobody will tell when that is over. */
  record(hashes: Uint32Array): void {
    this.hold(hashes)
    this.free(hashes)
  }

  /** The engine had `found` blocks of a prompt of which `claimed` were known when it was sent. */
  learn(claimed: number, found: number): void {
    if (claimed < CLAIM_BLOCKS) return
    this.#room =
      found * 2 >= claimed
        ? Math.min(this.#most, this.#room * GROW)
        : Math.max(this.#most * LEAST_ROOM, this.#room * SHRINK)
    this.#makeRoom()
  }

  #makeRoom(): void {
    if (this.#idle.size <= this.#room) return
    for (const hash of this.#idle) {
      this.#idle.delete(hash)
      if (this.#idle.size <= this.#room) return
    }
  }
}
