/**
 * Where in a text the next quote, backslash or control character stands: the one search that every byte of a prompt goes
 * through. JavaScript has no instruction for sixteen bytes at once, WebAssembly has (three times as quick as a loop over
 * words), and the function `find(at, end)` is small enough to be written down byte for byte.
 */

/** Every engine has it; the types of a library without a browser do not. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

const splat = (byte: number): number[] => new Array<number>(16).fill(byte)
const V128_CONST = [0xfd, 0x0c]

/** Of sixteen bytes, all ones where one is below 0x20, a quote or a backslash. */
const specials = (offset: number): number[] => [
  ...[0x20, 0, 0xfd, 0x00, 0, offset, 0x22, 2], // $bytes = v128.load $at + offset
  ...[0x20, 4, 0xfd, 0x26], // i8x16.lt_u
  ...[0x20, 2, 0x20, 5, 0xfd, 0x23, 0xfd, 0x50], // i8x16.eq, v128.or
  ...[0x20, 2, 0x20, 6, 0xfd, 0x23, 0xfd, 0x50],
]
const OR = [0xfd, 0x50]
const BODY = [
  ...[3, 1, 0x7b, 1, 0x7f, 3, 0x7b], // locals: $bytes (2), $hits (3), the three bytes to compare with (4, 5, 6)
  ...[0x20, 0x22, 0x5c].flatMap((byte, i) => [...V128_CONST, ...splat(byte), 0x21, 4 + i]),
  ...[0x02, 0x40, 0x03, 0x40], // block, loop: sixty-four bytes at a time
  ...[0x20, 0, 0x20, 1, 0x4f, 0x0d, 1], // leave the block when $at >= $end
  ...[...specials(0), ...specials(16), ...OR, ...specials(32), ...OR, ...specials(48), ...OR],
  ...[0xfd, 0x53, 0x0d, 1], // leave the block when v128.any_true
  ...[0x20, 0, 0x41, ...[0xc0, 0], 0x6a, 0x21, 0], // $at += 64
  ...[0x0c, 0, 0x0b, 0x0b], // again; end, end
  ...[0x02, 0x40, 0x03, 0x40], // block, loop: sixteen
  ...[0x20, 0, 0x20, 1, 0x4f, 0x0d, 1],
  ...[...specials(0), 0xfd, 0x64, 0x22, 3], // $hits = i8x16.bitmask
  ...[0x04, 0x40, 0x20, 0, 0x20, 3, 0x68, 0x6a, 0x0f, 0x0b], // if any: return $at + ctz $hits
  ...[0x20, 0, 0x41, 16, 0x6a, 0x21, 0],
  ...[0x0c, 0, 0x0b, 0x0b],
  ...[0x20, 1, 0x0b], // $end
]

const section = (id: number, content: number[]): number[] => [id, ...leb(content.length), ...content]
const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, value >> 7])
const name = (text: string): number[] => [text.length, ...Buffer.from(text)]

const PAGES = 2
const MODULE = new WebAssembly.Module(
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]), // (i32, i32) -> i32
    ...section(3, [1, 0]),
    ...section(5, [1, 0, PAGES]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('find'), 0, 0]),
    ...section(10, [1, ...leb(BODY.length), ...BODY]),
  ]),
)
const { memory, find } = new WebAssembly.Instance(MODULE).exports as {
  memory: { buffer: ArrayBuffer }
  find: (at: number, end: number) => number
}
const WINDOW = new Uint8Array(memory.buffer)
/** What is copied at once; the second page is only read into by the last load. */
const WINDOW_BYTES = 64 * 1024

/** A text that is searched from its beginning to its end, a window of it at a time. Searches must not be interleaved. */
export class SpecialFinder {
  private static loaded: SpecialFinder | null = null
  private readonly bytes: Buffer
  private start = 0
  private end = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  /** The offset of the next one from `from` on; the text's length where there is none. */
  next(from: number): number {
    for (let at = from; at < this.bytes.length; at = this.end) {
      if (SpecialFinder.loaded !== this || at < this.start || at >= this.end) this.load(at)
      const found = find(at - this.start, this.end - this.start) + this.start
      if (found < this.end) return found
    }
    return this.bytes.length
  }

  private load(from: number): void {
    SpecialFinder.loaded = this
    this.start = from
    this.end = Math.min(this.bytes.length, from + WINDOW_BYTES)
    WINDOW.set(from === 0 && this.end === this.bytes.length ? this.bytes : this.bytes.subarray(from, this.end))
  }
}
