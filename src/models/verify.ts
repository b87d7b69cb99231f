import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { VerifyReport } from '../protocol/models.ts'
import { blobOf, type FoundModel, namesBelow } from './catalogue.ts'
import { hashFile, hashOfName } from './hash-file.ts'
import { BadFileError } from './read-head.ts'
import { readSafetensors } from './safetensors.ts'

/** Reads all files of a model. In the hub's cache content bears its hash as its name; elsewhere only structure can tell. */
export async function verifyFiles({ id, path, source, missing, complete }: FoundModel): Promise<VerifyReport> {
  const isFile = path.endsWith('.gguf')
  const folder = isFile ? dirname(path) : path
  const names = isFile ? [basename(path)] : await namesBelow(path)
  const report: VerifyReport = { model: id, path, files: names.length, bytes: 0, hashed: 0, problems: [] }
  if (!complete) report.problems.push(...missing.map((file) => ({ file, why: 'is missing or broken' })))
  for (const name of names) {
    const file = join(folder, name)
    const why = await problemOf(file, source === 'hub', report)
    if (why !== null) report.problems.push({ file: name, why })
  }
  return report
}

async function problemOf(file: string, isNamed: boolean, report: VerifyReport): Promise<string | null> {
  try {
    report.bytes += (await stat(file)).size
    const hash = isNamed ? hashOfName((await blobOf(file)) ?? '') : null
    if (hash !== null) {
      report.hashed++
      return (await hashFile(file, hash.kind)) === hash.hex ? null : 'is not what it was: its hash is wrong'
    }
    if (file.endsWith('.safetensors')) await readSafetensors(file)
    return null
  } catch (error) {
    return error instanceof BadFileError
      ? error.message
      : `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`
  }
}
