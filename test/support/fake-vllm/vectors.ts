import { createHash } from 'node:crypto'

/** A unit vector that stands for a text: the same for the same text, and nothing more. */
export function vectorOf(text: string, size: number): number[] {
  const raw: number[] = []
  for (let block = 0; raw.length < size; block += 1) {
    const bytes = createHash('sha256').update(`${block}:${text}`).digest()
    for (let at = 0; at + 4 <= bytes.length; at += 4) raw.push(bytes.readInt32LE(at) / 2 ** 31)
  }
  const vector = raw.slice(0, size)
  const norm = Math.hypot(...vector)
  return vector.map((value) => Math.fround(value / norm))
}

export function similarity(one: number[], other: number[]): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0)
}

export function base64(vector: number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64')
}
