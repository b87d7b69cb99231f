import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import {
  hasVariable,
  isAlive,
  listProcesses,
  type ProcessId,
  type ProcessInfo,
  readProcess,
  sharedMemoryOf,
} from './processes.ts'

/** Every process of an engine carries it in its environment, with the run's marker as its value. */
export const MARKER_VARIABLE = 'LEXORA_ENGINE_RUN'

/** How the processes of one run are known: by who they are, never by what they are called. */
export type Family = {
  marker: string
  /** The engine's own process, leader of its session and group; null: it is not known whether there is one. */
  leader: ProcessId | null
  /** Who else was seen to belong to it. */
  members: readonly ProcessId[]
}

const POLL_MS = 40
const KILLED_WITHIN_MS = 5000

/**
 * Who of a family lives. Its group counts only while someone in it is known by pid and start time, or carries the
 * marker: a number alone may have been given to somebody else. `search` also reads every environment of this user.
 */
export function livingFamily(family: Family, search: boolean, all = listProcesses()): ProcessInfo[] {
  const known = new Map([family.leader, ...family.members].flatMap((id) => (id === null ? [] : [[id.pid, id]])))
  const isKnown = (one: ProcessInfo): boolean => known.get(one.pid)?.startTime === one.startTime
  const living = all.filter(({ isZombie, pid }) => !isZombie && pid !== process.pid)
  const sure = living.filter(
    (one) => isKnown(one) || (search && hasVariable(one.pid, `${MARKER_VARIABLE}=${family.marker}`)),
  )
  const found = new Set(sure.map(({ pid }) => pid))
  const group = family.leader?.pid
  const groupIsOurs = group !== undefined && sure.some((one) => one.group === group || one.session === group)
  if (groupIsOurs) for (const one of living) if (one.group === group || one.session === group) found.add(one.pid)
  addDescendants(found, living)
  return living.filter(({ pid }) => found.has(pid))
}

function addDescendants(found: Set<number>, living: readonly ProcessInfo[]): void {
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const { pid, parent } of living) if (found.has(parent)) found.add(pid)
  }
}

/**
 * Ends every process of a family: SIGTERM, `graceMs`, SIGKILL, until nothing of it is left. Resolves with whoever
 * could not be ended. `hurry` cuts the grace short.
 */
export async function endFamily(family: Family, graceMs: number, hurry?: AbortSignal): Promise<ProcessInfo[]> {
  if (process.platform === 'win32') return await endTree(family)
  if (graceMs > 0) {
    signalAll(livingFamily(family, true), 'SIGTERM')
    if ((await goneWithin(family, graceMs, { hurry })).length === 0) return []
  }
  const shared = livingFamily(family, true).flatMap(({ pid }) => sharedMemoryOf(pid))
  const left = await goneWithin(family, KILLED_WITHIN_MS, { press: 'SIGKILL' })
  if (shared.length > 0) removeUnused(shared)
  return left
}

/** Killed with its tracker, vLLM leaves shared memory behind. Such as somebody else has mapped too stays. */
function removeUnused(paths: readonly string[]): void {
  const used = new Set(listProcesses().flatMap(({ pid }) => sharedMemoryOf(pid)))
  for (const path of new Set(paths)) if (!used.has(path)) rmSync(path, { force: true })
}

/** One by one, since each has just been looked at: nobody else can be in between. */
function signalAll(living: readonly ProcessInfo[], signal: NodeJS.Signals): void {
  for (const one of living) signalProcess(one, signal)
}

/** Sends a signal to this process and no other; false where it is gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (readProcess(id.pid)?.startTime !== id.startTime) return false
  try {
    return process.kill(id.pid, signal)
  } catch {
    return false
  }
}

/** Who is left when all are gone, or when the time is up. `press` is sent again to those who were born meanwhile. */
async function goneWithin(
  family: Family,
  ms: number,
  { press, hurry }: { press?: NodeJS.Signals; hurry?: AbortSignal | undefined },
): Promise<ProcessInfo[]> {
  const until = performance.now() + ms
  let left = livingFamily(family, true)
  while (left.length > 0 && performance.now() < until && !hurry?.aborted) {
    if (press !== undefined) signalAll(left, press)
    await pause(POLL_MS)
    left = left.filter(isAlive)
    if (left.length === 0) left = livingFamily(family, true)
  }
  return left
}

/** Untested: Windows knows no groups. `taskkill /T` walks from the leader to its descendants. */
async function endTree({ leader }: Family): Promise<ProcessInfo[]> {
  if (leader === null) return []
  try {
    execFileSync('taskkill', ['/PID', String(leader.pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true })
  } catch {
    // It says so with an exit code where nobody of that number is left.
  }
  return []
}
