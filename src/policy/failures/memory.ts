import { say } from '../../protocol/sentence.ts'
import { given, type Rule, type Settings, says, type Told } from './rule.ts'

/** reference/vllm.md 3.1. */
export const MEMORY_RULES: readonly Rule[] = [
  {
    class: 'vram_busy',
    match:
      /Free memory on device (\S+) \(([\d.]+)\/([\d.]+) GiB\) on startup is less than desired GPU memory utilization \(([\d.]+)/,
    explain: ([, , free = '', total = '', wanted = '']) => {
      const share = Math.floor((100 * Number(free)) / Number(total)) / 100 - 0.02
      const cause = say`Others hold memory of the GPU: ${free} of ${total} GiB are free, and a share of ${wanted} was asked for.`
      if (!(share >= 0.1)) return { cause, fix: say('See who holds it (`lexora gpu --who`) and close that.') }
      const value = Number(share.toFixed(2))
      const fix = say`See who holds it (\`lexora gpu --who\`) and close that, or set gpu-memory-utilization to ${value}.`
      return { cause, fix, change: { 'args.gpu-memory-utilization': value } }
    },
  },
  {
    class: 'vram_changed',
    match: /Error in memory profiling\. Initial free memory ([\d.]+) GiB, current free memory ([\d.]+) GiB/,
    canHeal: true,
    explain: ([, before, after]) => ({
      cause: say`Another program gave memory of the GPU back while vLLM measured (${before} GiB free, then ${after} GiB).`,
      fix: say('Start again when the free memory no longer changes.'),
    }),
  },
  {
    class: 'ctx_too_big',
    match: /max seq len \((\d+)\), \(([\d.]+) GiB KV .*?memory \((-?[\d.]+) GiB\)(?:.*?maximum model length is (\d+))?/,
    explain: ([, asked, needs, has, fits]) => {
      const cause = say`A context of ${asked} tokens needs ${needs} GiB for its cache, and ${has} GiB are left for it.`
      const length = shorter(Number(fits ?? 0))
      if (length <= 0)
        return { cause, fix: say('Choose a smaller or stronger quantised model, or raise gpu-memory-utilization.') }
      return { cause, fix: say`Set max-model-len to ${length}.`, change: { 'args.max-model-len': length } }
    },
  },
  {
    class: 'weights_too_big',
    match: /Cannot auto-fit max_model_len/,
    explain: says(
      say('The model leaves no room for any context on this GPU.'),
      say('Choose a smaller or stronger quantised model.'),
    ),
  },
  {
    class: 'weights_too_big',
    match: /No available memory for the cache blocks/,
    explain: (_, { log, settings }) =>
      given(settings, 'kv-cache-memory-bytes') !== undefined ||
      log.some((line) => line.includes("'kv_cache_memory_bytes'"))
        ? {
            cause: say('kv-cache-memory-bytes is too small for a single block of the cache.'),
            fix: say('Remove kv-cache-memory-bytes, or raise it.'),
            change: { 'args.kv-cache-memory-bytes': null },
          }
        : {
            cause: say('The weights fit, and nothing is left for the cache.'),
            fix: say('Raise gpu-memory-utilization, set kv-cache-dtype to fp8, or choose a stronger quantised model.'),
          },
  },
  {
    class: 'vram_peak',
    match: /out of memory occurred when warming up sampler with (\d+) dummy requests/,
    explain: ([, count]) => fewerSequences(Number(count)),
  },
  {
    class: 'weights_too_big',
    match: /Failed to load model - not enough GPU memory/,
    explain: says(
      say('The weights do not fit into the memory of the GPU.'),
      say('Choose a smaller or stronger quantised model, or use more GPUs (tensor-parallel-size).'),
    ),
  },
  {
    class: 'oom_gpu',
    match:
      /CUDA out of memory\. Tried to allocate ([\d.]+ \w+)|HIP out of memory|torch\.OutOfMemoryError|CUDA error: out of memory/,
    whileServing: true,
    explain: ([, size], { log, settings, serves }) => outOfMemory(size, log, settings, serves),
  },
]

/** A context that fits, in round numbers. */
function shorter(fits: number): number {
  const step = fits >= 2048 ? 256 : 16
  return Math.floor(fits / step) * step
}

function fewerSequences(now: number): Told {
  const fewer = Math.max(1, Math.floor(now / 2))
  return {
    cause: say('The memory of the GPU ran out while it warmed up.'),
    fix: say`Set max-num-seqs to ${fewer}.`,
    change: { 'args.max-num-seqs': fewer },
  }
}

/** Where the memory ran out decides what helps: while weights were loaded, or once they were there. */
function outOfMemory(size: string | undefined, log: readonly string[], settings: Settings, serves: boolean): Told {
  if (serves) {
    const lower = lowerShare(settings)
    return {
      canHeal: true,
      cause: size
        ? say`The memory of the GPU ran out while it served (${size} more were asked for).`
        : say('The memory of the GPU ran out while it served.'),
      fix: say`Set gpu-memory-utilization to ${lower}, or close what else uses the GPU.`,
      change: { 'args.gpu-memory-utilization': lower },
    }
  }
  if (log.some((line) => /KV cache size|Capturing .*graphs/.test(line))) {
    const lower = lowerShare(settings)
    return {
      class: 'vram_peak',
      cause: size
        ? say`The memory of the GPU ran out while graphs were captured (${size} more were asked for).`
        : say('The memory of the GPU ran out while graphs were captured.'),
      fix: say`Set gpu-memory-utilization to ${lower}, or max-num-seqs lower, or enforce-eager.`,
      change: { 'args.gpu-memory-utilization': lower },
    }
  }
  // Only who has seen it begin to load knows that it got no further.
  if (!log.some((line) => /Starting to load model|Initializing a V1 LLM engine/.test(line)))
    return {
      cause: size
        ? say`The memory of the GPU ran out (${size} more were asked for).`
        : say('The memory of the GPU ran out.'),
      fix: say(
        'Choose a smaller or stronger quantised model, set max-num-seqs lower, or close what else uses the GPU.',
      ),
    }
  return {
    class: 'weights_too_big',
    cause: size
      ? say`The weights do not fit into the memory of the GPU (${size} more were asked for).`
      : say('The weights do not fit into the memory of the GPU.'),
    fix: say(
      'Choose a smaller or stronger quantised model, use more GPUs (tensor-parallel-size), or close what else uses the GPU.',
    ),
  }
}

function lowerShare(settings: Settings): number {
  const now = Number(given(settings, 'gpu-memory-utilization') ?? 0.92)
  return Number((Math.max(0.1, Number.isFinite(now) ? now : 0.92) - 0.04).toFixed(2))
}
