/** The fake `nvidia-smi`: `node nvidia-smi.ts FOLDER [arguments of nvidia-smi]`. Reads its script anew for each reading. */
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { print } from './console.ts'
import { type FakeGpu, hostFiles, readScript, type SmiScript } from './script.ts'
import { type Held, heldVram, isAlive } from './vram.ts'

const [folder = '', ...argv] = process.argv.slice(2)

const NONSENSE = '\u0000\u0007 Segmentation fault, , ,,, "\n{]\n'
const flag = (name: string) => argv.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
const loopMs = loopOf()
for (let round = 0; ; round += 1) {
  const { smi } = readScript(folder)
  if (smi.mode === 'hang' || (smi.mode === 'silent' && round > 0)) await pause(1 << 30)
  const failed = failure(smi)
  if (failed) {
    print('out', failed.text)
    process.exit(failed.code)
  }
  // As the real one, which a broken pipe ends.
  if (!print('out', smi.mode === 'nonsense' ? NONSENSE : reading(smi))) process.exit(141)
  if (smi.mode === 'exits' && round > 0) process.exit(0)
  if (loopMs === null) process.exit(0)
  await pause(loopMs)
}

function loopOf(): number | null {
  const at = argv.findIndex((word) => /^(-l|-lms|--loop|--loop-ms)(=|$)/.test(word))
  if (at < 0) return null
  const [name = '', inline] = argv[at]!.split('=')
  return Number(inline ?? argv[at + 1]) * (name.includes('ms') ? 1 : 1000)
}

function failure({ mode }: SmiScript): { text: string; code: number } | null {
  switch (mode) {
    case 'no-driver':
      return {
        code: 9,
        text: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n",
      }
    case 'mismatch':
      return {
        code: 18,
        text: 'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95\n',
      }
    case 'lost':
      return {
        code: 15,
        text: 'Unable to determine the device handle for GPU0: 0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU\n',
      }
    default:
      return null
  }
}

function reading(smi: SmiScript): string {
  const gpuFields = flag('--query-gpu')
  const appFields = flag('--query-compute-apps')
  if (gpuFields)
    return csv(
      gpuFields,
      smi.gpus.map((gpu, index) => (field: string) => gpuCell(smi, gpu, index, field)),
    )
  if (appFields)
    return csv(
      appFields,
      processes(smi).map((held) => (field: string) => appCell(smi, held, field)),
    )
  return `| NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |\n`
}

function csv(fields: string, rows: ((field: string) => string)[]): string {
  const names = fields.split(',').map((field) => field.trim())
  const format = (flag('--format') ?? '').split(',')
  const head = format.includes('noheader') ? '' : `${names.join(', ')}\n`
  return head + rows.map((row) => `${names.map(row).join(', ')}\n`).join('')
}

function gpuCell(smi: SmiScript, gpu: FakeGpu, index: number, field: string): string {
  const used =
    gpu.usedMib +
    counted(smi)
      .filter((held) => held.gpu === index)
      .reduce((sum, { mib }) => sum + mib, 0)
  const cells: Record<string, string> = {
    index: String(index),
    uuid: gpu.uuid,
    name: gpu.name,
    driver_version: '580.95.05',
    compute_cap: '8.9',
    'memory.total': String(gpu.totalMib),
    'memory.used': String(used),
    'memory.free': String(gpu.totalMib - used),
    'utilization.gpu': '7',
    'utilization.memory': '2',
    'temperature.gpu': '41',
    'power.draw': '28.31',
    'power.limit': '450.00',
    'fan.speed': '30',
    'clocks_throttle_reasons.active': '0x0000000000000000',
    pstate: 'P8',
    'clocks.sm': '210',
    ...gpu.cells,
  }
  return cells[field] ?? '[N/A]'
}

function processes(smi: SmiScript): Held[] {
  if (smi.processes === 'hidden') return []
  const others = smi.others.map((other) => ({ ...other, startTime: '' }))
  return [...counted(smi), ...others]
}

function appCell(smi: SmiScript, held: Held, field: string): string {
  const cells: Record<string, string> = {
    gpu_uuid: smi.gpus[held.gpu]?.uuid ?? '[N/A]',
    pid: String(held.pid),
    process_name: held.name,
    used_gpu_memory: smi.processes === 'without-memory' ? '[N/A]' : String(held.mib),
  }
  return cells[field] ?? '[N/A]'
}

/** What is held now, and a moment longer: the driver gives memory back late. */
function counted({ lingerMs }: SmiScript): Held[] {
  return heldVram(folder, (held) => isAlive(held) || deadFor(held) < lingerMs)
}

/** Since when it is gone, as the first reading after its end noted it. */
function deadFor({ pid, gpu }: Held): number {
  const path = `${hostFiles(folder).vram}/${pid}-${gpu}.dead`
  try {
    return Date.now() - Number(readFileSync(path, 'utf8'))
  } catch {
    writeFileSync(path, String(Date.now()))
    return 0
  }
}
