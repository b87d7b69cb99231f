/**
 * Lines that wait for a disk or another thread, as bytes outside the garbage collector's heap: as strings they would
 * outlive a scavenge after the other, and what survives is what a scavenge costs.
 */
export class LineBuffer {
  private bytes: Buffer<ArrayBuffer>
  private used = 0
  /** Lines in it. */
  count = 0

  /** `memory`: bytes that nobody else uses any more; what stands in them is overwritten. */
  constructor(memory: ArrayBuffer) {
    this.bytes = Buffer.from(memory)
  }

  /** False: there is no room for it, and nothing was taken. */
  add(line: string): boolean {
    // At most three bytes of UTF-8 for each unit of UTF-16, and the line's end.
    if (this.used + line.length * 3 + 1 > this.bytes.length) return false
    this.used += this.bytes.write(line, this.used)
    this.bytes[this.used++] = 0x0a
    this.count++
    return true
  }

  /** Room for at least this line as well. */
  growFor(line: string): void {
    const wider = Buffer.from(new ArrayBuffer(Math.max(this.bytes.length * 2, this.used + line.length * 3 + 1)))
    this.bytes.copy(wider, 0, 0, this.used)
    this.bytes = wider
  }

  /** What is in it, for as long as nothing is added or cleared. */
  read(): Buffer<ArrayBuffer> {
    return this.bytes.subarray(0, this.used)
  }

  clear(): void {
    this.used = 0
    this.count = 0
  }
}
