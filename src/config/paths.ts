import { mkdirSync } from 'node:fs'
import { posix, win32 } from 'node:path'
import type { Environment } from './environment.ts'

export type LexoraPaths = {
  configFile: string
  logDir: string
  /** Users, keys, usage and everything else that must outlive a restart. */
  stateDir: string
  /** What can be made again. */
  cacheDir: string
  /** Where a running Lexora leaves its address and token for the CLI. */
  runFile: string
}

export type Machine = { env: Environment; platform: NodeJS.Platform; home: string; cwd: string }

/** LEXORA_HOME holds everything if it is set; else each kind of file lies where the platform wants it. */
export function lexoraPaths({ env, platform, home, cwd }: Machine): LexoraPaths {
  const path = platform === 'win32' ? win32 : posix
  const { config, state, logs, cache } = env.LEXORA_HOME ? inHome(path.resolve(cwd, env.LEXORA_HOME)) : onPlatform()
  return {
    configFile: path.join(config, 'lexora_config.yaml'),
    logDir: logs,
    stateDir: state,
    cacheDir: cache,
    runFile: path.join(state, 'run.json'),
  }

  function inHome(folder: string) {
    return { config: folder, state: folder, logs: path.join(folder, 'logs'), cache: path.join(folder, 'cache') }
  }

  function onPlatform() {
    if (platform === 'darwin') {
      const folder = path.join(home, 'Library', 'Application Support', 'Lexora')
      const cache = path.join(home, 'Library', 'Caches', 'Lexora')
      return { config: folder, state: folder, logs: path.join(home, 'Library', 'Logs', 'Lexora'), cache }
    }
    if (platform === 'win32') {
      const state = path.join(env.LOCALAPPDATA || path.join(home, 'AppData', 'Local'), 'Lexora')
      const roaming = env.APPDATA || path.join(home, 'AppData', 'Roaming')
      const cache = path.join(state, 'cache')
      return { config: path.join(roaming, 'Lexora'), state, logs: path.join(state, 'logs'), cache }
    }
    const state = path.join(xdg(env.XDG_STATE_HOME, '.local/state'), 'lexora')
    const cache = path.join(xdg(env.XDG_CACHE_HOME, '.cache'), 'lexora')
    const config = path.join(xdg(env.XDG_CONFIG_HOME, '.config'), 'lexora')
    return { config, state, logs: path.join(state, 'logs'), cache }
  }

  /** The XDG standard: a relative path counts as not set. */
  function xdg(folder: string | undefined, fallback: string): string {
    return folder && path.isAbsolute(folder) ? folder : path.join(home, fallback)
  }
}

/** Makes a folder that only its owner may enter. One that is there already is left as it is. */
export function ensureDir(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
}
