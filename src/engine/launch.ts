import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import type { Config } from '../protocol/config.ts'
import type { EngineFailure } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { failed } from './failed.ts'
import { usedVersion } from './versions.ts'

export type EngineConfig = Config['engines'][string]

/** How an engine is started: the words before its own, and what a person is told of it. */
export type Launch =
  | { via: 'path' | 'venv' | 'wsl' | 'node'; argv: string[]; said: string }
  | { via: 'docker'; argv: string[]; image: string; said: string }

export type LaunchWorld = {
  env: Readonly<Record<string, string | undefined>>
  platform: NodeJS.Platform
  home: string
  /** Node and the demo engine's program. */
  demo: string[]
  /** Where Lexora installs engines itself. */
  versions?: string
  /** Whether engines may fetch nothing: `privacy.offline`. */
  isOffline?: () => boolean
  /** Whether they may not ask the hub, for that or another reason. */
  isHubOff?: () => boolean
}

/** What an engine may fetch from elsewhere. */
export function fetchFacts({ isOffline, isHubOff }: LaunchWorld): { offline: boolean; isHubOff: boolean } {
  const offline = isOffline?.() ?? false
  return { offline, isHubOff: offline || (isHubOff?.() ?? false) }
}

type Found = { launch: Launch } | { failure: EngineFailure }

const PROGRAMS = { vllm: 'vllm', 'llama-server': 'llama-server' } as const

/** Finds what an engine is started with. `auto` takes the first that is there, and says where it looked if none is. */
export function findLaunch(config: EngineConfig, world: LaunchWorld): Found {
  if (config.kind === 'demo') return { launch: { via: 'node', argv: world.demo, said: say('built in') } }
  if (config.kind === 'embedded') {
    return {
      failure: failed('not_installed', say('This build of Lexora has no embedded engine.'), say('Use another `kind`.')),
    }
  }
  if (config.kind === 'command') {
    const fix = say('Set `executable` to the program.')
    if (config.executable === null) return { failure: failed('executable_missing', say('No program is named.'), fix) }
    return byName(config.executable, world)
  }
  if (config.kind === 'vllm' && config.launch !== 'auto') return byLaunch(config, world)
  if (config.executable !== null) return byName(config.executable, world)
  return config.kind === 'vllm' ? anyVllm(config, world) : byName(PROGRAMS[config.kind], world)
}

function byLaunch(config: EngineConfig, world: LaunchWorld): Found {
  if (config.launch === 'venv') return inOwnVenv(config, world)
  if (config.launch === 'docker') return inDocker(config, world)
  if (config.launch === 'wsl') return inWsl(config, world)
  return byName(config.executable ?? PROGRAMS.vllm, world)
}

function anyVllm(config: EngineConfig, world: LaunchWorld): Found {
  const tries: Found[] = []
  const ways = [
    ...(config.venv === null ? [] : [inOwnVenv]),
    ...(config.image === null ? [] : [inDocker]),
    ...(world.versions === undefined ? [] : [installed]),
    () => byName(PROGRAMS.vllm, world),
    () => byName(join(world.home, '.local', 'bin', PROGRAMS.vllm), world),
    ...(world.platform === 'win32' ? [inWsl] : []),
  ]
  for (const way of ways) {
    const found = way(config, world)
    if ('launch' in found) return found
    tries.push(found)
  }
  const looked = tries.flatMap((found) => ('failure' in found ? [found.failure.cause] : []))
  const failure = failed(
    'executable_missing',
    say('vLLM is not installed, as far as Lexora can see.'),
    say('Install it: `lexora engine install`. Or set `venv` to the folder of an environment that has it.'),
  )
  return { failure: { ...failure, lines: looked } }
}

/** The version that `lexora engine use` has chosen. */
function installed(_: EngineConfig, world: LaunchWorld): Found {
  const used = usedVersion(world.versions!)
  if (used === null) {
    return { failure: failed('executable_missing', say('Lexora has installed no vLLM itself.'), EXECUTABLE_FIX) }
  }
  const found = inVenv(join(used.path, 'venv'), world)
  return 'launch' in found ? { launch: { ...found.launch, said: say`installed by Lexora, ${used.version}` } } : found
}

function byName(name: string, world: LaunchWorld): Found {
  const isPath = isAbsolute(name) || name.includes('/') || name.includes('\\')
  const program = isPath ? name : findOnPath(name, world)
  if (program === null) {
    return { failure: failed('executable_missing', say`There is no program '${name}' on PATH.`, EXECUTABLE_FIX) }
  }
  const problem = problemWith(program)
  if (problem !== null) return { failure: problem }
  return { launch: { via: 'path', argv: [program], said: program } }
}

const EXECUTABLE_FIX = say('Install it, or set `executable` or `venv` to where it is.')

function inOwnVenv({ venv }: EngineConfig, world: LaunchWorld): Found {
  if (venv === null) return { failure: failed('executable_missing', say('No `venv` is named.'), EXECUTABLE_FIX) }
  return inVenv(venv, world)
}

function inVenv(venv: string, { platform }: LaunchWorld): Found {
  const program = platform === 'win32' ? join(venv, 'Scripts', 'vllm.exe') : join(venv, 'bin', 'vllm')
  const problem = problemWith(program)
  if (problem !== null) return { failure: problem }
  return { launch: { via: 'venv', argv: [program], said: `venv ${venv}` } }
}

function inDocker({ image }: EngineConfig, world: LaunchWorld): Found {
  if (image === null) {
    return { failure: failed('executable_missing', say('No container image is named.'), say('Set `image`.')) }
  }
  const docker = findOnPath('docker', world) ?? findOnPath('podman', world)
  if (docker === null) {
    return {
      failure: failed('executable_missing', say('There is neither docker nor podman on PATH.'), say('Install one.')),
    }
  }
  return { launch: { via: 'docker', argv: [docker], image, said: `docker ${image}` } }
}

function inWsl({ executable, venv }: EngineConfig, world: LaunchWorld): Found {
  const wsl = findOnPath('wsl.exe', world)
  if (wsl === null) {
    return {
      failure: failed('executable_missing', say('There is no wsl.exe on PATH.'), say('Install WSL: `wsl --install`.')),
    }
  }
  // Paths of the Linux inside, which this side cannot look at.
  const program = executable ?? (venv === null ? 'vllm' : `${venv}/bin/vllm`)
  return { launch: { via: 'wsl', argv: [wsl, program], said: `WSL ${program}` } }
}

/** Its whole path; null: there is none that may be executed. */
export function findOnPath(name: string, { env, platform }: Pick<LaunchWorld, 'env' | 'platform'>): string | null {
  const tails = platform === 'win32' ? ['', '.exe', '.cmd', '.bat'] : ['']
  for (const folder of (env['PATH'] ?? env['Path'] ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue
    for (const tail of tails) if (problemWith(join(folder, name + tail)) === null) return join(folder, name + tail)
  }
  return null
}

function problemWith(program: string): EngineFailure | null {
  try {
    if (!statSync(program).isFile()) {
      return failed('executable_bad', say`${program} is not a file.`, EXECUTABLE_FIX)
    }
    accessSync(program, constants.X_OK)
    return null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      return failed(
        'executable_bad',
        say`${program} may not be executed.`,
        say`Make it executable: chmod +x ${program}`,
      )
    }
    return failed('executable_missing', say`There is no ${program}.`, EXECUTABLE_FIX)
  }
}

/** The version by the package's own folder beside the program: `vllm --version` takes half a minute. */
export function installedVersion({ argv }: Launch): string | null {
  try {
    const root = dirname(dirname(realpathSync(argv[0]!)))
    const pythons = readdirSync(join(root, 'lib')).filter((name) => name.startsWith('python3'))
    for (const python of pythons) {
      const names = readdirSync(join(root, 'lib', python, 'site-packages'))
      const version = names.map((name) => /^vllm-(\d[^-]*)\.dist-info$/.exec(name)?.[1]).find(Boolean)
      if (version !== undefined) return version
    }
  } catch {
    // Not a Python environment: its log will tell.
  }
  return null
}
