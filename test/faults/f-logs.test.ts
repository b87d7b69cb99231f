/** Section 2.F of the fault catalogue: logs that grow without end, and logs that others move. */
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LogFile } from '../../src/engine/guard/log-file.ts'
import { RequestLog } from '../../src/telemetry/request-log.ts'
import { until } from '../support/app.ts'
import { aFolder } from '../support/records.ts'
import { anOutcome } from '../telemetry/given.ts'

const NOW = new Date('2026-11-21T09:08:07.006Z')
const sizeOf = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)

/** Writes one line and waits until it is in a file. */
async function writeOne(log: RequestLog, folder: string, reqId: string): Promise<void> {
  log.record(anOutcome({ reqId }), NOW)
  // A file may be renamed between the look at its folder and the look into it.
  const textOf = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8')
    } catch {
      return ''
    }
  }
  const isThere = () => readdirSync(folder).some((name) => textOf(name).includes(`"${reqId}"`))
  await until(isThere, () => `${reqId} was not written`)
}

const aLog = (dir: string, maxBytes?: { file: number; all: number }) =>
  new RequestLog({ dir, keepDays: 14, onState: () => {}, ...(maxBytes === undefined ? {} : { maxBytes }) })

describe('F: logs', () => {
  test('F7 a request log without end keeps to its bytes: full files are set aside, the oldest go, the newest line is there', async () => {
    const folder = aFolder()
    const log = aLog(folder, { file: 2000, all: 10_000 })
    const padding = 'x'.repeat(200)
    for (let i = 0; i < 20; i++) {
      const many = Array.from({ length: 3 }, (_, n) => anOutcome({ reqId: `r-${i}-${n}`, model: padding }))
      for (const outcome of many) log.record(outcome, NOW)
      await writeOne(log, folder, `last-${i}`)
      expect(sizeOf(folder)).toBeLessThan(10_000 + 4000)
    }
    await log.close()
    const names = readdirSync(folder)
    expect(names.length).toBeGreaterThan(2)
    expect(names.every((name) => /^requests-\d{8}(\.\d+)?\.jsonl$/.test(name))).toBe(true)
  })

  test('F7 days that are kept count too: those of an old loop of errors go first', async () => {
    const folder = aFolder()
    const today = new Date().toISOString().slice(0, 10).replaceAll('-', '')
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')
    for (const part of ['.1', '.2', ''])
      appendFileSync(join(folder, `requests-${yesterday}${part}.jsonl`), 'x'.repeat(4000))
    const log = aLog(folder, { file: 2000, all: 10_500 })
    await writeOne(log, folder, 'new')
    await log.close()
    expect(readdirSync(folder).sort()).toEqual(
      [`requests-${today}.jsonl`, `requests-${yesterday}.2.jsonl`, `requests-${yesterday}.jsonl`].sort(),
    )
  })

  test('F7 the log of an engine that prints without end is bounded by size and count', async () => {
    const folder = aFolder()
    const log = new LogFile({ path: join(folder, 'engine.log'), maxBytes: 10_000, files: 3 })
    for (let i = 0; i < 100; i++) {
      for (let n = 0; n < 10; n++) log.write('y'.repeat(100))
      await log.close()
    }
    expect(readdirSync(folder).length).toBeLessThanOrEqual(4)
    expect(sizeOf(folder)).toBeLessThan(4 * 12_000)
  })

  test.each<[how: string, rotate: (path: string, folder: string) => void]>([
    ['renamed', (path) => renameSync(path, `${path}-rotated`)],
    ['removed', (path) => rmSync(path)],
    ['truncated', (path) => truncateSync(path, 0)],
    [
      'removed with its folder',
      (_path, folder) => {
        rmSync(folder, { recursive: true })
        mkdirSync(folder)
      },
    ],
  ])('F8 a request log that somebody has %s goes on at its own name', async (_how, rotate) => {
    const folder = join(aFolder(), 'logs')
    mkdirSync(folder)
    const log = aLog(folder)
    await writeOne(log, folder, 'before')
    const path = join(folder, readdirSync(folder)[0]!)
    rotate(path, folder)
    await writeOne(log, folder, 'after')
    expect(readFileSync(path, 'utf8').split('\n').filter(Boolean)).toHaveLength(1)
    expect(readFileSync(path, 'utf8')).toContain('"after"')
    expect(log.state).toEqual({ failing: null, dropped: 0 })
    await log.close()
  })
})
