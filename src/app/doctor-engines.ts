import { join } from 'node:path'
import { hubAddress, hubCache } from '../config/hub-cache.ts'
import type { LexoraPaths, Machine } from '../config/paths.ts'
import { livingFamily } from '../engine/family.ts'
import { type EngineConfig, findLaunch, installedVersion } from '../engine/launch.ts'
import { checkModel } from '../engine/model-files.ts'
import { preflight } from '../engine/preflight.ts'
import { readBootId } from '../engine/processes.ts'
import { readRecords } from '../engine/record.ts'
import { versionsFolder } from '../engine/versions.ts'
import { isBlocked } from '../protocol/blocked.ts'
import type { Config } from '../protocol/config.ts'
import type { DoctorCheck } from '../protocol/doctor.ts'
import { type EngineFailure, type EngineView, isComing, isServing } from '../protocol/engine.ts'
import { checkDisk, fail, ok, warn } from './doctor-checks.ts'
import type { GpuDesk } from './gpu-desk.ts'

type Given = {
  machine: Machine
  config: Config
  paths: LexoraPaths
  gpu: GpuDesk
  running: { engines: EngineView[] } | null
}

/** What each engine is started with, and whether it would start now; of one that runs, how it is. */
export async function checkEngines(given: Given): Promise<DoctorCheck[]> {
  const named = Object.entries(given.config.engines)
  const checked = await Promise.all(named.map(async ([name, config]) => await checkEngine(name, config, given)))
  return checked.flat()
}

async function checkEngine(name: string, config: EngineConfig, given: Given): Promise<DoctorCheck[]> {
  const { machine, gpu, paths, running } = given
  const about = `engine ${name}`
  // The demo engine is built in: its program is not looked for.
  const { offline, blocked } = given.config.privacy
  const isOffline = (): boolean => offline
  const isHubOff = (): boolean => offline || isBlocked(new URL(hubAddress(machine.env)).host, blocked)
  const world = { ...machine, demo: [process.execPath], versions: versionsFolder(paths.stateDir), isOffline, isHubOff }
  const found = findLaunch(config, world)
  if ('failure' in found) return [failed(about, found.failure)]
  const { launch } = found
  const version = config.kind === 'vllm' ? installedVersion(launch) : null
  const checks = [ok(about, `It is started by ${launch.said}${version === null ? '' : `, version ${version}`}.`)]
  checks.push(...checkFiles(about, config, machine))
  if (checks.some(({ level }) => level === 'fail')) return checks
  const view = running?.engines.find((one) => one.name === name)
  const live = view === undefined ? null : checkView(about, view)
  if (live !== null) return [...checks, live]
  const report = await preflight({
    config,
    world,
    gpu: gpu.source,
    cacheDir: paths.cacheDir,
    stateDir: paths.stateDir,
    onLaunch: () => undefined,
    // One look: what another program gives back in a moment is not waited for.
    signal: AbortSignal.abort(),
  })
  if ('value' in report) {
    const { port, warnings } = report.value
    checks.push(ok(about, `It can start: port ${port} and memory are free.`))
    return [...checks, ...warnings.map((text) => warn(about, text, null))]
  }
  const { unfit } = report
  if (unfit.as !== 'foreign') return [...checks, failed(about, unfit.failure)]
  const { port, program, pid, models } = unfit.holder
  const who = pid === null ? 'another program' : `${program ?? 'a program'} (pid ${pid})`
  const serves = models === null ? '' : `, which serves ${models.join(', ') || 'no model'}`
  return [...checks, fail(about, `Its port ${port} is held by ${who}${serves}.`, 'End that, or set another `port`.')]
}

function checkFiles(about: string, { kind, model }: EngineConfig, machine: Machine): DoctorCheck[] {
  if (model === null || (kind !== 'vllm' && kind !== 'llama-server')) return []
  const files = checkModel(model, kind, machine.env, machine.home)
  if (files.is === 'broken') return [failed(about, files.failure)]
  if (files.is === 'complete') {
    const size = files.bytes === null ? '' : `, ${(files.bytes / 1024 ** 3).toFixed(1)} GiB of weights`
    return [ok(about, `The files of ${model} are whole${size}.`)]
  }
  const { env, home } = machine
  const room = checkDisk(about, hubCache(env, home))
  const fetched = warn(about, `${model} is not whole on this machine: its first start fetches it.`, null)
  return room.level === 'ok' ? [fetched] : [fetched, room]
}

/** Null: it does not run, and nothing went wrong. */
function checkView(about: string, { state, port }: EngineView): DoctorCheck | null {
  if (isServing(state))
    return state.is === 'degraded' ? warn(about, state.reason, null) : ok(about, `It serves, port ${port}.`)
  if (state.is === 'backoff') return warn(about, `It crashed: ${state.failure.cause}`, state.failure.fix)
  if (state.is === 'failed') return failed(about, state.failure)
  return isComing(state) || state.is === 'draining' || state.is === 'stopping' || state.is === 'sleeping'
    ? ok(about, `It is ${state.is}.`)
    : null
}

function failed(about: string, { cause, fix, lines, class: name }: EngineFailure): DoctorCheck {
  // Of a check the lines say where it looked, or who holds the memory; of a run they are its log.
  const more = ['executable_missing', 'vram_busy'].includes(name) && lines.length > 0 ? ` (${lines.join('; ')})` : ''
  return fail(about, `${cause}${more}`, fix)
}

/** Engines of earlier Lexoras that live on without one. `owned`: those of the Lexora that runs. */
export function checkOrphans({ paths, owned }: { paths: LexoraPaths; owned: readonly string[] }): DoctorCheck[] {
  const bootId = readBootId()
  const living = readRecords(join(paths.stateDir, 'engines')).flatMap(({ record }) => {
    const { marker, leader, members } = record
    if (record.bootId !== bootId || owned.includes(record.engine)) return []
    return livingFamily({ marker, leader, members }, true).length > 0 ? [record] : []
  })
  if (living.length === 0) return [ok('orphans', 'No engine of an earlier Lexora is left.')]
  return living.map(({ engine, leader }) =>
    warn(
      'orphans',
      `The engine '${engine}' of an earlier Lexora lives${leader === null ? '' : ` (pid ${leader.pid})`}.`,
      'Start Lexora: it takes it over, or ends it where it is not configured any more.',
    ),
  )
}
