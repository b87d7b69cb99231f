/** A binary heap whose members know their place in it (`slot`, -1 outside), so that any can leave in O(log n). */
export class IndexedHeap<S extends string, T extends Record<S, number>> {
  readonly #items: T[] = []
  readonly #slot: S
  readonly #before: (a: T, b: T) => boolean

  constructor(slot: S, before: (a: T, b: T) => boolean) {
    this.#slot = slot
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** In no order but that the first is first. */
  get items(): readonly T[] {
    return this.#items
  }

  first(): T | undefined {
    return this.#items[0]
  }

  add(item: T): void {
    this.#items.push(item)
    this.#up(item, this.#items.length - 1)
  }

  remove(item: T): void {
    const index: number = item[this.#slot]
    const last = this.#items.pop()!
    this.#place(item, -1)
    if (last === item) return
    this.#items[index] = last
    this.#move(last, index)
  }

  /** After the order of `item` has changed. */
  update(item: T): void {
    this.#move(item, item[this.#slot])
  }

  #move(item: T, index: number): void {
    const parent = (index - 1) >> 1
    if (index > 0 && this.#before(item, this.#items[parent]!)) this.#up(item, index)
    else this.#down(item, index)
  }

  #up(item: T, from: number): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      const other = this.#items[parent]!
      if (!this.#before(item, other)) break
      this.#put(other, index)
      index = parent
    }
    this.#put(item, index)
  }

  #down(item: T, from: number): void {
    let index = from
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#items.length) break
      if (child + 1 < this.#items.length && this.#before(this.#items[child + 1]!, this.#items[child]!)) child++
      const other = this.#items[child]!
      if (!this.#before(other, item)) break
      this.#put(other, index)
      index = child
    }
    this.#put(item, index)
  }

  #put(item: T, index: number): void {
    this.#items[index] = item
    this.#place(item, index)
  }

  #place(item: T, index: number): void {
    ;(item as Record<S, number>)[this.#slot] = index
  }
}
