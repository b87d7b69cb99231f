/**
 * `npm run mutants`: takes away, one at a time, what the tests of faults stand for, in a copy of the tree, and demands
 * that the tests notice: at least five named tests must break for each. Ends with 1 where they do not.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureInstalled, node, root } from './setup.mjs'

const ENOUGH = 5
/** Where vitest stops. It loses the results of tests that run at that moment, so there must be some to spare. */
const BAIL = 12
const COPIED = [
  'src',
  'test',
  'tools',
  'resources',
  'package.json',
  'tsconfig.json',
  'tsconfig.test.json',
  'vitest.config.ts',
]

/** `find` must stand in `file` exactly once: a mutant that no longer applies proves nothing. */
const MUTANTS = [
  {
    name: 'abort hook: a client that leaves no longer ends the attempt',
    file: 'src/gateway/exchange.ts',
    find: '    this.attempt?.abort()\n    this.leave()\n',
    replace: '    this.leave()\n',
    tests: ['test/faults/a-client.test.ts', 'test/clients/openai.test.ts'],
  },
  {
    name: 'commit latch: a failure after content is repaired like one before it',
    file: 'src/gateway/exchange.ts',
    find: '    if (this.committed) this.breakStream(failure.problem, event, usage)\n    else this.guarded(() => this.repair(failure))\n',
    replace: '    this.guarded(() => this.repair(failure))\n',
    tests: ['test/faults/b-backend.test.ts', 'test/clients/openai.test.ts'],
  },
  {
    name: 'settle latch: a request is accounted for at every ending it has',
    file: 'src/gateway/settlement.ts',
    find: '    if (this.settled) return false\n',
    replace: '',
    tests: ['test/gateway/settlement.test.ts', 'test/gateway/pass-through.test.ts', 'test/faults/d-hostile.test.ts'],
  },
]

ensureInstalled()
const copy = mkdtempSync(join(tmpdir(), 'lexora-mutants-'))
let survivors = 0
try {
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  const sound = broken([...new Set(MUTANTS.flatMap(({ tests }) => tests))])
  if (sound.length > 0) fail(`without any mutant these tests already break:\n${list(sound)}`)
  for (const mutant of MUTANTS) if (!isKilled(mutant)) survivors++
} finally {
  rmSync(copy, { recursive: true, force: true })
}
process.exitCode = survivors > 0 ? 1 : 0

function isKilled({ name, file, find, replace, tests }) {
  const path = join(copy, file)
  const source = readFileSync(path, 'utf8')
  if (source.split(find).length !== 2)
    fail(`the mutant "${name}" no longer applies to ${file}: mend it in tools/mutants.mjs`)
  writeFileSync(
    path,
    source.replace(find, () => replace),
  )
  const names = broken(tests)
  writeFileSync(path, source)
  const killed = names.length >= ENOUGH
  console.log(`${killed ? 'killed  ' : 'SURVIVED'}  ${name}\n${list(names)}`)
  return killed
}

/** The names of the tests that break; stops soon after there are enough of them. */
function broken(tests) {
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const limits = [`--bail=${BAIL}`, '--testTimeout=20000']
  const args = ['run', '--root', copy, ...limits, '--reporter=json', `--outputFile=${report}`, ...tests]
  // What a mutant keeps from coming is not waited for as long as on a busy machine.
  const env = { ...process.env, LEXORA_TEST_PATIENCE_MS: '5000' }
  const { error, stderr } = spawnSync(node, [vitest, ...args], { cwd: copy, encoding: 'utf8', timeout: 400_000, env })
  if (error) fail(`vitest did not end: ${error.message}`)
  let results
  try {
    results = JSON.parse(readFileSync(report, 'utf8')).testResults
  } catch {
    fail(`vitest wrote no report:\n${stderr}`)
  }
  for (const { name, message, assertionResults } of results) {
    if (assertionResults.length === 0) fail(`${name} did not run: ${message}`)
  }
  return results.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  )
}

function list(names) {
  return names.map((name) => `          ${name}`).join('\n')
}

function fail(why) {
  rmSync(copy, { recursive: true, force: true })
  throw new Error(`mutants: ${why}`)
}
