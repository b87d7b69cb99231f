import { canStop, type EngineState, type EngineView, isServing } from '../protocol/engine.ts'
import { foremostEngine, type PrimaryVerb, primaryVerb } from '../protocol/primary-verb.ts'
import { quitVerb } from '../protocol/quit-verb.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { byRecency } from './recent-engines.ts'
import { clock, type Say, timeOfDay } from './words.ts'

export const TRAY_ICONS = ['stopped', 'starting', 'ready', 'busy', 'degraded', 'failed'] as const

export type TrayIcon = (typeof TRAY_ICONS)[number]

/** What a click asks for. The tray holds no rule: commands go to the core, the rest to the shell. */
export type TrayAction =
  | { do: 'open'; at: string | null }
  | { do: 'copy'; text: string }
  | { do: 'command'; name: 'startEngine' | 'stopEngine' | 'restartEngine'; engine: string }
  | { do: 'command'; name: 'pause' | 'resume' | 'freeGpu' }
  | { do: 'serve-here' | 'update' | 'quit' }

type PlainItem = { kind: 'item'; id: string; label: string; action: TrayAction | null; checked?: boolean }

export type TrayItem =
  | { kind: 'separator' }
  | PlainItem
  | { kind: 'menu'; id: string; label: string; items: TrayItem[] }

export type TrayView = { icon: TrayIcon; tooltip: string; items: TrayItem[] }

/** What the tray shows besides the snapshot. */
export type TrayFacts = {
  /** `refused`: a Lexora of this process could not start. */
  core: 'starting' | 'hosted' | 'attached' | 'refused'
  /** Null while the app goes on. `left`: requests that are not finished. */
  quitting: { left: number } | null
  tokensPerSecond: number | null
  /** The version that is ready to be installed. */
  update: string | null
  /** Engines by name, who served last first. */
  recent: readonly string[]
}

const SHAPE_OF: Record<EngineState['is'], TrayIcon> = {
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

const MOST_MODELS = 10
const SEPARATOR: TrayItem = { kind: 'separator' }

/** The whole tray, from what is known. `snapshot` null: nothing is known of a core. */
export function trayView(snapshot: AppSnapshot | null, facts: TrayFacts, say: Say): TrayView {
  const icon = iconOf(snapshot, facts)
  const line = `${say(`icon.${icon}`)} ${statusOf(snapshot, facts, say)}`
  const open: TrayItem = { kind: 'item', id: 'open', label: say('tray.open'), action: { do: 'open', at: null } }
  const status: TrayItem = { kind: 'item', id: 'status', label: line, action: { do: 'open', at: '/dashboard' } }
  const end = [...update(facts, say), SEPARATOR, quitItem(snapshot, facts, say)]
  const capture = captureItem(snapshot, say)
  const tooltip = [`Lexora: ${statusOf(snapshot, facts, say)}`, ...capture.map(({ label }) => label)].join(' · ')
  if (snapshot === null || facts.quitting !== null)
    return { icon, tooltip, items: [status, ...capture, SEPARATOR, open, ...without(facts, say), ...logs(say), ...end] }
  const items = [
    status,
    ...capture,
    copyItem(snapshot, say),
    ...configItem(snapshot, say),
    SEPARATOR,
    open,
    verbItem(snapshot, say),
    pauseItem(snapshot, say),
    modelMenu(byRecency(snapshot.engines, facts.recent), say),
    freeGpuItem(snapshot.engines, say),
    SEPARATOR,
    lanItem(snapshot, say),
    ...logs(say),
    ...end,
  ]
  return { icon, tooltip, items }
}

function iconOf(snapshot: AppSnapshot | null, { core, quitting }: TrayFacts): TrayIcon {
  if (core === 'refused') return 'failed'
  if (quitting !== null) return 'starting'
  if (snapshot === null) return core === 'attached' ? 'degraded' : 'starting'
  const { server, engines, health } = snapshot
  const engine = foremostEngine(engines)
  if (engine?.state.is === 'failed') return 'failed'
  if (server.state === 'starting' || server.state === 'draining') return 'starting'
  if (server.state === 'paused') return 'degraded'
  if (engine !== null) return SHAPE_OF[engine.state.is]
  return health.status === 'unhealthy' ? 'degraded' : 'ready'
}

/** Without the shape, which the icon says: `Running · qwen3-8b · 42 tok/s · 3 queued`. */
function statusOf(snapshot: AppSnapshot | null, { core, quitting, tokensPerSecond }: TrayFacts, say: Say): string {
  if (core === 'refused') return say('line.refused')
  if (quitting !== null) return say('line.quitting', { left: quitting.left })
  if (snapshot === null) return say(core === 'attached' ? 'line.lost' : 'line.starting')
  const { server, engines, health, queues } = snapshot
  const engine = foremostEngine(engines)
  const parts: string[] = []
  if (server.state !== 'serving') parts.push(say(`line.${server.state}`, { left: server.inFlight }))
  else if (engine === null) parts.push(say('line.serving'))
  if (engine !== null) parts.push(engineSaid(engine, say))
  else if (health.status === 'unhealthy') parts.push(say('line.noBackend'))
  if (engine !== null) parts.push(engine.model ?? engine.name)
  if (tokensPerSecond !== null && tokensPerSecond >= 0.5) {
    parts.push(say('line.rate', { rate: Math.round(tokensPerSecond) }))
  }
  const waiting = queues.reduce((sum, { depth }) => sum + depth.high + depth.normal + depth.low, 0)
  if (waiting > 0) parts.push(say('line.queued', { count: waiting }))
  if (core === 'attached') parts.push(say('line.attached'))
  return parts.join(' · ')
}

function engineSaid({ state }: EngineView, say: Say): string {
  switch (state.is) {
    case 'starting':
      return say('engine.starting', { phase: state.phase, percent: Math.round(state.percent) })
    case 'draining':
      return say('engine.draining', { left: state.left })
    case 'backoff':
      return say('engine.backoff', { left: clock(state.retryInMs) })
    case 'failed':
      return say('engine.failed', { cause: state.failure.cause })
    case 'foreign':
      return say('engine.foreign', { port: state.holder.port })
    default:
      return say(`engine.${state.is}`)
  }
}

function copyItem({ server }: AppSnapshot, say: Say): TrayItem {
  const { address } = server
  return {
    kind: 'item',
    id: 'copy',
    label: say('tray.copy', { address }),
    action: { do: 'copy', text: address },
  }
}

/** That prompts and answers are kept, as long as they are: whoever uses this machine is to know. */
function captureItem(snapshot: AppSnapshot | null, say: Say): PlainItem[] {
  const capture = snapshot?.server.capture ?? null
  if (capture === null) return []
  const label = say('tray.capture', { time: timeOfDay(capture.endsAt) })
  return [{ kind: 'item', id: 'capture', label, action: { do: 'open', at: '/requests' } }]
}

/** What was written into the file and is not in force, with the way to it. */
function configItem({ server }: AppSnapshot, say: Say): TrayItem[] {
  if (server.configFault === null) return []
  return [{ kind: 'item', id: 'config', label: say('tray.config'), action: { do: 'open', at: '/settings/advanced' } }]
}

/** Exactly one verb for the engine; what the gateway may do stands below it. */
function verbItem({ server, engines }: AppSnapshot, say: Say): TrayItem {
  const verb = primaryVerb({ server: { ...server, state: 'serving' }, engines })
  const { label, action } = verbSaid(verb, say)
  return { kind: 'item', id: `verb.${verb.do}`, label, action }
}

function verbSaid(verb: PrimaryVerb, say: Say): { label: string; action: TrayAction | null } {
  const command = (name: 'startEngine' | 'stopEngine' | 'restartEngine', engine: string): TrayAction => ({
    do: 'command',
    name,
    engine,
  })
  switch (verb.do) {
    case 'start':
      return { label: say('tray.start'), action: command('startEngine', verb.engine) }
    case 'retry':
      return { label: say('tray.retry'), action: command('startEngine', verb.engine) }
    case 'stop':
      return { label: say('tray.stop'), action: command('stopEngine', verb.engine) }
    case 'force-stop':
      return { label: say('tray.forceStop'), action: command('stopEngine', verb.engine) }
    case 'cancel-start': {
      const left = verb.leftMs === null ? null : clock(verb.leftMs)
      const label = left === null ? say('tray.cancelStart') : say('tray.cancelStartLeft', { left })
      return { label, action: command('stopEngine', verb.engine) }
    }
    case 'restart':
      return { label: say('tray.restart'), action: command('restartEngine', verb.engine) }
    case 'fix':
      return { label: say('tray.fix'), action: { do: 'open', at: '/dashboard' } }
    case 'install':
      return { label: say('tray.install'), action: { do: 'open', at: '/models' } }
    case 'resume':
      return { label: say('tray.resume'), action: { do: 'command', name: 'resume' } }
    case 'none':
      return { label: say(verb.engine === null ? 'tray.noEngine' : 'tray.stopping'), action: null }
  }
}

function pauseItem({ server }: AppSnapshot, say: Say): TrayItem {
  const name = server.state === 'paused' ? 'resume' : 'pause'
  const can = server.state === 'serving' || server.state === 'paused'
  return { kind: 'item', id: name, label: say(`tray.${name}`), action: can ? { do: 'command', name } : null }
}

function modelMenu(engines: readonly EngineView[], say: Say): TrayItem {
  const rows = engines.slice(0, MOST_MODELS).map(({ name, model, state }): TrayItem => {
    const isActive = isServing(state)
    return {
      kind: 'item',
      id: `model.${name}`,
      label: model ?? name,
      checked: isActive,
      action: isActive || canStop(state) ? null : { do: 'command', name: 'startEngine', engine: name },
    }
  })
  const none: TrayItem = { kind: 'item', id: 'model.none', label: say('tray.noModels'), action: null }
  const more: TrayItem = {
    kind: 'item',
    id: 'model.more',
    label: say('tray.more'),
    action: { do: 'open', at: '/models' },
  }
  const items = [...(rows.length === 0 ? [none] : rows), SEPARATOR, more]
  return { kind: 'menu', id: 'model', label: say('tray.model'), items }
}

function freeGpuItem(engines: readonly EngineView[], say: Say): TrayItem {
  const can = engines.some(({ state }) => canStop(state))
  return {
    kind: 'item',
    id: 'freeGpu',
    label: say('tray.freeGpu'),
    action: can ? { do: 'command', name: 'freeGpu' } : null,
  }
}

function lanItem({ server, users }: AppSnapshot, say: Say): TrayItem {
  const [first] = server.network
  const place = first?.replace(/:\d+$/, '')
  const label = place === undefined ? say('tray.lanOff') : say('tray.lanOn', { place, count: users.length })
  return { kind: 'item', id: 'lan', label, action: { do: 'open', at: '/settings/network' } }
}

function logs(say: Say): TrayItem[] {
  return [
    { kind: 'item', id: 'logs', label: say('tray.logs'), action: { do: 'open', at: '/requests/gateway-log' } },
    { kind: 'item', id: 'report', label: say('tray.report'), action: { do: 'open', at: '/diagnostics' } },
  ]
}

/** What helps where there is no core to speak of. */
function without({ core, quitting }: TrayFacts, say: Say): TrayItem[] {
  if (quitting !== null || core === 'hosted' || core === 'starting') return []
  const label = say(core === 'attached' ? 'tray.serveHere' : 'tray.again')
  return [{ kind: 'item', id: 'serve-here', label, action: { do: 'serve-here' } }]
}

function update({ update: version, quitting }: TrayFacts, say: Say): TrayItem[] {
  if (version === null || quitting !== null) return []
  return [{ kind: 'item', id: 'update', label: say('tray.update', { version }), action: { do: 'update' } }]
}

function quitItem(snapshot: AppSnapshot | null, { core, quitting }: TrayFacts, say: Say): TrayItem {
  const engines = core === 'hosted' ? (snapshot?.engines ?? []) : []
  const verb = quitVerb({ attached: core === 'attached', quitting: quitting !== null, engines })
  return { kind: 'item', id: 'quit', label: say(`tray.${verb}`), action: { do: 'quit' } }
}
