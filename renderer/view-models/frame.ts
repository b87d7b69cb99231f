import { type EngineState, type EngineView, isServing } from '../../src/protocol/engine.ts'
import { foremostEngine, type PrimaryVerb, primaryVerb } from '../../src/protocol/primary-verb.ts'
import type { AppSnapshot, GpuView, QueueView } from '../../src/protocol/snapshot.ts'
import type { Shape } from '../components/Icon.tsx'
import { duration, percent, withUnit } from '../format.ts'
import type { MessageKey, Translate } from '../i18n/index.ts'
import { causeTitle, phaseWords, stepOf } from './start.ts'

/** What the header says of a part: the shape, the word, and the same in short for narrow windows. */
export type Readout = { shape: Shape; words: string; short: string }

const SHAPE_OF: Record<EngineView['state']['is'], Shape> = {
  'not-installed': 'stopped',
  stopped: 'stopped',
  preflight: 'starting',
  starting: 'starting',
  ready: 'ready',
  busy: 'busy',
  degraded: 'degraded',
  draining: 'starting',
  stopping: 'starting',
  sleeping: 'stopped',
  backoff: 'degraded',
  failed: 'failed',
  foreign: 'degraded',
}

export function shapeOf({ is }: EngineView['state']): Shape {
  return SHAPE_OF[is]
}

export function gatewayReadout({ server, health }: AppSnapshot, isLost: boolean, t: Translate): Readout {
  if (isLost) return same('degraded', t('gateway.lost'))
  const shapes = { starting: 'starting', serving: 'ready', paused: 'degraded', draining: 'starting' } as const
  const isUnwell = server.state === 'serving' && health.status === 'unhealthy'
  return isUnwell ? same('degraded', t('gateway.unwell')) : same(shapes[server.state], t(`gateway.${server.state}`))
}

export function engineReadout({ engines, queues }: AppSnapshot, t: Translate): Readout {
  const engine = foremostEngine(engines)
  if (engine === null) return same('stopped', t('engine.none'))
  const words = engineWords(engine, queues, t)
  const shown = engines.length > 1 ? t('engine.several', { name: engine.name, state: words }) : words
  return { shape: shapeOf(engine.state), words: shown, short: words }
}

export function engineWords({ name, state }: EngineView, queues: readonly QueueView[], t: Translate): string {
  switch (state.is) {
    case 'starting':
      return t('engine.starting', { step: stepOf(state.phase), phase: phaseWords(state.phase, t) })
    case 'stopped':
      return t(state.turn === 'awaited' ? 'engine.turn' : 'engine.stopped')
    case 'degraded':
      return t('engine.degraded', { reason: t.said(state.reason) })
    case 'stopping':
      return t('engine.stopping', { what: t(`awaits.${state.awaits}`) })
    case 'sleeping':
      return t(state.step === 'waking' ? 'engine.waking' : 'engine.sleeping')
    case 'failed': {
      const cause = causeTitle(state.failure.class, t)
      return cause === null ? t('engine.failed') : t('engine.failedOf', { cause })
    }
    case 'busy': {
      const permits = queues.find(({ backend }) => backend === name)?.permits
      return t('engine.busy', { running: permits?.inFlight ?? 0, limit: permits?.limit ?? 0 })
    }
    case 'draining':
      return t('engine.draining', { left: state.left })
    case 'backoff':
      return t('engine.backoff', { left: duration(state.retryInMs), count: state.crashes })
    case 'foreign':
      return t('engine.foreign', { port: state.holder.port })
    default:
      return t(`engine.${state.is}`)
  }
}

export function gpuReadout({ gpu }: AppSnapshot, t: Translate): Readout {
  if (gpu.is !== 'read') return same(gpu.is === 'failed' ? 'degraded' : 'stopped', t(`gpu.${gpu.is}`))
  const hottest = [...gpu.gpus].sort((a, b) => (b.temperatureC ?? 0) - (a.temperatureC ?? 0))[0]
  if (hottest === undefined) return same('stopped', t('gpu.none'))
  const temperature = withUnit(hottest.temperatureC, '°C')
  const words = t('gpu.value', { temperature, load: percent(hottest.utilization) })
  return { shape: 'ready', words, short: temperature }
}

/** Who reaches the gateway: other machines, and at which address, or nobody but this one. */
export function lanWords({ server: { network } }: Pick<AppSnapshot, 'server'>, t: Translate): string {
  const [first] = network
  return first === undefined ? t('status.thisOnly') : t('status.lan', { address: first.replace(/:\d+$/, '') })
}

export function gpuTotals(gpus: readonly GpuView[]): { used: number | null; total: number | null } {
  const add = (pick: (gpu: GpuView) => number | null): number | null => {
    const told = gpus.map(pick).filter((bytes) => bytes !== null)
    return told.length === 0 ? null : told.reduce((sum, bytes) => sum + bytes, 0)
  }
  return { used: add(({ usedBytes }) => usedBytes), total: add(({ totalBytes }) => totalBytes) }
}

const VERB_WORDS: Record<Exclude<PrimaryVerb['do'], 'cancel-start' | 'none'>, MessageKey> = {
  start: 'verb.start',
  stop: 'verb.stop',
  restart: 'verb.restart',
  retry: 'verb.retry',
  'force-stop': 'verb.forceStop',
  fix: 'verb.fix',
  install: 'verb.install',
  resume: 'verb.resume',
}

/** The primary button's words; null: there is nothing to press. */
export function verbWords(snapshot: AppSnapshot, t: Translate): { verb: PrimaryVerb; words: string; first: boolean } {
  const verb = primaryVerb(snapshot)
  if (verb.do === 'none') {
    return { verb, words: t(verb.engine === null ? 'verb.none' : 'verb.stopping'), first: false }
  }
  if (verb.do === 'cancel-start') {
    const left = verb.leftMs === null ? null : duration(verb.leftMs)
    return { verb, words: left === null ? t('verb.cancelStart') : t('verb.cancelStartLeft', { left }), first: false }
  }
  const first = ['fix', 'install', 'start', 'resume', 'retry'].includes(verb.do)
  return { verb, words: t(VERB_WORDS[verb.do]), first }
}

/** It finishes or takes requests, so that its places count. */
const hasPlaces = (state: EngineState): boolean => isServing(state) || state.is === 'draining'

/** All permits and all who wait. The places of an engine that does not run are none. */
export function load({ queues, engines }: Pick<AppSnapshot, 'queues' | 'engines'>): {
  running: number
  limit: number
  waiting: number
  kv: number | null
} {
  const gone = new Set(engines.filter(({ state }) => !hasPlaces(state)).map(({ name }) => name))
  const kv = queues.flatMap(({ permits }) => (permits.kvUse === null ? [] : [permits.kvUse]))
  return {
    running: queues.reduce((sum, { permits }) => sum + permits.inFlight, 0),
    limit: queues.reduce((sum, { backend, permits }) => sum + (gone.has(backend) ? 0 : permits.limit), 0),
    waiting: queues.reduce((sum, { depth }) => sum + depth.high + depth.normal + depth.low, 0),
    kv: kv.length === 0 ? null : Math.max(...kv),
  }
}

function same(shape: Shape, words: string): Readout {
  return { shape, words, short: words }
}
