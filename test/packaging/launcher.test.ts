/** The script that stands before the installed app, with scripts in place of Chromium and of Node. */
import { spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const LAUNCHER = fileURLToPath(new URL('../../packaging/launcher.sh', import.meta.url))

let root = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lexora-launcher-'))
  mkdirSync(join(root, 'app', 'resources', 'headless'), { recursive: true })
  mkdirSync(join(root, 'bin'))
  copyFileSync(LAUNCHER, join(root, 'app', 'lexora'))
  chmodSync(join(root, 'app', 'lexora'), 0o755)
  symlinkSync(join(root, 'app', 'lexora'), join(root, 'bin', 'lexora'))
  script('app/resources/headless/node', 'shift; echo "node: $*"')
  script('app/lexora-bin', 'echo "window: $*"')
  user(1000)
})

afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

function script(path: string, text: string): void {
  writeFileSync(join(root, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

function user(id: number): void {
  script('bin/id', `echo ${id}`)
}

const DISPLAY = { DISPLAY: ':77' }

function start(argv: string[], env: Record<string, string>) {
  const child = spawn(join(root, 'bin', 'lexora'), argv, {
    env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const told = { out: '', err: '' }
  child.stdout.on('data', (text: Buffer) => (told.out += text.toString()))
  child.stderr.on('data', (text: Buffer) => (told.err += text.toString()))
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out: told.out.trim(), err: told.err.trim() })),
  )
  return { child, told, ended }
}

const run = async (argv: string[], env: Record<string, string>) => await start(argv, env).ended

describe('the installed command', () => {
  test.each<[argv: string[], env: Record<string, string>, out: string]>([
    [[], DISPLAY, 'window:'],
    [['--hidden', 'lexora://models'], { WAYLAND_DISPLAY: 'wayland-0' }, 'window: --hidden lexora://models'],
    [['status', '--json'], DISPLAY, 'node: status --json'],
    [['--no-sandbox', 'status'], DISPLAY, 'node: status'],
    [['--no-ui', '--port', '8100'], DISPLAY, 'node: --no-ui --port 8100'],
    [['--version'], {}, 'node: --version'],
  ])('%j with %j', async (argv, env, out) => {
    expect(await run(argv, env)).toEqual({ code: 0, out, err: '' })
  })

  test('without a display it serves all the same, with what the gateway knows of the words', async () => {
    const argv = ['--no-sandbox', '--hidden', '--config', '/a b/x.yaml', '--model=m', '--port=8100', '--engine']
    expect(await run(argv, {})).toEqual({
      code: 0,
      out: 'node: --no-ui --config /a b/x.yaml --port=8100 --engine',
      err: 'lexora: there is no display; serving without a window.',
    })
  })

  test('for root, whom Chromium gives no sandbox, it serves; who forbids the sandbox has a window', async () => {
    user(0)
    expect(await run(['--port', '1'], DISPLAY)).toEqual({
      code: 0,
      out: 'node: --no-ui --port 1',
      err: 'lexora: root has no sandbox for a window; serving without a window.',
    })
    expect(await run(['--no-sandbox'], DISPLAY)).toMatchObject({ out: 'window: --no-sandbox' })
  })

  test.each(['SEGV', 'TRAP', 'ABRT', 'ILL'])('where Chromium ends at once by SIG%s it serves', async (signal) => {
    script('app/lexora-bin', `ulimit -c 0; kill -${signal} $$`)
    const { code, out, err } = await run(['--port', '1'], DISPLAY)
    expect([code, out]).toEqual([0, 'node: --no-ui --port 1'])
    expect(err).toContain('lexora: the window could not be opened here; serving without a window.')
  })

  test.each([0, 1, 2, 78])('an end of its own with code %i is the end', async (code) => {
    script('app/lexora-bin', `exit ${code}`)
    expect(await run([], DISPLAY)).toEqual({ code, out: '', err: '' })
  })

  test.each(['SIGTERM', 'SIGHUP'] as const)('%s reaches the app, which ends when it is ready to', async (signal) => {
    const name = signal.slice(3)
    script('app/lexora-bin', `trap 'echo heard; sleep 0.2; exit 5' ${name}; echo up; while :; do sleep 0.05; done`)
    const { child, told, ended } = start([], DISPLAY)
    child.stdout.on('data', () => {
      if (told.out === 'up\n') child.kill(signal)
    })
    expect(await ended).toEqual({ code: 5, out: 'up\nheard', err: '' })
  })
})
