/** `npm run test:desktop [-- arguments of vitest]`: the window in a real Chromium; says what this machine lacks. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, ensureDesktopBuilt, ensureInstalled, node, root } from './setup.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

const chromium = process.env.CHROMIUM ?? NAMES.flatMap(inPath)[0]
if (chromium === undefined)
  process.stderr.write(
    'Left out here: the window in a browser (no Chromium found; install it, or name it in CHROMIUM)\n',
  )
else process.exitCode = run(chromium)

function run(CHROMIUM) {
  ensureInstalled()
  ensureBuilt()
  ensureDesktopBuilt()
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const argv = ['run', '--config', 'test/desktop/vitest.config.ts', ...process.argv.slice(2)]
  const env = { ...process.env, CHROMIUM }
  return spawnSync(node, [vitest, ...argv], { cwd: root, stdio: 'inherit', env }).status ?? 1
}

function inPath(name) {
  const folders = (process.env.PATH ?? '').split(':')
  return folders.map((folder) => join(folder, name)).filter((path) => existsSync(path))
}
