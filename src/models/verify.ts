import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ModelFileView, VerifyReport } from '../protocol/models.ts'
import { blobOf, type FoundModel, namesBelow } from './catalogue.ts'
import { readGguf } from './gguf.ts'
import { hashFile, hashOfName } from './hash-file.ts'
import { BadFileError } from './read-head.ts'
import { readSafetensors } from './safetensors.ts'

/** What reading a file came to; with another size or time it is another file. */
export type CheckedFile = Pick<ModelFileView, 'hashed' | 'why'> & { bytes: number; modifiedMs: number }

/** By their whole paths. */
export type CheckedFiles = ReadonlyMap<string, CheckedFile & { at: string }>

/**
 * Reads all files of a model that can tell whether they are whole: in the hub's cache content bears its hash as its
 * name; elsewhere safetensors and GGUF files tell by their structure, and the others are not counted.
 * `onFile` is told of each as soon as it is read.
 */
export async function verifyFiles(
  model: FoundModel,
  onFile: (path: string, checked: CheckedFile) => void = () => {},
): Promise<VerifyReport> {
  const { id, path, source, missing, complete } = model
  const { folder, names } = await filesOf(model)
  const report: VerifyReport = { model: id, path, files: 0, bytes: 0, hashed: 0, problems: [] }
  if (!complete) report.problems.push(...missing.map((file) => ({ file, why: 'is missing or broken' })))
  for (const name of names) {
    const file = join(folder, name)
    const checked = await check(file, source === 'hub')
    if (checked === null) continue
    report.files++
    report.bytes += checked.bytes
    if (checked.hashed) report.hashed++
    if (checked.why !== null) report.problems.push({ file: name, why: checked.why })
    onFile(file, checked)
  }
  return report
}

/** Every file of a model, with what is known of it; those that are missing come first. */
export async function listFiles(model: FoundModel, checked: CheckedFiles): Promise<ModelFileView[]> {
  const { folder, names } = await filesOf(model)
  const lacks = model.missing.filter((name) => !names.includes(name))
  const gone = lacks.map((name) => ({ ...UNREAD, name, bytes: null, state: 'missing' as const }))
  const there = names.map(async (name): Promise<ModelFileView> => {
    const file = join(folder, name)
    const found = await stat(file).catch(() => null)
    if (found === null) return { ...UNREAD, name, bytes: null, state: 'missing' }
    const known = checked.get(file)
    if (known === undefined || known.bytes !== found.size || known.modifiedMs !== found.mtimeMs)
      return { ...UNREAD, name, bytes: found.size, state: 'unread' }
    const { hashed, why, at } = known
    return { name, bytes: found.size, state: why === null ? 'whole' : 'bad', hashed, why, checkedAt: at }
  })
  return [...gone, ...(await Promise.all(there))]
}

const UNREAD = { hashed: false, why: null, checkedAt: null }

/** All of a folder; of one of several GGUF files its own parts. */
async function filesOf({ path }: FoundModel): Promise<{ folder: string; names: string[] }> {
  if (!path.endsWith('.gguf')) return { folder: path, names: await namesBelow(path) }
  const names = (await partsOf(path)).map((part) => basename(part))
  return { folder: dirname(path), names }
}

/** The parts of a GGUF file that is split, or the file alone. */
export async function partsOf(path: string): Promise<string[]> {
  const part = /^(.*)-\d{5}-of-(\d{5})\.gguf$/.exec(basename(path))
  if (part === null) return [path]
  const isPart = (name: string): boolean => name.startsWith(`${part[1]}-`) && name.endsWith(`-of-${part[2]}.gguf`)
  return (await namesBelow(dirname(path))).filter(isPart).map((name) => join(dirname(path), name))
}

/** Null: nothing tells what it should be. */
async function check(file: string, isNamed: boolean): Promise<CheckedFile | null> {
  const found = await stat(file).catch(() => null)
  const size = { bytes: found?.size ?? 0, modifiedMs: found?.mtimeMs ?? 0 }
  try {
    const hash = isNamed ? hashOfName((await blobOf(file)) ?? '') : null
    if (hash !== null) {
      const isRight = (await hashFile(file, hash.kind)) === hash.hex
      return { ...size, hashed: true, why: isRight ? null : 'is not what it was: its hash is wrong' }
    }
    if (file.endsWith('.safetensors')) await readSafetensors(file)
    else if (file.endsWith('.gguf')) await checkGguf(file)
    else {
      await stat(file)
      return null
    }
    return { ...size, hashed: false, why: null }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    const why = error instanceof BadFileError ? error.message : `cannot be read (${code})`
    return { ...size, hashed: false, why }
  }
}

async function checkGguf(file: string): Promise<void> {
  const { bytes, neededBytes } = await readGguf(file)
  if (bytes < neededBytes) throw new BadFileError(`is cut off: ${bytes} of ${neededBytes} bytes are there`)
}
