import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ensureDir } from './paths.ts'

/**
 * Replaces a file's content so that at no moment, and after no crash, anything but the old or the new is there. Keeps
 * its mode and follows a link; a new file is 0600. Throws the system's error, and then the old is untouched.
 */
export function writeWhole(path: string, text: string): void {
  const { target, beside, mode } = placesOf(path)
  try {
    const handle = openSync(beside, 'wx', mode)
    try {
      writeFileSync(handle, text)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(beside, target)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
  syncFolder(dirname(target))
}

/** Throws what `writeWhole` would throw where nothing may be written. Changes nothing. */
export function tryWriting(path: string): void {
  const { beside, mode } = placesOf(path)
  closeSync(openSync(beside, 'wx', mode))
  rmSync(beside)
}

/** Where the file is in truth, and where its next content is prepared; its folder is there then. */
function placesOf(path: string): { target: string; beside: string; mode: number } {
  ensureDir(dirname(path))
  const there = statSync(path, { throwIfNoEntry: false })
  const target = there === undefined ? path : realpathSync(path)
  const beside = join(dirname(target), `.${randomBytes(6).toString('hex')}.tmp`)
  return { target, beside, mode: there === undefined ? 0o600 : there.mode & 0o777 }
}

/** So that the rename itself survives a power cut. Windows has no such call. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
