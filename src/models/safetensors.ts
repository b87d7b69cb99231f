import { BadFileError, readBytes, withFile } from './read-head.ts'

/** What the header of a safetensors file tells. */
export type SafetensorsHead = {
  /** Of the file. */
  bytes: number
  /** Weights by the type they are stored as. */
  types: Record<string, { count: number; bytes: number }>
}

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000

/** Reads the header, never the weights. Rejects with BadFileError where the file is not what it says. */
export async function readSafetensors(path: string): Promise<SafetensorsHead> {
  return await withFile(path, async (file, size) => {
    const head = await readBytes(file, 0, 8)
    if (head.length < 8) throw new BadFileError('is empty')
    const length = head.readBigUInt64LE()
    if (length > BigInt(MAX_HEADER_BYTES) || Number(length) + 8 > size) {
      throw new BadFileError('is cut off, or is no safetensors file')
    }
    const header = parseHeader(await readBytes(file, 8, Number(length)))
    const { types, end } = tensorsOf(header)
    const whole = 8 + Number(length) + end
    if (whole > size) throw new BadFileError(`is cut off: ${size} of ${whole} bytes are there`)
    return { bytes: size, types }
  })
}

function parseHeader(bytes: Buffer): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof header === 'object' && header !== null && !Array.isArray(header))
      return header as Record<string, unknown>
  } catch {
    // It is told below, as every other nonsense.
  }
  throw new BadFileError('has a broken header')
}

function tensorsOf(header: Record<string, unknown>): { types: SafetensorsHead['types']; end: number } {
  const types: SafetensorsHead['types'] = Object.create(null) as SafetensorsHead['types']
  let end = 0
  for (const [name, tensor] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const { dtype, shape, data_offsets: place } = (tensor ?? {}) as Record<string, unknown>
    if (
      typeof dtype !== 'string' ||
      !isSizes(shape) ||
      !isSizes(place) ||
      place.length !== 2 ||
      place[1]! < place[0]!
    ) {
      throw new BadFileError(`has a broken header at '${name.slice(0, 80)}'`)
    }
    const before = types[dtype] ?? { count: 0, bytes: 0 }
    const count = shape.reduce((product, one) => product * one, 1)
    types[dtype] = { count: before.count + count, bytes: before.bytes + place[1]! - place[0]! }
    end = Math.max(end, place[1]!)
  }
  return { types, end }
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 32 && value.every((one) => Number.isSafeInteger(one) && one >= 0)
}
