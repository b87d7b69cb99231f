import { type FileHandle, open } from 'node:fs/promises'

/** What is wrong with a file of a model, in words that end a sentence which begins with its name. */
export class BadFileError extends Error {}

/** Up to `length` bytes of an open file; fewer at its end. */
export async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

/** Opens a file for as long as `work` takes. */
export async function withFile<Result>(path: string, work: (file: FileHandle, size: number) => Promise<Result>) {
  const file = await open(path, 'r')
  try {
    return await work(file, (await file.stat()).size)
  } finally {
    await file.close()
  }
}
