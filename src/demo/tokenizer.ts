/**
 * A tokenizer without a vocabulary: up to three UTF-8 bytes of one word make a token, and its number holds those bytes.
 * So any text comes back exactly, one token is about one syllable, and no file has to be shipped.
 */
export type Tokenizer = {
  encode(text: string): number[]
  decode(tokens: readonly number[]): string
}

const MAX_BYTES = 3
/** First number of the tokens of one, two and three bytes; the fourth is the end of the vocabulary. */
const FIRST = [0, 0x100, 0x100 + 0x1_0000, 0x100 + 0x1_0000 + 0x100_0000] as const
export const vocabularySize = FIRST[3]

export const tokenizer: Tokenizer = {
  encode(text) {
    const tokens: number[] = []
    for (const [word] of text.matchAll(/ ?\S+|\s/g)) {
      for (const piece of piecesOf(word)) tokens.push(tokenOf(piece))
    }
    return tokens
  },
  decode(tokens) {
    return Buffer.concat(tokens.map(bytesOf)).toString('utf8')
  },
}

/** Whole characters while they fit; only a character of four bytes is torn. */
function* piecesOf(word: string): Generator<Buffer> {
  let held = Buffer.alloc(0)
  for (const character of word) {
    const bytes = Buffer.from(character)
    if (held.length + bytes.length > MAX_BYTES && held.length > 0) {
      yield held
      held = Buffer.alloc(0)
    }
    held = Buffer.concat([held, bytes])
    if (held.length > MAX_BYTES) {
      yield held.subarray(0, MAX_BYTES)
      held = held.subarray(MAX_BYTES)
    }
  }
  if (held.length > 0) yield held
}

function tokenOf(bytes: Buffer): number {
  return FIRST[bytes.length - 1]! + bytes.readUIntBE(0, bytes.length)
}

function bytesOf(token: number): Buffer {
  const length = FIRST.findLastIndex((first) => token >= first) + 1
  if (length < 1 || length > MAX_BYTES || !Number.isInteger(token)) return Buffer.from('\ufffd')
  const bytes = Buffer.alloc(length)
  bytes.writeUIntBE(token - FIRST[length - 1]!, 0, length)
  return bytes
}
