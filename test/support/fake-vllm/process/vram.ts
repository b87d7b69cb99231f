import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostFiles } from './script.ts'

/** Memory of one GPU that one process holds. It counts as long as that process lives. */
export type Held = { pid: number; startTime: string; gpu: number; mib: number; name: string }

export function holdVram(folder: string, gpu: number, mib: number, name: string): void {
  const held: Held = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', gpu, mib, name }
  const path = `${hostFiles(folder).vram}/${process.pid}-${gpu}.json`
  writeFileSync(`${path}.new`, JSON.stringify(held))
  renameSync(`${path}.new`, path)
}

/** All that living processes hold. A zombie holds nothing. */
export function heldVram(folder: string, isCounted: (held: Held) => boolean = (held) => isAlive(held)): Held[] {
  const { vram } = hostFiles(folder)
  return readdirSync(vram)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(`${vram}/${name}`, 'utf8')) as Held)
    .filter(isCounted)
}

export function isAlive({ pid, startTime }: { pid: number; startTime: string }): boolean {
  return startTimeOf(pid) === startTime
}

/** In clock ticks since boot; null where there is no such process, or only its zombie. */
export function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}
