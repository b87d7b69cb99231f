import { resolveBackends } from '../config/backends.ts'
import { displayName } from '../config/find-file.ts'
import { formatIssue } from '../config/issues.ts'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'
import { startRefusal, warnings } from '../config/warnings.ts'
import { hasListener, identifyHolder } from '../engine/ports.ts'
import type { Config } from '../protocol/config.ts'
import type { DoctorCheck, DoctorReport } from '../protocol/doctor.ts'
import type { EngineView } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { checkDisk, fail, ok, warn } from './doctor-checks.ts'
import { checkDesktop } from './doctor-desktop.ts'
import { checkEngines, checkOrphans } from './doctor-engines.ts'
import { checkGpus } from './doctor-gpus.ts'
import type { GpuDesk } from './gpu-desk.ts'
import { holdsMintedKeys } from './records.ts'

export type Patient = {
  machine: Machine
  flags: Readonly<Record<string, unknown>>
  configPath: string | undefined
  /** Of Node, as `24.1.0`. */
  node: string
  gpu: GpuDesk
  /** The Lexora that answers for itself; null: none runs. */
  running: { pid: number; address: string; engines: EngineView[]; reasons: string[] } | null
}

/** Looks at everything that a start needs and changes nothing. What is wrong comes with what to do. */
export async function diagnose(patient: Patient): Promise<DoctorReport> {
  const { machine, flags, configPath, running, gpu } = patient
  const loaded = loadConfig({ ...machine, flags, configPath })
  const paths = lexoraPaths(machine)
  const checks = [checkNode(patient.node), checkServer(patient), ...checkConfig(loaded, machine)]
  if (loaded.ok) {
    const { config } = loaded
    checks.push(...checkKeys(config, running !== null || holdsMintedKeys(paths.stateDir)))
    if (running === null) checks.push(await checkPort(config.server.port))
    checks.push(...(await checkGpus({ gpu, config, engines: running?.engines ?? [] })))
    checks.push(...(await checkEngines({ ...patient, config, paths })))
    checks.push(...checkOrphans({ paths, owned: running?.engines.map(({ name }) => name) ?? [] }))
  }
  checks.push(checkDisk(say('disk'), paths.stateDir), ...(await checkDesktop(machine)))
  for (const reason of running?.reasons ?? [])
    checks.push({ about: say('serving'), level: 'warn', says: reason, fix: null })
  return { running: running !== null, checks }
}

function checkNode(version: string): DoctorCheck {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 19)) return ok(say('node'), say`Node ${version}.`)
  return fail(say('node'), say`Node ${version} is too old.`, say('Install Node 24.'))
}

function checkServer({ running }: Patient): DoctorCheck {
  if (running !== null) return ok(say('lexora'), say`It runs at ${running.address} (pid ${running.pid}).`)
  return warn(say('lexora'), say('It does not run.'), say('Start it: lexora'))
}

function checkConfig(loaded: ReturnType<typeof loadConfig>, machine: Machine): DoctorCheck[] {
  if (!loaded.ok)
    return loaded.issues.map((issue) => fail(say('config'), formatIssue(issue), say('Correct it; nothing starts.')))
  const { issues, notes } = resolveBackends(loaded, machine.env)
  if (issues.length > 0)
    return issues.map((issue) => fail(say('config'), formatIssue(issue), say('Correct it; nothing starts.')))
  const said = [...loaded.notes, ...notes].map((note) => warn(say('config'), note, null))
  return [ok(say('config'), say`${nameOf(loaded, machine)} is valid.`), ...said]
}

function nameOf({ path }: LoadedConfig, { cwd }: Machine): string {
  return path === null ? say('The default configuration (there is no file)') : displayName(path, cwd)
}

/** Who may call, where more than this machine can. */
/** `minted`: keys of the store open a network as well. */
function checkKeys(config: Config, minted: boolean): DoctorCheck[] {
  const refusal = minted ? null : startRefusal(config)
  if (refusal !== null) return [fail(say('keys'), refusal, null)]
  const said = warnings(config).filter((text) => text !== startRefusal(config))
  if (said.length > 0) return said.map((text) => warn(say('keys'), text, null))
  if (minted && startRefusal(config) !== null)
    return [ok(say('keys'), say('Callers need one of the keys that Lexora minted.'))]
  const keys = config.auth.api_keys.length
  const who = [config.server.host].flat().join(', ')
  return [
    ok(
      say('keys'),
      keys > 0 ? say`Callers of ${who} need one of ${keys} keys.` : say`No key is needed, and only ${who} serves.`,
    ),
  ]
}

async function checkPort(port: number): Promise<DoctorCheck> {
  if (port === 0) return ok(say('port'), say('Any free port is taken.'))
  if (!(await hasListener(port))) return ok(say('port'), say`Port ${port} is free.`)
  const { pid, program } = await identifyHolder(port)
  const who = program === null ? say('another program') : say`${program} (pid ${pid})`
  return fail(say('port'), say`Port ${port} is held by ${who}.`, say`End that, or set another: --port ${port + 1}`)
}
