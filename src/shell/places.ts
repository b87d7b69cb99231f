import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Programs that are started beside this one, and the Node that runs them. */
export type Programs = {
  nodeProgram: string
  demoEntry: string
  guardEntry: string
  historyEntry: string
  uiDir: string
}

export type ShellPlaces = { programs: Programs; uiDir: string; preload: string; trayDir: string; appIcon: string }

/**
 * Where things lie. In a package, what must be a file of its own (a program, a thread) lies in `headless` beside the
 * archive, and so do the window's files, which a browser is served, too; from a working copy, in `dist`. `home`: the
 * folder of the built shell.
 */
export function shellPlaces({
  home,
  resources,
  platform,
  execPath,
}: {
  home: string
  /** Null: not packaged. */
  resources: string | null
  platform: NodeJS.Platform
  execPath: string
}): ShellPlaces {
  const dist = join(home, '..')
  const programDir = resources === null ? dist : join(resources, 'headless')
  const pictures = join(home, '..', '..', 'resources')
  const node = platform === 'win32' ? 'node.exe' : 'node'
  const nodes = [
    ...(resources === null ? [] : [join(resources, 'headless', node)]),
    join(home, '..', '..', 'node_modules', 'node', 'bin', node),
  ]
  return {
    programs: {
      nodeProgram: nodes.find((path) => existsSync(path)) ?? execPath,
      demoEntry: join(programDir, 'demo.js'),
      guardEntry: join(programDir, 'guard.js'),
      historyEntry: join(programDir, 'history.js'),
      uiDir: join(programDir, 'ui'),
    },
    uiDir: join(programDir, 'ui'),
    preload: join(home, 'preload.cjs'),
    trayDir: join(pictures, 'tray'),
    appIcon: join(pictures, 'icons', '256x256.png'),
  }
}
