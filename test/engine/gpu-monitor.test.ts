import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { GpuMonitor, type GpuMonitorOptions, type GpuState } from '../../src/engine/gpu-monitor.ts'
import { aGpu, createFakeHost, type FakeHost } from '../support/fake-vllm/process/host.ts'

const MIB = 1024 * 1024

let host: FakeHost
let monitor: GpuMonitor | null = null

beforeEach(() => {
  host = createFakeHost()
})
afterEach(async () => {
  await monitor?.stop()
  monitor = null
  host.dispose()
})

/** Nothing but the fake tools is on its PATH. */
function watch(options: GpuMonitorOptions = {}): GpuMonitor {
  monitor = new GpuMonitor({ everyMs: 20, hangMs: 5000, backoffMs: [10], env: { PATH: host.bin }, ...options })
  return monitor
}

const becomes = (wanted: (state: GpuState) => boolean) =>
  vi.waitFor(() => expect(wanted(monitor!.state), JSON.stringify(monitor!.state)).toBe(true), {
    timeout: 8000,
    interval: 5,
  })

describe('one nvidia-smi', () => {
  test('tells of every GPU, and of what changes, as one child', async () => {
    host.smi({
      gpus: [aGpu(), aGpu({ name: 'Tesla T4', totalMib: 15_360, usedMib: 3, cells: { 'fan.speed': '[N/A]' } })],
    })
    const first = await watch().first()
    expect(first).toMatchObject({
      is: 'read',
      tool: 'nvidia-smi',
      gpus: [
        { index: 0, name: 'NVIDIA GeForce RTX 4090', usedBytes: 612 * MIB, freeBytes: 23_952 * MIB, fan: 0.3 },
        { index: 1, name: 'Tesla T4', totalBytes: 15_360 * MIB, fan: null },
      ],
    })
    const [child, ...others] = childrenOf(process.pid, 'nvidia-smi')
    expect(others).toEqual([])
    host.smi({ gpus: [aGpu({ usedMib: 5000 })] })
    await becomes((state) => state.is === 'read' && state.gpus.length === 1 && state.gpus[0]!.usedBytes === 5000 * MIB)
    expect(childrenOf(process.pid, 'nvidia-smi')).toEqual([child])
  })

  test('a sample is of now, and the list of holders names who, how much, and the rest', async () => {
    const gpus = watch({ everyMs: 60_000 })
    await gpus.first()
    host.smi({
      gpus: [aGpu({ usedMib: 612 + 9000 })],
      others: [{ pid: 4711, name: '/opt/game/bin/game', mib: 9000, gpu: 0 }],
    })
    expect(gpus.state).toMatchObject({ gpus: [{ usedBytes: 612 * MIB }] })
    expect(await gpus.sample()).toMatchObject({ gpus: [{ usedBytes: 9612 * MIB }] })
    const gpu = aGpu().uuid
    expect(await gpus.who()).toEqual({
      holders: [{ gpu, pid: 4711, program: 'game', bytes: 9000 * MIB }],
      restBytes: 612 * MIB,
    })
    host.smi({ processes: 'without-memory' })
    expect(await gpus.who()).toEqual({
      holders: [{ gpu, pid: 4711, program: 'game', bytes: null }],
      restBytes: 9612 * MIB,
    })
    host.smi({ processes: 'hidden' })
    expect(await gpus.who()).toEqual({ holders: [], restBytes: 9612 * MIB })
  })

  test('it ends with the monitor', async () => {
    await watch().first()
    const children = childrenOf(process.pid, 'nvidia-smi')
    await monitor!.stop()
    expect(children.length).toBe(1)
    expect(childrenOf(process.pid, 'nvidia-smi')).toEqual([])
  })

  test('it ends when whoever watches is killed', async () => {
    const program = `import { GpuMonitor } from '${new URL('../../src/engine/gpu-monitor.ts', import.meta.url)}'
      const gpus = new GpuMonitor({ everyMs: 20, onState: () => process.stdout.write('read\\n') })`
    const watcher = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], {
      env: host.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(watcher.stdout, 'data')
    const children = childrenOf(watcher.pid!, 'nvidia-smi')
    expect(children.length).toBe(1)
    watcher.kill('SIGKILL')
    await vi.waitFor(() => expect(children.filter((pid) => commandOf(pid) !== '')).toEqual([]), { timeout: 5000 })
  })
})

describe('a tool that is of no use says why, and is tried again', () => {
  test.each([
    ['no-driver', 'nvidia-smi: The driver of the GPU does not run.'],
    ['mismatch', 'nvidia-smi: The driver was updated under the running system: restart the computer.'],
    ['lost', 'nvidia-smi: The system has lost the GPU: restart the computer.'],
    ['nonsense', expect.stringContaining('nvidia-smi: It prints what cannot be read: ')],
  ] as const)('%s', async (mode, reason) => {
    host.smi({ mode })
    expect(await watch().first()).toEqual({ is: 'failed', tool: 'nvidia-smi', reason })
    host.smi({ mode: 'ok' })
    await becomes(({ is }) => is === 'read')
  })

  test.each(['hang', 'silent'] as const)('%s', async (mode) => {
    host.smi({ mode })
    watch({ hangMs: 400 })
    await becomes(({ is }) => is === 'failed')
    expect(monitor!.state).toEqual({ is: 'failed', tool: 'nvidia-smi', reason: 'nvidia-smi: It does not answer.' })
    host.smi({ mode: 'ok' })
    await becomes(({ is }) => is === 'read')
    expect(childrenOf(process.pid, 'nvidia-smi').length).toBe(1)
  })

  test('one that hangs does not hold up who asks for figures of now', async () => {
    host.smi({ mode: 'hang' })
    expect(await watch({ hangMs: 300 }).sample()).toEqual({
      is: 'failed',
      tool: 'nvidia-smi',
      reason: 'nvidia-smi: It does not answer.',
    })
  })

  test('one that ends is started again, later and later', async () => {
    host.smi({ mode: 'no-driver' })
    const at: number[] = []
    watch({ backoffMs: [1, 1, 60_000], onState: () => at.push(performance.now()) })
    await vi.waitFor(() => expect(at.length).toBe(3), { timeout: 8000 })
    expect(childrenOf(process.pid, 'nvidia-smi')).toEqual([])
  })

  test('a driver that lacks a field is asked for the others', async () => {
    const complains =
      'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field to query.\'; exit 2;; esac'
    const row = '0, GPU-1, Tesla K80, 11441, 3, 11438, 0, 30, 470.10, 25.1, 149.0, 20, 0x0000000000000004, [N/A]'
    host.install(
      'nvidia-smi',
      `${complains}\necho "${row}"\nexec '${process.execPath}' -e 'setInterval(() => {}, 1e9)'`,
    )
    expect(await watch().first()).toMatchObject({
      is: 'read',
      gpus: [
        { name: 'Tesla K80', computeCapability: null, driver: '470.10', throttle: 'power', freeBytes: 11_438 * MIB },
      ],
    })
  })
})

describe('no GPU is a value', () => {
  test('where no tool is', async () => {
    host.install('nvidia-smi', null)
    expect(await watch().first()).toEqual({
      is: 'none',
      reason: 'There is no nvidia-smi, amd-smi or rocm-smi on this machine.',
    })
    expect(await monitor!.who()).toEqual({ holders: [], restBytes: null })
  })

  test('where the driver finds none', async () => {
    host.install('nvidia-smi', 'echo "No devices were found"; exit 6')
    expect(await watch().first()).toEqual({ is: 'none', reason: 'The driver finds no GPU.' })
  })
})

describe('an AMD card', () => {
  const card =
    '{"gpu": 0, "usage": {"gfx_activity": {"value": 12, "unit": "%"}}, "mem_usage": {"total_vram": {"value": 24560, "unit": "MB"}, "used_vram": {"value": 60, "unit": "MB"}, "free_vram": {"value": 24500, "unit": "MB"}}}'
  const processes =
    '[{"gpu": 0, "process_list": [{"process_info": {"name": "python3", "pid": 7, "memory_usage": {"vram_mem": {"value": 40, "unit": "MB"}}}}]}]'

  test('is read by amd-smi, now and then', async () => {
    host.install('nvidia-smi', null)
    host.install('amd-smi', `case "$1" in metric) echo '[${card}]';; process) echo '${processes}';; esac`)
    const readings: GpuState[] = []
    const gpus = watch({ everyMs: 1, onState: (state) => readings.push(state) })
    expect(await gpus.first()).toMatchObject({
      is: 'read',
      tool: 'amd-smi',
      gpus: [{ name: 'AMD GPU', freeBytes: 24_500 * MIB }],
    })
    await vi.waitFor(() => expect(readings.length).toBeGreaterThan(2), { timeout: 5000 })
    expect(await gpus.who()).toEqual({
      holders: [{ gpu: '0', pid: 7, program: 'python3', bytes: 40 * MIB }],
      restBytes: 20 * MIB,
    })
  })

  test('is read by rocm-smi where that is all there is', async () => {
    host.install('nvidia-smi', null)
    host.install(
      'rocm-smi',
      `echo '{"card0": {"GPU use (%)": "3", "VRAM Total Memory (B)": "100", "VRAM Total Used Memory (B)": "40"}}'`,
    )
    expect(await watch().first()).toMatchObject({ is: 'read', tool: 'rocm-smi', gpus: [{ freeBytes: 60 }] })
  })

  test('a tool of it that breaks says so, and recovers', async () => {
    host.install('nvidia-smi', null)
    host.install('amd-smi', 'echo "Traceback (most recent call last):"; exit 1')
    watch({ everyMs: 1 })
    await becomes(({ is }) => is === 'failed')
    expect(monitor!.state).toMatchObject({
      tool: 'amd-smi',
      reason: expect.stringMatching(/^amd-smi: It prints what cannot be read: "Traceback/),
    })
    host.install('amd-smi', `echo '[${card}]'`)
    await becomes(({ is }) => is === 'read')
  })
})

/** Children of a process whose command line holds the word, zombies left out. */
function childrenOf(parent: number, name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent && commandOf(pid).includes(name))
}

function parentOf(pid: number): number | null {
  return Number(/^PPid:\s+(\d+)$/m.exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? Number.NaN) || null
}

function commandOf(pid: number): string {
  return readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
