import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  gpuComplaint,
  NVIDIA_FIELDS,
  readAmdHolders,
  readAmdSmi,
  readNvidiaHolders,
  readNvidiaRow,
  readRocmHolders,
  readRocmSmi,
  strangeNvidiaField,
} from '../../src/policy/gpu-reading.ts'

const MIB = 1024 * 1024
const ROW =
  '0, GPU-5c89b2f0, NVIDIA GeForce RTX 4090, 24564, 612, 23952, 7, 41, 580.95.05, 8.9, 28.31, 450.00, 30, 0x0000000000000001, [N/A]'
const ADA = {
  index: 0,
  id: 'GPU-5c89b2f0',
  name: 'NVIDIA GeForce RTX 4090',
  driver: '580.95.05',
  computeCapability: '8.9',
  totalBytes: 24_564 * MIB,
  usedBytes: 612 * MIB,
  freeBytes: 23_952 * MIB,
  utilization: 0.07,
  temperatureC: 41,
  powerW: 28.31,
  powerLimitW: 450,
  fan: 0.3,
  throttle: 'none',
}

describe('a row of nvidia-smi', () => {
  test('holds figures in their units', () => {
    expect(readNvidiaRow(ROW)).toEqual({ ...ADA, utilization: expect.closeTo(0.07) })
  })

  test.each([
    '[N/A]',
    'N/A',
    '[Not Supported]',
    '[Unknown Error]',
    'ERR!',
    '[GPU requires reset]',
    '[Insufficient Permissions]',
    '',
    '-1',
    '1e400',
  ])('a figure that says %j is none', (cell) => {
    const row = ['0', 'GPU-1', 'Tesla T4', ...Array(NVIDIA_FIELDS.length - 3).fill(cell)].join(', ')
    expect(readNvidiaRow(row)).toMatchObject({
      name: 'Tesla T4',
      totalBytes: null,
      freeBytes: null,
      temperatureC: null,
      fan: null,
    })
  })

  test('unified memory, as on a GB10, is no figure of the card', () => {
    const row = '0, GPU-1, NVIDIA GB10, [N/A], [N/A], [N/A], 3, 44, 580.95.05, 12.1, 12.01, [N/A], [N/A], [N/A], [N/A]'
    expect(readNvidiaRow(row)).toMatchObject({
      name: 'NVIDIA GB10',
      totalBytes: null,
      usedBytes: null,
      utilization: 0.03,
      powerW: 12.01,
    })
  })

  test.each([
    ['0x0000000000000000', '[N/A]', 'none'],
    ['0x0000000000000001', '[N/A]', 'none'],
    ['0x0000000000000004', '[N/A]', 'power'],
    ['0x0000000000000088', '[N/A]', 'power'],
    ['0x0000000000000048', '[N/A]', 'heat'],
    ['0x0000000000000024', '[N/A]', 'heat'],
    ['0x0000000000000008', '[N/A]', 'hardware'],
    ['0x4', '[N/A]', 'power'],
    ['[N/A]', '0x0000000000000020', 'heat'],
    ['Active', 'Not Active', null],
  ])('clocks held back for %s or %s: %s', (older, newer, throttle) => {
    const row = ROW.replace('0x0000000000000001, [N/A]', `${older}, ${newer}`)
    expect(readNvidiaRow(row)?.throttle).toBe(throttle)
  })

  test('units may stand in the cells', () => {
    expect(readNvidiaRow(ROW.replace('24564', '24564 MiB').replace('28.31', '28.31 W'))).toMatchObject({
      totalBytes: 24_564 * MIB,
      powerW: 28.31,
    })
  })

  test('a name may hold commas', () => {
    expect(readNvidiaRow(ROW.replace('GeForce RTX 4090', 'Graphics Device, Rev. 2, 24GB'))).toMatchObject({
      name: 'NVIDIA Graphics Device, Rev. 2, 24GB',
      totalBytes: 24_564 * MIB,
      fan: 0.3,
    })
  })

  test.each([
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    'Unable to determine the device handle for GPU0: 0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU',
    'index, uuid, name, memory.total',
    '0, GPU-1',
    '\u0000\u0007 Segmentation fault, , ,,, "\n{]',
  ])('%j is no row', (line) => {
    expect(readNvidiaRow(line)).toBe(null)
  })

  test('whatever the line is, the reading has no figure that is none', () => {
    const cell = fc.oneof(fc.constantFrom('0', '12', '-3', '[N/A]', 'GPU-1', '1e9', 'NaN', ''), fc.string())
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 20 }), (cells) => {
        const gpu = readNvidiaRow(cells.join(', '))
        for (const value of Object.values(gpu ?? {}))
          if (typeof value === 'number') expect(value).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

test.each([
  ['No devices were found', true],
  ['Failed to initialize NVML: Driver/library version mismatch', false],
  ['Unable to determine the device handle for GPU0: 0000:01:00.0: GPU is lost.', false],
  ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", false],
])('%j is a complaint', (text, noGpu) => {
  expect(gpuComplaint(text)).toEqual({ reason: expect.stringMatching(/^[A-Z].*\.$/), noGpu })
})

test('a driver that lacks a field names it', () => {
  expect(strangeNvidiaField('Field "compute_cap" is not a valid field to query.')).toBe('compute_cap')
  expect(strangeNvidiaField(ROW)).toBe(null)
})

test('holders are named by their programs, with memory where it is told', () => {
  const said =
    'GPU-1, 4711, 22599, VLLM::EngineCore\nGPU-1, 812, [N/A], /usr/lib/xorg/Xorg, --vt1\nGPU-1, 9, 5, [Not Found]\nno row at all\n'
  expect(readNvidiaHolders(said)).toEqual([
    { gpu: 'GPU-1', pid: 4711, program: 'VLLM::EngineCore', bytes: 22_599 * MIB },
    { gpu: 'GPU-1', pid: 812, program: 'Xorg, --vt1', bytes: null },
    { gpu: 'GPU-1', pid: 9, program: 'unknown', bytes: 5 * MIB },
  ])
})

test('rocm-smi is read by the words of its keys, before and after they moved', () => {
  const old = {
    card0: {
      'Temperature (Sensor edge) (C)': '41.0',
      'Average Graphics Package Power (W)': '19.0',
      'Fan speed (%)': '20',
      'GPU use (%)': '3',
      'VRAM Total Memory (B)': '25753026560',
      'VRAM Total Used Memory (B)': '1318641664',
      'Card series': 'Radeon RX 7900 XTX',
      'Unique ID': '0x7a',
    },
    system: { 'Driver version': '6.7.0' },
  }
  const expected = {
    index: 0,
    name: 'Radeon RX 7900 XTX',
    totalBytes: 25_753_026_560,
    usedBytes: 1_318_641_664,
    freeBytes: 24_434_384_896,
    utilization: 0.03,
    temperatureC: 41,
    powerW: 19,
    fan: 0.2,
  }
  expect(readRocmSmi(`WARNING: AMD GPU device(s) is/are in a low-power state.\n${JSON.stringify(old)}`)).toMatchObject([
    { ...expected, id: '0x7a', driver: '6.7.0' },
  ])
  const { 'Card series': name, 'Average Graphics Package Power (W)': power, ...rest } = old.card0
  const newer = { card0: { ...rest, 'Card Series': name, 'Current Socket Graphics Package Power (W)': power } }
  expect(readRocmSmi(JSON.stringify(newer))).toMatchObject([expected])
  expect(readRocmHolders('{"system": {"PID4711": "python3, 1, 17179869184, 0, 0"}}')).toEqual([
    { gpu: null, pid: 4711, program: 'python3', bytes: 17_179_869_184 },
  ])
})

test('amd-smi is read as a list and as an object, with its units', () => {
  const card = {
    gpu: 0,
    usage: { gfx_activity: { value: 12, unit: '%' } },
    power: { socket_power: { value: 38, unit: 'W' } },
    temperature: { edge: 'N/A', hotspot: { value: 52, unit: 'C' } },
    fan: { usage: 'N/A' },
    mem_usage: {
      total_vram: { value: 24_560, unit: 'MB' },
      used_vram: { value: 60, unit: 'MB' },
      free_vram: { value: 24_500, unit: 'MB' },
    },
  }
  const expected = [
    {
      index: 0,
      name: 'Radeon PRO W7900',
      totalBytes: 24_560 * MIB,
      freeBytes: 24_500 * MIB,
      utilization: 0.12,
      temperatureC: 52,
      powerW: 38,
      fan: null,
      throttle: null,
    },
  ]
  const asic = JSON.stringify([{ gpu: 0, asic: { market_name: 'Radeon PRO W7900' } }])
  expect(readAmdSmi(JSON.stringify([card]), asic)).toMatchObject(expected)
  expect(readAmdSmi(JSON.stringify({ gpu_data: [card] }), asic)).toMatchObject(expected)
  const processes = [
    {
      gpu: 0,
      process_list: [
        { process_info: { name: 'python3', pid: 7, memory_usage: { vram_mem: { value: 4, unit: 'GB' } } } },
        { process_info: 'No running processes detected' },
      ],
    },
  ]
  expect(readAmdHolders(JSON.stringify(processes))).toEqual([
    { gpu: '0', pid: 7, program: 'python3', bytes: 4096 * MIB },
  ])
})

test('garbage of the AMD tools is no reading, and never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((text) => `{"card0": ${text}, "gpu_data": ${text}, "system": ${text}}`),
      ),
      (text) => {
        for (const read of [readRocmSmi, readAmdSmi]) for (const gpu of read(text) ?? []) expect(gpu.name).not.toBe('')
        readRocmHolders(text)
        readAmdHolders(text)
        readNvidiaHolders(text)
      },
    ),
  )
})
