import { say } from '../protocol/sentence.ts'

/**
 * What the tools of GPU makers print, read into figures (reference/vllm.md 7). A cell that holds no figure is null,
 * whatever it says instead; a line that is no row is not taken for one.
 */

/** Shares are 0 to 1. What a card or its driver does not tell is null. */
export type Gpu = {
  index: number
  id: string | null
  name: string
  driver: string | null
  /** `8.9`, NVIDIA only. */
  computeCapability: string | null
  totalBytes: number | null
  usedBytes: number | null
  freeBytes: number | null
  /** Share of the time in which anything ran on it. */
  utilization: number | null
  temperatureC: number | null
  powerW: number | null
  powerLimitW: number | null
  fan: number | null
  throttle: Throttle | null
}

/** Why a card runs slower than it could: the worst of its reasons. `none`: it does not. */
export type Throttle = 'none' | 'power' | 'hardware' | 'heat'

/** Somebody who holds memory of a GPU. Not every system tells how much, or who. */
export type GpuHolder = { gpu: string | null; pid: number; program: string; bytes: number | null }

export type GpuTool = 'nvidia-smi' | 'amd-smi' | 'rocm-smi'

const MIB = 1024 * 1024

/** Fields of `nvidia-smi --query-gpu`, in the order in which they are asked for. Older drivers lack the last ones. */
export const NVIDIA_FIELDS = [
  'index',
  'uuid',
  'name',
  'memory.total',
  'memory.used',
  'memory.free',
  'utilization.gpu',
  'temperature.gpu',
  'driver_version',
  'compute_cap',
  'power.draw',
  'power.limit',
  'fan.speed',
  // Two names of one thing: older drivers know the first, the newest may know the second only.
  'clocks_throttle_reasons.active',
  'clocks_event_reasons.active',
] as const
export type NvidiaField = (typeof NVIDIA_FIELDS)[number]

/** One row of `--format=csv,noheader,nounits`, or null. A name may hold commas: the row is read from both its ends. */
export function readNvidiaRow(line: string, fields: readonly NvidiaField[] = NVIDIA_FIELDS): Gpu | null {
  const cells = line.split(',').map((cell) => cell.trim())
  const spare = cells.length - fields.length
  const nameAt = fields.indexOf('name')
  if (spare < 0 || (spare > 0 && nameAt < 0)) return null
  const row =
    spare === 0 ? cells : cells.toSpliced(nameAt, spare + 1, cells.slice(nameAt, nameAt + spare + 1).join(', '))
  const cell = (field: NvidiaField): string => row[fields.indexOf(field)] ?? ''
  if (!/^\d{1,4}$/.test(cell('index')) || cell('name') === '' || !/^(GPU-|MIG-)|^\[|^N\/A$/.test(cell('uuid')))
    return null
  return {
    index: Number(cell('index')),
    id: word(cell('uuid')),
    name: word(cell('name')) ?? 'NVIDIA GPU',
    driver: word(cell('driver_version')),
    computeCapability: word(cell('compute_cap')),
    totalBytes: scaled(figure(cell('memory.total')), MIB),
    usedBytes: scaled(figure(cell('memory.used')), MIB),
    freeBytes: scaled(figure(cell('memory.free')), MIB),
    utilization: scaled(figure(cell('utilization.gpu')), 0.01),
    temperatureC: figure(cell('temperature.gpu')),
    powerW: figure(cell('power.draw')),
    powerLimitW: figure(cell('power.limit')),
    fan: scaled(figure(cell('fan.speed')), 0.01),
    throttle: throttleOf(cell('clocks_throttle_reasons.active')) ?? throttleOf(cell('clocks_event_reasons.active')),
  }
}

/** Bits of NVML's clocks event reasons. Being idle, or clocks that somebody set, is no trouble. */
const HEAT_BITS = 0x20 | 0x40
const POWER_BITS = 0x04 | 0x80
const SLOWDOWN_BIT = 0x08

/** `0x0000000000000004` → what slows the card down; null: it does not tell. */
function throttleOf(cell: string): Throttle | null {
  if (!/^0x[\da-f]{1,16}$/i.test(cell)) return null
  // The low bits are all that is asked for, and a number holds those.
  const bits = Number.parseInt(cell.slice(-4).replace(/^0?x/i, ''), 16)
  if (bits & HEAT_BITS) return 'heat'
  if (bits & POWER_BITS) return 'power'
  return bits & SLOWDOWN_BIT ? 'hardware' : 'none'
}

/** A field that this driver does not have, by its own complaint. */
export function strangeNvidiaField(line: string): string | null {
  return /^Field "([\w.]+)" is not a valid field/.exec(line)?.[1] ?? null
}

/** What the tool said instead of figures, in words for a person; null where it is none of its known complaints. */
export function gpuComplaint(text: string): { reason: string; noGpu: boolean } | null {
  if (/No devices were found/i.test(text)) return { reason: say('The driver finds no GPU.'), noGpu: true }
  if (/version mismatch/i.test(text))
    return { reason: say('The driver was updated under the running system: restart the computer.'), noGpu: false }
  if (/GPU is lost|Unable to determine the device handle|fallen off the bus/i.test(text))
    return { reason: say('The system has lost the GPU: restart the computer.'), noGpu: false }
  if (
    /couldn't communicate with the NVIDIA driver|Driver not initialized|amdgpu not found|No driver|driver.*not loaded/i.test(
      text,
    )
  )
    return { reason: say('The driver of the GPU does not run.'), noGpu: false }
  if (/Insufficient Permissions|Permission denied/i.test(text))
    return { reason: say('This user may not read the figures of the GPU.'), noGpu: false }
  return null
}

/** Rows of `--query-compute-apps=gpu_uuid,pid,used_gpu_memory,process_name`. */
export function readNvidiaHolders(text: string): GpuHolder[] {
  return text.split('\n').flatMap((line): GpuHolder[] => {
    const [gpu = '', pid = '', used = '', ...program] = line.split(',').map((cell) => cell.trim())
    if (!/^\d+$/.test(pid) || program.length === 0) return []
    return [
      { gpu: word(gpu), pid: Number(pid), program: programName(program.join(', ')), bytes: scaled(figure(used), MIB) },
    ]
  })
}

/** A path is cut to its file; where the system does not tell, the pid has to do. */
function programName(text: string): string {
  const name = word(text)
  return name === null ? 'unknown' : (/([^/\\]+)$/.exec(name)?.[1] ?? name)
}

/**
 * `rocm-smi --json`: one object for each card, its keys with units in them. They moved between versions, so that each
 * is found by what its words have in common.
 */
export function readRocmSmi(text: string): Gpu[] | null {
  const cards = objectIn(text)
  if (cards === null) return null
  const gpus = Object.entries(cards).flatMap(([name, card]): Gpu[] => {
    const index = /^card(\d+)$/.exec(name)?.[1]
    if (index === undefined || !isObject(card)) return []
    const find = (key: RegExp): string => textOf(Object.entries(card).find(([title]) => key.test(title))?.[1])
    const totalBytes = figure(find(/^VRAM Total Memory/i))
    const usedBytes = figure(find(/^VRAM Total Used/i))
    return [
      {
        ...nothingOf(Number(index), word(find(/^(Card series|Device Name|Card model|Market Name)/i)) ?? 'AMD GPU'),
        id: word(find(/^Unique ID/i)),
        driver: word(textOf(isObject(cards['system']) ? cards['system']['Driver version'] : null)),
        totalBytes,
        usedBytes,
        freeBytes: totalBytes === null || usedBytes === null ? null : totalBytes - usedBytes,
        utilization: scaled(figure(find(/^GPU use/i)), 0.01),
        temperatureC: figure(find(/^Temperature \(Sensor edge\)/i)) ?? figure(find(/^Temperature/i)),
        powerW: figure(find(/^(Average|Current Socket) Graphics Package Power/i)) ?? figure(find(/Package Power/i)),
        powerLimitW: figure(find(/^Max Graphics Package Power/i)),
        fan: scaled(figure(find(/^Fan speed \(%\)/i)), 0.01),
      },
    ]
  })
  return gpus.length > 0 ? gpus : null
}

/** `PID123: "python, 1, 1073741824, 0, 0"` below `system`, from `--showpids`. */
export function readRocmHolders(text: string): GpuHolder[] {
  const system = objectIn(text)?.['system']
  if (!isObject(system)) return []
  return Object.entries(system).flatMap(([key, value]): GpuHolder[] => {
    const pid = /^PID(\d+)$/.exec(key)?.[1]
    const [program = '', , bytes = ''] = textOf(value)
      .split(',')
      .map((cell) => cell.trim())
    return pid === undefined
      ? []
      : [{ gpu: null, pid: Number(pid), program: programName(program), bytes: figure(bytes) }]
  })
}

/** `amd-smi metric --json`, with the names of `amd-smi static --asic --json` where they came along. */
export function readAmdSmi(metric: string, asic = ''): Gpu[] | null {
  const cards = amdCards(metric)
  if (cards === null) return null
  const names = amdCards(asic) ?? []
  const gpus = cards.flatMap((card, position): Gpu[] => {
    const index = typeof card['gpu'] === 'number' ? card['gpu'] : position
    const about = names.find((one) => one['gpu'] === index)
    const at = (...path: string[]): unknown =>
      path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : null), card)
    const temperature = amount(at('temperature', 'edge')) ?? amount(at('temperature', 'hotspot'))
    return [
      {
        ...nothingOf(index, word(textOf(isObject(about?.['asic']) ? about['asic']['market_name'] : null)) ?? 'AMD GPU'),
        totalBytes: bytesOf(at('mem_usage', 'total_vram')),
        usedBytes: bytesOf(at('mem_usage', 'used_vram')),
        freeBytes: bytesOf(at('mem_usage', 'free_vram')),
        utilization: scaled(amount(at('usage', 'gfx_activity')), 0.01),
        temperatureC: temperature,
        powerW: amount(at('power', 'socket_power')),
        fan: scaled(amount(at('fan', 'usage')), 0.01),
      },
    ]
  })
  return gpus.length > 0 ? gpus : null
}

/** `amd-smi process --json`. */
export function readAmdHolders(text: string): GpuHolder[] {
  return (amdCards(text) ?? []).flatMap((card) => {
    const list = Array.isArray(card['process_list']) ? card['process_list'] : []
    return list.flatMap((entry: unknown): GpuHolder[] => {
      const info = isObject(entry) ? (isObject(entry['process_info']) ? entry['process_info'] : entry) : null
      if (info === null || typeof info['pid'] !== 'number') return []
      const usage = isObject(info['memory_usage']) ? info['memory_usage']['vram_mem'] : info['mem']
      return [
        {
          gpu: String(card['gpu'] ?? ''),
          pid: info['pid'],
          program: programName(textOf(info['name'])),
          bytes: bytesOf(usage),
        },
      ]
    })
  })
}

/** A list of cards, or since ROCm 7 an object that holds it. */
function amdCards(text: string): Record<string, unknown>[] | null {
  const value = jsonIn(text)
  const list = isObject(value) ? value['gpu_data'] : value
  return Array.isArray(list) ? list.filter(isObject) : null
}

function nothingOf(index: number, name: string): Gpu {
  return {
    index,
    id: null,
    name,
    driver: null,
    computeCapability: null,
    totalBytes: null,
    usedBytes: null,
    freeBytes: null,
    utilization: null,
    temperatureC: null,
    powerW: null,
    powerLimitW: null,
    fan: null,
    throttle: null,
  }
}

/** `24564`, `28.31 W`, `7 %`; not `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `ERR!`, nor what is below nothing. */
function figure(cell: string): number | null {
  const found = /^(\d+(?:\.\d+)?)(?: ?(?:%|MiB|W|C|MHz|B))?$/.exec(cell.trim())
  const value = found ? Number(found[1]) : Number.NaN
  return Number.isFinite(value) ? value : null
}

/** A text that says something. */
function word(cell: string): string | null {
  return cell === '' || /^\[.*\]$|^N\/A$|^ERR!$|^unknown$/i.test(cell) ? null : cell
}

function scaled(value: number | null, by: number): number | null {
  return value === null ? null : value * by
}

/** `{value, unit}` or a plain number. */
function amount(cell: unknown): number | null {
  return figure(textOf(isObject(cell) ? cell['value'] : cell))
}

function bytesOf(cell: unknown): number | null {
  const units: Record<string, number> = { B: 1, KB: 1024, MB: MIB, MIB: MIB, GB: 1024 * MIB, GIB: 1024 * MIB }
  const unit = isObject(cell) ? textOf(cell['unit']).toUpperCase() : 'B'
  return scaled(amount(cell), units[unit] ?? 1)
}

/** JSON between whatever else the tool prints: warnings come before it. */
function jsonIn(text: string): unknown {
  const from = text.search(/[{[]\s*["{\]}]/)
  if (from < 0) return null
  try {
    return JSON.parse(text.slice(from).trim())
  } catch {
    return null
  }
}

function objectIn(text: string): Record<string, unknown> | null {
  const value = jsonIn(text)
  return isObject(value) ? value : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}
