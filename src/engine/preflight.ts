import { statfsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { PreflightFailure } from '../policy/engine-state-machine.ts'
import type { EngineFailure } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { memoryShare } from './command-line.ts'
import { knownOptions } from './engine-help.ts'
import { reservedOptions, unknownOptions } from './engine-options.ts'
import { failed } from './failed.ts'
import { type EngineConfig, findLaunch, installedVersion, type Launch, type LaunchWorld } from './launch.ts'
import { gpuCount, modelOf, ownShare, weightsNeed } from './memory-needs.ts'
import type { ModelFiles } from './model-files.ts'
import { freePort, hasListener, identifyHolder } from './ports.ts'

/** What the supervisor needs of the GPU monitor. */
export type GpuSource = {
  /** Figures of now; null where this machine has no GPU that tells. */
  sample: () => Promise<GpuMemory[] | null>
  who: () => Promise<{ pid: number; program: string; bytes: number | null }[]>
}

export type GpuMemory = {
  index: number
  id: string | null
  name: string
  totalBytes: number | null
  usedBytes: number | null
  freeBytes: number | null
}

/** What the checks found out on their way. */
export type Fitness = {
  launch: Launch
  version: string | null
  flags: ReadonlySet<string> | null
  port: number
  model: ModelFiles | null
  /** Of the fullest GPU that it will use. */
  gpu: { totalBytes: number; freeBytes: number } | null
  gpuNames: string
  /** Of all GPUs, before it takes any. */
  usedBytes: number | null
  warnings: string[]
}

export type PreflightOptions = {
  config: EngineConfig
  world: LaunchWorld
  gpu: GpuSource
  cacheDir: string
  stateDir: string
  /** Told of the launch as soon as it is known. */
  onLaunch: (launch: Launch, version: string | null) => void
  signal: AbortSignal
}

type Checked<Value> = { value: Value } | { unfit: PreflightFailure }

const GIB = 1024 ** 3
const MIN_DISK_BYTES = GIB
/** Memory comes back some seconds after its owner is gone. */
const SETTLE_TRIES = 8
const SETTLE_MS = 700

/** Everything that can be known to be wrong before anything is started; the first thing that is, with what to do. */
export async function preflight(options: PreflightOptions): Promise<Checked<Fitness>> {
  const { config, world, gpu } = options
  const found = findLaunch(config, world)
  if ('failure' in found) return { unfit: { as: 'not-installed', failure: found.failure } }
  const { launch } = found
  const version = config.kind === 'vllm' ? installedVersion(launch) : null
  options.onLaunch(launch, version)
  const model = modelOf(config, world)
  const wrong = argumentProblem(config) ?? modelProblem(config, model, world) ?? diskProblem(options)
  if (wrong !== null) return unfit(wrong)
  const flags = await flagsOf(options, launch)
  const [unknown] = optionProblems(config, flags)
  if (unknown !== undefined) return unfit(unknown)
  const port = await portFor(config.port)
  if ('unfit' in port) return port
  const memory = await memoryFor(config, gpu, model, options.signal)
  if ('unfit' in memory) return memory
  const warnings =
    flags === null && launch.via === 'path' ? [say('Its options could not be checked against its help.')] : []
  return { value: { launch, version, flags, port: port.value, model, warnings, ...memory.value } }
}

function unfit(failure: EngineFailure): { unfit: PreflightFailure } {
  return { unfit: { as: 'failed', failure } }
}

/** Whatever is wrong with its options, as far as the version that was found told which it knows. */
export function optionProblems(config: EngineConfig, flags: ReadonlySet<string> | null): EngineFailure[] {
  const reserved = reservedOptions(config).map((name) => {
    const instead = name === 'port' ? say('Set `port` of the engine instead.') : say`Remove \`args.${name}\`.`
    return failed('bad_args', say`\`${name}\` is set by Lexora itself.`, instead, {
      change: { [`args.${name}`]: null },
    })
  })
  const unknown = flags === null ? [] : unknownOptions(config.args, flags)
  return [...reserved, ...unknown.map(unknownProblem)]
}

function argumentProblem(config: EngineConfig): EngineFailure | null {
  const [reserved] = optionProblems(config, null)
  if (reserved !== undefined) return reserved
  if (config.model === null && (config.kind === 'vllm' || config.kind === 'llama-server')) {
    return failed(
      'model_missing',
      say('No model is named.'),
      say('Set `model` to a hub repository, a folder or a GGUF file.'),
    )
  }
  return null
}

function modelProblem(config: EngineConfig, model: ModelFiles | null, world: LaunchWorld): EngineFailure | null {
  if (model?.is === 'broken') return model.failure
  // What llama-server has fetched before only it knows.
  if (model?.is !== 'to-fetch' || config.kind !== 'vllm') return null
  const isOffline = world.isOffline?.() === true
  if (!isOffline && !world.isHubOff?.()) return null
  return isOffline
    ? failed(
        'model_missing',
        say`${config.model} is not whole on this machine, and Lexora works offline.`,
        say('Set `privacy.offline: false`, and fetch it: `lexora pull`.'),
      )
    : failed(
        'model_missing',
        say`${config.model} is not whole on this machine, and its hub is blocked.`,
        say('Let the hub in again (`lexora outbound`), and fetch it: `lexora pull`.'),
      )
}

function unknownProblem({ name, nearest }: ReturnType<typeof unknownOptions>[number]): EngineFailure {
  const fix =
    nearest === null ? say`Remove \`args.${name}\`.` : say`Did you mean \`${nearest}\`? Else remove \`args.${name}\`.`
  const cause = say`The installed version does not know the option \`${name}\`.`
  return failed('bad_args', cause, fix, { change: { [`args.${name}`]: null } })
}

async function flagsOf({ config, cacheDir, world, signal }: PreflightOptions, launch: Launch) {
  if (config.kind !== 'vllm' && config.kind !== 'llama-server') return null
  return await knownOptions(launch, config.kind, cacheDir, world.env, signal)
}

function diskProblem({ stateDir }: PreflightOptions): EngineFailure | null {
  try {
    const { bavail, bsize } = statfsSync(stateDir)
    const free = bavail * bsize
    if (free >= MIN_DISK_BYTES) return null
    const cause = say`Only ${Math.round(free / 1024 ** 2)} MiB are free on the disk of ${stateDir}.`
    return failed('disk', cause, say('Make room there.'))
  } catch {
    return null
  }
}

async function portFor(wanted: number): Promise<Checked<number>> {
  if (wanted === 0) return { value: await freePort() }
  if (!(await hasListener(wanted))) return { value: wanted }
  return { unfit: { as: 'foreign', holder: await identifyHolder(wanted) } }
}

type Memory = Pick<Fitness, 'gpu' | 'gpuNames' | 'usedBytes'>

async function memoryFor(
  config: EngineConfig,
  source: GpuSource,
  model: ModelFiles | null,
  signal: AbortSignal,
): Promise<Checked<Memory>> {
  for (let tries = 1; ; tries++) {
    const gpus = (await source.sample()) ?? []
    const memory = memoryOf(config, gpus)
    const problem = config.kind === 'vllm' ? memoryProblem(config, memory.gpu, model) : null
    if (problem === null) return { value: memory }
    if (tries >= SETTLE_TRIES || signal.aborted || problem.class === 'weights_too_big') {
      return unfit({ ...problem, lines: (await source.who()).map(holderLine) })
    }
    await pause(SETTLE_MS)
  }
}

function holderLine({ pid, program, bytes }: { pid: number; program: string; bytes: number | null }): string {
  return bytes === null
    ? say`some memory: ${program} (pid ${pid})`
    : `${(bytes / GIB).toFixed(1)} GiB: ${program} (pid ${pid})`
}

/** Those that it may use, or as many of the first ones as it asks for. */
export function memoryOf({ gpus: chosen, args }: EngineConfig, gpus: readonly GpuMemory[]): Memory {
  const isChosen = ({ index, id }: GpuMemory): boolean => chosen.some((one) => one === index || one === id)
  const used = chosen.length > 0 ? gpus.filter(isChosen) : gpus.slice(0, gpuCount(args))
  const sizes = used.flatMap(({ totalBytes, freeBytes }) =>
    totalBytes === null || freeBytes === null ? [] : [{ totalBytes, freeBytes }],
  )
  const gpu = sizes.toSorted((one, other) => one.freeBytes - other.freeBytes)[0] ?? null
  const total = gpus.reduce<number | null>(
    (sum, { usedBytes }) => (sum === null || usedBytes === null ? null : sum + usedBytes),
    0,
  )
  return { gpu, gpuNames: used.map(({ name }) => name).join(', '), usedBytes: gpus.length > 0 ? total : null }
}

/** Only what is sure to fail: less than the share that vLLM is told to take, or than the weights alone need. */
function memoryProblem(config: EngineConfig, memory: Memory['gpu'], model: ModelFiles | null): EngineFailure | null {
  const { args } = config
  if (memory === null || args['kv-cache-memory-bytes'] !== undefined) return null
  const { totalBytes, freeBytes } = memory
  const [free, total] = [freeBytes, totalBytes].map((bytes) => (bytes / GIB).toFixed(1))
  const own = ownShare(args)
  if (own !== null && own * totalBytes > freeBytes) {
    const share = Number((Math.floor((100 * freeBytes) / totalBytes) / 100 - 0.02).toFixed(2))
    const cause = say`Others hold memory of the GPU: ${free} of ${total} GiB are free, and a share of ${own} is asked for.`
    if (share < 0.1) return failed('vram_busy', cause, say('Close what holds it (`lexora gpu --who`).'))
    const change = { 'args.gpu-memory-utilization': share }
    return failed('vram_busy', cause, say`Set gpu-memory-utilization to ${share}, or close what holds it.`, { change })
  }
  const needs = weightsNeed(config, model)
  if (needs === null) return null
  const weights = (needs / GIB).toFixed(1)
  if (needs > totalBytes) {
    const fix = say('Choose a smaller or stronger quantised model, or use more GPUs (tensor-parallel-size).')
    return failed('weights_too_big', say`The weights need ${weights} GiB of the GPU, which has ${total} GiB.`, fix)
  }
  if (needs <= (own === null ? memoryShare(memory, config) * totalBytes : freeBytes)) return null
  const reserve = config.gpu_reserve_mb
  if (own === null && reserve !== null && needs <= memoryShare(memory) * totalBytes) {
    const cause = say`The weights need ${weights} GiB of the GPU, and ${reserve} MB of its ${total} GiB are to stay free.`
    return failed('vram_busy', cause, say('Lower `gpu_reserve_mb`.'), { change: { gpu_reserve_mb: null } })
  }
  const cause = say`The weights need ${weights} GiB of the GPU, and ${free} of ${total} GiB are free.`
  return failed('vram_busy', cause, say('Close what holds the rest (`lexora gpu --who`).'))
}
