import { describe, expect, test } from 'vitest'
import { NOTICE_KINDS, type NoticeKind } from '../../src/protocol/desktop.ts'
import { LITTLE_DISK_BYTES } from '../../src/protocol/disk.ts'
import type { EngineFailure, EngineState, EngineView, StopReceipt } from '../../src/protocol/engine.ts'
import type { PullView } from '../../src/protocol/models.ts'
import type { AppSnapshot, FullRecord, GpuView } from '../../src/protocol/snapshot.ts'
import { nearlyFull } from '../../src/shell/disk-watch.ts'
import { freedSaid } from '../../src/shell/freed.ts'
import { noticeActions } from '../../src/shell/notice-actions.ts'
import { type Notice, newMemory, nextNotices } from '../../src/shell/notices.ts'
import type { TrayAction } from '../../src/shell/tray-view.ts'
import { sayIn } from '../../src/shell/words.ts'
import { aSnapshot, aUser } from '../support/snapshots.ts'

const FAILURE = { cause: 'It ran out of memory.' } as EngineFailure
const BACKOFF: EngineState = { is: 'backoff', failure: FAILURE, retryInMs: 1000, crashes: 1 }
const FAILED: EngineState = { is: 'failed', failure: FAILURE }
const STARTING: EngineState = { is: 'starting', phase: 'loading', percent: 1, leftMs: null }
const READY: EngineState = { is: 'ready', forMs: 0 }

const withEngine = (state: EngineState): AppSnapshot => aSnapshot({ engines: [{ name: 'big', state } as EngineView] })

const aPull = (state: PullView['state']): PullView => ({
  id: 'p1',
  repo: 'Qwen/Qwen3-8B',
  revision: 'main',
  state,
  bytes: 0,
  total: null,
  bytesPerSecond: null,
  etaSeconds: null,
  files: [],
  problem: state === 'failed' ? { cause: 'The disk is full.', fix: null } : null,
})

const aGpu = (temperatureC: number | null, throttle: GpuView['throttle'] = 'none'): AppSnapshot =>
  aSnapshot({ gpu: { is: 'read', tool: 'nvidia-smi', gpus: [{ index: 0, temperatureC, throttle } as GpuView] } })

const inNetwork = (...names: string[]): AppSnapshot =>
  aSnapshot({ server: { network: ['192.168.1.20:8001'] }, users: names.map((name) => aUser({ name, remote: true })) })

type Step = AppSnapshot | [snapshot: AppSnapshot, now: number]

/** What is told along a story that begins with a quiet Lexora, ten seconds from step to step unless it says when. */
function told(
  steps: readonly Step[],
  { isWatched = false, update = null as string | null, hasTray = true as boolean | null, isCaptureOurs = false } = {},
): string[] {
  let [memory] = nextNotices(newMemory(), aSnapshot(), {
    now: 0,
    isWatched,
    update: null,
    hasTray: null,
    isCaptureOurs,
  })
  return steps.flatMap((step, i) => {
    const [snapshot, now] = Array.isArray(step) ? step : [step, (i + 1) * 10_000]
    const [next, notices] = nextNotices(memory, snapshot, { now, isWatched, update, hasTray, isCaptureOurs })
    memory = next
    return notices.map(({ kind, says }) => (says === undefined ? kind : `${kind} (${says})`))
  })
}

describe('an engine', () => {
  test.each<[what: string, states: EngineState[], kinds: string[]]>([
    [
      'that crashes is told once in a series',
      [READY, BACKOFF, STARTING, BACKOFF, STARTING, BACKOFF],
      ['engine-crashed'],
    ],
    [
      'that crashes again after it served is told again',
      [READY, BACKOFF, STARTING, READY, BACKOFF],
      ['engine-crashed', 'engine-crashed'],
    ],
    ['that gives up is told once', [BACKOFF, FAILED, FAILED], ['engine-crashed', 'engine-failed']],
    ['that starts quickly is not told', [STARTING, READY], []],
    ['that starts slowly is told', [STARTING, STARTING, STARTING, READY], ['engine-ready']],
    ['that is stopped is not told', [READY, { is: 'draining', left: 1 }, { is: 'stopped' }], []],
  ])('%s', (_, states, kinds) => {
    expect(told(states.map(withEngine))).toEqual(kinds)
  })

  test('that starts slowly is not told to who watches', () => {
    expect(told([STARTING, STARTING, STARTING, READY].map(withEngine), { isWatched: true })).toEqual([])
  })

  test('that had failed before anybody looked is no news', () => {
    const facts = { now: 0, isWatched: false, update: null, hasTray: true, isCaptureOurs: false }
    expect(nextNotices(newMemory(), withEngine(FAILED), facts)[1]).toEqual([])
  })
})

test('a model is told when it is here, and when it will not come', () => {
  const pulls = (state: PullView['state']): AppSnapshot => aSnapshot({ pulls: [aPull(state)] })
  expect(told([pulls('running'), pulls('done'), pulls('done')])).toEqual(['model-arrived'])
  expect(told([pulls('running'), pulls('failed'), pulls('failed')])).toEqual(['model-arrived (model-lost)'])
  expect(told([pulls('running'), pulls('cancelled')])).toEqual([])
})

describe('a full disk', () => {
  const full = (id = 'p1'): PullView => ({ ...aPull('held'), id, problem: { cause: 'The disk is full.', fix: null } })
  const unwritten = (...diskFull: FullRecord[]): AppSnapshot => ({
    ...aSnapshot(),
    server: { ...aSnapshot().server, diskFull },
  })

  test('is told when a download waits for room, once for all that wait, and again after there was room', () => {
    const [one, two] = [aSnapshot({ pulls: [full()] }), aSnapshot({ pulls: [full(), full('p2')] })]
    const running = aSnapshot({ pulls: [aPull('running')] })
    expect(told([running, one, one, two])).toEqual(['disk-full'])
    expect(told([one, running, one])).toEqual(['disk-full', 'disk-full'])
    expect(told([aSnapshot({ pulls: [aPull('held')] })])).toEqual([])
  })

  test.each<FullRecord>(['request-log', 'users', 'history'])('is told when it costs records: %s', (record) => {
    expect(told([unwritten(record), unwritten(record)])).toEqual(['disk-full (records-full)'])
    expect(told([unwritten(record), unwritten(record, 'users')])).toEqual(['disk-full (records-full)'])
  })

  test('is no matter of what health says in words, and no news where it was full before', () => {
    const reasons = ['request log cannot be written (ENOSPC)', 'backend disk is full is down (timeout)']
    expect(told([aSnapshot({ health: { ...aSnapshot().health, reasons } })])).toEqual([])
    const facts = { now: 0, isWatched: false, update: null, hasTray: true, isCaptureOurs: false }
    const both = { ...unwritten('request-log'), pulls: [full()] }
    const [memory, atFirst] = nextNotices(newMemory(), both, facts)
    expect([atFirst, nextNotices(memory, both, facts)[1]]).toEqual([[], []])
  })

  test('that takes some writes and refuses others is told once an hour', () => {
    const [bad, good] = [unwritten('request-log'), unwritten()]
    const at = (snapshot: AppSnapshot, seconds: number): Step => [snapshot, seconds * 1000]
    const hour = [at(bad, 1), at(good, 2), at(bad, 3), at(good, 4)]
    expect(told(hour)).toEqual(['disk-full (records-full)'])
    expect(told([...hour, at(bad, 3700)])).toEqual(['disk-full (records-full)', 'disk-full (records-full)'])
  })
})

test('a GPU is told when it was hot for a minute, and once an hour', () => {
  const at = (c: number, seconds: number): Step => [aGpu(c), seconds * 1000]
  expect(told([at(90, 0), at(90, 30), at(80, 40), at(90, 50), at(90, 100)])).toEqual([])
  expect(told([at(90, 0), at(90, 60), at(90, 120), at(90, 3600)])).toEqual(['gpu-hot'])
  expect(told([at(90, 0), at(90, 60), at(90, 3661)])).toEqual(['gpu-hot', 'gpu-hot'])
})

test('a GPU that slows itself down for a minute is told as such, unless it is hot; its power limit is no news', () => {
  const at = (throttle: GpuView['throttle'], seconds: number, c: number | null = 70): Step => [
    aGpu(c, throttle),
    seconds * 1000,
  ]
  expect(told([at('heat', 0), at('none', 30), at('heat', 50), at('heat', 100)])).toEqual([])
  expect(told([at('heat', 0), at('hardware', 60), at('heat', 120)])).toEqual(['gpu-hot (gpu-slow)'])
  expect(told([at('heat', 0, null), at('heat', 60, null)])).toEqual(['gpu-hot (gpu-slow)'])
  expect(told([at('heat', 0, 90), at('heat', 60, 90), at('heat', 120, 90)])).toEqual(['gpu-hot'])
  expect(told([at('power', 0), at('power', 60), at('power', 600)])).toEqual([])
})

describe('a disk that is nearly full', () => {
  const LOW = { folder: '/models', freeBytes: 3.2e9 }

  /** What is told as the disk goes, with the same downloads all along. */
  function disks(steps: (typeof LOW | null | undefined)[], pulls: PullView[] = []): (string | undefined)[] {
    let memory = newMemory()
    return steps.flatMap((lowDisk) => {
      const facts = { now: 0, isWatched: false, update: null, hasTray: true, isCaptureOurs: false }
      const given = lowDisk === undefined ? facts : { ...facts, lowDisk }
      const [next, notices] = nextNotices(memory, aSnapshot({ pulls }), given)
      memory = next
      return notices.map(({ says }) => says)
    })
  }

  test('is told once, and again when it had room in between', () => {
    expect(disks([null, LOW, LOW, undefined, LOW])).toEqual(['disk-low'])
    expect(disks([LOW, null, LOW])).toEqual(['disk-low', 'disk-low'])
  })

  test('is no news beside a download that it has stopped already', () => {
    const full: PullView = { ...aPull('held'), problem: { cause: 'The disk is full.', fix: null } }
    expect(disks([LOW, LOW], [full])).toEqual([])
  })

  test('says whose disk, and how much is left', () => {
    const facts = { now: 0, isWatched: false, update: null, hasTray: true, isCaptureOurs: false, lowDisk: LOW }
    expect(nextNotices(newMemory(), aSnapshot(), facts)[1]).toEqual([
      { kind: 'disk-full', says: 'disk-low', values: { folder: '/models', size: '3.2' }, at: '/models' },
    ])
  })

  test('is the first of the folders that has little; one that nobody can ask has none', async () => {
    const free = async (folder: string): Promise<number | null> =>
      ({ '/a': 8 * LITTLE_DISK_BYTES, '/b': LITTLE_DISK_BYTES - 1, '/c': 0 })[folder] ?? null
    expect(await nearlyFull(['/a', '/gone', '/b', '/c'], free)).toEqual({
      folder: '/b',
      freeBytes: LITTLE_DISK_BYTES - 1,
    })
    expect(await nearlyFull(['/a', '/gone'], free)).toBeNull()
  })
})

describe('the buttons of a notice', () => {
  const of = (kind: NoticeKind, more: Partial<Notice> = {}) =>
    noticeActions({ kind, values: { engine: 'big', address: 'http://x/v1' }, at: '/here', ...more }).map(
      ({ action }) => action,
    )

  test.each<[kind: NoticeKind, actions: TrayAction[]]>([
    [
      'engine-crashed',
      [
        { do: 'open', at: '/here' },
        { do: 'command', name: 'startEngine', engine: 'big' },
      ],
    ],
    [
      'engine-failed',
      [
        { do: 'open', at: '/here' },
        { do: 'open', at: '/diagnostics' },
      ],
    ],
    [
      'engine-ready',
      [
        { do: 'open', at: '/here' },
        { do: 'copy', text: 'http://x/v1' },
      ],
    ],
    ['update-ready', [{ do: 'update' }]],
    ['copied', []],
  ])('%s', (kind, actions) => {
    expect(of(kind)).toEqual(actions)
  })

  test.each(NOTICE_KINDS.filter((kind) => kind !== 'update-ready' && kind !== 'copied'))(
    '%s: the first opens what a click on it opens',
    (kind) => {
      expect(of(kind)[0]).toEqual({ do: 'open', at: '/here' })
    },
  )
})

describe('what freeing the GPU brought back', () => {
  const freed = (...bytes: (number | null)[]): string =>
    freedSaid(
      bytes.map((freedBytes) => ({ receipt: { freedBytes } as StopReceipt })),
      sayIn('en'),
    )

  test('is said in one number, where anybody knows it', () => {
    expect(freed(8 * 1024 ** 3, null, 1.5 * 1024 ** 3)).toBe('9.5 GiB of GPU memory came back.')
    expect(freed(null)).toMatch(/does not tell how much/)
    expect(freedSaid([{ receipt: null }], sayIn('en'))).toMatch(/does not tell how much/)
    expect(freed()).toBe('No engine held anything.')
  })
})

test('a user is told when the network brings him for the first time', () => {
  expect(told([inNetwork('kim'), inNetwork('kim', 'anonymous'), inNetwork('kim', 'sato')])).toEqual([
    'new-user',
    'new-user',
  ])
  const here = aSnapshot({ server: { network: ['192.168.1.20:8001'] }, users: [aUser({ name: 'kim' })] })
  expect(told([here, here])).toEqual([])
  expect(told([here, inNetwork('kim'), here, inNetwork('kim')])).toEqual(['new-user'])
})

test('an update is told when nothing runs, once', () => {
  const busy = aSnapshot({ server: { inFlight: 1 } })
  expect(told([busy, aSnapshot(), aSnapshot()], { update: '2.0.0' })).toEqual(['update-ready'])
})

test('a desktop without a tray is told once ever', () => {
  expect(told([aSnapshot(), aSnapshot()], { hasTray: false })).toEqual(['no-tray'])
  const facts = { now: 0, isWatched: false, update: null, hasTray: false, isCaptureOurs: false }
  expect(nextNotices(newMemory({ noTray: true }), aSnapshot(), facts)[1]).toEqual([])
})

describe('a capture', () => {
  const capturing = (user: string | null, minute: number): AppSnapshot =>
    aSnapshot({ server: { capture: { user, endsAt: new Date(2026, 10, 22, 14, minute).toISOString() } } })

  test('is told once when it begins, and so is the next one', () => {
    expect(told([capturing(null, 32), capturing(null, 32)])).toEqual(['capture-on'])
    expect(told([capturing(null, 32), aSnapshot(), capturing(null, 50)])).toEqual(['capture-on', 'capture-on'])
    expect(told([capturing('kim', 32), capturing(null, 33)])).toEqual(['capture-on', 'capture-on'])
  })

  test('that was begun in this window is not told', () => {
    expect(told([capturing(null, 32), capturing(null, 32)], { isCaptureOurs: true })).toEqual([])
  })

  test('says until when, and never whose', () => {
    const facts = { now: 0, isWatched: true, update: null, hasTray: true, isCaptureOurs: false }
    const [memory, atFirst] = nextNotices(newMemory(), aSnapshot(), facts)
    expect(atFirst).toEqual([])
    expect(nextNotices(memory, capturing('kim', 32), facts)[1]).toEqual([
      { kind: 'capture-on', values: { time: '14:32' }, at: '/requests' },
    ])
    expect(nextNotices(newMemory(), capturing('kim', 32), facts)[1]).toEqual([])
  })
})
