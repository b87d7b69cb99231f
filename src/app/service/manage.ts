import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { posix } from 'node:path'
import { lexoraPaths, type Machine } from '../../config/paths.ts'
import { writeWhole } from '../../config/write.ts'
import { launchdPlan } from './launchd.ts'
import { SERVICE, type ServicePlan, type ServiceProgram, type ServiceScope, type Step } from './plan.ts'
import { systemdPlan } from './systemd.ts'
import { windowsPlan } from './windows-task.ts'

/** What a service is asked to be. */
export type ServiceAsked = {
  scope: ServiceScope
  configPath: string | null
  runAs: string | null
  wants: readonly string[]
}

/** What is needed of the machine. `run` answers the exit code and what was printed. */
export type ServiceWorld = Machine & {
  node: string
  entry: string
  uid: number
  run: (argv: readonly string[]) => { code: number; output: string }
}

export type ServiceResult = { ok: boolean; lines: string[] }

/** How it would be done here; a text says why it cannot be. */
export function servicePlan(asked: ServiceAsked, world: ServiceWorld): ServicePlan | string {
  const { platform, env, home, uid } = world
  if (asked.scope === 'system' && platform === 'linux' && asked.runAs === null)
    return 'a service of the whole machine runs as a plain user: say which, with --run-as USER'
  if (asked.runAs === 'root') return 'it need not run as root, and does not: choose another user for --run-as'
  const program = programOf(asked, world)
  switch (platform) {
    case 'linux': {
      const configDir = env.XDG_CONFIG_HOME || posix.join(home, '.config')
      return systemdPlan(program, asked.scope, configDir)
    }
    case 'darwin':
      return launchdPlan(program, asked.scope, home, uid)
    case 'win32':
      return windowsPlan(program, asked.scope)
    default:
      return `services of ${platform} are not known here; run \`lexora --no-ui\` by what starts programs there`
  }
}

/** Writes its file, and has the system read and start it. */
export function installService(asked: ServiceAsked, world: ServiceWorld): ServiceResult {
  const plan = servicePlan(asked, world)
  if (typeof plan === 'string') return { ok: false, lines: [plan] }
  try {
    writeWhole(plan.path, plan.text)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error)
    const how = asked.scope === 'system' ? ' Run it as an administrator, or install it for this user: --user.' : ''
    return { ok: false, lines: [`${plan.path} cannot be written (${why}).${how}`] }
  }
  const failure = runSteps(plan.install, world)
  if (failure !== null) return { ok: false, lines: [`Written: ${plan.path}`, failure] }
  return { ok: true, lines: [`Installed and started: ${plan.path}`, ...lingering(asked, world)] }
}

/** Stops it and takes its file away; configuration, users, keys, history and models stay. */
export function uninstallService(asked: ServiceAsked, world: ServiceWorld): ServiceResult {
  const plan = servicePlan({ ...asked, runAs: asked.runAs ?? 'nobody' }, world)
  if (typeof plan === 'string') return { ok: false, lines: [plan] }
  if (!existsSync(plan.path)) return { ok: true, lines: [`There is no service at ${plan.path}.`] }
  const [stop, ...rest] = plan.uninstall
  runSteps([stop!], world)
  rmSync(plan.path, { force: true })
  const failure = runSteps(rest, world)
  if (failure !== null) return { ok: false, lines: [failure] }
  return { ok: true, lines: [`Removed: ${plan.path}`, `Your data stays: ${dataOf(asked, world)}`] }
}

export function serviceStatus(asked: ServiceAsked, world: ServiceWorld): ServiceResult {
  const plan = servicePlan({ ...asked, runAs: asked.runAs ?? 'nobody' }, world)
  if (typeof plan === 'string') return { ok: false, lines: [plan] }
  if (!existsSync(plan.path)) return { ok: false, lines: [`Not installed: there is no ${plan.path}`] }
  const { code, output } = world.run(plan.status.argv)
  const said = output.trim().split('\n')[0] ?? ''
  return { ok: code === 0, lines: [`Installed: ${plan.path}`, `State: ${said || (code === 0 ? 'known' : 'unknown')}`] }
}

/** Runs a program to its end, within half a minute. */
export function runProgram(argv: readonly string[]): { code: number; output: string } {
  const [command = '', ...rest] = argv
  const { status, stdout, stderr, error } = spawnSync(command, rest, { encoding: 'utf8', timeout: 30_000 })
  if (error !== undefined) return { code: 127, output: `${command}: ${(error as NodeJS.ErrnoException).code}` }
  return { code: status ?? 1, output: `${stdout}${stderr}` }
}

/** Null: all went well. */
function runSteps(steps: readonly Step[], { run }: ServiceWorld): string | null {
  for (const { argv, mayFail } of steps) {
    const { code, output } = run(argv)
    if (code !== 0 && mayFail !== true) return `${argv.join(' ')} failed (${code}): ${output.trim()}`
  }
  return null
}

function programOf({ scope, configPath, runAs, wants }: ServiceAsked, world: ServiceWorld): ServiceProgram {
  const { node, entry, env, platform } = world
  const { logDir } = lexoraPaths(world)
  const shared = scope === 'system' && platform === 'linux' ? `/var/lib/${SERVICE}` : null
  return { node, entry, home: env.LEXORA_HOME || shared, logDir, configPath, runAs, wants }
}

function dataOf(asked: ServiceAsked, world: ServiceWorld): string {
  return programOf(asked, world).home ?? posix.dirname(lexoraPaths(world).runFile)
}

/** A user's services end with his last session, unless he lingers. */
function lingering({ scope }: ServiceAsked, { platform, env }: ServiceWorld): string[] {
  if (scope !== 'user' || platform !== 'linux') return []
  return [`To have it run while you are not logged in: loginctl enable-linger ${env.USER ?? ''}`.trimEnd()]
}
