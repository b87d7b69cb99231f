/**
 * `npm start [-- arguments]`: installs and builds what is missing, then runs Lexora and ends with its exit code. With a
 * display and an Electron binary it is the desktop app, else the same without a window.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { couldNotShow, findDesktop } from './desktop.mjs'
import { ensureBuilt, ensureDesktopBuilt, ensureInstalled, node, root } from './setup.mjs'

const args = process.argv.slice(2)
ensureInstalled()
ensureBuilt()
const { program, why } = findDesktop(args)
if (program !== undefined) {
  ensureDesktopBuilt()
  run(program, [root, ...args], (code, signal) => {
    if (!couldNotShow(code, signal)) return end(code, signal)
    process.stderr.write('The window could not be opened here; serving without it.\n')
    serve()
  })
} else {
  if (why !== null) process.stderr.write(`Without a window: ${why}.\n`)
  serve()
}

function serve() {
  run(node, [join(root, 'dist', 'bin.js'), ...args.filter((word) => word !== '--no-sandbox')], end)
}

function run(command, words, onExit) {
  const child = spawn(command, words, { stdio: 'inherit' })
  // A terminal's Ctrl+C reaches the child by itself; a signal to this process alone is handed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.removeAllListeners(signal).on(signal, () => child.kill(signal))
  process.removeAllListeners('SIGINT').on('SIGINT', () => undefined)
  child.on('exit', onExit)
}

function end(code, signal) {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143)
}
