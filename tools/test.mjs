/** `npm test [-- arguments of vitest]`: installs and builds what the tests need, then runs all that can run here. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, node, root } from './setup.mjs'

ensureInstalled()
ensureBuilt()

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const { status } = spawnSync(node, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
if (process.argv.length === 2) {
  process.stderr.write(
    'Left out here: a real vLLM (npm run test:vllm), the bench (npm run bench), the mutants (npm run mutants)\n',
  )
}
process.exitCode = status ?? 1
