/** `report.mjs failing FILE`: the test files of a vitest report that are worth another try. `report.mjs total FOLDER STEPS`: the end. */
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

/** What counts of a suite's tries, each of which holds only what failed in the one before: the last result of each file. */
function lastOf(tries) {
  const files = new Map()
  for (const [number, results] of tries.entries()) {
    for (const result of results) files.set(result.name, { ...result, again: number })
  }
  return [...files.values()]
}

function total(folder, failedSteps) {
  let [passed, failed] = [0, failedSteps]
  const reports = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'bench.json')
  for (const name of reports.filter((report) => !report.includes('.again'))) {
    const others = [1, 2].map((number) => join(folder, name.replace(/json$/, `again${number}.json`))).filter(existsSync)
    const results = lastOf([join(folder, name), ...others].map(read))
    for (const { name: file, status, message, assertionResults, again } of results) {
      const bad = assertionResults.filter((test) => test.status === 'failed')
      passed += assertionResults.filter((test) => test.status === 'passed').length
      failed += bad.length
      if (again > 0 && status !== 'failed')
        process.stdout.write(`passed in try ${again + 1}: ${relative(process.cwd(), file)}\n`)
      for (const { fullName } of bad) process.stdout.write(`failed: ${fullName}\n`)
      if (status !== 'failed' || bad.length > 0) continue
      failed += 1
      process.stdout.write(`failed to run: ${file} ${message}\n`)
    }
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}
