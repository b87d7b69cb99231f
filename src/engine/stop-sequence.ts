import { setTimeout as pause } from 'node:timers/promises'
import type { StopReceipt } from '../protocol/engine.ts'
import type { EngineRun } from './engine-run.ts'
import { hasListener } from './ports.ts'
import type { GpuSource } from './preflight.ts'
import type { EngineTiming } from './supervision.ts'

export type StopOptions = {
  /** null: nothing was started. */
  run: EngineRun | null
  port: number
  wasServing: boolean
  /** Fires when nobody wants to wait for it to go by itself. */
  hurry: AbortSignal
  release: () => void
  gpu: GpuSource
  /** Memory in use on all GPUs before it was started, and when it was ready; null: not known. */
  usedBefore: number | null
  usedReady: number | null
  timing: EngineTiming
  /** Told what is not gone yet. */
  onAwait: (awaits: 'process' | 'port' | 'memory') => void
}

/** Less than this is what desktops take and give all the time. */
const SAME_BYTES = 200 * 1024 ** 2
const LOOK_EVERY_MS = 400
const STEADY_LOOKS = 6
const PORT_MS = 3000
const SAMPLE_MS = 2000
/** Each waits so long at most, or, while it initialises and a SIGTERM can be lost, half as long for a second one. */
const ASKS_WHILE_STARTING = 2

/**
 * Ends a run as reference/vllm.md 4 and the captures have it: our sockets first, then its own process, then its group,
 * and then looks whether all of it is gone: processes, port, memory.
 */
export async function stopRun(options: StopOptions): Promise<StopReceipt> {
  const began = performance.now()
  const { run, port, hurry, gpu, usedBefore, usedReady, onAwait } = options
  onAwait('process')
  options.release()
  const usedWhile = hurry.aborted ? usedReady : ((await usedOf(gpu)) ?? usedReady)
  const left = run === null ? [] : await endProcesses(run, options)
  onAwait('port')
  const portFree = run === null || (await portIsFree(port))
  onAwait('memory')
  const usedAfter = run === null ? null : await settledMemory(options)
  const tookMs = Math.round(performance.now() - began)
  const freedBytes = usedWhile === null || usedAfter === null ? null : Math.max(0, usedWhile - usedAfter)
  const isShort = usedBefore !== null && usedAfter !== null && usedAfter > usedBefore + SAME_BYTES
  const holders = isShort
    ? (await gpu.who()).flatMap(({ bytes, ...who }) => (bytes === null ? [] : [{ ...who, bytes }]))
    : []
  return { tookMs, freedBytes, portFree, left, holders }
}

async function endProcesses(run: EngineRun, { hurry, timing, wasServing }: StopOptions): Promise<StopReceipt['left']> {
  const asks = wasServing ? 1 : ASKS_WHILE_STARTING
  const waitMs = wasServing ? timing.terminateMs : timing.terminateStartingMs
  const exited = new AbortController()
  void run.exited.then(() => exited.abort())
  const enough = AbortSignal.any([hurry, exited.signal])
  for (let ask = 0; ask < asks && !enough.aborted; ask++) {
    run.terminate()
    await pauseUnless(enough, waitMs)
  }
  const kill = (): void => void run.end(0)
  hurry.addEventListener('abort', kill)
  const left = await run.end(hurry.aborted ? 0 : timing.groupMs)
  hurry.removeEventListener('abort', kill)
  return left
}

async function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined)
}

async function portIsFree(port: number): Promise<boolean> {
  const until = performance.now() + PORT_MS
  while (await hasListener(port)) {
    if (performance.now() > until) return false
    await pause(LOOK_EVERY_MS)
  }
  return true
}

/** Memory comes back some time after its owner is gone: waits until it is what it was, or does not change any more. */
async function settledMemory({ gpu, usedBefore, timing }: StopOptions): Promise<number | null> {
  const until = performance.now() + timing.memoryMs
  let last: number | null = null
  for (let steady = 0; ; await pause(LOOK_EVERY_MS)) {
    const used = await usedOf(gpu)
    if (used === null) return null
    if (usedBefore !== null && used <= usedBefore + SAME_BYTES) return used
    steady = last !== null && Math.abs(used - last) < SAME_BYTES ? steady + 1 : 0
    if (steady >= STEADY_LOOKS || performance.now() > until) return used
    last = used
  }
}

/** Memory in use on all GPUs; null where nothing tells, or not in time. */
export async function usedOf(gpu: GpuSource): Promise<number | null> {
  const late = new AbortController()
  const gpus = await Promise.race([gpu.sample(), pauseUnless(late.signal, SAMPLE_MS).then(() => null)])
  late.abort()
  if (gpus === null || gpus.length === 0) return null
  return gpus.reduce<number | null>(
    (sum, { usedBytes }) => (sum === null || usedBytes === null ? null : sum + usedBytes),
    0,
  )
}
