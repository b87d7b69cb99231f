/** Always read, while the excess stays bounded: a full house must not lock out those who ask for little. */
const SMALL_BYTES = 64 * 1024
const EXCESS = 1.25

/** The memory that request bodies may hold in all: what comes above it is turned away early (reliability.md, C11). */
export class BodyBudget {
  private most: number
  private held = 0

  constructor(most: number) {
    this.most = most
  }

  /** What is held already stays. */
  reconfigure(most: number): void {
    this.most = most
  }

  /** Whether there is room for `bytes` more of a body that is `size` bytes large so far. */
  hasRoom(bytes: number, size: number): boolean {
    return this.held + bytes <= (size <= SMALL_BYTES ? EXCESS * this.most : this.most)
  }

  /** False, and nothing taken, where there is no room. */
  take(bytes: number, size: number): boolean {
    if (!this.hasRoom(bytes, size)) return false
    this.held += bytes
    return true
  }

  give(bytes: number): void {
    this.held -= bytes
  }

  get heldBytes(): number {
    return this.held
  }
}
