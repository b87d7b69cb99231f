/** Engines behind docker and WSL, with stand-ins for both: what they start does not end with their own process. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { kill, until } from './given.ts'
import { Rig } from './rig.ts'

/** Runs `vllm serve` on this machine as if in a container: in a session of its own, known by the container's name. */
const DOCKER = `
const { spawn, spawnSync } = require('node:child_process')
const { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const [folder, verb, ...words] = process.argv.slice(2)
appendFileSync(folder + '/calls', [verb, ...words].join(' ') + '\\n')
const after = (name) => words[words.indexOf(name) + 1]
const file = (name) => folder + '/' + name + '.pid'
if (verb === 'run') {
  const port = /^127\\.0\\.0\\.1:(\\d+):8000$/.exec(after('--publish'))[1]
  const own = words.slice(words.indexOf('an/image') + 1).join(' ').replace('--host 0.0.0.0 --port 8000', '--host 127.0.0.1 --port ' + port)
  const { LEXORA_ENGINE_RUN, ...env } = process.env
  const child = spawn('vllm', ['serve', ...own.split(' ')], { env, detached: true, stdio: ['ignore', 'inherit', 'inherit'] })
  writeFileSync(file(after('--name')), String(child.pid))
  child.on('exit', (code) => { rmSync(file(after('--name')), { force: true }); process.exit(code ?? 137) })
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
} else {
  const name = words.at(-1)
  if (!existsSync(file(name))) process.exit(1)
  const pid = Number(readFileSync(file(name), 'utf8'))
  process.kill(verb === 'kill' ? -pid : pid, verb === 'kill' ? 'SIGKILL' : 'SIGTERM')
  rmSync(file(name), { force: true })
}
`

/** Takes \`--exec\` away and runs the rest, where the marker of this side does not reach. */
const WSL = '#!/bin/sh\nshift\nunset LEXORA_ENGINE_RUN\nexec "$@"\n'

let rig: Rig
afterEach(() => rig.dispose())

function aRig(launch: 'docker' | 'wsl', engine: Record<string, unknown>): { rig: Rig; calls: () => string } {
  const path = { PATH: '' }
  rig = new Rig({ engine: { launch, ...engine }, env: path, timing: { terminateMs: 3000 } })
  const bin = join(rig.folder.path, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'docker.cjs'), DOCKER)
  writeFileSync(join(bin, 'docker'), `#!/bin/sh\nexec '${process.execPath}' '${bin}/docker.cjs' '${bin}' "$@"\n`)
  writeFileSync(join(bin, 'wsl.exe'), WSL)
  for (const name of ['docker', 'wsl.exe']) chmodSync(join(bin, name), 0o755)
  Object.assign(rig.world.launch.env, { PATH: [bin, rig.host.bin, process.env.PATH].join(delimiter) })
  return { rig, calls: () => readFileSync(join(bin, 'calls'), 'utf8') }
}

const containers = (): string[] => readdirSync(join(rig.folder.path, 'bin')).filter((name) => name.endsWith('.pid'))

describe('an engine in a container', () => {
  test('starts, serves and stops, and its key is in no command line', async () => {
    const { calls } = aRig('docker', { image: 'an/image' })
    await rig.started()
    expect(rig.engine.view()).toMatchObject({ launch: 'docker an/image' })
    expect(calls()).not.toContain(rig.serving!.key!)
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(calls()).toMatch(/\nstop --time 30 lexora-main-/)
    expect(rig.alive()).toEqual([])
    expect(rig.engine.view().receipt).toMatchObject({ portFree: true, left: [] })
  })

  test('does not outlive the client that started it', async () => {
    const { calls } = aRig('docker', { image: 'an/image' })
    await rig.started()
    kill(rig.engine.view().pid, 'SIGKILL')
    await rig.reaches('backoff')
    expect(calls()).toMatch(/\nkill lexora-main-/)
    expect(rig.host.runs()[0]!.alive()).toEqual([])
    await rig.reaches('ready')
    expect(containers()).toHaveLength(1)
  })

  test('that is stopped while it loads is gone', async () => {
    aRig('docker', { image: 'an/image' })
    rig.engine.start()
    await until('it loads', () => rig.host.runs()[0]?.engineCore)
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(rig.alive()).toEqual([])
  })

  test('without an image is a question of configuration', async () => {
    aRig('docker', {})
    rig.engine.start()
    const { failure } = await rig.reaches('not-installed')
    expect(failure).toMatchObject({ class: 'executable_missing', fix: 'Set `image`.' })
  })
})

describe('an engine in WSL', () => {
  test('starts, serves and stops', async () => {
    const { rig } = aRig('wsl', {})
    rig.engine.reconfigure({ ...rig.config, executable: rig.host.command('vllm') })
    await rig.started()
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(rig.alive()).toEqual([])
    expect(rig.engine.view().receipt).toMatchObject({ portFree: true, left: [] })
  })

  test('does not outlive the wsl.exe that started it', async () => {
    const { rig } = aRig('wsl', {})
    rig.engine.reconfigure({ ...rig.config, executable: rig.host.command('vllm') })
    await rig.started()
    kill(rig.engine.view().pid, 'SIGKILL')
    await rig.reaches('backoff')
    expect(rig.host.runs()[0]!.alive()).toEqual([])
    await rig.reaches('ready')
  })
})
