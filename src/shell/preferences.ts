import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import Store from 'electron-store'
import { type DesktopPreferences, desktopChange } from '../protocol/desktop.ts'
import { mergedPreferences, readPreferences } from './preference-values.ts'

/** What the app itself remembers: nobody is asked about it. */
export type Remembered = {
  window: unknown
  autostartWritten: boolean
  users: string[]
  update: string | null
  noTrayTold: boolean
  /** Engines by name, who served last first. */
  engines: string[]
}

type Kept = { preferences?: unknown; remembered?: Partial<Remembered>; updates?: unknown }

/**
 * The preferences of this person on this machine, in one small file. Read once, at the start; written when one changes.
 * A file that cannot be read is put aside under another name, and the defaults hold.
 */
export class Preferences {
  private readonly store: Store<Kept>
  private current: DesktopPreferences
  private memory: Remembered
  /** `{feed, key}` as somebody wrote it into the file; no window may choose who replaces this program. */
  readonly updates: unknown

  constructor(folder: string) {
    this.store = openStore(folder)
    const { preferences, remembered, updates } = this.store.store
    this.updates = updates
    this.current = readPreferences(preferences)
    this.memory = {
      window: remembered?.window ?? null,
      autostartWritten: remembered?.autostartWritten === true,
      users: namesOf(remembered?.users),
      update: typeof remembered?.update === 'string' ? remembered.update : null,
      noTrayTold: remembered?.noTrayTold === true,
      engines: namesOf(remembered?.engines),
    }
  }

  get(): DesktopPreferences {
    return this.current
  }

  remembered(): Remembered {
    return this.memory
  }

  /** A value that is wrong is named, and nothing changes. */
  change(given: unknown): { ok: true } | { ok: false; message: string } {
    const parsed = desktopChange.safeParse(given)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!
      const field = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.')
      const says = issue.code === 'unrecognized_keys' ? 'is not known here' : issue.message
      return { ok: false, message: `${field || 'The change'}: ${says}` }
    }
    const next = mergedPreferences(this.current, parsed.data)
    if (JSON.stringify(next) === JSON.stringify(this.current)) return { ok: true }
    this.current = next
    this.store.set('preferences', next)
    return { ok: true }
  }

  remember(changes: Partial<Remembered>): void {
    const next = { ...this.memory, ...changes }
    if (JSON.stringify(next) === JSON.stringify(this.memory)) return
    this.memory = next
    this.store.set('remembered', next)
  }
}

function namesOf(kept: unknown): string[] {
  return Array.isArray(kept) ? kept.filter((one) => typeof one === 'string') : []
}

function openStore(folder: string): Store<Kept> {
  const options = { cwd: folder, name: 'preferences', configFileMode: 0o600, clearInvalidConfig: false }
  try {
    return new Store<Kept>(options)
  } catch {
    const path = join(folder, 'preferences.json')
    if (existsSync(path)) renameSync(path, join(folder, 'preferences.broken.json'))
    return new Store<Kept>(options)
  }
}
