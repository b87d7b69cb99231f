import type { Dirent } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

export type Bounds = { files: number; ms: number }

export type FoundFile = { path: string; bytes: number; modifiedMs: number }

/** An environment of vLLM has some sixty thousand files. */
const DISK_BOUNDS: Bounds = { files: 500_000, ms: 15_000 }
/** Looks that wait for the disk at once. */
const AT_ONCE = 32

/**
 * Every plain file at or below these places, one after another; a place itself may be a link, those below it are not followed. `skip`: paths that are left out
 * with what lies below them. Answers whether that was all. What cannot be read counts as nothing.
 */
export async function walk(
  places: readonly string[],
  onFile: (file: FoundFile) => void,
  { skip = [] as readonly string[], bounds = DISK_BOUNDS } = {},
): Promise<boolean> {
  const until = performance.now() + bounds.ms
  const left = new Set(skip)
  let seen = 0
  const isOver = (): boolean => seen > bounds.files || performance.now() > until
  const look = async (path: string): Promise<void> => {
    const found = await lstat(path).catch(() => null)
    if (found?.isFile()) onFile({ path, bytes: found.size, modifiedMs: found.mtimeMs })
  }
  const folders: string[] = []
  for (const place of places.filter((path) => !left.has(path))) {
    // Who has more room elsewhere links to it.
    if ((await stat(place).catch(() => null))?.isDirectory()) folders.push(place)
    else await look(place)
  }
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => [])
    const files: string[] = []
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (left.has(path)) continue
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) files.push(path)
    }
    for (let i = 0; i < files.length; i += AT_ONCE) {
      if (isOver()) return false
      await Promise.all(files.slice(i, i + AT_ONCE).map(look))
    }
    seen += entries.length
    if (isOver()) return false
  }
  return true
}

export async function sizeOf(
  places: readonly string[],
  options: { skip?: readonly string[]; bounds?: Bounds } = {},
): Promise<{ bytes: number; files: number; whole: boolean }> {
  const sum = { bytes: 0, files: 0 }
  const whole = await walk(
    places,
    ({ bytes }) => {
      sum.bytes += bytes
      sum.files++
    },
    options,
  )
  return { ...sum, whole }
}
