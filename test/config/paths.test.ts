import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ensureDir, lexoraPaths } from '../../src/config/paths.ts'
import { aFolder } from './given.ts'

describe('Lexora keeps its files', () => {
  test.each<[where: string, platform: NodeJS.Platform, env: Record<string, string>, home: string, paths: object]>([
    [
      'in LEXORA_HOME if it is set',
      'linux',
      { LEXORA_HOME: '/opt/lexora', XDG_CONFIG_HOME: '/x' },
      '/home/ann',
      {
        configFile: '/opt/lexora/lexora_config.yaml',
        logDir: '/opt/lexora/logs',
        stateDir: '/opt/lexora',
        cacheDir: '/opt/lexora/cache',
        runFile: '/opt/lexora/run.json',
      },
    ],
    [
      'in a LEXORA_HOME that is named from the working folder',
      'linux',
      { LEXORA_HOME: 'here' },
      '/home/ann',
      {
        configFile: '/srv/here/lexora_config.yaml',
        logDir: '/srv/here/logs',
        stateDir: '/srv/here',
        cacheDir: '/srv/here/cache',
        runFile: '/srv/here/run.json',
      },
    ],
    [
      'by XDG on Linux',
      'linux',
      { XDG_CONFIG_HOME: '/x/config', XDG_STATE_HOME: 'relative' },
      '/home/ann',
      {
        configFile: '/x/config/lexora/lexora_config.yaml',
        logDir: '/home/ann/.local/state/lexora/logs',
        stateDir: '/home/ann/.local/state/lexora',
        cacheDir: '/home/ann/.cache/lexora',
        runFile: '/home/ann/.local/state/lexora/run.json',
      },
    ],
    [
      'in the Library on macOS',
      'darwin',
      {},
      '/Users/ann',
      {
        configFile: '/Users/ann/Library/Application Support/Lexora/lexora_config.yaml',
        logDir: '/Users/ann/Library/Logs/Lexora',
        stateDir: '/Users/ann/Library/Application Support/Lexora',
        cacheDir: '/Users/ann/Library/Caches/Lexora',
        runFile: '/Users/ann/Library/Application Support/Lexora/run.json',
      },
    ],
    [
      'in AppData on Windows',
      'win32',
      { APPDATA: 'D:\\Roaming' },
      'C:\\Users\\ann',
      {
        configFile: 'D:\\Roaming\\Lexora\\lexora_config.yaml',
        logDir: 'C:\\Users\\ann\\AppData\\Local\\Lexora\\logs',
        stateDir: 'C:\\Users\\ann\\AppData\\Local\\Lexora',
        cacheDir: 'C:\\Users\\ann\\AppData\\Local\\Lexora\\cache',
        runFile: 'C:\\Users\\ann\\AppData\\Local\\Lexora\\run.json',
      },
    ],
  ])('%s', (_, platform, env, home, paths) => {
    expect(lexoraPaths({ env, platform, home, cwd: '/srv' })).toEqual(paths)
  })

  test.skipIf(process.platform === 'win32')('in folders that only their owner may enter', () => {
    const folder = join(aFolder(), 'a', 'b')
    ensureDir(folder)
    ensureDir(folder)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })
})
