import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type EngineRecord, engineRecord } from './guard/protocol.ts'

export const recordFile = (dir: string, engine: string): string => join(dir, `${encodeURIComponent(engine)}.json`)

/** Written whole or not at all; nobody else may read it, since it holds the engine's key. */
export function writeRecord(path: string, record: EngineRecord): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** null: there is none, or it is not one of ours. */
export function readRecord(path: string): EngineRecord | null {
  try {
    return engineRecord.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}

export function removeRecord(path: string): void {
  rmSync(path, { force: true })
}

/** All that lie in a folder, with their files. */
export function readRecords(dir: string): { path: string; record: EngineRecord }[] {
  let names: string[]
  try {
    names = readdirSync(dir)
  } catch {
    return []
  }
  return names.flatMap((name) => {
    const path = join(dir, name)
    const record = name.endsWith('.json') ? readRecord(path) : null
    return record === null ? [] : [{ path, record }]
  })
}
