/**
 * Vectors with a little meaning and no model: words and their parts are hashed to places in the vector with a sign,
 * so texts that share words, or parts of words, point the same way.
 */
export function embed(text: string, dimensions: number): number[] {
  const vector = new Float64Array(dimensions)
  for (const [feature, weight] of featuresOf(text)) {
    const hash = fnv1a(feature)
    vector[(hash >>> 1) % dimensions]! += hash & 1 ? weight : -weight
  }
  const norm = Math.hypot(...vector)
  if (norm === 0) return [1, ...Array<number>(dimensions - 1).fill(0)]
  return Array.from(vector, (value) => Math.fround(value / norm))
}

export function toBase64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64')
}

const WORD_WEIGHT = 2
const PART_WEIGHT = 0.6
/** Short words are mostly grammar; in scripts without spaces a character is not. */
const SHORT_WEIGHT = 0.3

/** Each feature with its weight; a feature that comes again counts less each time. */
function featuresOf(text: string): Map<string, number> {
  const counts = new Map<string, { times: number; weight: number }>()
  const add = (feature: string, weight: number) => {
    const known = counts.get(feature)
    if (known) known.times += 1
    else counts.set(feature, { times: 1, weight })
  }
  for (const [word] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}]/gu)) {
    const characters = [...word]
    const compact = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(word)
    add(`w ${word}`, characters.length > 3 || compact ? WORD_WEIGHT : SHORT_WEIGHT)
    for (const part of partsOf(characters, compact)) add(`p ${part}`, PART_WEIGHT)
  }
  return new Map([...counts].map(([feature, { times, weight }]) => [feature, weight * (1 + Math.log(times))]))
}

/** Runs of three to five letters with the edges of the word marked; of one and two where one character says much. */
function partsOf(characters: string[], compact: boolean): string[] {
  const marked = compact ? characters : ['<', ...characters, '>']
  const [shortest, longest] = compact ? [1, 2] : [3, 5]
  const parts: string[] = []
  for (let length = shortest; length <= longest; length += 1) {
    for (let at = 0; at + length <= marked.length; at += 1) parts.push(marked.slice(at, at + length).join(''))
  }
  return parts
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  // The last bits of FNV mix badly, and one of them becomes the sign.
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) >>> 0
}
