import { type EngineFailure, type EngineView, isServing } from '../protocol/engine.ts'
import type { AppSnapshot, BackendReport, GpuReport, GpuView, QueueView, UserView } from '../protocol/snapshot.ts'
import { engineWords, failureOf } from './engine-words.ts'
import { bytes, type Column, cells, count, cut, duration, millis, plain, table } from './format.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'bold'
export type Look = { width: number; paint: (tone: Tone, text: string) => string }

/** Who waits is shown so far for each backend, and users so far in all. */
const WAITERS_SHOWN = 8
const USERS_SHOWN = 20

/** What `lexora status` prints, line by line. */
export function statusLines(snapshot: AppSnapshot, look: Look): string[] {
  return [
    ...headLines(snapshot, look),
    ...engineLines(snapshot, look),
    ...gpuSection(snapshot.gpu, look),
    ...backendLines(snapshot, look),
    ...snapshot.queues.flatMap((queue) => queueLines(queue, look)),
    ...userLines(snapshot, look),
  ]
}

/** One line for logs and pipes, `key=value` after the two words that matter. */
export function statusLine({ takenAt, server, health, queues, stats }: AppSnapshot): string {
  const depth = sumDepth(queues)
  const facts = {
    running: server.inFlight - depth.waiting,
    waiting: depth.waiting,
    high: depth.high,
    normal: depth.normal,
    low: depth.low,
    requests_per_minute: stats.requests_per_minute,
    errors_last_hour: stats.errors_last_hour,
  }
  const told = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  return `${takenAt} ${server.state} ${health.status} ${told.join(' ')}`
}

function headLines({ server, health, stats, users }: AppSnapshot, look: Look): string[] {
  const stateTone = server.state === 'serving' ? 'good' : 'warn'
  const tone = health.status === 'healthy' ? 'good' : health.status === 'degraded' ? 'warn' : 'bad'
  const tokens = users.reduce((sum, user) => sum + user.tokensThisMinute, 0)
  const { ttft } = stats
  const offline = server.offline ? ' · offline' : ''
  const rates = [
    `${count(stats.requests_per_minute)} requests/min`,
    `${count(tokens)} tokens/min`,
    `${count(stats.errors_last_hour)} errors in the last hour`,
    `first token p50 ${millis(ttft.p50)}, p95 ${millis(ttft.p95)}`,
  ]
  const about = [`up ${health.uptime}`, `pid ${server.pid}`, server.configPath ?? 'default configuration']
  return [
    line(
      look,
      ['bold', `Lexora ${server.version}`],
      ' · ',
      [stateTone, server.state],
      ` · ${server.address}${offline}`,
    ),
    line(look, [tone, health.status], ` · ${about.map(plain).join(' · ')}`),
    ...health.reasons.map((reason) => line(look, `  ${plain(reason)}`)),
    line(look, rates.join(' · ')),
  ]
}

function engineLines({ engines }: AppSnapshot, look: Look): string[] {
  if (engines.length === 0) return []
  const columns: Column[] = [{ title: 'ENGINE' }, { title: 'MODEL' }, { title: 'STATE' }]
  const rows = engines.map(({ name, model, state }) => [plain(name), plain(model ?? '-'), engineWords(state)])
  const failures = engines.flatMap(({ state }) => failureLines(failureOf(state), look))
  return [...section(columns, rows, look), ...failures]
}

/** Cause and fix; nothing where nothing is wrong. */
export function failureLines(failure: EngineFailure | null, look: Look): string[] {
  if (failure === null) return []
  return [
    line(look, ['bad', `  ${plain(failure.cause)}`]),
    ...(failure.fix === null ? [] : [line(look, `  ${plain(failure.fix)}`)]),
  ]
}

/** A machine without a GPU has no line for it: engines that need one say so themselves. */
function gpuSection(gpu: GpuReport, look: Look): string[] {
  if (gpu.is === 'failed') return ['', line(look, ['warn', `GPU: ${plain(gpu.reason)}`])]
  return gpu.is === 'read' ? ['', ...gpuLines(gpu.gpus, look)] : []
}

export function gpuLines(gpus: readonly GpuView[], { width, paint }: Look): string[] {
  const columns: Column[] = [
    { title: 'GPU', align: 'right' },
    { title: 'NAME' },
    { title: 'MEMORY', align: 'right' },
    { title: 'FREE', align: 'right' },
    { title: 'LOAD', align: 'right' },
    { title: 'TEMP', align: 'right' },
    { title: 'POWER', align: 'right' },
  ]
  const rows = gpus.map((gpu) => [
    String(gpu.index),
    plain(gpu.name),
    `${bytes(gpu.usedBytes)} of ${bytes(gpu.totalBytes)}`,
    bytes(gpu.freeBytes),
    gpu.utilization === null ? '-' : `${Math.round(gpu.utilization * 100)} %`,
    gpu.temperatureC === null ? '-' : `${Math.round(gpu.temperatureC)} °C`,
    gpu.powerW === null
      ? '-'
      : `${Math.round(gpu.powerW)}${gpu.powerLimitW === null ? '' : ` of ${Math.round(gpu.powerLimitW)}`} W`,
  ])
  const [head = '', ...body] = table(columns, rows, width)
  return [paint('dim', head), ...body]
}

function backendLines({ backends, queues, engines }: AppSnapshot, look: Look): string[] {
  if (backends.length === 0) return []
  const columns: Column[] = [
    { title: 'BACKEND' },
    { title: 'STATE' },
    { title: 'RUNNING', align: 'right' },
    { title: 'LIMIT', align: 'right' },
    { title: 'WAITING', align: 'right' },
    { title: 'PROBE', align: 'right' },
    { title: 'MODELS' },
  ]
  const rows = backends.map((backend) => {
    const queue = queues.find((one) => one.backend === backend.name)
    return [
      plain(backend.name),
      stateOf(backend, engines),
      count(backend.inFlight),
      limitOf(queue),
      count(queue === undefined ? 0 : sumDepth([queue]).waiting),
      millis(backend.latencyMs),
      plain(backend.models.join(', ')) || '-',
    ]
  })
  return section(columns, rows, look)
}

/** An engine's backend is as good as its engine: what its last probe said counts while that serves. */
function stateOf({ name, status, breaker }: BackendReport, engines: readonly EngineView[]): string {
  const engine = engines.find((one) => one.name === name)
  if (engine !== undefined && !isServing(engine.state)) return engine.state.is
  return breaker === 'closed' ? status : `${status}, breaker ${breaker}`
}

/** What it is given at most: `auto` follows the engine, `~` where its metrics are silent. */
function limitOf(queue: QueueView | undefined): string {
  if (queue === undefined) return '-'
  const { limit, auto, openLoop } = queue.permits
  return `${openLoop ? '~' : ''}${count(limit)}${auto ? ' auto' : ''}`
}

function queueLines({ backend, depth, waiting, permits }: QueueView, look: Look): string[] {
  const alarm = permits.alarm === null ? [] : ['', line(look, ['warn', `${plain(backend)}: ${plain(permits.alarm)}`])]
  if (waiting.length === 0) return alarm
  const columns: Column[] = [
    { title: 'PLACE', align: 'right' },
    { title: 'BAND' },
    { title: 'USER' },
    { title: 'APP' },
    { title: 'MODEL' },
    { title: 'WAITED', align: 'right' },
    { title: 'EXPECTED', align: 'right' },
  ]
  const rows = waiting
    .slice(0, WAITERS_SHOWN)
    .map(({ place, band, user, flow, model, ageMs, predictedWaitMs }) => [
      String(place),
      band,
      plain(user ?? 'anonymous'),
      plain(flow.app) || '-',
      plain(model),
      duration(ageMs),
      predictedWaitMs === null ? '-' : `~${duration(predictedWaitMs)}`,
    ])
  const all = depth.high + depth.normal + depth.low
  const more = all > rows.length ? [line(look, ['dim', `… and ${count(all - rows.length)} more`])] : []
  const title = `Waiting for ${plain(backend)}: high ${depth.high} · normal ${depth.normal} · low ${depth.low}`
  const [head = '', ...body] = table(columns, rows, look.width)
  return [...alarm, '', line(look, ['bold', title]), look.paint('dim', head), ...body, ...more]
}

function userLines({ users, queues }: AppSnapshot, look: Look): string[] {
  if (users.length === 0) return []
  const columns: Column[] = [
    { title: 'USER' },
    { title: 'RUNNING', align: 'right' },
    { title: 'WAITING', align: 'right' },
    { title: 'EXPECTED', align: 'right' },
    { title: 'WAITED mean', align: 'right' },
    { title: 'max', align: 'right' },
    { title: 'REQ/MIN', align: 'right' },
    { title: 'TOKENS/MIN', align: 'right' },
    { title: 'REFUSED', align: 'right' },
    { title: 'LIMITS' },
  ]
  const rows = users.slice(0, USERS_SHOWN).map((user) => {
    const expected = expectedWait(user, queues)
    return [
      plain(user.name),
      count(user.inFlight),
      count(user.waiting),
      expected === null ? '-' : `~${duration(expected)}`,
      duration(user.waitedMs?.mean ?? null),
      duration(user.waitedMs?.max ?? null),
      count(user.requestsThisMinute),
      count(user.tokensThisMinute),
      count(user.rateLimited),
      limitsOf(user),
    ]
  })
  const more = users.length > rows.length ? [line(look, ['dim', `… and ${users.length - rows.length} more`])] : []
  return [...section(columns, rows, look), ...more]
}

/** Until the first of a user's requests should have its turn. */
function expectedWait({ name }: UserView, queues: readonly QueueView[]): number | null {
  const waits = queues
    .flatMap(({ waiting }) => waiting)
    .filter(({ user, predictedWaitMs }) => (user ?? 'anonymous') === name && predictedWaitMs !== null)
    .map(({ predictedWaitMs }) => predictedWaitMs!)
  return waits.length === 0 ? null : Math.min(...waits)
}

function limitsOf({ limits }: UserView): string {
  if (limits === null) return '-'
  const { perSecond, burst, tokensPerMinute, maxConcurrent } = limits
  const parts = [
    perSecond === null ? null : `${Number(perSecond.toFixed(2))}/s, burst ${burst}`,
    tokensPerMinute === null ? null : `${count(tokensPerMinute)} tokens/min`,
    maxConcurrent === null ? null : `${maxConcurrent} parallel`,
  ]
  return parts.filter((part) => part !== null).join(' · ') || '-'
}

function section(columns: readonly Column[], rows: readonly string[][], { width, paint }: Look): string[] {
  const [head = '', ...body] = table(columns, rows, width)
  return ['', paint('dim', head), ...body]
}

/** Pieces of one line, cut together at the width: a line that wraps would spoil what is redrawn in place. */
export function line({ width, paint }: Look, ...pieces: (string | [Tone, string])[]): string {
  let left = width
  let drawn = ''
  for (const piece of pieces) {
    const [tone, text] = typeof piece === 'string' ? [null, piece] : piece
    const kept = cut(text, left)
    left -= cells(kept)
    drawn += tone === null ? kept : paint(tone, kept)
    if (kept !== text) break
  }
  return drawn
}

function sumDepth(queues: readonly QueueView[]): Record<'high' | 'normal' | 'low' | 'waiting', number> {
  const sum = { high: 0, normal: 0, low: 0, waiting: 0 }
  for (const { depth } of queues) {
    for (const band of ['high', 'normal', 'low'] as const) {
      sum[band] += depth[band]
      sum.waiting += depth[band]
    }
  }
  return sum
}
