import { join } from 'node:path'
import { hubCache, hubHost } from '../config/hub-cache.ts'
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
import { type EngineFailure, type EngineStateName, type EngineView, isComing, isServing } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
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
  const about = say`engine ${name}`
  // The demo engine is built in: its program is not looked for.
  const { offline, blocked } = given.config.privacy
  const isOffline = (): boolean => offline
  const isHubOff = (): boolean => offline || isBlocked(hubHost(machine.env) ?? '', blocked)
  const world = { ...machine, demo: [process.execPath], versions: versionsFolder(paths.stateDir), isOffline, isHubOff }
  const found = findLaunch(config, world)
  if ('failure' in found) return [failed(about, found.failure)]
  const { launch } = found
  const version = config.kind === 'vllm' ? installedVersion(launch) : null
  const checks = [
    ok(
      about,
      version === null
        ? say`It is started by ${launch.said}.`
        : say`It is started by ${launch.said}, version ${version}.`,
    ),
  ]
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
    checks.push(ok(about, say`It can start: port ${port} and memory are free.`))
    return [...checks, ...warnings.map((text) => warn(about, text, null))]
  }
  const { unfit } = report
  if (unfit.as !== 'foreign') return [...checks, failed(about, unfit.failure)]
  const { port, program, pid, models } = unfit.holder
  const who = pid === null ? say('another program') : say`${program ?? say('a program')} (pid ${pid})`
  const says =
    models === null
      ? say`Its port ${port} is held by ${who}.`
      : say`Its port ${port} is held by ${who}, which serves ${models.join(', ') || say('no model')}.`
  return [...checks, fail(about, says, say('End that, or set another `port`.'))]
}

function checkFiles(about: string, { kind, model }: EngineConfig, machine: Machine): DoctorCheck[] {
  if (model === null || (kind !== 'vllm' && kind !== 'llama-server')) return []
  const files = checkModel(model, kind, machine.env, machine.home)
  if (files.is === 'broken') return [failed(about, files.failure)]
  if (files.is === 'complete') {
    if (files.bytes === null) return [ok(about, say`The files of ${model} are whole.`)]
    const size = (files.bytes / 1024 ** 3).toFixed(1)
    return [ok(about, say`The files of ${model} are whole, ${size} GiB of weights.`)]
  }
  const { env, home } = machine
  const room = checkDisk(about, hubCache(env, home))
  const fetched = warn(about, say`${model} is not whole on this machine: its first start fetches it.`, null)
  return room.level === 'ok' ? [fetched] : [fetched, room]
}

/** Null: it does not run, and nothing went wrong. */
function checkView(about: string, { state, port }: EngineView): DoctorCheck | null {
  if (isServing(state))
    return state.is === 'degraded' ? warn(about, state.reason, null) : ok(about, say`It serves, port ${port}.`)
  if (state.is === 'backoff') return warn(about, say`It crashed: ${state.failure.cause}`, state.failure.fix)
  if (state.is === 'failed') return failed(about, state.failure)
  const says = state.is === 'stopped' && !isComing(state) ? undefined : STATES[state.is]
  return says === undefined ? null : ok(about, says)
}

const STATES: Partial<Record<EngineStateName, string>> = {
  preflight: say('It is preflight.'),
  starting: say('It is starting.'),
  draining: say('It is draining.'),
  stopping: say('It is stopping.'),
  sleeping: say('It is sleeping.'),
  stopped: say('It is stopped.'),
}

function failed(about: string, { cause, fix, lines, class: name }: EngineFailure): DoctorCheck {
  // Of a check the lines say where it looked, or who holds the memory; of a run they are its log.
  const isTold = ['executable_missing', 'vram_busy'].includes(name) && lines.length > 0
  return fail(about, isTold ? `${cause} (${lines.join('; ')})` : cause, fix)
}

/** Engines of earlier Lexoras that live on without one. `owned`: those of the Lexora that runs. */
export function checkOrphans({ paths, owned }: { paths: LexoraPaths; owned: readonly string[] }): DoctorCheck[] {
  const bootId = readBootId()
  const living = readRecords(join(paths.stateDir, 'engines')).flatMap(({ record }) => {
    const { marker, leader, members } = record
    if (record.bootId !== bootId || owned.includes(record.engine)) return []
    return livingFamily({ marker, leader, members }, true).length > 0 ? [record] : []
  })
  if (living.length === 0) return [ok(say('orphans'), say('No engine of an earlier Lexora is left.'))]
  return living.map(({ engine, leader }) =>
    warn(
      say('orphans'),
      leader === null
        ? say`The engine '${engine}' of an earlier Lexora lives.`
        : say`The engine '${engine}' of an earlier Lexora lives (pid ${leader.pid}).`,
      say('Start Lexora: it takes it over, or ends it where it is not configured any more.'),
    ),
  )
}
