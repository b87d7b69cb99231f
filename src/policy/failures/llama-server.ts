import { say } from '../../protocol/sentence.ts'
import { keyOf, type Rule, says, without } from './rule.ts'

/** llama-server, in its own words. */
export const LLAMA_RULES: readonly Rule[] = [
  {
    class: 'bad_args',
    match: /error: (?:unknown|invalid) argument: (\S+)|error while handling argument "(.+?)": (.+)/,
    explain: ([, strange, flag, what], { settings }) =>
      strange
        ? { cause: say`This version of the engine does not know ${strange}.`, ...without(strange, settings) }
        : {
            cause: say`${flag} does not take what it was given: ${what}.`,
            fix: say`Correct ${keyOf(flag ?? '')} in \`args\`.`,
          },
  },
  {
    class: 'model_missing',
    match: /failed to open GGUF file '?(.+?)'?(?: \(No such file or directory\)|$)/m,
    explain: ([, path]) => ({
      cause: say`There is no model at ${path}.`,
      fix: say('Correct `model`, or get the file again.'),
    }),
  },
  {
    class: 'model_bad',
    match:
      /invalid magic characters|data is not within the file bounds|model is corrupted or incomplete|failed to read (?:key-value pairs|tensor (?:info|data))/,
    explain: says(say("The model's file is cut off, or no GGUF file."), say('Get the file again.')),
  },
  {
    class: 'engine_old',
    match: /unknown model architecture: '(.+?)'/,
    explain: ([, name]) => ({
      cause: say`This llama.cpp does not know the architecture ${name}.`,
      fix: say('Install a newer one, or choose another model.'),
    }),
  },
  {
    class: 'oom_gpu',
    match:
      /allocating ([\d.]+) MiB on device \d+: \w+ failed: out of memory|unable to allocate (?:CUDA|ROCm|Vulkan|Metal)\w* buffer|failed to allocate buffer for kv cache|cudaMalloc failed: out of memory/,
    explain: ([, size]) => ({
      cause: size
        ? say`The memory of the GPU is too small for this (${size} MiB more were asked for).`
        : say('The memory of the GPU is too small for this.'),
      fix: say('Set n-gpu-layers or ctx-size lower, or choose a stronger quantised model.'),
    }),
  },
]
