import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ensureDir } from './paths.ts'

/**
 * Replaces a file's content so that at no moment, and after no crash, anything but the old or the new is there. Keeps
 * its mode and follows a link; a new file is 0600. Throws the system's error, and then the old is untouched.
 */
export function writeWhole(path: string, text: string): void {
  const folder = dirname(path)
  ensureDir(folder)
  const there = statSync(path, { throwIfNoEntry: false })
  const target = there === undefined ? path : realpathSync(path)
  const beside = join(dirname(target), `.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = openSync(beside, 'wx', there === undefined ? 0o600 : there.mode & 0o777)
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
