import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** One environment that Lexora made, whole and tried. */
export type InstalledVersion = {
  /** As people name it: `0.32.0`, or `0.32.0+cpu` where another package than `vllm` was installed. */
  version: string
  package: string
  path: string
  bytes: number | null
  installedAt: string
}

type Choice = { used: string | null; previous: string | null }

/** Written last, when everything has been tried: without it a folder is the rest of a cut installation. */
const MARK = 'installed.json'
const CHOICE = 'used.json'

/** Where installed versions lie, below the folder of Lexora's state. */
export function versionsFolder(stateDir: string): string {
  return join(stateDir, 'vllm')
}

/** Those that are whole, the newest first. */
export function installedVersions(folder: string): InstalledVersion[] {
  const names = listed(folder)
  return names
    .flatMap((version) => {
      const path = join(folder, version)
      const mark = readJson(join(path, MARK))
      if (mark === null) return []
      const { package: from, bytes, installedAt } = mark
      const told = typeof from === 'string' && typeof installedAt === 'string'
      if (!told) return []
      return [{ version, package: from, path, bytes: typeof bytes === 'number' ? bytes : null, installedAt }]
    })
    .toSorted((one, other) => (one.installedAt < other.installedAt ? 1 : -1))
}

export function markInstalled({ path, package: from, bytes, installedAt }: InstalledVersion): void {
  writeWhole(join(path, MARK), { package: from, bytes, installedAt })
}

export function readChoice(folder: string): Choice {
  const { used, previous } = readJson(join(folder, CHOICE)) ?? {}
  return { used: typeof used === 'string' ? used : null, previous: typeof previous === 'string' ? previous : null }
}

/** From now on engines start with it; the one before is what a rollback goes back to. */
export function chooseVersion(folder: string, version: string): void {
  const before = readChoice(folder)
  if (before.used === version) return
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeWhole(join(folder, CHOICE), { used: version, previous: before.used })
}

/** The environment that is used; null: none was installed, or it is not there any more. */
export function usedVersion(folder: string): InstalledVersion | null {
  const { used } = readChoice(folder)
  return used === null ? null : (installedVersions(folder).find(({ version }) => version === used) ?? null)
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

function readJson(path: string): Record<string, unknown> | null {
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function writeWhole(path: string, value: object): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
