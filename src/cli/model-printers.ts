import {
  type BenchReport,
  type DiskView,
  type EngineVersions,
  type FitReport,
  type HubView,
  type InstallView,
  isPullOpen,
  type ModelFilesReport,
  type ModelList,
  type ModelView,
  type OfferedVersions,
  type PresetView,
  type PullView,
  type VerifyReport,
} from '../protocol/models.ts'
import { bytes, type Column, count, duration, plain, table } from './format.ts'
import { type Look, line } from './status-view.ts'

/** What the commands for models and installed engines print for people. */
export const MODEL_PRINTERS = {
  listModels: ({ models, disk }: ModelList, look: Look) => [...modelTable(models, look), ...diskLine(disk)],
  scanModels: ({ models, disk }: ModelList, look: Look) => [...modelTable(models, look), ...diskLine(disk)],
  modelFiles: fileLines,
  verifyModel: verifyLines,
  removeModel: ({ model, freedBytes, path }: { model: string; freedBytes: number; path: string }) => [
    `${plain(model)}: removed, ${bytes(freedBytes)} are free again (${plain(path)}).`,
  ],
  pullModel: (view: PullView, look: Look) => pullEnd(view, look),
  listPulls: ({ pulls }: { pulls: PullView[] }, look: Look) => pullTable(pulls, look),
  pausePull: (view: PullView, look: Look) => pullEnd(view, look),
  resumePull: (view: PullView, look: Look) => pullEnd(view, look),
  cancelPull: (view: PullView, look: Look) => pullEnd(view, look),
  hub: hubLines,
  setHubToken: hubLines,
  forgetHubToken: hubLines,
  fitModel: fitLines,
  presets: ({ presets }: { presets: PresetView[] }, look: Look) => presetTable(presets, look),
  offeredEngines: offeredLines,
  engineVersions: versionLines,
  installEngine: (view: InstallView, look: Look) => installEnd(view, look),
  useEngine: versionLines,
  rollbackEngine: versionLines,
  bench: benchLines,
}

function hubLines({ address, token, tokenFile }: HubView): string[] {
  const shown = token === null ? 'No token is shown there.' : `It is shown the token of ${plain(token.from)}.`
  const way = token === null ? [`Keep one in ${plain(tokenFile)}: lexora hub token TOKEN`] : []
  return [`Models are fetched from ${plain(address)}. ${shown}`, ...way]
}

function diskLine(disk: DiskView | null): string[] {
  return disk === null
    ? []
    : [`${bytes(disk.freeBytes)} of ${bytes(disk.totalBytes)} are free on the disk of ${plain(disk.folder)}`]
}

function modelTable(models: readonly ModelView[], look: Look): string[] {
  if (models.length === 0) {
    return [
      'No model is here yet.',
      'Some to begin with: lexora models presets',
      'Fetch one: lexora pull Qwen/Qwen3-8B',
    ]
  }
  const columns: Column[] = [
    { title: 'MODEL' },
    { title: 'KIND' },
    { title: 'FORMAT' },
    { title: 'QUANT' },
    { title: 'PARAMS', align: 'right' },
    { title: 'CONTEXT', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'STATE' },
    { title: 'USED BY' },
  ]
  const rows = models.map((model) => [
    plain(model.id),
    model.kind,
    model.format,
    plain(model.quantization ?? model.dtype ?? '-'),
    parameters(model.parameters),
    model.contextLength === null ? '-' : count(model.contextLength),
    bytes(model.bytes),
    model.complete ? 'whole' : 'not whole',
    plain(model.usedBy.join(', ') || '-'),
  ])
  const broken = models.filter(({ complete }) => !complete)
  return [
    ...headed(columns, rows, look),
    ...broken.map(({ id, missing }) => line(look, ['warn', `${plain(id)} lacks ${plain(some(missing))}`])),
  ]
}

function parameters(value: number | null): string {
  if (value === null) return '-'
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)}B` : `${Math.round(value / 1e6)}M`
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 3).join(', ')}${names.length > 3 ? `, and ${names.length - 3} more` : ''}`
}

const FILE_STATES = { unread: 'not verified', whole: 'whole', bad: 'BAD', missing: 'MISSING' }

function fileLines({ model, path, revision, files }: ModelFilesReport, look: Look): string[] {
  const columns: Column[] = [{ title: 'FILE' }, { title: 'SIZE', align: 'right' }, { title: 'STATE' }, { title: '' }]
  const rows = files.map(({ name, bytes: size, state, hashed, why }) => [
    plain(name),
    size === null ? '-' : bytes(size),
    FILE_STATES[state],
    why !== null ? plain(why) : state !== 'whole' ? '' : hashed ? 'by its hash' : 'by its structure',
  ])
  const at = revision === null ? '' : ` at ${plain(revision)}`
  return [`${plain(model)}${at}, in ${plain(path)}`, ...headed(columns, rows, look)]
}

function verifyLines({ model, files, bytes: size, hashed, problems }: VerifyReport, look: Look): string[] {
  const how = hashed === files ? 'every hash is right' : `${hashed} compared by hash, the others by their structure`
  if (files + problems.length === 0) return [`${plain(model)}: nothing tells whether its files are whole.`]
  if (problems.length === 0) return [`${plain(model)}: ${count(files)} files, ${bytes(size)}; ${how}.`]
  return [
    ...problems.map(({ file, why }) => line(look, ['bad', `${plain(file)} ${plain(why)}`])),
    `${plain(model)}: ${problems.length} of its files are of no use. Remove it and fetch it again: lexora models rm, lexora pull`,
  ]
}

const PULL_WORDS: Record<PullView['state'], string> = {
  queued: 'waits for its turn',
  running: 'comes',
  verifying: 'is checked',
  done: 'is here',
  failed: 'failed',
  cancelled: 'was cancelled; what has come stays for the next try',
  paused: 'waits for the hub',
  held: 'is paused',
}

/** One line of how a pull gets on. */
export function pullLine({ repo, state, bytes: have, total, bytesPerSecond, etaSeconds, problem }: PullView): string {
  const share = total === null || total === 0 ? '' : `  ${Math.floor((100 * have) / total)} %`
  const size = total === null ? '' : `  ${bytes(have)} of ${bytes(total)}`
  const rate = bytesPerSecond === null ? '' : `  ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
  const left = etaSeconds === null ? '' : `  ${duration(etaSeconds * 1000)} left`
  const why = problem === null ? '' : `  ${plain(problem.cause)}`
  return `${plain(repo)}: ${PULL_WORDS[state]}${share}${size}${rate}${left}${why}`
}

function pullEnd(view: PullView, look: Look): string[] {
  const { id, repo, state, problem } = view
  if (state === 'done')
    return [line(look, ['good', `${pullLine(view)}`]), `See whether it fits: lexora fit ${plain(repo)}`]
  if ((state === 'failed' || state === 'held') && problem !== null) {
    const fix = problem.fix === null ? [] : [`  ${plain(problem.fix)}`]
    const on =
      state === 'held' ? [`It is paused. To go on: pull it again, or where Lexora runs: lexora pulls resume ${id}`] : []
    return [line(look, ['bad', `${plain(repo)}: ${plain(problem.cause)}`]), ...fix, ...on]
  }
  if (state === 'held') return [pullLine(view), `To go on: lexora pulls resume ${id}`]
  const ways = `It goes on in Lexora: lexora pulls. To end it: lexora pulls cancel ${id}`
  return [pullLine(view), ...(isPullOpen(view) ? [ways] : [])]
}

function pullTable(pulls: readonly PullView[], look: Look): string[] {
  if (pulls.length === 0) return ['Nothing is on its way here.']
  return pulls.flatMap((view) => [
    line(look, `${view.id}  ${pullLine(view)}`),
    ...(view.problem?.fix == null ? [] : [line(look, ['dim', `  ${plain(view.problem.fix)}`])]),
  ])
}

function fitLines(report: FitReport, look: Look): string[] {
  const { model, gpu, share, fits, neededBytes, context, longestContext, sequences, parts, measured, advice } = report
  const where =
    gpu === null
      ? 'the free memory of this machine'
      : `${plain(gpu.names.join(', '))}, ${bytes(gpu.freeBytes)} of ${bytes(gpu.totalBytes)} free`
  const width = Math.max(...parts.map(({ name }) => name.length))
  const rows = parts.map(({ name, bytes: size, how }) => `  ${name.padEnd(width)}  ${bytes(size).padStart(9)}  ${how}`)
  const verdict = fits ? 'fits' : 'does not fit'
  const more = fits
    ? [
        `Longest context ${count(longestContext)} tokens; ${count(sequences)} ${sequences === 1 ? 'request' : 'requests'} of ${count(context)} tokens at once.`,
      ]
    : []
  const error =
    measured === null
      ? []
      : [`By the start of ${measured.at}; the estimate alone was off by ${(100 * measured.errorRatio).toFixed(1)} %.`]
  return [
    line(look, [
      fits ? 'good' : 'bad',
      `${plain(model)} ${verdict}: ${bytes(neededBytes)} for ${count(context)} tokens, on ${where}`,
    ]),
    ...rows.map((row) => line(look, row)),
    ...(share === null ? [] : [`It may take ${Math.round(100 * share)} % of the GPU (gpu-memory-utilization).`]),
    ...more,
    ...error,
    ...(measured === null ? ['This is an estimate (about 10 %); the first start measures it.'] : []),
    ...advice.map((text) => line(look, ['warn', plain(text)])),
  ]
}

function presetTable(presets: readonly PresetView[], look: Look): string[] {
  if (presets.length === 0) return ['There is no table of presets (resources/models.yaml).']
  const columns: Column[] = [
    { title: 'MODEL' },
    { title: 'KIND' },
    { title: 'SIZE', align: 'right' },
    { title: 'CONTEXT', align: 'right' },
    { title: 'GPU FROM', align: 'right' },
    { title: 'LICENCE' },
    { title: 'HERE' },
    { title: 'NOTE' },
  ]
  const rows = presets.map((one) => [
    one.repo,
    one.kind,
    bytes(one.bytes),
    count(one.context),
    bytes(one.minVramBytes),
    one.license,
    one.installed ? 'yes' : '-',
    one.note,
  ])
  return [...headed(columns, rows, look), '', 'Fetch one: lexora pull MODEL']
}

function offeredLines({ index, versions }: OfferedVersions, look: Look): string[] {
  if (versions.length === 0) return [`${plain(index)} has no release of vLLM.`]
  const columns: Column[] = [{ title: 'VERSION' }, { title: 'PUBLISHED' }, { title: 'INSTALLED' }]
  const rows = versions.map(({ version, at, installed }) => [version, at?.slice(0, 10) ?? '-', installed ? 'yes' : '-'])
  return [
    `As ${plain(index)} has them:`,
    ...table(columns, rows, look.width),
    '',
    'Install one: lexora engine install VERSION',
  ]
}

function versionLines({ versions, used, previous, install, folder, onPath }: EngineVersions, look: Look): string[] {
  const under = install !== null && install.phase !== 'done' ? [installLine(install)] : []
  const other = onPath === null ? [] : [`vLLM on PATH: ${plain(onPath)}`]
  if (versions.length === 0)
    return [
      ...under,
      'Lexora has installed no vLLM. Install it: lexora engine install',
      `It would lie in ${plain(folder)}.`,
      ...other,
    ]
  const columns: Column[] = [
    { title: 'VERSION' },
    { title: 'PACKAGE' },
    { title: 'SIZE', align: 'right' },
    { title: 'INSTALLED' },
    { title: 'USED' },
  ]
  const rows = versions.map((one) => [
    one.version,
    one.package,
    bytes(one.bytes),
    one.installedAt,
    one.used ? 'yes' : '-',
  ])
  const back = previous === null ? [] : [`Back to ${previous}: lexora engine rollback`]
  const none = used === null ? ['None of them is used: lexora engine use VERSION'] : []
  return [...under, ...headed(columns, rows, look), ...none, ...back, ...other]
}

const PHASES: Record<InstallView['phase'], string> = {
  checking: 'looking at what is there',
  environment: 'making an environment',
  fetching: 'fetching packages',
  trying: 'trying it',
  done: 'installed, and used from the next start on',
  failed: 'failed',
}

/** One line of how an installation gets on. */
export function installLine({ version, package: name, phase, line: said, seconds }: InstallView): string {
  return `${name} ${plain(version)}: ${PHASES[phase]}, ${duration(seconds * 1000)}${said === null ? '' : `  ${plain(said)}`}`
}

/** What it takes, before it begins. */
export function installNeeds({ needsBytes, freeBytes }: InstallView): string {
  return `It takes about ${bytes(needsBytes)} on the disk; ${bytes(freeBytes)} are free.`
}

function installEnd(view: InstallView, look: Look): string[] {
  const { phase, problem } = view
  if (phase === 'failed' && problem !== null) {
    const fix = problem.fix === null ? [] : [`  ${plain(problem.fix)}`]
    return [line(look, ['bad', `vLLM was not installed: ${plain(problem.cause)}`]), ...fix]
  }
  if (phase === 'done') return [line(look, ['good', installLine({ ...view, line: null })])]
  return [installNeeds(view), installLine(view), 'It goes on in Lexora: lexora engine list']
}

function benchLines(report: BenchReport, look: Look): string[] {
  const { model, requests, concurrency, tokens, prompt, errors, error, seconds, ttftMs } = report
  const head = `${plain(model)}: ${requests} prompts of about ${prompt} tokens, each answered with ${tokens}, ${concurrency} at once, ${seconds.toFixed(1)} s`
  const failed = errors === 0 ? [] : [line(look, ['bad', `${errors} failed: ${plain(error ?? '')}`])]
  if (ttftMs === null) return [head, ...failed]
  const rows = [
    ['first token, p50', `${count(ttftMs.p50)} ms`],
    ['first token, p95', `${count(ttftMs.p95)} ms`],
    ['tokens/s of a stream', report.tokensPerSecondPerStream?.toFixed(1) ?? '-'],
    ['tokens/s in all', report.tokensPerSecond.toFixed(1)],
  ]
  return [head, ...table([{ title: '' }, { title: '', align: 'right' }], rows, look.width).slice(1), ...failed]
}

function headed(columns: readonly Column[], rows: readonly (readonly string[])[], { width, paint }: Look): string[] {
  const [head = '', ...body] = table(columns, rows, width)
  return [paint('dim', head), ...body]
}
