import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openRecords, type Records } from '../../src/app/records.ts'
import { HISTORY_ENTRY } from '../chaos/entries.ts'

export { HISTORY_ENTRY }

/** A folder that is gone when the test ends. */
export function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Users, keys and history in real files; what was logged about them lands in `log`. Closed when the test ends. */
export function someRecords(folder: string, log: string[] = []): Records & { close: () => Promise<void> } {
  const write = (message: string, fields: object = {}): void => void log.push(`${message} ${JSON.stringify(fields)}`)
  const logger = { debug: write, info: write, warn: write, error: write }
  const records = openRecords(folder, { log: logger, historyEntry: HISTORY_ENTRY, keepDays: 14, keepRequests: true })
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    closing ??= (async () => {
      await records.history?.close()
      records.store.close()
    })()
    await closing
  }
  onTestFinished(close)
  return { ...records, close }
}
