/** What lies on the disk: how large it is, and what may go without harm. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dataCommands } from '../../src/app/data-commands.ts'
import { sizeOf } from '../../src/app/disk-use.ts'
import { startFake } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'
import { aHome, startRun } from '../support/run.ts'
import { inTerminal } from '../support/terminal.ts'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const MINUTE = 60_000

function aRoot() {
  const root = mkdtempSync(join(tmpdir(), 'lx-data-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const put = (name: string, bytes: number, agoMs = 60 * MINUTE): string => {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'x'.repeat(bytes))
    const at = new Date(NOW - agoMs)
    utimesSync(path, at, at)
    return path
  }
  return { root, put }
}

function aDesk(pulling: string[] = []) {
  const { root, put } = aRoot()
  const commands = dataCommands({
    data: {
      paths: { stateDir: join(root, 'state'), logDir: join(root, 'state', 'logs') },
      versions: join(root, 'state', 'vllm'),
      hubCache: join(root, 'hub'),
      history: null,
      pulling: () => pulling,
      now: () => NOW,
    },
  })
  const sizes = async () => {
    const { places } = await commands.readData()
    return Object.fromEntries(places.map(({ place, bytes, files }) => [place, [bytes, files]]))
  }
  return { root, put, commands, sizes }
}

test('each place is counted once, links are not followed, and what is not there is nothing', async () => {
  const { root, put, sizes } = aDesk()
  expect(await sizes()).toEqual({ state: [0, 0], logs: [0, 0], engines: [0, 0], models: [0, 0], partial: [0, 0] })
  put('state/lexora.db', 10)
  put('state/logs/engine-a.log', 20)
  put('state/vllm/0.11.0/venv/bin/vllm', 40)
  const blob = put('hub/models--acme--tiny/blobs/a', 80)
  put('hub/models--acme--tiny/blobs/b.incomplete', 160)
  mkdirSync(join(root, 'hub/models--acme--tiny/snapshots/c'), { recursive: true })
  symlinkSync(blob, join(root, 'hub/models--acme--tiny/snapshots/c/weights'))
  symlinkSync(root, join(root, 'state', 'circle'))
  expect(await sizes()).toEqual({
    state: [10, 1],
    logs: [20, 1],
    engines: [40, 1],
    models: [240, 2],
    partial: [160, 1],
  })
})

test('a place may be a link to where there is more room, and is cleared there', async () => {
  const { root, put } = aRoot()
  put('far/models--a--b/blobs/one.incomplete', 100)
  symlinkSync(join(root, 'far'), join(root, 'hub'))
  const commands = dataCommands({
    data: {
      paths: { stateDir: join(root, 'state'), logDir: join(root, 'logs') },
      versions: join(root, 'vllm'),
      hubCache: join(root, 'hub'),
      history: null,
      pulling: () => [],
      now: () => NOW,
    },
  })
  const [one, same] = await Promise.all([commands.readData(), commands.readData()])
  expect(one.places.find(({ place }) => place === 'models')).toMatchObject({ bytes: 100, files: 1 })
  expect(same.places).toBe(one.places)
  expect(await commands.clearData({ place: 'partial' })).toMatchObject({ files: 1, freedBytes: 100 })
})

test('a place that is too large is counted as far as it was', async () => {
  const { root, put } = aRoot()
  for (let i = 0; i < 100; i++) put(`folder-${i}/file`, 1)
  expect(await sizeOf([root])).toEqual({ bytes: 100, files: 100, whole: true })
  const cut = await sizeOf([root], { bounds: { files: 120, ms: 60_000 } })
  expect([cut.whole, cut.files < 100]).toEqual([false, true])
  expect((await sizeOf([root], { bounds: { files: 1000, ms: -1 } })).whole).toBe(false)
})

test('of the logs what is still written to stays', async () => {
  const { put, commands } = aDesk()
  const gone = [
    put('state/logs/requests-20261121.jsonl', 1),
    put('state/logs/requests-20261120.1.jsonl', 2),
    put('state/logs/engine-a.log.1', 4),
  ]
  const kept = [
    put('state/logs/requests-20261122.jsonl', 8),
    put('state/logs/requests-20261122.1.jsonl', 8),
    put('state/logs/engine-a.log', 16),
    put('state/logs/notes.txt', 32),
  ]
  expect(await commands.clearData({ place: 'logs' })).toEqual({ place: 'logs', files: 3, freedBytes: 7 })
  expect([gone.filter(existsSync), kept.filter(existsSync)]).toEqual([[], kept])
})

test('of downloads what is on its way stays, and what is whole', async () => {
  const { put, commands, sizes } = aDesk(['acme/coming'])
  const gone = put('hub/models--acme--cut/blobs/a.incomplete', 1)
  const kept = [
    put('hub/models--acme--cut/blobs/b', 2),
    put('hub/models--acme--coming/blobs/c.incomplete', 4),
    put('hub/models--acme--others/blobs/d.incomplete', 8, MINUTE),
  ]
  expect((await sizes())['partial']).toEqual([9, 2])
  expect(await commands.clearData({ place: 'partial' })).toEqual({ place: 'partial', files: 1, freedBytes: 1 })
  expect([existsSync(gone), kept.filter(existsSync)]).toEqual([false, kept])
})

test('the history is cleared in a terminal, after a question; what was used stays counted', async () => {
  const fake = await startFake({ models: ['tiny'] })
  const file = `server: {port: 0}\nvllm: {url: "${fake.url}"}\n`
  const home = aHome()
  const lexora = await startRun(file, home, { HF_HOME: join(home, 'hf') })
  for (let i = 0; i < 3; i++) expect((await ask(lexora.port, aChat({ model: 'tiny' }))).status).toBe(200)
  const kept = async () => (await lexora.commands.requestHistory({})).rows.length
  const used = async () => (await lexora.commands.usage({})).rows.reduce((sum, { requests }) => sum + requests, 0)
  expect([await kept(), await used()]).toEqual([3, 3])
  const list = await inTerminal(home, 'data')
  expect(list.out).toMatch(/^history +\d+ [KM]iB +\d +yes +\S/m)
  expect(await inTerminal(home, 'data', 'clear', 'history')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--yes'),
  })
  expect(await kept()).toBe(3)
  expect(await inTerminal(home, 'data', 'clear', 'models', '--yes')).toMatchObject({
    code: 2,
    err: expect.stringContaining('must be history, logs, partial'),
  })
  expect(await inTerminal(home, 'data', 'clear', 'history', '--yes')).toMatchObject({ code: 0, err: '' })
  expect([await kept(), await used()]).toEqual([0, 3])
  expect((await ask(lexora.port, aChat({ model: 'tiny' }))).status).toBe(200)
  expect([await kept(), await used()]).toEqual([1, 4])
  const { rows } = await lexora.commands.auditLog()
  expect(rows[0]).toMatchObject({ action: 'clearData', ok: true })
})
