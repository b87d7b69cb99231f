import type { NoticeKind } from '../protocol/desktop.ts'
import type { EngineState, EngineView } from '../protocol/engine.ts'
import { isPullFull } from '../protocol/models.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { timeOfDay } from './words.ts'

/** One notification, without words. `says`: in place of what its kind says. `at`: the screen that a click on it opens. None tells of a prompt. */
export type Notice = {
  kind: NoticeKind
  says?: 'model-lost' | 'records-full' | 'disk-low' | 'gpu-slow'
  values: Record<string, string | number>
  at: string
}

/** What was told before, so that nothing is told twice. Times in ms of one clock. */
export type NoticeMemory = {
  engines: Record<string, EngineMemory>
  /** Pulls that are over and told. */
  pulls: string[]
  /** Where a disk is full: pulls that wait for room, and records that cannot be written. */
  full: { pulls: boolean; records: boolean; recordsToldAt: number | null }
  /** Told that little room is left; forgotten once there is some again. */
  low: boolean
  gpus: Record<number, { hotSince: number | null; slowSince: number | null; toldAt: number | null }>
  users: string[]
  update: string | null
  noTray: boolean
  /** The end of the capture that was seen last; a new one has another. */
  capture: string | null
  /** Nothing was seen yet: what is there at first is no news. */
  isNew: boolean
}

type EngineMemory = { is: EngineState['is']; comingSince: number | null; crashing: boolean }

export type NoticeFacts = {
  now: number
  /** The person looks at the window. */
  isWatched: boolean
  update: string | null
  /** Null: not known yet. */
  hasTray: boolean | null
  /** A capture that is seen first now was begun in this window. */
  isCaptureOurs: boolean
  /** The disk that is nearly full. Absent: nobody has looked. */
  lowDisk?: { folder: string; freeBytes: number } | null
}

/** A start that took longer than anybody watches. */
const LONG_START_MS = 20_000
const HOT_C = 87
const HOT_FOR_MS = 60_000
const HOT_AGAIN_MS = 3_600_000
const MOST_USERS = 1000
/** A disk that is all but full takes some writes and refuses others. */
const RECORDS_AGAIN_MS = 3_600_000

export function newMemory(kept: Partial<Pick<NoticeMemory, 'users' | 'update' | 'noTray'>> = {}): NoticeMemory {
  return {
    engines: {},
    pulls: [],
    full: { pulls: false, records: false, recordsToldAt: null },
    low: false,
    gpus: {},
    users: kept.users ?? [],
    update: kept.update ?? null,
    noTray: kept.noTray ?? false,
    capture: null,
    isNew: true,
  }
}

/** What a snapshot adds to what was told → what to tell now, and the memory after it. */
export function nextNotices(memory: NoticeMemory, snapshot: AppSnapshot, facts: NoticeFacts): [NoticeMemory, Notice[]] {
  const notices: Notice[] = []
  const engines: NoticeMemory['engines'] = {}
  for (const view of snapshot.engines) {
    const [next, notice] = engineNotice(memory.engines[view.name], view, snapshot.server.address, facts)
    engines[view.name] = next
    if (notice !== null && !memory.isNew) notices.push(notice)
  }
  const [pulls, pulled] = pullNotices(memory, snapshot)
  const [full, filled] = fullNotices(memory, snapshot, facts.now)
  const [low, lowTold] = lowNotices(memory, full.pulls || full.records, facts.lowDisk)
  const [gpus, hot] = gpuNotices(memory, snapshot, facts.now)
  const [users, seen] = userNotices(memory, snapshot)
  notices.push(...pulled, ...filled, ...lowTold, ...hot, ...seen)
  const isUpdate = facts.update !== null && facts.update !== memory.update
  if (isUpdate && snapshot.server.inFlight === 0)
    notices.push({ kind: 'update-ready', values: { version: facts.update! }, at: '/settings/updates' })
  const update = isUpdate && snapshot.server.inFlight === 0 ? facts.update : memory.update
  const noTray = facts.hasTray === false && !memory.noTray
  if (noTray) notices.push({ kind: 'no-tray', values: {}, at: '/settings' })
  const capture = snapshot.server.capture?.endsAt ?? null
  if (capture !== null && capture !== memory.capture && !memory.isNew && !facts.isCaptureOurs)
    notices.push({ kind: 'capture-on', values: { time: timeOfDay(capture) }, at: '/requests' })
  return [
    { engines, pulls, full, low, gpus, users, update, noTray: memory.noTray || noTray, capture, isNew: false },
    notices,
  ]
}

function engineNotice(
  before: EngineMemory | undefined,
  { name, state }: EngineView,
  address: string,
  { now, isWatched }: NoticeFacts,
): [EngineMemory, Notice | null] {
  const isComing = state.is === 'preflight' || state.is === 'starting'
  const comingSince = isComing ? (before?.comingSince ?? now) : null
  const isUp = state.is === 'ready' || state.is === 'busy'
  const isEnd = isUp || state.is === 'stopped' || state.is === 'failed'
  const crashing = state.is === 'backoff' || ((before?.crashing ?? false) && !isEnd)
  const next: EngineMemory = { is: state.is, comingSince, crashing }
  if (before?.is === state.is) return [next, null]
  if (state.is === 'backoff' && before?.crashing !== true) {
    const { cause } = state.failure
    return [next, { kind: 'engine-crashed', values: { engine: name, cause }, at: '/dashboard' }]
  }
  if (state.is === 'failed') {
    const { cause } = state.failure
    return [next, { kind: 'engine-failed', values: { engine: name, cause }, at: '/dashboard' }]
  }
  const since = before?.comingSince ?? null
  if (isUp && since !== null && now - since > LONG_START_MS && !isWatched)
    return [next, { kind: 'engine-ready', values: { engine: name, address }, at: '/dashboard' }]
  return [next, null]
}

function pullNotices({ pulls, isNew }: NoticeMemory, snapshot: AppSnapshot): [string[], Notice[]] {
  const over = (snapshot.pulls ?? []).filter(({ state }) => state === 'done' || state === 'failed')
  const idOf = ({ id, state }: { id: string; state: string }): string => `${id} ${state}`
  const fresh = isNew ? [] : over.filter((pull) => !pulls.includes(idOf(pull)))
  const notices = fresh.map(({ repo, state, problem }): Notice => {
    const values = { model: repo, reason: problem?.cause ?? '' }
    return state === 'failed'
      ? { kind: 'model-arrived', says: 'model-lost', values, at: '/models' }
      : { kind: 'model-arrived', values, at: '/models' }
  })
  return [over.map(idOf), notices]
}

/** However many wait for one disk, it is told once, until it had room for all of them. */
function fullNotices(
  { full, isNew }: NoticeMemory,
  { pulls = [], server }: AppSnapshot,
  now: number,
): [NoticeMemory['full'], Notice[]] {
  const waiting = pulls.filter(isPullFull)
  const records = (server.diskFull ?? []).length > 0
  const { recordsToldAt } = full
  const isDue = recordsToldAt === null || now - recordsToldAt >= RECORDS_AGAIN_MS
  const tellRecords = records && !full.records && isDue && !isNew
  const next = { pulls: waiting.length > 0, records, recordsToldAt: tellRecords ? now : recordsToldAt }
  const notices: Notice[] = []
  const [first] = waiting
  if (first !== undefined && !full.pulls && !isNew)
    notices.push({ kind: 'disk-full', values: { model: first.repo }, at: '/models' })
  if (tellRecords) notices.push({ kind: 'disk-full', says: 'records-full', values: {}, at: '/dashboard' })
  return [next, notices]
}

/** Before it is full, and not beside the news that it is. */
function lowNotices({ low }: NoticeMemory, isFull: boolean, disk: NoticeFacts['lowDisk']): [boolean, Notice[]] {
  if (disk === undefined) return [low, []]
  if (disk === null) return [false, []]
  if (low || isFull) return [true, []]
  const values = { folder: disk.folder, size: (disk.freeBytes / 1e9).toFixed(1) }
  return [true, [{ kind: 'disk-full', says: 'disk-low', values, at: '/models' }]]
}

function gpuNotices({ gpus }: NoticeMemory, { gpu }: AppSnapshot, now: number): [NoticeMemory['gpus'], Notice[]] {
  if (gpu.is !== 'read') return [gpus, []]
  const next: NoticeMemory['gpus'] = {}
  const notices: Notice[] = []
  const isLong = (since: number | null): boolean => since !== null && now - since >= HOT_FOR_MS
  for (const { index, temperatureC, throttle } of gpu.gpus) {
    const before = gpus[index] ?? { hotSince: null, slowSince: null, toldAt: null }
    const hotSince = temperatureC !== null && temperatureC >= HOT_C ? (before.hotSince ?? now) : null
    // A card at its power limit does what it was set to do.
    const slowSince = throttle === 'heat' || throttle === 'hardware' ? (before.slowSince ?? now) : null
    const isDue = before.toldAt === null || now - before.toldAt >= HOT_AGAIN_MS
    const says = isLong(hotSince) ? null : isLong(slowSince) ? 'gpu-slow' : undefined
    const tell = says !== undefined && isDue
    if (tell) {
      const values = { index, temperature: temperatureC ?? '?' }
      notices.push({ kind: 'gpu-hot', ...(says === null ? {} : { says }), values, at: '/dashboard' })
    }
    next[index] = { hotSince, slowSince, toldAt: tell ? now : before.toldAt }
  }
  return [next, notices]
}

/** Whom another machine brings: on this one a new name is no stranger. */
function userNotices({ users, isNew }: NoticeMemory, snapshot: AppSnapshot): [string[], Notice[]] {
  const names = snapshot.users.filter(({ name, remote }) => remote && name !== 'anonymous').map(({ name }) => name)
  const fresh = names.filter((name) => !users.includes(name))
  const known = [...users, ...fresh].slice(-MOST_USERS)
  if (isNew) return [known, []]
  return [known, fresh.map((user) => ({ kind: 'new-user', values: { user }, at: '/users' }))]
}
