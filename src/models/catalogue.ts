import type { Dirent } from 'node:fs'
import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { ModelView } from '../protocol/models.ts'
import { type Described, describeFolder, describeGguf } from './describe.ts'

export type CataloguePlaces = {
  /** The hub's cache, and the folders that people put models into. */
  hubCache: string
  folders: readonly string[]
}

/** Without who uses it, which only the configuration knows. */
export type FoundModel = Omit<ModelView, 'usedBy' | 'lastUsed'>

const MAX_DEPTH = 4
const MAX_FOLDERS = 5000
/** Reads wait for the disk, not for each other. */
const AT_ONCE = 16

/** Everything in these places that looks like a model, whole or not, by name. A place that is not there has none. */
export async function scanModels({ hubCache, folders }: CataloguePlaces): Promise<FoundModel[]> {
  const found = await Promise.all([scanHub(hubCache), ...folders.map(scanFolder)])
  return found.flat().sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0))
}

async function scanHub(cache: string): Promise<FoundModel[]> {
  const names = (await entriesOf(cache)).map(({ name }) => name).filter((name) => name.startsWith('models--'))
  const found = await inParallel(names.slice(0, MAX_FOLDERS), async (name) => await readRepository(join(cache, name)))
  return found.flat()
}

/** The name of a repository as its folder in the cache has it. */
export function repositoryFolder(repo: string): string {
  return `models--${repo.replaceAll('/', '--')}`
}

async function readRepository(folder: string): Promise<FoundModel[]> {
  const repo = folder.slice(folder.lastIndexOf('models--') + 'models--'.length).replace('--', '/')
  const revision = await revisionOf(folder)
  const partial = (await entriesOf(join(folder, 'blobs'))).some(({ name }) => name.endsWith('.incomplete'))
  const bytes = await sizeOf(join(folder, 'blobs'))
  if (revision === null) {
    // Nothing of it is whole yet.
    if (!partial && bytes === 0) return []
    return [
      { ...NOTHING, id: repo, path: folder, source: 'hub', revision: null, bytes, modified: await modifiedOf(folder) },
    ]
  }
  const path = join(folder, 'snapshots', revision)
  const views = await describeAll(path, repo, 'hub')
  return views.map((view) => {
    const missing =
      partial && view.missing.length === 0 && !view.complete ? ['a file that is still being fetched'] : view.missing
    return { ...view, revision, missing }
  })
}

const NOTHING = {
  format: 'other',
  quantization: null,
  dtype: null,
  architecture: null,
  parameters: null,
  contextLength: null,
  kind: 'other',
  complete: false,
  missing: ['everything: it is still being fetched'],
} satisfies Partial<FoundModel>

/** What `main` names, else the newest that lies there. */
async function revisionOf(folder: string): Promise<string | null> {
  const main = (await readFile(join(folder, 'refs', 'main'), 'utf8').catch(() => '')).trim()
  const there = (await entriesOf(join(folder, 'snapshots'))).map(({ name }) => name)
  if (there.includes(main)) return main
  const dated = await Promise.all(
    there.map(async (name) => ({ name, at: await modifiedOf(join(folder, 'snapshots', name)) })),
  )
  return dated.sort((one, other) => (one.at < other.at ? 1 : -1))[0]?.name ?? null
}

/** Folders with a configuration or weights, and single GGUF files. Links are followed once. */
async function scanFolder(root: string): Promise<FoundModel[]> {
  const seen = new Set<string>()
  const found: FoundModel[] = []
  const visit = async (folder: string, depth: number): Promise<void> => {
    const real = await realpath(folder).catch(() => null)
    if (real === null || seen.has(real) || seen.size >= MAX_FOLDERS) return
    seen.add(real)
    const entries = await entriesOf(folder)
    if (isModel(entries)) {
      found.push(...(await describeAll(folder, folder, 'folder')))
      return
    }
    if (depth >= MAX_DEPTH) return
    const inner = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    await inParallel(inner, async ({ name }) => await visit(join(folder, name), depth + 1))
  }
  await visit(root, 0)
  return found
}

function isModel(entries: readonly Dirent[]): boolean {
  return entries.some(({ name }) => /^(config|params)\.json$|\.(gguf|safetensors)$/.test(name))
}

/** A folder of GGUF files holds one model for each of them; any other folder is one model. */
async function describeAll(path: string, id: string, source: ModelView['source']): Promise<FoundModel[]> {
  const names = await namesBelow(path)
  const ggufs = names.filter((name) => name.endsWith('.gguf') && !/mmproj/i.test(name))
  const firsts = ggufs.filter((name) => !/-(\d{5})-of-\d{5}\.gguf$/.test(name) || /-00001-of-\d{5}\.gguf$/.test(name))
  if (firsts.length > 0 && !names.some((name) => name.endsWith('.safetensors'))) {
    return await Promise.all(
      firsts.map(async (name) => {
        const own = source === 'hub' ? `${id}:${name.replaceAll(sep, '/')}` : join(path, name)
        return await viewOf(await describeGguf(path, name, ggufs), own, join(path, name), source)
      }),
    )
  }
  return [await viewOf(await describeFolder(path, names), id, path, source)]
}

async function viewOf(
  described: Described,
  id: string,
  path: string,
  source: ModelView['source'],
): Promise<FoundModel> {
  const named = /rerank/i.test(id) ? 'rerank' : /embed/i.test(id) ? 'embedding' : described.kind
  const { weights: _, shape: __, ...shown } = described
  const complete = described.missing.length === 0
  return { id, path, source, revision: null, ...shown, kind: named, complete, modified: await modifiedOf(path) }
}

/** Names of files below a folder, with their folders; two levels, as repositories have them. */
export async function namesBelow(root: string): Promise<string[]> {
  const names: string[] = []
  const visit = async (folder: string, depth: number): Promise<void> => {
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && depth < 2) await visit(path, depth + 1)
      else if (!entry.isDirectory() && names.length < 10_000) names.push(relative(root, path))
    }
  }
  await visit(root, 0)
  return names.sort()
}

/** Of all files right in a folder. */
async function sizeOf(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await entriesOf(folder)).map(async ({ name }) => (await lstat(join(folder, name)).catch(() => null))?.size ?? 0),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function modifiedOf(path: string): Promise<string> {
  const found = (await stat(path).catch(() => null)) ?? (await lstat(path).catch(() => null))
  return (found?.mtime ?? new Date(0)).toISOString()
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return await readdir(folder, { withFileTypes: true }).catch(() => [])
}

async function inParallel<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const own = next++
      results[own] = await work(items[own]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return results
}

/** The blob that a link of a snapshot leads to, by its name; null: it is no such link. */
export async function blobOf(path: string): Promise<string | null> {
  const target = await readlink(path).catch(() => null)
  return target === null ? null : (target.split(/[/\\]/).at(-1) ?? null)
}
