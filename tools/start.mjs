/** `npm start [-- arguments]`: installs and builds what is missing, then runs Lexora and ends with its exit code. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, node, root } from './setup.mjs'

ensureInstalled()
ensureBuilt()

const child = spawn(node, [join(root, 'dist', 'bin.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
// A terminal's Ctrl+C reaches the child by itself; a signal to this process alone is handed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
process.on('SIGINT', () => undefined)
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
