/**
 * What is in flight, with O(1) add and remove. Not a Set: V8 chains a Set's outgrown tables to their successors, and a
 * busy one then keeps every request it ever held alive until the next full collection (33 % of all garbage survived
 * each scavenge, pauses of 30 ms).
 */
export class LiveList<Item extends { slot: number }> {
  private readonly items: Item[] = []

  /** An item that is there already stays where it is. */
  add(item: Item): void {
    if (this.items[item.slot] === item) return
    item.slot = this.items.push(item) - 1
  }

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  /** Safe to call again for an item that is gone. */
  remove(item: Item): void {
    if (this.items[item.slot] !== item) return
    const last = this.items.pop()!
    if (last === item) return
    this.items[item.slot] = last
    last.slot = item.slot
  }

  all(): Item[] {
    return this.items.slice()
  }
}
