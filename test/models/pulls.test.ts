/** Downloads one after another, as a person holds them, lets them go on, and starts Lexora again. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Hub, HubError } from '../../src/models/hub.ts'
import { Pulls } from '../../src/models/pulls.ts'
import { until } from '../support/app.ts'
import { FakeHub } from '../support/fake-hub.ts'

const BYTES = 200_000
const STALL = 60_000

function files(): Record<string, Buffer> {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [BYTES], data_offsets: [0, BYTES] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return {
    'config.json': Buffer.from('{"hidden_size": 64}'),
    'model.safetensors': Buffer.concat([length, header, Buffer.alloc(BYTES, 7)]),
  }
}

/** A hub that stands still in the middle of the first answer for each large file, so that there is time to do something. */
async function aHub(): Promise<FakeHub> {
  const hub = await FakeHub.start({ 'acme/one': { files: files() }, 'acme/two': { files: files() } })
  hub.fault = (path, nth) => (path === 'model.safetensors' && nth === 1 ? { stallAfter: STALL } : null)
  return hub
}

function somePulls(
  hub: FakeHub,
  folder: string,
  disk: { freeBytes: number; offline?: boolean } = { freeBytes: Number.MAX_SAFE_INTEGER },
): Pulls {
  const pulls = new Pulls({
    hub: () => {
      if (disk.offline) throw OFFLINE
      return new Hub({ address: hub.address, token: null })
    },
    off: () => (disk.offline ? OFFLINE : null),
    hubCache: join(folder, 'hub'),
    journal: join(folder, 'pulls.json'),
    timing: { retryMs: [0, 0] },
    freeBytes: () => disk.freeBytes,
    onDone: () => {},
    onFailed: () => {},
    onFull: () => {},
  })
  onTestFinished(async () => await pulls.close())
  return pulls
}

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lx-pulls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

const OFFLINE = new HubError('Lexora works offline.', null)
const stateOf = (pulls: Pulls, id: string) => pulls.views().find((view) => view.id === id)?.state
const bytesOf = (pulls: Pulls, id: string) => pulls.views().find((view) => view.id === id)!.bytes
const wanted = (repo: string) => ({ repo, revision: 'main', files: [] })

test('one that is held lets the next one pass, and goes on from where it was', async () => {
  const hub = await aHub()
  const pulls = somePulls(hub, aFolder())
  const one = pulls.add(wanted('acme/one'))
  const two = pulls.add(wanted('acme/two'))
  await until(() => bytesOf(pulls, one.id) >= STALL)
  expect(stateOf(pulls, two.id)).toBe('queued')
  expect(pulls.pause(one.id)).toMatchObject({ state: 'held', problem: null })
  await until(() => stateOf(pulls, two.id) === 'done')
  expect(stateOf(pulls, one.id)).toBe('held')
  expect(pulls.resume(one.id)).toMatchObject({ state: expect.stringMatching(/queued|running/) })
  await until(() => stateOf(pulls, one.id) === 'done')
  expect(hub.asked('model.safetensors').filter(({ path, from }) => path.includes('acme/one') && from > 0)).not.toEqual(
    [],
  )
  expect([pulls.pause('none'), pulls.resume('none')]).toEqual([undefined, undefined])
})

test('one that is held and resumed at once is not mistaken for one that failed', async () => {
  const hub = await aHub()
  const pulls = somePulls(hub, aFolder())
  const { id } = pulls.add(wanted('acme/one'))
  await until(() => bytesOf(pulls, id) >= STALL)
  pulls.pause(id)
  pulls.resume(id)
  await until(() => stateOf(pulls, id) === 'done')
})

test('one that is held stays so over a restart, and one that ran goes on', async () => {
  const hub = await aHub()
  const folder = aFolder()
  const before = somePulls(hub, folder)
  const { id } = before.add(wanted('acme/one'))
  const two = before.add(wanted('acme/two'))
  await until(() => bytesOf(before, id) >= STALL)
  before.pause(id)
  await before.close()
  expect(JSON.parse(readFileSync(join(folder, 'pulls.json'), 'utf8'))).toMatchObject([
    { id, held: true },
    { id: two.id },
  ])
  const after = somePulls(hub, folder)
  await until(() => stateOf(after, two.id) === 'done')
  expect(stateOf(after, id)).toBe('held')
  // Whoever asks for it again wants it to go on.
  expect(after.add(wanted('acme/one')).id).toBe(id)
  await until(() => stateOf(after, id) === 'done')
})

test('one that is held can be cancelled', async () => {
  const hub = await aHub()
  const pulls = somePulls(hub, aFolder())
  const { id } = pulls.add(wanted('acme/one'))
  pulls.pause(id)
  expect(pulls.cancel(id)).toMatchObject({ state: 'cancelled' })
  expect(pulls.resume(id)).toMatchObject({ state: 'cancelled' })
  expect(pulls.open).toEqual([])
})

test('one that meets a full disk waits with the reason, over a restart, too, and goes on where it was', async () => {
  const hub = await aHub()
  const folder = aFolder()
  const disk = { freeBytes: Number.MAX_SAFE_INTEGER }
  const before = somePulls(hub, folder, disk)
  const { id } = before.add(wanted('acme/one'))
  await until(() => bytesOf(before, id) >= STALL)
  before.pause(id)
  disk.freeBytes = 0
  before.resume(id)
  const waits = {
    state: 'held',
    problem: { cause: expect.stringMatching(/^The disk is full: .* more are needed in /) },
  }
  await until(() => before.views().some(({ problem }) => problem !== null))
  expect(before.views()).toMatchObject([{ id, ...waits }])
  expect(before.views()[0]!.bytes).toBeGreaterThanOrEqual(STALL)
  // The next one has its turn, and meets the same.
  const two = before.add(wanted('acme/two'))
  await until(() => stateOf(before, two.id) === 'held')
  before.cancel(two.id)
  await before.close()
  const after = somePulls(hub, folder, disk)
  expect(after.views()).toMatchObject([{ id, ...waits }])
  disk.freeBytes = Number.MAX_SAFE_INTEGER
  expect(after.resume(id)).toMatchObject({ problem: null })
  await until(() => stateOf(after, id) === 'done')
  expect(hub.asked('model.safetensors').at(-1)!.from).toBeGreaterThanOrEqual(STALL)
})

test('none runs while nothing may be fetched: what ran waits with the reason, over a restart, too, and goes on by itself', async () => {
  const hub = await aHub()
  const folder = aFolder()
  const world = { freeBytes: Number.MAX_SAFE_INTEGER, offline: false }
  const first = somePulls(hub, folder, world)
  const { id } = first.add(wanted('acme/one'))
  await until(() => bytesOf(first, id) > STALL / 2)
  world.offline = true
  first.offChanged()
  const waits = { state: 'paused', offline: true, problem: { cause: 'Lexora works offline.' } }
  expect(first.views()[0]).toMatchObject(waits)
  expect(() => first.add(wanted('acme/two'))).toThrow('Lexora works offline.')
  await first.close()
  const asked = hub.requests.length
  const second = somePulls(hub, folder, world)
  expect(second.views()).toMatchObject([{ id, ...waits }])
  expect(second.pause(id)?.state).toBe('held')
  expect(second.resume(id)).toMatchObject(waits)
  expect(hub.requests.length).toBe(asked)
  world.offline = false
  second.offChanged()
  await until(() => stateOf(second, id) === 'done')
})
