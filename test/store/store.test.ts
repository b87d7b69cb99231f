import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NewerStoreError, Store } from '../../src/store/database.ts'
import { type EngineStart, EngineStarts } from '../../src/store/engine-starts.ts'
import { MIGRATIONS } from '../../src/store/migrations.ts'

let folder: string
let path: string
let aside: [keptAs: string, reason: string][]
let failing: (string | null)[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lx-store-'))
  path = join(folder, 'state', 'lexora.sqlite')
  aside = []
  failing = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const openStore = () =>
  new Store({
    path,
    onSetAside: (...told) => void aside.push(told),
    onFailing: (reason) => void failing.push(reason),
    now: () => new Date('2026-11-21T12:00:00.000Z'),
  })

const aStart = (more: Partial<EngineStart> = {}): EngineStart => ({
  at: new Date(1000),
  engine: 'main',
  model: 'qwen3-8b',
  flagsHash: 'abc',
  gpu: 'RTX 4090',
  outcome: 'ready',
  totalMs: 60_000,
  phases: { 'loading weights': 30_000 },
  memoryBytes: 20e9,
  prefillRate: 5000.5,
  kvTokens: 100_000,
  ...more,
})

describe('the store', () => {
  test('keeps what was written over a restart, in a file that only its owner may read', () => {
    const store = openStore()
    new EngineStarts(store).record(aStart())
    store.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const again = openStore()
    expect(new EngineStarts(again).earlier(aStart())).toEqual([aStart()])
    again.close()
  })

  test('forgets no good start of a model because others of it failed', () => {
    const store = openStore()
    const starts = new EngineStarts(store)
    starts.record(aStart())
    for (let i = 0; i < 80; i++) starts.record(aStart({ outcome: 'vram_busy', totalMs: i }))
    expect(starts.earlier(aStart())).toEqual([aStart()])
    expect(starts.latest('main', 100)).toHaveLength(51)
    store.close()
  })

  test('migrates each version once', () => {
    openStore().close()
    const store = openStore()
    expect(store.database.prepare('PRAGMA user_version').get()).toEqual({ user_version: MIGRATIONS.length })
    store.close()
  })

  test('keeps a file that it cannot read aside, names it, and goes on empty', () => {
    openStore().close()
    writeFileSync(path, 'this is no database, but somebody may want it back'.repeat(100))
    const store = openStore()
    const keptAs = `${path}.unreadable-2026-11-21T12-00-00-000Z`
    expect(aside).toEqual([[keptAs, expect.stringMatching(/not a database/)]])
    expect(readFileSync(keptAs, 'utf8')).toContain('somebody may want it back')
    expect(new EngineStarts(store).earlier(aStart())).toEqual([])
    store.close()
  })

  test('a page of garbage is found as well', () => {
    const store = openStore()
    for (let i = 0; i < 300; i++) new EngineStarts(store).record(aStart({ model: `model ${i}` }))
    store.close()
    const bytes = readFileSync(path)
    bytes.fill(0xff, 8192, 16_384)
    writeFileSync(path, bytes)
    openStore().close()
    expect(aside).toHaveLength(1)
  })

  test('leaves the data of a newer Lexora alone', () => {
    openStore().close()
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 1000')
    database.close()
    expect(openStore).toThrow(NewerStoreError)
    expect(existsSync(path)).toBe(true)
    expect(aside).toEqual([])
  })

  test('a write that fails is told once and costs nothing else', () => {
    const store = openStore()
    store.later((database) => database.exec('INSERT INTO nowhere VALUES (1)'))
    store.flush()
    store.later((database) => database.exec('INSERT INTO nowhere VALUES (1)'))
    store.flush()
    new EngineStarts(store).record(aStart())
    store.flush()
    expect(failing).toEqual([expect.stringMatching(/no such table/), null])
    expect(new EngineStarts(store).earlier(aStart())).toHaveLength(1)
    store.close()
  })

  test.skipIf(process.getuid?.() === 0)('says what is wrong with a folder it may not write to', () => {
    openStore().close()
    chmodSync(join(folder, 'state'), 0o500)
    chmodSync(path, 0o400)
    expect(openStore).toThrow()
    chmodSync(join(folder, 'state'), 0o700)
  })
})

describe('earlier starts', () => {
  test('are good ones of the same model, flags and GPU; the five newest, the oldest first', () => {
    const store = openStore()
    const starts = new EngineStarts(store)
    for (let i = 1; i <= 7; i++) starts.record(aStart({ totalMs: i }))
    starts.record(aStart({ outcome: 'vram_busy' }))
    starts.record(aStart({ flagsHash: 'other' }))
    starts.record(aStart({ gpu: 'RTX 5090' }))
    expect(starts.earlier(aStart()).map(({ totalMs }) => totalMs)).toEqual([3, 4, 5, 6, 7])
    store.close()
  })

  test('with other flags count where there are no better ones', () => {
    const store = openStore()
    const starts = new EngineStarts(store)
    starts.record(aStart({ flagsHash: 'other' }))
    expect(starts.earlier(aStart())).toEqual([aStart({ flagsHash: 'other' })])
    expect(starts.earlier(aStart({ model: 'another' }))).toEqual([])
    store.close()
  })

  test('are forgotten beyond fifty of a model', () => {
    const store = openStore()
    const starts = new EngineStarts(store)
    for (let i = 0; i < 120; i++) starts.record(aStart())
    store.flush()
    expect(store.database.prepare('SELECT count(*) AS count FROM engine_starts').get()).toEqual({ count: 50 })
    store.close()
  })
})
