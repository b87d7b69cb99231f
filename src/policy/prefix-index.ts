/** A conversation is known by its text in blocks of this many bytes (scheduling.md 3.2). */
export const BLOCK_BYTES = 256

/** Entries looked at per slot: the one used longest ago gives way. */
const WAYS = 4
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
 * Which beginnings one backend's prefix cache probably still holds: those that went there while it has not been sent
 * twice as much new text since as its cache has room for. A guess, never wrong in what is answered, only in where.
 */
export class PrefixIndex {
  readonly #capacity: number
  readonly #sets: number
  readonly #keys: Uint32Array
  /** How many new blocks had gone there when the entry was last used. */
  readonly #stamps: Float64Array
  #written = 0

  /** `blocks`: how many the backend's cache holds, in blocks of this index. */
  constructor(blocks: number) {
    this.#capacity = 2 * blocks
    this.#sets = 2 ** Math.ceil(Math.log2(Math.max(WAYS, this.#capacity) / WAYS))
    this.#keys = new Uint32Array(this.#sets * WAYS)
    this.#stamps = new Float64Array(this.#sets * WAYS)
  }

  /** How many of the first blocks are known, without a gap. */
  known(hashes: Uint32Array): number {
    let count = 0
    while (count < hashes.length && this.#find(hashes[count]!) !== -1) count++
    return count
  }

  /** All of these have gone there now. */
  record(hashes: Uint32Array): void {
    for (const hash of hashes) {
      const found = this.#find(hash)
      const slot = found === -1 ? this.#oldest(hash) : found
      if (found === -1) this.#written++
      this.#keys[slot] = hash
      this.#stamps[slot] = this.#written
    }
  }

  #find(hash: number): number {
    const first = (hash & (this.#sets - 1)) * WAYS
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#keys[slot] === hash && this.#written - this.#stamps[slot]! <= this.#capacity) return slot
    }
    return -1
  }

  #oldest(hash: number): number {
    const first = (hash & (this.#sets - 1)) * WAYS
    let oldest = first
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#keys[slot] === 0) return slot
      if (this.#stamps[slot]! < this.#stamps[oldest]!) oldest = slot
    }
    return oldest
  }
}
