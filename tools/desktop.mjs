/** Whether this machine can show the desktop app, and with which Electron. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

const BINARIES = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }
const binary = BINARIES[process.platform] ?? 'electron'

/** Ways in which Chromium ends where there is no display that it can use, or no sandbox. */
const NOT_HERE = { codes: [133, 134, 139], signals: ['SIGTRAP', 'SIGSEGV', 'SIGABRT', 'SIGILL'] }

/**
 * The program to start, or why there is none. Electron's own binary is not fetched by an install of the project:
 * `node node_modules/electron/install.js` does that where a desktop is wanted.
 */
export function findDesktop(args) {
  const [first] = args
  if (args.includes('--no-ui')) return { why: null }
  if (first !== undefined && !first.startsWith('-') && !first.startsWith('lexora:')) return { why: null }
  if (['--help', '-h', '--version', '-v'].includes(first)) return { why: null }
  const needsDisplay = process.platform === 'linux'
  if (needsDisplay && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return { why: 'there is no display' }
  const folder = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(root, 'node_modules', 'electron', 'dist')
  const program = join(folder, binary)
  if (!existsSync(program)) return { why: 'Electron is not here; node node_modules/electron/install.js fetches it' }
  if (needsDisplay && process.getuid() === 0 && !args.includes('--no-sandbox'))
    return { why: 'root has no sandbox for a window' }
  return { program }
}

/** It could not even begin, so that serving without a window is better than nothing. */
export function couldNotShow(code, signal) {
  return NOT_HERE.codes.includes(code) || NOT_HERE.signals.includes(signal)
}
