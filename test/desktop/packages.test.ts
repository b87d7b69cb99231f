/** A package as it is made, with the real Electron 22 in it: what lies where, and that it serves without a window. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ELECTRON22 } from './electron/rig.ts'
import { aHome, dropHome } from './rig.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const BUILDER = join(ROOT, 'packaging', 'node_modules', 'electron-builder', 'cli.js')

const missing = [
  ...(existsSync(ELECTRON22) ? [] : ['Electron 22']),
  ...(existsSync(BUILDER) ? [] : ['electron-builder (npm ci --prefix packaging)']),
]
if (missing.length > 0) process.stderr.write(`Left out here: packages (no ${missing.join(', no ')})\n`)

describe.skipIf(missing.length > 0)('a package', () => {
  const out = mkdtempSync(join(tmpdir(), 'lexora-package-'))
  const app = join(out, 'linux-unpacked')
  const home = aHome()

  beforeAll(() => {
    const electron = [`-c.electronDist=${dirname(ELECTRON22)}`, '-c.electronVersion=22.3.25']
    const where = [`-c.directories.output=${out}`]
    const argv = [BUILDER, '--linux', 'dir', '--publish', 'never', ...electron, ...where]
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd: ROOT, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${stdout}${stderr}`)
  }, 180_000)

  afterAll(() => {
    rmSync(out, { recursive: true, force: true })
    dropHome(home)
  })

  /** With an environment that holds nothing but where its state lies. */
  const lexora = (...argv: string[]) =>
    spawnSync(join(app, 'lexora'), argv, { env: { LEXORA_HOME: home }, encoding: 'utf8', timeout: 20_000 })

  test('holds programs outside the archive, and a Node of their own', () => {
    const headless = readdirSync(join(app, 'resources', 'headless'))
    expect(headless).toEqual(expect.arrayContaining(['bin.js', 'demo.js', 'guard.js', 'history.js', 'node', 'ui']))
    expect(existsSync(join(app, 'resources', 'app.asar'))).toBe(true)
    expect(existsSync(join(app, 'lexora-bin'))).toBe(true)
  })

  test('answers commands without Chromium, a display or an environment', () => {
    expect(lexora('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(lexora('status').status).toBe(3)
    expect(lexora('--no-ui', '--port', 'many').status).toBe(2)
  })

  test('without a display it serves, window or not', () => {
    for (const argv of [['--no-ui'], []]) {
      const bad = lexora(...argv, '--config', '/nonexistent.yaml')
      expect([bad.status, bad.stderr]).toEqual([78, expect.stringContaining('/nonexistent.yaml')])
    }
  })
})
