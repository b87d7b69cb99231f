import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LITTLE_DISK_BYTES } from '../protocol/disk.ts'

/** The first of these folders whose disk is nearly full; null: none is, or nobody can tell. */
export async function nearlyFull(
  folders: readonly string[],
  free: (folder: string) => Promise<number | null> = freeBytes,
): Promise<{ folder: string; freeBytes: number } | null> {
  for (const folder of folders) {
    const bytes = await free(folder)
    if (bytes !== null && bytes < LITTLE_DISK_BYTES) return { folder, freeBytes: bytes }
  }
  return null
}

/** A folder that is not there yet will be on the disk of the one above it. */
async function freeBytes(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    const above = dirname(folder)
    return above === folder ? null : await freeBytes(above)
  }
}
