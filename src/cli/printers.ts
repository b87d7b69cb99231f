import { isBlocked } from '../protocol/blocked.ts'
import type { AppCommands, CommandName } from '../protocol/commands.ts'
import type { DataPlaceView } from '../protocol/data.ts'
import type { DoctorCheck, DoctorReport } from '../protocol/doctor.ts'
import {
  type EngineCommandReport,
  type EngineView,
  isServing,
  type StopReceipt,
  shellText,
} from '../protocol/engine.ts'
import type { OutboundReport } from '../protocol/outbound.ts'
import type { GpuHolderView, GpuReport, RequestView } from '../protocol/snapshot.ts'
import { CAPTURE_PRINTERS } from './capture-printers.ts'
import { CONFIG_PRINTERS } from './config-printers.ts'
import { engineWords, failureOf, receiptWords } from './engine-words.ts'
import { bytes, type Column, duration, moment, plain, table } from './format.ts'
import { MODEL_PRINTERS } from './model-printers.ts'
import { NETWORK_PRINTERS } from './network-printers.ts'
import { failureLines, gpuLines, type Look, line, statusLines, type Tone } from './status-view.ts'
import { UI_PRINTERS } from './ui-printers.ts'
import { USERS_PRINTERS } from './users-printers.ts'

type ResultOf<Name extends CommandName> = Awaited<ReturnType<AppCommands[Name]>>

/** What each command prints for people; `--json` prints the result itself. */
export const PRINTERS: { [Name in CommandName]: (result: ResultOf<Name>, look: Look) => string[] } = {
  snapshot: statusLines,
  listRequests: ({ requests }, look) => requestLines(requests, look),
  cancelRequest: ({ cancelled }) => [`Cancelled ${plain(cancelled)}.`],
  quit: ({ left }) => [
    left === 0
      ? 'Lexora ends now.'
      : `Lexora ends when ${left === 1 ? 'one request has' : `${left} requests have`} finished.`,
  ],
  pause: () => ['Paused: new requests are answered 503; what waits and runs goes on.'],
  resume: () => ['Serving again.'],
  listEngines: ({ engines }, look) => engineTable(engines, look),
  startEngine: startLines,
  stopEngine: (view, look) => stopLines(view, look),
  restartEngine: startLines,
  engineCommand: commandLines,
  freeGpu: ({ freed }, look) => freedLines(freed, look),
  gpu: ({ gpu, holders }, look) => [...gpuReportLines(gpu, look), ...holderLines(holders, look)],
  engineLog: ({ lines }) => lines.map(plain),
  doctor: doctorLines,
  ...USERS_PRINTERS,
  ...MODEL_PRINTERS,
  ...UI_PRINTERS,
  ...CAPTURE_PRINTERS,
  ...NETWORK_PRINTERS,
  listOutbound: outboundLines,
  blockOutbound: CONFIG_PRINTERS.setConfig,
  allowOutbound: CONFIG_PRINTERS.setConfig,
  readData: dataLines,
  clearData: ({ place, files, freedBytes }) => [
    `${place}: ${files > 0 ? `${files} files removed, ` : ''}${bytes(freedBytes)} are free again.`,
  ],
  ...CONFIG_PRINTERS,
}

function dataLines({ places }: { places: DataPlaceView[] }, look: Look): string[] {
  const columns: Column[] = [
    { title: 'WHAT' },
    { title: 'SIZE', align: 'right' },
    { title: 'FILES', align: 'right' },
    { title: 'CLEAR' },
    { title: 'WHERE' },
  ]
  const rows = places.map(({ place, path, bytes: size, files, whole, canClear }) => [
    place,
    `${whole ? '' : '> '}${bytes(size)}`,
    `${whole ? '' : '> '}${files}`,
    canClear ? 'yes' : '-',
    plain(path),
  ])
  return [...table(columns, rows, look.width), '', 'To clear one: lexora data clear PLACE']
}

function outboundLines({ since, rows, offline, blocked }: OutboundReport, look: Look): string[] {
  const now = [
    ...(offline ? ['Lexora works offline: it speaks to no other computer (privacy.offline).'] : []),
    ...(blocked.length > 0
      ? [`Blocked: ${blocked.map(plain).join(', ')}. To let one in: lexora outbound allow HOST`]
      : []),
  ]
  const began = `${moment(since)} UTC`
  if (rows.length === 0) return [...now, `Lexora has spoken to nobody outside this computer since ${began}.`]
  const columns: Column[] = [
    { title: 'HOST' },
    { title: 'FOR' },
    { title: 'REQUESTS', align: 'right' },
    { title: 'SENT', align: 'right' },
    { title: 'RECEIVED', align: 'right' },
    { title: 'FIRST' },
    { title: 'LAST' },
  ]
  const lines = rows.map(({ host, purpose, count, sent, received, firstAt, lastAt }) => [
    isBlocked(host, blocked) ? `${plain(host)} (blocked)` : plain(host),
    purpose,
    String(count),
    bytes(sent),
    bytes(received),
    moment(firstAt),
    moment(lastAt),
  ])
  return [...now, `Whom Lexora itself has spoken to since ${began}:`, ...table(columns, lines, look.width)]
}

/** One engine as it is now, and what went wrong with it. */
export function engineLine({ name, state }: EngineView, look: Look): string[] {
  return [line(look, `${plain(name)}: ${engineWords(state)}`), ...failureLines(failureOf(state), look)]
}

/** What it runs with is told once where its next start is the same. */
function commandLines({ running, next, problems, differs, diff }: EngineCommandReport, look: Look): string[] {
  const isOne = running === null || next === null || !differs
  const text = shellText(((isOne ? running : null) ?? next ?? []).map(plain))
  const head = running === null ? 'Its next start:' : isOne ? 'It runs with:' : 'Its next start is another:'
  const changes =
    diff.length > 0 && !isOne
      ? ['', 'Against what runs:', ...diff.map(plain)]
      : differs
        ? ['Its next start differs, in a value that is not shown.']
        : []
  return [
    ...(text === '' ? [] : [look.paint('dim', head), ...text.split('\n')]),
    ...changes,
    ...problems.map((problem) => line(look, ['bad', plain(problem)])),
  ]
}

/** It goes on by itself; whoever wants to see it through asks again. */
function startLines(view: EngineView, look: Look): string[] {
  const hint = isServing(view.state) ? [] : [`To see it through: lexora start ${plain(view.name)} --wait`]
  return [...engineLine(view, look), ...hint]
}

function stopLines(view: EngineView, look: Look): string[] {
  const hint = view.state.is === 'draining' ? ['A second stop ends what still runs.'] : []
  return [...engineLine(view, look), ...hint]
}

/** The end of a stop that was waited for: what came back. */
export function stoppedLines({ name, model, receipt, onDemand }: EngineView, ran: boolean, look: Look): string[] {
  if (!ran || receipt === null) return [line(look, `${plain(name)}: stopped; nothing ran`)]
  const again = `  A request for ${plain(model ?? name)} starts it; to keep it off: lexora free-gpu`
  return [...receiptLines(name, receipt, look), ...(onDemand ? [line(look, ['dim', again])] : [])]
}

function receiptLines(name: string, receipt: StopReceipt, look: Look): string[] {
  const [first, ...odd] = receiptWords(receipt)
  return [line(look, `${plain(name)}: stopped; ${first}`), ...odd.map((text) => line(look, ['warn', `  ${text}`]))]
}

function engineTable(engines: readonly EngineView[], look: Look): string[] {
  if (engines.length === 0) return ['No engine is configured. Name one below `engines:` in the configuration file.']
  const columns: Column[] = [
    { title: 'ENGINE' },
    { title: 'MODEL' },
    { title: 'STATE' },
    { title: 'PID', align: 'right' },
    { title: 'PORT', align: 'right' },
    { title: 'UP', align: 'right' },
    { title: 'RESTARTS', align: 'right' },
    { title: 'LAUNCH' },
  ]
  const rows = engines.map(({ name, model, state, pid, port, uptimeMs, restarts, launch, version }) => [
    plain(name),
    plain(model ?? '-'),
    engineWords(state),
    pid === null ? '-' : String(pid),
    port === null ? '-' : String(port),
    duration(uptimeMs),
    String(restarts),
    plain(launch === null ? '-' : version === null ? launch : `${launch} (${version})`),
  ])
  const [head = '', ...body] = table(columns, rows, look.width)
  return [look.paint('dim', head), ...body, ...engines.flatMap((view) => troubleLines(view, look))]
}

/** Of one that failed why; of one that runs again what had happened; and what is odd. */
function troubleLines({ name, state, lastFailure, warnings }: EngineView, look: Look): string[] {
  const now = failureOf(state)
  const title = (text: string, tone: Tone): string => line(look, [tone, `${plain(name)}: ${text}`])
  const odd = warnings.map((text) => title(plain(text), 'warn'))
  if (now !== null) return ['', title('why', 'bold'), ...failureLines(now, look), ...odd]
  if (lastFailure === null) return odd
  return ['', title('the last time it failed', 'bold'), ...failureLines(lastFailure, look), ...odd]
}

function freedLines(freed: readonly { engine: string; receipt: StopReceipt | null }[], look: Look): string[] {
  if (freed.length === 0) return ['No engine ran; nothing of ours holds memory.']
  return [
    ...freed.flatMap(({ engine, receipt }) =>
      receipt === null
        ? [line(look, `${plain(engine)}: stopped; it held nothing`)]
        : receiptLines(engine, receipt, look),
    ),
    'Requests do not start them again until you do: lexora start',
  ]
}

function gpuReportLines(gpu: GpuReport, look: Look): string[] {
  if (gpu.is === 'read') return gpuLines(gpu.gpus, look)
  return [gpu.is === 'unread' ? 'The GPUs have not answered yet.' : plain(gpu.reason)]
}

function holderLines(holders: readonly GpuHolderView[] | null, { width, paint }: Look): string[] {
  if (holders === null) return []
  if (holders.length === 0) return ['', 'Nobody is told to hold memory of it.']
  const columns: Column[] = [
    { title: 'HOLDS', align: 'right' },
    { title: 'PID', align: 'right' },
    { title: 'PROGRAM' },
    { title: 'ENGINE' },
  ]
  const rows = holders.map(({ pid, program, bytes: held, engine }) => [
    bytes(held),
    String(pid),
    plain(program),
    plain(engine ?? '-'),
  ])
  const [head = '', ...body] = table(columns, rows, width)
  return ['', paint('dim', head), ...body]
}

const LEVELS: Record<DoctorCheck['level'], [Tone, string]> = {
  ok: ['good', 'ok  '],
  warn: ['warn', 'warn'],
  fail: ['bad', 'FAIL'],
}

/** Nothing is cut here: a cause that ends in dots helps nobody. */
function doctorLines({ checks }: DoctorReport, { paint }: Look): string[] {
  const width = Math.max(...checks.map(({ about }) => about.length))
  const lines = checks.flatMap(({ about, level, says, fix }) => {
    const [tone, word] = LEVELS[level]
    const first = `${paint(tone, word)}  ${plain(about).padEnd(width)}  ${plain(says)}`
    return fix === null ? [first] : [first, `${' '.repeat(width + 8)}${plain(fix)}`]
  })
  const counted = (level: DoctorCheck['level']): number => checks.filter((check) => check.level === level).length
  const [fails, warns] = [counted('fail'), counted('warn')]
  if (fails > 0) return [...lines, '', paint('bad', `${fails} of ${checks.length} checks failed.`)]
  return [...lines, '', warns > 0 ? `Nothing failed; ${warns} to know of.` : 'All is well.']
}

function requestLines(requests: readonly RequestView[], { width, paint }: Look): string[] {
  if (requests.length === 0) return ['No request is in flight.']
  const columns: Column[] = [
    { title: 'AGE', align: 'right' },
    { title: 'PHASE' },
    { title: 'USER' },
    { title: 'CLIENT' },
    { title: 'MODEL' },
    { title: 'BACKEND' },
    { title: 'ENDPOINT' },
    { title: 'ID' },
  ]
  const rows = requests.map(({ app, phase, attempts, mostAttempts, ...request }) => [
    duration(request.ageMs),
    phaseWords(phase, attempts, mostAttempts),
    plain(request.user ?? 'anonymous'),
    plain(app ?? '-'),
    plain(request.model ?? '-'),
    plain(request.backend ?? '-'),
    request.stream ? `${request.endpoint} stream` : request.endpoint,
    request.id,
  ])
  const [head = '', ...body] = table(columns, rows, width)
  return [paint('dim', head), ...body]
}

/** In `backoff` the next try is told, else the one under way, from the second one on. */
function phaseWords(phase: RequestView['phase'], attempts: number, most: number): string {
  const current = phase === 'backoff' ? attempts + 1 : attempts
  return current > 1 ? `${phase}, try ${current} of ${most}` : phase
}
