import { createHash } from 'node:crypto'

const WINDOW_MS = 60_000
/** reliability.md 3.3, 15. */
const MOST_WRONG = 10
const MAX_ADDRESSES = 10_000

/**
 * Wrong keys by the address that they come from: after ten in a minute an address gets no more answers about new ones.
 * Keys that it has shown rightly before go on, since one program with an old key must not lock out an office behind one
 * address. `now` is monotonic, in milliseconds.
 */
export class WrongKeys {
  private readonly wrong = new Map<string, number[]>()
  private readonly proven = new Set<string>()

  /** Milliseconds until this key is looked at; 0: now. */
  waitMs(address: string, key: string, now: number): number {
    const recent = this.recent(address, now)
    if (recent.length < MOST_WRONG || this.proven.has(proof(address, key))) return 0
    return WINDOW_MS - (now - recent[0]!)
  }

  countWrong(address: string, now: number): void {
    const recent = [...this.recent(address, now), now]
    this.wrong.delete(address)
    this.wrong.set(address, recent)
    if (this.wrong.size > MAX_ADDRESSES) this.wrong.delete(this.wrong.keys().next().value!)
  }

  countRight(address: string, key: string): void {
    this.proven.add(proof(address, key))
    if (this.proven.size > MAX_ADDRESSES) this.proven.delete(this.proven.keys().next().value!)
  }

  private recent(address: string, now: number): number[] {
    return (this.wrong.get(address) ?? []).filter((at) => now - at < WINDOW_MS)
  }
}

/** A key itself is kept nowhere. */
function proof(address: string, key: string): string {
  return createHash('sha256').update(`${address}\n${key}`).digest('base64url')
}
