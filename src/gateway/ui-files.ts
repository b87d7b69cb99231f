import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export type UiFile = { type: string; plain: Buffer; zipped: Buffer | null }

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}
const ZIPPED = new Set(['.html', '.js', '.css', '.svg', '.txt'])
const zip = promisify(gzip)

/**
 * The built window, by path below /ui. Read once, when somebody asks for it first, so that a start waits for nothing
 * and a request never names a file of the disk. Null: it is not there.
 */
export class UiFiles {
  private readonly dir: string
  private loading: Promise<ReadonlyMap<string, UiFile> | null> | null = null

  constructor(dir: string) {
    this.dir = dir
  }

  async read(): Promise<ReadonlyMap<string, UiFile> | null> {
    this.loading ??= load(this.dir).catch(() => null)
    const files = await this.loading
    // It may be built while Lexora runs.
    if (files === null) this.loading = null
    return files
  }
}

async function load(dir: string): Promise<ReadonlyMap<string, UiFile>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && Object.hasOwn(TYPES, extname(entry.name)))
  const read = files.map(async (entry): Promise<[string, UiFile]> => {
    const path = join(entry.parentPath, entry.name)
    const plain = await readFile(path)
    const kind = extname(entry.name)
    const zipped = ZIPPED.has(kind) ? await zip(plain) : null
    return [path.slice(dir.length).replaceAll('\\', '/').replace(/^\/*/, ''), { type: TYPES[kind]!, plain, zipped }]
  })
  const found = new Map(await Promise.all(read))
  if (!found.has('index.html')) throw new Error(`${dir} has no index.html`)
  return found
}
