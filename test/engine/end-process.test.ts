/** How a process of ours ends: by itself where it can, cut off where something holds it, always with its code. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const MODULE = new URL('../../src/engine/end-process.ts', import.meta.url).href

function runs(program: string) {
  const text = `import { endProcess } from ${JSON.stringify(MODULE)}\n${program}`
  const argv = ['--no-warnings', '--input-type=module-typescript', '-e', text]
  const { status, signal, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 60_000 })
  return { status, signal, stdout }
}

const TELL = `process.on('exit', (code) => process.stdout.write('exit ' + code + ';'))\n`
/** Would show that it was not left to end by itself. */
const NO_FORCE = `
  process.execve = () => process.stdout.write('forced;')
  process.reallyExit = () => process.stdout.write('forced;')\n`

test('where nothing holds it, it ends by itself with its code, after its last words', () => {
  const words = `process.stdout.write('x'.repeat(200_000) + ';')\n`
  const { status, signal, stdout } = runs(`${NO_FORCE}${TELL}${words}endProcess(7)`)
  expect({ status, signal }).toEqual({ status: 7, signal: null })
  expect(stdout.slice(200_000)).toBe(';exit 7;')
})

test('what holds it is cut off, and those who wait for the exit are told', () => {
  const hold = `setInterval(() => {}, 1000)\n`
  expect(runs(`${TELL}${hold}endProcess(78)`)).toEqual({ status: 78, signal: null, stdout: 'exit 78;' })
})

test('a call that must end at once does not come back', () => {
  expect(runs(`${TELL}endProcess(1, 0)\nprocess.stdout.write('after;')`)).toEqual({
    status: 1,
    signal: null,
    stdout: 'exit 1;',
  })
})

test('where the system cannot replace a program, it exits as ever', () => {
  const without = `process.execve = () => { throw new Error('not here') }\nsetInterval(() => {}, 1000)\n`
  expect(runs(`${without}endProcess(3)`)).toMatchObject({ status: 3, signal: null })
})
