/** `report.mjs failing FILE`: the test files of a vitest report that are worth a second try. `report.mjs total FOLDER STEPS`: the end. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** More than these is no noise. */
const MOST_AGAIN = 5

const [what, path, steps] = process.argv.slice(2)
if (what === 'failing') {
  const files = existsSync(path) ? failingFiles(read(path)) : []
  if (files.length <= MOST_AGAIN) process.stdout.write(`${files.join(' ')}\n`)
} else total(path, Number(steps))

function read(file) {
  return JSON.parse(readFileSync(file, 'utf8')).testResults
}

function failingFiles(results) {
  return results.filter(({ status }) => status === 'failed').map(({ name }) => relative(process.cwd(), name))
}

/** Of a file that was tried twice the second result counts. */
function merged(first, again) {
  return first.map((result) => again.find(({ name }) => name === result.name) ?? result)
}

function total(folder, failedSteps) {
  let [passed, failed] = [0, failedSteps]
  const reports = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'bench.json')
  for (const name of reports.filter((report) => !report.endsWith('.again.json'))) {
    const second = join(folder, name.replace(/json$/, 'again.json'))
    const first = read(join(folder, name))
    const again = existsSync(second) ? read(second) : []
    for (const file of failingFiles(first).filter((one) => !failingFiles(again).includes(one)))
      if (again.length > 0) process.stdout.write(`needed a second try: ${file}\n`)
    for (const { name: file, status, message, assertionResults } of merged(first, again)) {
      const bad = assertionResults.filter((test) => test.status === 'failed')
      passed += assertionResults.filter((test) => test.status === 'passed').length
      failed += bad.length
      for (const { fullName } of bad) process.stdout.write(`failed: ${fullName}\n`)
      if (status !== 'failed' || bad.length > 0) continue
      failed += 1
      process.stdout.write(`failed to run: ${file} ${message}\n`)
    }
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}
