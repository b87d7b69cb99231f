import { memoryShare } from './command-line.ts'
import type { EngineConfig, LaunchWorld } from './launch.ts'
import { checkModel, type ModelFiles } from './model-files.ts'

const GIB = 1024 ** 3
/** What vLLM needs beside the weights before there is any cache: context, activations, graphs (reference/vllm.md 7). */
const OVERHEAD_BYTES = 1.2 * GIB

/** How many GPUs its options spread it over. */
export function gpuCount(args: EngineConfig['args']): number {
  return Number(args['tensor-parallel-size'] ?? 1) * Number(args['pipeline-parallel-size'] ?? 1)
}

export function modelOf({ kind, model }: EngineConfig, { env, home }: LaunchWorld): ModelFiles | null {
  return model !== null && (kind === 'vllm' || kind === 'llama-server') ? checkModel(model, kind, env, home) : null
}

/** The share of a GPU that it is told to take; null: what is free. */
export function ownShare(args: EngineConfig['args']): number | null {
  const own = args['gpu-memory-utilization'] ?? args['gpu_memory_utilization']
  return own === undefined ? null : Number(own)
}

/** Of each of its GPUs, for weights and what comes with them; null: not to be told from the files. */
export function weightsNeed({ args }: EngineConfig, model: ModelFiles | null): number | null {
  const weights = model?.is === 'complete' ? model.bytes : null
  if (weights === null || args['quantization'] !== undefined || args['cpu-offload-gb'] !== undefined) return null
  return weights / gpuCount(args) + OVERHEAD_BYTES
}

/** The least that must be free on a GPU for its start to be tried; null: not known. */
export function leastFree(config: EngineConfig, world: LaunchWorld, totalBytes: number): number | null {
  const share = ownShare(config.args)
  if (share !== null) return share * totalBytes
  const needs = weightsNeed(config, modelOf(config, world))
  if (needs === null) return null
  // What a desktop may take meanwhile is left free, so a little more than that must be there.
  const spare = totalBytes - memoryShare({ totalBytes, freeBytes: totalBytes }, config) * totalBytes
  return needs + spare
}
