import { keyOf, type Rule, says, without } from './rule.ts'

/** llama-server, in its own words. */
export const LLAMA_RULES: readonly Rule[] = [
  {
    class: 'bad_args',
    match: /error: (?:unknown|invalid) argument: (\S+)|error while handling argument "(.+?)": (.+)/,
    explain: ([, strange, flag, what], { settings }) =>
      strange
        ? { cause: `This version of the engine does not know ${strange}.`, ...without(strange, settings) }
        : {
            cause: `${flag} does not take what it was given: ${what}.`,
            fix: `Correct ${keyOf(flag ?? '')} in \`args\`.`,
          },
  },
  {
    class: 'model_missing',
    match: /failed to open GGUF file '?(.+?)'?(?: \(No such file or directory\)|$)/m,
    explain: ([, path]) => ({ cause: `There is no model at ${path}.`, fix: 'Correct `model`, or get the file again.' }),
  },
  {
    class: 'model_bad',
    match:
      /invalid magic characters|data is not within the file bounds|model is corrupted or incomplete|failed to read (?:key-value pairs|tensor (?:info|data))/,
    explain: says("The model's file is cut off, or no GGUF file.", 'Get the file again.'),
  },
  {
    class: 'engine_old',
    match: /unknown model architecture: '(.+?)'/,
    explain: ([, name]) => ({
      cause: `This llama.cpp does not know the architecture ${name}.`,
      fix: 'Install a newer one, or choose another model.',
    }),
  },
  {
    class: 'oom_gpu',
    match:
      /allocating ([\d.]+) MiB on device \d+: \w+ failed: out of memory|unable to allocate (?:CUDA|ROCm|Vulkan|Metal)\w* buffer|failed to allocate buffer for kv cache|cudaMalloc failed: out of memory/,
    explain: ([, size]) => ({
      cause: `The memory of the GPU is too small for this${size ? ` (${size} MiB more were asked for)` : ''}.`,
      fix: 'Set n-gpu-layers or ctx-size lower, or choose a stronger quantised model.',
    }),
  },
]
