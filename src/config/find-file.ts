import { existsSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, relative, resolve } from 'node:path'
import type { Environment } from './environment.ts'

/** Where the configuration is looked for: the first named one must be there, of the others the first that is there counts. */
export type Search = { configPath?: string | undefined; env: Environment; cwd: string; homeFile: string }

export function findConfigFile({ configPath, env, cwd, homeFile }: Search): string | null {
  if (configPath) return resolve(cwd, configPath)
  if (env.LEXORA_CONFIG) return resolve(cwd, env.LEXORA_CONFIG)
  const nearby = resolve(cwd, 'config', 'lexora_config.yaml')
  return [nearby, homeFile].find((path) => existsSync(path)) ?? null
}

/** How messages name a file: from the working folder if it lies there. */
export function displayName(path: string, cwd: string): string {
  const near = relative(cwd, path)
  return near === '' || near.startsWith('..') || isAbsolute(near) ? path : near
}

export type FileRead = { text: string; openToOthers: boolean } | { problem: string }

const MOST_BYTES = 1024 * 1024

/** The text of a configuration file. What keeps it from being read is a value: the person at the keyboard can mend it. */
export function readConfigFile(path: string): FileRead {
  try {
    const { size, mode } = statSync(path)
    if (size > MOST_BYTES) return { problem: 'is larger than 1 MiB; this is no configuration' }
    const bytes = readFileSync(path)
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), openToOthers: (mode & 0o077) !== 0 }
  } catch (error) {
    return { problem: READ_FAULTS[(error as NodeJS.ErrnoException).code ?? ''] ?? 'cannot be read' }
  }
}

const READ_FAULTS: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
  EISDIR: 'is a folder, not a file',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not UTF-8; save it in that encoding',
}
