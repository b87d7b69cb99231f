import { BadFileError, readBytes, withFile } from './read-head.ts'

export type GgufValue = string | number | boolean | readonly number[]

/** What the header of a GGUF file tells. Lists of texts, as a tokenizer's, are counted and not kept. */
export type GgufHead = {
  bytes: number
  metadata: Map<string, GgufValue>
  /** How long the lists are, by name. */
  lengths: Map<string, number>
  parameters: number
  /** How long the file must be for all of its tensors; of a type that is not known here only the first byte counts. */
  neededBytes: number
  /** The type that most weights have, as `Q4_K`. */
  quantization: string
}

/** A tokenizer of a quarter of a million words takes ten million bytes; more than this is no header. */
const WINDOWS = [2 ** 20, 2 ** 23, 2 ** 26]
const MAX_TENSORS = 200_000
const MAX_VALUES = 20_000
const MAX_LIST = 20_000_000
/** Lists that are kept: sizes by layer, no vocabularies. */
const MAX_KEPT_LIST = 4096
const MAX_DIMENSIONS = 8
const USUAL_ALIGNMENT = 32

/** Reads the header in a growing window, never the weights. Rejects with BadFileError where it is none. */
export async function readGguf(path: string): Promise<GgufHead> {
  return await withFile(path, async (file, size) => {
    for (const window of WINDOWS) {
      const head = await readBytes(file, 0, Math.min(window, size))
      try {
        return { bytes: size, ...parseGguf(head) }
      } catch (error) {
        if (!(error instanceof EndOfWindow)) throw error
        if (head.length === size) throw new BadFileError('is cut off within its header')
      }
    }
    throw new BadFileError('has a header of more than 64 MiB')
  })
}

class EndOfWindow extends Error {}

/** The header of a GGUF file of version 2 or 3, in its first bytes. */
function parseGguf(head: Buffer): Omit<GgufHead, 'bytes'> {
  const reader = new Reader(head)
  if (head.subarray(0, 4).toString('latin1') !== 'GGUF') throw new BadFileError('is no GGUF file')
  reader.at = 4
  const version = reader.u32()
  if (version !== 2 && version !== 3) throw new BadFileError(`is of GGUF version ${version}, which is not known here`)
  const tensors = reader.size('tensors', MAX_TENSORS)
  const values = reader.size('values', MAX_VALUES)
  const metadata = new Map<string, GgufValue>()
  const lengths = new Map<string, number>()
  for (let i = 0; i < values; i++) {
    const name = reader.text()
    const value = reader.value(reader.u32())
    if ('length' in value) lengths.set(name, value.length)
    if (value.kept !== null) metadata.set(name, value.kept)
  }
  const { dataBytes, ...counted } = countTensors(reader, tensors)
  const alignment = Number(metadata.get('general.alignment')) || USUAL_ALIGNMENT
  const neededBytes = tensors === 0 ? reader.at : Math.ceil(reader.at / alignment) * alignment + dataBytes
  return { metadata, lengths, neededBytes, ...counted }
}

type Counted = Pick<GgufHead, 'parameters' | 'quantization'> & { dataBytes: number }

function countTensors(reader: Reader, tensors: number): Counted {
  let parameters = 0
  let dataBytes = 0
  const byType = new Map<number, number>()
  for (let i = 0; i < tensors; i++) {
    reader.text()
    const dimensions = reader.u32()
    if (dimensions > MAX_DIMENSIONS) throw new BadFileError('has a broken list of tensors')
    let count = 1
    for (let d = 0; d < dimensions; d++) count *= reader.u64()
    const type = reader.u32()
    const from = reader.u64()
    const [block, bytes] = BLOCKS[type] ?? []
    dataBytes = Math.max(dataBytes, from + (block === undefined ? 1 : Math.ceil(count / block) * bytes!))
    parameters += count
    byType.set(type, (byType.get(type) ?? 0) + count)
  }
  const [most] = [...byType].sort(([, one], [, other]) => other - one)
  const quantization = most === undefined ? 'none' : (TYPES[most[0]] ?? `type ${most[0]}`)
  return { parameters, dataBytes, quantization }
}

/** ggml's tensor types by number. */
const TYPES: Record<number, string> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  6: 'Q5_0',
  7: 'Q5_1',
  8: 'Q8_0',
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  12: 'Q4_K',
  13: 'Q5_K',
  14: 'Q6_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  29: 'IQ1_M',
  30: 'BF16',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
}

/** Of each type how many values one block holds, and in how many bytes (gguf-py, GGML_QUANT_SIZES). */
const BLOCKS: Record<number, readonly [values: number, bytes: number]> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
}

const STRING = 8
const ARRAY = 9
const WIDTHS: Record<number, number> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }

class Reader {
  private readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  u64(): number {
    const value = this.bytes.readBigUInt64LE(this.take(8))
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadFileError('has a number that is too large')
    return Number(value)
  }

  size(what: string, most: number): number {
    const value = this.u64()
    if (value > most) throw new BadFileError(`says that it has ${value} ${what}`)
    return value
  }

  text(): string {
    const length = this.size('bytes in a text', MAX_LIST)
    const from = this.take(length)
    return this.bytes.toString('utf8', from, Math.min(from + length, from + 4096))
  }

  value(type: number): { kept: GgufValue | null } | { kept: GgufValue | null; length: number } {
    if (type === STRING) return { kept: this.text() }
    if (type === ARRAY) return this.list()
    return { kept: this.number(type) }
  }

  private list(): { kept: GgufValue | null; length: number } {
    const type = this.u32()
    const length = this.size('values in a list', MAX_LIST)
    if (type === STRING) {
      for (let i = 0; i < length; i++) this.take(this.size('bytes in a text', MAX_LIST))
      return { kept: null, length }
    }
    // A list of lists is nothing that we need, and none is known.
    if (WIDTHS[type] === undefined) throw new BadFileError(`has a value of type ${type}, which is not known here`)
    if (length > MAX_KEPT_LIST) {
      this.take(length * WIDTHS[type])
      return { kept: null, length }
    }
    return { kept: Array.from({ length }, () => Number(this.number(type))), length }
  }

  private number(type: number): number | boolean {
    const width = WIDTHS[type]
    if (width === undefined) throw new BadFileError(`has a value of type ${type}, which is not known here`)
    const at = this.take(width)
    switch (type) {
      case 0:
        return this.bytes.readUInt8(at)
      case 1:
        return this.bytes.readInt8(at)
      case 2:
        return this.bytes.readUInt16LE(at)
      case 3:
        return this.bytes.readInt16LE(at)
      case 4:
        return this.bytes.readUInt32LE(at)
      case 5:
        return this.bytes.readInt32LE(at)
      case 6:
        return this.bytes.readFloatLE(at)
      case 7:
        return this.bytes.readUInt8(at) !== 0
      case 10:
        return Number(this.bytes.readBigUInt64LE(at))
      case 11:
        return Number(this.bytes.readBigInt64LE(at))
      default:
        return this.bytes.readDoubleLE(at)
    }
  }

  private take(length: number): number {
    const from = this.at
    if (length > this.bytes.length - from) throw new EndOfWindow()
    this.at = from + length
    return from
  }
}
