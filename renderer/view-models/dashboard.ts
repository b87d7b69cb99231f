import { type EngineFailure, type EngineStateName, isComing, isServing } from '../../src/protocol/engine.ts'
import type { Happening } from '../../src/protocol/happenings.ts'
import { foremostEngine } from '../../src/protocol/primary-verb.ts'
import type { SeriesReport } from '../../src/protocol/series.ts'
import type { AppSnapshot, RequestView } from '../../src/protocol/snapshot.ts'
import type { Shape } from '../components/Icon.tsx'
import { duration, NONE, percent } from '../format.ts'
import type { MessageKey, Translate } from '../i18n/index.ts'
import { sumOf } from '../series-store.ts'
import { load, shapeOf } from './frame.ts'
import { causeTitle, phaseWords } from './start.ts'

export type Verdict = { shape: Shape; title: string; says: string }

/** The one sentence: is it serving, and what of it needs a look. */
export function verdict(snapshot: AppSnapshot, recent: SeriesReport | null, t: Translate): Verdict {
  const { server, engines, backends, models } = snapshot
  const engine = foremostEngine(engines)
  const ready = models.filter(({ state }) => state === 'ready')
  const name = engine?.model ?? engine?.name ?? ''
  if (server.state === 'draining') {
    return {
      shape: 'starting',
      title: t('verdict.draining'),
      says: t('verdict.says.draining', { count: server.inFlight }),
    }
  }
  if (server.state === 'paused')
    return { shape: 'degraded', title: t('verdict.paused'), says: t('verdict.says.paused') }
  // An engine on its way is told before what serves meanwhile: a request for it waits.
  if (engine !== null && isComing(engine.state) && engine.state.is !== 'backoff') {
    const says = startingSays(engine.state, t)
    const models = ready.map(({ id }) => id).join(', ')
    return {
      shape: 'starting',
      title: t('verdict.starting', { model: name }),
      says: ready.length === 0 ? says : `${says} ${t('verdict.says.others', { models })}`,
    }
  }
  const isBroken = engine !== null && ['failed', 'backoff', 'foreign', 'not-installed'].includes(engine.state.is)
  if (isBroken && ready.length === 0) {
    return { shape: shapeOf(engine.state), title: t('verdict.failed', { model: name }), says: failureSays(snapshot, t) }
  }
  if (ready.length > 0) {
    const busy = load(snapshot)
    const isBusy = busy.limit > 0 && busy.running >= busy.limit
    const isSlow = engine?.state.is === 'degraded'
    const shape: Shape = isBroken || isSlow ? 'degraded' : isBusy ? 'busy' : 'ready'
    return {
      shape,
      title: servingTitle(snapshot, name, isBroken, isSlow, t),
      says: `${placesSay(snapshot, t)} ${tallySays(recent, t)}`,
    }
  }
  if (engine !== null && !isServing(engine.state)) {
    const says = engine.onDemand ? t('verdict.says.onDemand') : t('verdict.says.startIt')
    const title = RESTING[engine.state.is] ?? 'verdict.stopped'
    return { shape: shapeOf(engine.state), title: t(title, { model: name }), says }
  }
  const down = backends.find(({ status }) => status === 'down')
  if (down !== undefined) {
    const says = t('verdict.says.down', { backend: down.name, reason: t.said(down.reason ?? '') })
    return { shape: 'failed', title: t('verdict.down'), says }
  }
  return { shape: 'stopped', title: t('verdict.nothing'), says: t('verdict.says.nothing') }
}

const RESTING: Partial<Record<EngineStateName, MessageKey>> = {
  draining: 'verdict.stopping',
  stopping: 'verdict.stopping',
  sleeping: 'verdict.asleep',
}

function servingTitle({ models }: AppSnapshot, name: string, isBroken: boolean, isSlow: boolean, t: Translate): string {
  if (isBroken) return t('verdict.servingOthers', { model: name })
  if (isSlow) return t('verdict.degraded', { model: name })
  const ready = models.filter(({ state }) => state === 'ready')
  return ready.length === 1
    ? t('verdict.serving', { model: ready[0]!.id })
    : t('verdict.servingMany', { count: ready.length })
}

function startingSays(state: AppSnapshot['engines'][number]['state'], t: Translate): string {
  if (state.is !== 'starting') return t('verdict.says.startingWait')
  const values = { phase: phaseWords(state.phase, t), percent: percent(state.percent / 100) }
  const first =
    state.leftMs === null
      ? t('verdict.says.starting', values)
      : t('verdict.says.startingLeft', { ...values, left: duration(state.leftMs) })
  return `${first} ${t('verdict.says.startingWait')}`
}

function failureSays({ engines }: AppSnapshot, t: Translate): string {
  const state = foremostEngine(engines)!.state
  if ('failure' in state) return causeSays(state.failure, t)
  if (state.is !== 'foreign') return ''
  const { program, pid, port } = state.holder
  return t('fail.foreign', { program: program ?? '?', pid: pid ?? '?', port })
}

function placesSay(snapshot: AppSnapshot, t: Translate): string {
  const { queues } = snapshot
  const { running, limit, waiting } = load(snapshot)
  if (running === 0 && waiting === 0) return t('verdict.says.free')
  if (waiting === 0) return t.count('verdict.says.places', running, { running, limit })
  const longest = Math.max(0, ...queues.flatMap((queue) => queue.waiting.map(({ ageMs }) => ageMs)))
  return t.count('verdict.says.waiting', waiting, { running, limit, longest: duration(longest) })
}

/** The core tells its causes in English: other languages have what kind it is before it. */
function causeSays({ class: kind, cause }: Pick<EngineFailure, 'class' | 'cause'>, t: Translate): string {
  const title = t.language === 'en' ? null : causeTitle(kind, t)
  return title === null ? cause : `${title} · ${cause}`
}

function tallySays(recent: SeriesReport | null, t: Translate): string {
  if (recent === null) return t('verdict.says.reading')
  const count = sumOf(recent.values.finished)
  const failed = sumOf(recent.values.failed)
  if (count === 0) return t('verdict.says.noRequests')
  return failed > 0 ? t('verdict.says.failed', { failed, count }) : t.count('verdict.says.noneFailed', count)
}

export type GateStroke = { id: string; who: string; says: string; prefill: boolean }
export type Gate = {
  waiting: GateStroke[]
  waitingCount: number
  running: GateStroke[]
  runningCount: number
  limit: number
}

const MOST_STROKES = 8
const MOST_WAITERS = 6

/** Who waits before the rule and who is past it; the first few of each. The count is never less than the strokes. */
export function gate(snapshot: AppSnapshot, requests: readonly RequestView[], t: Translate): Gate {
  const { queues } = snapshot
  const { running, limit, waiting } = load(snapshot)
  const waiters = queues.flatMap((queue) => queue.waiting).sort((a, b) => a.place - b.place)
  // The list of requests is read at another moment than the counts: it draws no more than those.
  const past = requests
    .filter(({ phase }) => phase === 'prefill' || phase === 'decode' || phase === 'backoff')
    .slice(0, Math.min(MOST_STROKES, running))
  const strokes = past.map((request) => ({
    id: request.id,
    who: request.user ?? t('user.nobody'),
    says: request.phase === 'decode' ? duration(request.ageMs) : t('gate.reading'),
    prefill: request.phase !== 'decode',
  }))
  // Of those that run, but were not read yet, a stroke tells no more than that.
  for (let i = strokes.length; i < Math.min(MOST_STROKES, running); i++)
    strokes.push({ id: `unread ${i}`, who: NONE, says: '', prefill: false })
  return {
    waiting: waiters
      .slice(0, MOST_WAITERS)
      .map(({ id, user, ageMs }) => ({ id, who: user ?? t('user.nobody'), says: duration(ageMs), prefill: false })),
    waitingCount: waiting,
    running: strokes,
    runningCount: running,
    limit,
  }
}

/** Failed requests for the badge: of the last quarter of an hour where the charts' range has it, else of what is read. */
export function errorsLately(
  shown: SeriesReport | null,
  recent: SeriesReport | null,
): { failed: number; minutes: number } {
  const reaches = shown === null || shown.range === '5m' ? null : shown
  if (reaches === null) return { failed: sumOf(recent?.values.failed ?? []), minutes: 5 }
  return { failed: sumOf(reaches.values.failed.slice(-Math.round(900 / reaches.stepS))), minutes: 15 }
}

export type EventLine = { shape: Shape; says: string; to: { screen: string; path: string; title: 'log' | 'requests' } }

export function eventLine(event: Happening, t: Translate): EventLine {
  const log = { screen: 'requests', path: 'engine-log', title: 'log' } as const
  const gatewayLog = { screen: 'requests', path: 'gateway-log', title: 'log' } as const
  switch (event.what) {
    case 'engine': {
      const values = { engine: event.engine, cause: t.said(event.cause ?? '') }
      return { shape: ENGINE_SHAPE[event.state] ?? 'stopped', says: t(`event.engine.${event.state}`, values), to: log }
    }
    case 'backend': {
      const values = { backend: event.backend, reason: t.said(event.reason ?? '') }
      const says = t(event.up ? 'event.backend.up' : 'event.backend.down', values)
      return { shape: event.up ? 'ready' : 'failed', says, to: gatewayLog }
    }
    case 'gateway': {
      const shape = event.state === 'serving' ? 'ready' : event.state === 'paused' ? 'degraded' : 'starting'
      return { shape, says: t(`event.gateway.${event.state}`), to: gatewayLog }
    }
    case 'gpu':
      return event.readable
        ? { shape: 'ready', says: t('event.gpu.back'), to: gatewayLog }
        : { shape: 'degraded', says: t('event.gpu.lost', { reason: t.said(event.reason ?? '') }), to: gatewayLog }
    case 'config':
      return {
        shape: 'stopped',
        says: t.count('event.config', event.paths.length, { path: event.paths[0] ?? '' }),
        to: gatewayLog,
      }
    case 'network':
      return {
        shape: event.open ? 'ready' : 'stopped',
        says: t(event.open ? 'lan.opened' : 'lan.closed'),
        to: gatewayLog,
      }
    case 'limited':
      return {
        shape: 'degraded',
        says: t.count('event.limited', event.times, { user: event.user }),
        to: { screen: 'requests', path: 'history', title: 'requests' },
      }
  }
}

const ENGINE_SHAPE: Partial<Record<string, Shape>> = {
  ready: 'ready',
  starting: 'starting',
  preflight: 'starting',
  draining: 'starting',
  stopping: 'starting',
  busy: 'busy',
  failed: 'failed',
  backoff: 'degraded',
  degraded: 'degraded',
  foreign: 'degraded',
}
