/**
 * `node packaging/dist.mjs [arguments of electron-builder]`: builds everything and makes installers into dist/installers.
 * Installs electron-builder beside this file when it is first used. Without a network to fetch Electron's binary, name
 * an unpacked one: `-c.electronDist=/absolute/path -c.electronVersion=45.4.1`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, ensureDesktopBuilt, ensureInstalled, node, root } from '../tools/setup.mjs'

const here = import.meta.dirname
ensureInstalled()
ensureBuilt()
ensureDesktopBuilt()
const builder = join(here, 'node_modules', 'electron-builder', 'cli.js')
if (!existsSync(builder)) run('npm', ['ci', '--no-audit', '--no-fund'], here)
run(node, [builder, '--publish', 'never', ...process.argv.slice(2)], root)

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
