import { crc32, deflateRawSync } from 'node:zlib'

export type ZipEntry = { name: string; text: string }

/** A zip file of some texts (APPNOTE 4.3): deflated, names in UTF-8, all dated `at`. */
export function zip(entries: readonly ZipEntry[], at: Date): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, text } of entries) {
    const [title, plain] = [Buffer.from(name), Buffer.from(text)]
    const packed = deflateRawSync(plain)
    const facts = factsOf({ plain, packed, title, at })
    const head = Buffer.concat([words([0x04034b50], 4), facts, words([0], 2), title])
    const entry = Buffer.concat([
      words([0x02014b50], 4),
      // Made by this version on Unix, so that the mode below counts.
      words([0x0314], 2),
      facts,
      words([0, 0, 0, 0], 2),
      words([0o100600 * 0x10000, offset], 4),
      title,
    ])
    parts.push(head, packed)
    directory.push(entry)
    offset += head.length + packed.length
  }
  const index = Buffer.concat(directory)
  const count = entries.length
  const end = Buffer.concat([
    words([0x06054b50], 4),
    words([0, 0, count, count], 2),
    words([index.length, offset], 4),
    words([0], 2),
  ])
  return Buffer.concat([...parts, index, end])
}

/** What stands both before an entry and in the directory: version needed to length of name. */
function factsOf({ plain, packed, title, at }: { plain: Buffer; packed: Buffer; title: Buffer; at: Date }): Buffer {
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate()
  return Buffer.concat([
    words([20, 0x0800, 8, time, date], 2),
    words([crc32(plain), packed.length, plain.length], 4),
    words([title.length], 2),
  ])
}

function words(numbers: readonly number[], size: 2 | 4): Buffer {
  const bytes = Buffer.alloc(numbers.length * size)
  for (const [i, number] of numbers.entries()) {
    if (size === 2) bytes.writeUInt16LE(number, i * size)
    else bytes.writeUInt32LE(number >>> 0, i * size)
  }
  return bytes
}
