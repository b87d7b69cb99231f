/** The engine core of a fake vLLM, or one of its workers: a process of its own that outlives its parent's SIGKILL. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { logLine, print } from './console.ts'
import { createPlayer, type Facts } from './player.ts'
import type { Printed } from './recording.ts'
import type { VllmScript } from './script.ts'
import type { StartPlan } from './start-plan.ts'
import { holdVram } from './vram.ts'

/** What the API server leaves for those below it, in a file. */
export type CorePlan = { folder: string; script: VllmScript; facts: Facts; plan: StartPlan; shutdownTimeout: number }

export type ToCore =
  | { do: 'play'; block: number }
  | { do: 'step' }
  | { do: 'fail' }
  | { do: 'requests'; count: number }
  | { do: 'sleep'; asleep: boolean }
export type FromCore = { is: 'played' } | { is: 'stepped' } | { is: 'spawned'; pid: number }

const [planFile = '', role = 'engine', rank = '0'] = process.argv.slice(2)
const { folder, script, facts, plan, shutdownTimeout } = JSON.parse(readFileSync(planFile, 'utf8')) as CorePlan
/** What a sleeper still holds of its GPU. */
const ASLEEP_MIB = 1500
const isWorker = role === 'worker'
// The kernel shows 15 letters of it as the name.
process.title = isWorker ? (script.device === 'cpu' ? 'VLLM::Worker' : `VLLM::Worker_TP${rank}`) : 'VLLM::EngineCore'
const logName = isWorker ? (script.device === 'cpu' ? 'Worker' : `Worker_TP${rank}`) : 'EngineCore'
const scaled = (seconds: number) => pause(seconds * 1000 * script.timeScale)
const say = (level: string, at: string, text: string) => print('out', logLine(logName, process.pid, level, at, text))

const gpu = visibleGpu(Number(rank))
let heldMib = 0
const play = createPlayer(script, facts, (mib) => {
  heldMib = mib
  holdVram(folder, gpu, mib, process.title)
})
const workers: ChildProcess[] = []
const played = new Set<number>()
let steps = 0
let requests = 0
let ending = false

// Whatever happens to its parent: it lives.
setInterval(() => {}, 1 << 30)

process.on('message', (message: ToCore) => void take(message))
process.on('disconnect', () => void orphaned())
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void asked(signal))

async function take(message: ToCore): Promise<void> {
  switch (message.do) {
    case 'play':
      await playBlock(message.block)
      return tell({ is: 'played' })
    case 'step':
      return step()
    case 'sleep':
      // Context and graphs stay (reference/vllm.md 6.3).
      if (heldMib > 0) holdVram(folder, gpu, message.asleep ? Math.min(heldMib, ASLEEP_MIB) : heldMib, process.title)
      for (const worker of workers) worker.send(message, () => {})
      return
    case 'requests':
      requests = message.count
      return
    case 'fail':
      ending = true
      endWorkers('SIGKILL')
      process.exit(1)
  }
}

function tell(message: FromCore): void {
  if (process.connected) process.send!(message, () => {})
}

async function playBlock(number: number): Promise<void> {
  if (played.has(number)) return
  played.add(number)
  const block = plan.blocks[number]!
  if (isWorker || block[0]!.owner === 'engine') {
    await play(block)
    return
  }
  await Promise.all(workersSpawned().map((worker) => playedBy(worker, number, block)))
}

/** The first worker prints; the others hold their memory in silence. */
async function playedBy(worker: ChildProcess, number: number, block: readonly Printed[]): Promise<void> {
  if (worker !== workers[0] && !block.some(({ vramMib }) => vramMib !== undefined)) return
  await asks(worker, { do: 'play', block: number })
}

/** Resolves with its answer; one that is gone has none. */
function asks(worker: ChildProcess, message: ToCore): Promise<unknown> {
  const answered = once(worker, 'message')
  worker.send(message, () => {})
  return answered
}

function workersSpawned(): ChildProcess[] {
  for (let next = workers.length; next < plan.workers; next += 1) {
    const program = fileURLToPath(import.meta.url)
    const worker = spawn(process.execPath, ['--no-warnings', program, planFile, 'worker', String(next)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    workers.push(worker)
    if (worker.pid !== undefined) tell({ is: 'spawned', pid: worker.pid })
    worker.once('exit', (code, signal) => workerGone(next, signal === 'SIGKILL' ? -9 : (code ?? -15)))
  }
  return workers
}

/** Without one of its workers the engine cannot go on. */
async function workerGone(number: number, code: number): Promise<void> {
  if (ending) return
  ending = true
  const name = script.device === 'cpu' ? `VllmWorker-${number}` : `VllmWorker-TP${number}`
  say(
    'ERROR',
    'multiproc_executor.py:315',
    `Worker proc ${name} died unexpectedly (exit code: ${code}), shutting down executor.`,
  )
  say('INFO', 'multiproc_executor.py:479', '[shutdown] Executor: waiting for worker exit count=0')
  say('INFO', 'multiproc_executor.py:486', '[shutdown] Executor: all workers exited gracefully')
  say('ERROR', 'core.py:1512', 'EngineCore encountered a fatal error.\r')
  say('ERROR', 'core.py:1512', 'Traceback (most recent call last):\r')
  say('ERROR', 'core.py:1512', 'RuntimeError: cancelled')
  endWorkers('SIGKILL')
  process.exit(1)
}

function endWorkers(signal: NodeJS.Signals): void {
  for (const worker of workers) worker.kill(signal)
}

/** One step makes one token for everything that runs. A worker that is stopped holds it up. */
async function step(): Promise<void> {
  if (script.hangAfterSteps !== null && steps >= script.hangAfterSteps) return
  steps += 1
  if (script.crashAfterSteps !== null && steps > script.crashAfterSteps) process.kill(process.pid, 'SIGKILL')
  if (workers.length > 0) await Promise.all(workers.map((worker) => asks(worker, { do: 'step' })))
  tell({ is: 'stepped' })
}

/**
 * The parent is gone. A worker sees that and goes too; an engine core does not: it loads to the end, and stays.
 */
async function orphaned(): Promise<void> {
  if (isWorker) {
    say('INFO', 'multiproc_executor.py:843', 'Parent process exited, terminating worker queues')
    await scaled(4.1)
    process.exit(0)
  }
  for (const [number, block] of plan.blocks.entries()) if (block[0]!.owner !== 'api') await playBlock(number)
  if (plan.exit !== null) process.exit(1)
}

async function asked(signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  if (ending) return
  ending = true
  if (isWorker) process.exit(0)
  // An interrupt reaches the whole group: its workers are gone, and so is what runs.
  if (signal === 'SIGINT' && isLoaded()) process.exit(1)
  if (!isLoaded()) {
    // It has heard, and loads on; half a minute later it is gone.
    say('INFO', 'core.py:1454', `[shutdown] EngineCore: trigger received signal=${signal}`)
    await scaled(27)
    endWorkers('SIGKILL')
    process.exit(0)
  }
  const drains = shutdownTimeout > 0 && requests > 0
  const mode = `${shutdownTimeout > 0 ? 'drain' : 'abort'} timeout=${shutdownTimeout}s`
  say('INFO', 'core.py:1454', `[shutdown] EngineCore: trigger received signal=${signal}`)
  say('INFO', 'core.py:1635', `[shutdown] EngineCore: start mode=${mode}`)
  if (drains)
    say(
      'INFO',
      'core.py:1655',
      `[shutdown] EngineCore: draining in-flight requests count=${requests} timeout=${shutdownTimeout}s`,
    )
  else if (requests > 0)
    say('INFO', 'core.py:1644', `[shutdown] EngineCore: aborting in-flight requests count=${requests}`)
  while (drains && requests > 0) await pause(2)
  say('INFO', 'core.py:1666', '[shutdown] EngineCore: request processing complete; starting resource teardown')
  say('INFO', 'core.py:1499', '[shutdown] EngineCore: exiting busy loop')
  // 7.2 s from the signal to the end of an orphan, 4.5 s after the last token of a drain.
  await scaled(process.connected ? 4.5 : 7.2)
  endWorkers('SIGTERM')
  process.exit(0)
}

function isLoaded(): boolean {
  return plan.blocks.every((block, number) => block[0]!.owner === 'api' || played.has(number))
}

function visibleGpu(rank: number): number {
  const visible = process.env.CUDA_VISIBLE_DEVICES?.split(',')[rank]
  return visible !== undefined && /^\d+$/.test(visible) ? Number(visible) : rank
}
