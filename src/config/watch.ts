import { type FSWatcher, statSync, unwatchFile, watch, watchFile } from 'node:fs'
import { basename, dirname } from 'node:path'

/** A file must have stayed the same for so long: editors write in pieces, or save beside it and rename. */
const SETTLED_MS = 200
const POLL_MS = 2000

/**
 * Tells when the content of any of these files may have changed, once it has come to rest. Watches their folders, since
 * a file that is replaced by a rename is another one. Where the system watches nothing, it looks every two seconds.
 */
export class FileWatch {
  private readonly paths: readonly string[]
  private readonly onChange: () => void
  private readonly watchers: FSWatcher[] = []
  private readonly polled: string[] = []
  private told: string
  private seen = ''
  private timer: NodeJS.Timeout | null = null

  constructor(paths: readonly string[], onChange: () => void) {
    this.paths = paths
    this.onChange = onChange
    this.told = this.look()
    for (const folder of new Set(paths.map(dirname))) this.watchFolder(folder)
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    for (const watcher of this.watchers) watcher.close()
    for (const path of this.polled) unwatchFile(path, this.poll)
  }

  private watchFolder(folder: string): void {
    const names = this.paths.filter((path) => dirname(path) === folder).map((path) => basename(path))
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // Mounted configurations change by a link named "..data".
        if (name === null || names.includes(name) || name.startsWith('..')) this.stir()
      })
      watcher.on('error', () => this.stir())
      this.watchers.push(watcher)
    } catch {
      for (const name of names) {
        const path = this.paths.find((one) => dirname(one) === folder && basename(one) === name)!
        this.polled.push(path)
        watchFile(path, { persistent: false, interval: POLL_MS }, this.poll)
      }
    }
  }

  private readonly poll = (): void => this.stir()

  private stir(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.seen = this.look()
    this.timer = setTimeout(() => this.settle(), SETTLED_MS).unref()
  }

  private settle(): void {
    this.timer = null
    const now = this.look()
    if (now !== this.seen) return this.stir()
    if (now === this.told) return
    this.told = now
    this.onChange()
  }

  /** What tells one content from another without reading it. */
  private look(): string {
    return this.paths
      .map((path) => {
        const found = statSync(path, { throwIfNoEntry: false, bigint: true })
        return found === undefined ? 'absent' : `${found.ino} ${found.size} ${found.mtimeNs}`
      })
      .join('\n')
  }
}
