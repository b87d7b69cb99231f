/** How the tools of GPU makers are asked, and their answers put together. */

import { execFile } from 'node:child_process'
import {
  type Gpu,
  type GpuHolder,
  type GpuTool,
  gpuComplaint,
  type NvidiaField,
  readAmdHolders,
  readAmdSmi,
  readNvidiaHolders,
  readNvidiaRow,
  readRocmHolders,
  readRocmSmi,
  strangeNvidiaField,
} from '../policy/gpu-reading.ts'
import { say } from '../protocol/sentence.ts'

export function nvidiaQuery(fields: readonly NvidiaField[]): string[] {
  return [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits']
}

export const READINGS = {
  'amd-smi': { args: ['metric', '--json'], read: (output: string) => readAmdSmi(output) },
  'rocm-smi': {
    args: [
      '--showuse',
      '--showmeminfo',
      'vram',
      '--showtemp',
      '--showpower',
      '--showfan',
      '--showproductname',
      '--showuniqueid',
      '--json',
    ],
    read: readRocmSmi,
  },
} as const

export const HOLDERS: Record<GpuTool, { args: string[]; read: (output: string) => GpuHolder[] }> = {
  'nvidia-smi': {
    args: ['--query-compute-apps=gpu_uuid,pid,used_gpu_memory,process_name', '--format=csv,noheader,nounits'],
    read: readNvidiaHolders,
  },
  'amd-smi': { args: ['process', '--json'], read: readAmdHolders },
  'rocm-smi': { args: ['--showpids', '--json'], read: readRocmHolders },
}

/** So many lines of which none is a row. */
const BAD_LINES = 5

/** Puts rows together: what comes after a reading begins the next one. */
export function nvidiaReader(fields: readonly NvidiaField[]) {
  let rows = new Map<number, Gpu>()
  let bad: string[] = []
  let isDone = false

  function take(line: string): void {
    const gpu = readNvidiaRow(line, fields)
    if (!gpu) {
      bad.push(line)
      return
    }
    if (isDone) rows = new Map()
    isDone = false
    bad = []
    rows.set(gpu.index, gpu)
  }

  return {
    take,
    count: () => rows.size,
    lastLine: () => shown(bad.at(-1) ?? ''),
    isNonsense: () => bad.length >= BAD_LINES && bad.every((line) => gpuComplaint(line) === null),
    reading: () => {
      isDone = true
      return [...rows.values()].sort((one, other) => one.index - other.index)
    },
    complaint: (): { reason: string; noGpu: boolean; strange: string | null } => {
      const said = bad.join('\n')
      const strange = bad.map(strangeNvidiaField).find((field) => field !== null) ?? null
      const told = gpuComplaint(said) ?? {
        reason: said === '' ? say('It ended.') : say`It ended: ${shown(said)}`,
        noGpu: false,
      }
      return { ...told, strange }
    },
  }
}

export function nvidiaTable(output: string, fields: readonly NvidiaField[]): Gpu[] {
  return output.split('\n').flatMap((line) => readNvidiaRow(line, fields) ?? [])
}

/** So much of what a tool printed as a person can look at. */
export function shown(text: string): string {
  return JSON.stringify(text.trim().slice(0, 120))
}

/** One call; its output counts whatever its exit code was, since complaints come with one. */
export function run(
  tool: GpuTool,
  args: readonly string[],
  { env, hangMs }: { env: NodeJS.ProcessEnv; hangMs: number },
): Promise<{ output: string } | { missing: true } | { failed: string }> {
  return new Promise((resolve) => {
    execFile(
      tool,
      [...args],
      { env, timeout: hangMs, killSignal: 'SIGKILL', maxBuffer: 4 << 20, windowsHide: true },
      (error, stdout, stderr) => {
        if (error && 'code' in error && error.code === 'ENOENT') resolve({ missing: true })
        else if (error?.killed) resolve({ failed: say('It does not answer.') })
        else resolve({ output: `${stdout}${stderr}` })
      },
    )
  })
}
