import type { EngineCommandReport } from '../protocol/engine.ts'
import { configHash, engineCommand } from './command-line.ts'
import { commandLines } from './command-text.ts'
import type { CommandFacts } from './engine-command.ts'
import { keptOptions } from './engine-help.ts'
import { type EngineConfig, fetchFacts, findLaunch } from './launch.ts'
import { modelOf } from './memory-needs.ts'
import { memoryOf, optionProblems } from './preflight.ts'
import type { EngineWorld } from './supervision.ts'

/** What goes on while the next command is asked for; null: nothing does. */
export type RunningCommand = {
  port: number | null
  derived: Readonly<Record<string, string>>
  /** Of each GPU. */
  heldBytes: number | null
} | null

/** In the places of what a run gets only when it starts. */
const OF_A_RUN = { key: 'the key of the run', marker: 'RUN', runDir: 'the folder of the run' }

/** The command of the next start as far as it can be told before it: nothing is started to find it out. */
export async function nextCommand(
  name: string,
  config: EngineConfig,
  world: EngineWorld,
  running: RunningCommand,
): Promise<Pick<EngineCommandReport, 'next' | 'problems'>> {
  const found = findLaunch(config, world.launch)
  const isAsked = config.kind === 'vllm' || config.kind === 'llama-server'
  const flags = 'launch' in found && isAsked ? keptOptions(found.launch, world.cacheDir) : null
  const problems = optionProblems(config, flags).map(({ cause, fix }) => [cause, fix].filter(Boolean).join(' '))
  if ('failure' in found) return { next: null, problems: [...problems, found.failure.cause] }
  const { gpu, gpuNames } = memoryOf(config, (await world.gpu.sample()) ?? [])
  const flagsHash = configHash({ ...config, port: 0 })
  const past = world.starts.earlier({ model: config.model ?? name, flagsHash, gpu: gpuNames })
  const facts: CommandFacts = {
    ...OF_A_RUN,
    name,
    port: config.port === 0 ? (running?.port ?? 0) : config.port,
    flags,
    gpu:
      gpu === null ? null : { ...gpu, freeBytes: Math.min(gpu.totalBytes, gpu.freeBytes + (running?.heldBytes ?? 0)) },
    prefillRate: past.findLast((start) => start.prefillRate !== null)?.prefillRate ?? null,
    isComplete: modelOf(config, world.launch)?.is === 'complete',
    ...fetchFacts(world.launch),
    env: world.launch.env,
    ...(running === null ? {} : { running: running.derived }),
  }
  return { next: commandLines(engineCommand(config, found.launch, facts), config, facts), problems }
}
