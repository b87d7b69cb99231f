import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { LITTLE_DISK_BYTES } from '../protocol/disk.ts'
import type { DoctorCheck } from '../protocol/doctor.ts'
import { say } from '../protocol/sentence.ts'

const GIB = 1024 ** 3
const NO_DISK_BYTES = GIB

/** Room on the disk of a folder, which may not be there yet. */
export function checkDisk(about: string, folder: string): DoctorCheck {
  const free = freeBytes(folder)
  if (free === null) return warn(about, say`How much room the disk of ${folder} has cannot be told.`, null)
  const says = say`${(free / 1e9).toFixed(1)} GB are free on the disk of ${folder}.`
  if (free < NO_DISK_BYTES) return fail(about, says, say('Make room there: engines do not start.'))
  return free < LITTLE_DISK_BYTES ? warn(about, says, say('Make room there.')) : ok(about, says)
}

function freeBytes(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    const above = dirname(folder)
    return above === folder ? null : freeBytes(above)
  }
}

export function ok(about: string, says: string): DoctorCheck {
  return { about, level: 'ok', says, fix: null }
}

export function warn(about: string, says: string, fix: string | null): DoctorCheck {
  return { about, level: 'warn', says, fix }
}

export function fail(about: string, says: string, fix: string | null): DoctorCheck {
  return { about, level: 'fail', says, fix }
}
