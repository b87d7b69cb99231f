/** What the doctor says of a machine: the process double is its vLLM and its GPU. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { diagnose, type Patient } from '../../src/app/doctor.ts'
import { gpuDesk } from '../../src/app/gpu-desk.ts'
import { GpuMonitor } from '../../src/engine/gpu-monitor.ts'
import { freePort } from '../../src/engine/ports.ts'
import type { DoctorCheck } from '../../src/protocol/doctor.ts'
import { anEngine as anEngineView } from '../support/engine-states.ts'
import { createFakeHost } from '../support/fake-vllm/process/host.ts'

type Given = {
  host?: Parameters<typeof createFakeHost>[0]
  /** What the configuration says beside a free port. */
  config?: string
  env?: Record<string, string>
} & Partial<Patient>

async function examine({ host: script, config = '', env, ...over }: Given = {}) {
  const host = createFakeHost(script)
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  writeFileSync(join(home, 'lexora_config.yaml'), `server: {port: ${await freePort()}}\n${config}`)
  const machineEnv = { ...host.env, LEXORA_HOME: home, HF_HOME: join(home, 'hub'), ...env }
  const monitor = new GpuMonitor({ env: machineEnv })
  onTestFinished(async () => {
    await monitor.stop()
    host.dispose()
    rmSync(home, { recursive: true, force: true })
  })
  const report = await diagnose({
    machine: { env: machineEnv, platform: process.platform, home, cwd: home },
    flags: {},
    configPath: undefined,
    node: '24.1.0',
    gpu: gpuDesk(monitor),
    running: null,
    ...over,
  })
  return { home, host, ...report, of: (about: string) => checksAbout(report.checks, about) }
}

/** The checks about one thing, as `level: words`. */
function checksAbout(checks: readonly DoctorCheck[], about: string): string[] {
  return checks.filter((check) => check.about === about).map(({ level, says }) => `${level}: ${says}`)
}

const anEngine = (more = '') => `engines: {qwen: {model: Qwen/Qwen3-8B, port: 0${more}}}\n`

describe('a machine that is well', () => {
  test('has no failure, and says what it found', async () => {
    const { checks, of, host, running } = await examine({ config: anEngine() })
    expect([running, checks.filter(({ level }) => level === 'fail')]).toEqual([false, []])
    expect(of('node')).toEqual(['ok: Node 24.1.0.'])
    expect(of('gpu')).toEqual(['ok: GPU 0: NVIDIA GeForce RTX 4090, driver 580.95.05, 23.4 of 24.0 GiB free.'])
    expect(of('engine qwen')).toEqual([
      `ok: It is started by ${host.command('vllm')}.`,
      'warn: Qwen/Qwen3-8B is not whole on this machine: its first start fetches it.',
      expect.stringMatching(/^ok: It can start: port \d+ and memory are free\.$/),
      'warn: Its options could not be checked against its help.',
    ])
    expect(of('orphans')).toEqual(['ok: No engine of an earlier Lexora is left.'])
  })

  test('without a GPU and without engines is well, too', async () => {
    const { of } = await examine({ host: { smi: { mode: 'ok' } }, env: { PATH: '/nowhere' } })
    expect(of('gpu')).toEqual(['ok: There is no nvidia-smi, amd-smi or rocm-smi on this machine.'])
  })
})

test('an old Node is said', async () => {
  expect((await examine({ node: '22.18.0' })).of('node')).toEqual(['fail: Node 22.18.0 is too old.'])
})

test('a configuration that is wrong is told with line and path, and nothing else is guessed from it', async () => {
  const { checks, of } = await examine({ config: 'engine: {}\n' })
  expect(of('config')).toEqual([expect.stringMatching(/^fail: .*engine.*engines/)])
  expect(checks.some(({ about }) => about === 'gpu')).toBe(false)
})

test('an address beyond this machine without a key names the ways on', async () => {
  const { of } = await examine({ flags: { 'server.host': '0.0.0.0' } })
  expect(of('keys')).toEqual([expect.stringMatching(/^fail: server\.host is 0\.0\.0\.0 and no key is set; start with/)])
})

test('ports that somebody holds are told with the holder', async () => {
  const [own, engine] = [await aListener(), await aListener()]
  const { of } = await examine({
    flags: { 'server.port': own },
    config: `engines: {qwen: {model: Qwen/Qwen3-8B, port: ${engine}}}\n`,
  })
  expect(of('port')).toEqual([expect.stringMatching(`^fail: Port ${own} is held by .+ \\(pid ${process.pid}\\)\\.$`)])
  expect(of('engine qwen').at(-1)).toMatch(`fail: Its port ${engine} is held by`)
})

async function aListener(): Promise<number> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

describe('an engine that would not start is told before it does', () => {
  test.each<[what: string, config: string, says: RegExp]>([
    ['without its program', anEngine(', executable: no-such-vllm'), /^fail: There is no program 'no-such-vllm'/],
    ['without its model', `engines: {qwen: {model: /no/such/model, port: 0}}\n`, /^fail: There is no model folder/],
    ['with an option that is not its own', anEngine(', args: {port: 5}'), /^fail: `port` is set by Lexora itself/],
    [
      'with more memory than there is',
      anEngine(', args: {gpu-memory-utilization: 0.99}'),
      /^fail: Others hold memory of the GPU: 23\.4 of 24\.0 GiB are free/,
    ],
  ])('%s', async (_, config, says) => {
    const { of } = await examine({ config })
    expect(of('engine qwen').at(-1)).toMatch(says)
  })
})

test('a GPU that fails, and others that hold its memory, are named', async () => {
  const failing = await examine({ host: { smi: { mode: 'no-driver' } } })
  expect(failing.of('gpu')).toEqual(['fail: nvidia-smi: The driver of the GPU does not run.'])
  const others = [{ pid: 4711, name: '/usr/bin/blender', mib: 9000, gpu: 0 }]
  const held = await examine({ host: { smi: { others } } })
  expect(held.of('gpu memory')).toEqual(['warn: blender (pid 4711) holds 8.8 GiB of it.'])
})

test('of a Lexora that runs it tells what that knows of its engines', async () => {
  const failure = {
    class: 'auth',
    cause: 'The hub does not give it out.',
    fix: 'Ask for it.',
    change: null,
    canHeal: false,
    lines: [],
  }
  const view = anEngineView({ is: 'failed', failure }, 'qwen', 'qwen', { lastFailure: failure })
  const running = { pid: 5, address: 'http://localhost:1/v1', engines: [view], reasons: ['backend b is down (X)'] }
  const { checks, of } = await examine({ config: anEngine(), running })
  expect(checks.find(({ level }) => level === 'fail')).toEqual({
    about: 'engine qwen',
    level: 'fail',
    says: 'The hub does not give it out.',
    fix: 'Ask for it.',
  })
  expect([of('port'), of('serving')]).toEqual([[], ['warn: backend b is down (X)']])
})
