import type { EngineFailure } from '../protocol/engine.ts'
import { nearestNames } from '../protocol/nearest-name.ts'

/** What the engine was started with, as far as it is known: computed values are better with it. */
export type Settings = {
  port?: number
  model?: string
  /** `args` of the engine's configuration. */
  args?: Readonly<Record<string, unknown>>
}

/** `class`, `canHeal`: where the words alone do not tell it. */
type Told = Pick<EngineFailure, 'cause' | 'fix'> & Partial<Pick<EngineFailure, 'class' | 'change' | 'canHeal'>>
type Beside = { settings: Settings; log: readonly string[] }

/** One cause by its own words. `change` names keys of the engine's configuration, with dots; null takes one away. */
export type Rule = {
  class: string
  match: RegExp
  /** Trying again may work though nothing was changed. */
  canHeal?: boolean
  explain: (found: RegExpExecArray, beside: Beside) => Told
}

const says =
  (cause: string, fix: string | null, change: EngineFailure['change'] = null) =>
  (): Told => ({ cause, fix, change })

/** reference/vllm.md 3.1. */
export const MEMORY_RULES: readonly Rule[] = [
  {
    class: 'vram_busy',
    match:
      /Free memory on device (\S+) \(([\d.]+)\/([\d.]+) GiB\) on startup is less than desired GPU memory utilization \(([\d.]+)/,
    explain: ([, , free = '', total = '', wanted = '']) => {
      const share = Math.floor((100 * Number(free)) / Number(total)) / 100 - 0.02
      const cause = `Others hold memory of the GPU: ${free} of ${total} GiB are free, and a share of ${wanted} was asked for.`
      if (!(share >= 0.1)) return { cause, fix: 'See who holds it (`lexora gpu --who`) and close that.' }
      const value = Number(share.toFixed(2))
      const fix = `See who holds it (\`lexora gpu --who\`) and close that, or set gpu-memory-utilization to ${value}.`
      return { cause, fix, change: { 'args.gpu-memory-utilization': value } }
    },
  },
  {
    class: 'vram_changed',
    match: /Error in memory profiling\. Initial free memory ([\d.]+) GiB, current free memory ([\d.]+) GiB/,
    canHeal: true,
    explain: ([, before, after]) => ({
      cause: `Another program gave memory of the GPU back while vLLM measured (${before} GiB free, then ${after} GiB).`,
      fix: 'Start again when the free memory no longer changes.',
    }),
  },
  {
    class: 'ctx_too_big',
    match: /max seq len \((\d+)\), \(([\d.]+) GiB KV .*?memory \((-?[\d.]+) GiB\)(?:.*?maximum model length is (\d+))?/,
    explain: ([, asked, needs, has, fits]) => {
      const cause = `A context of ${asked} tokens needs ${needs} GiB for its cache, and ${has} GiB are left for it.`
      const length = shorter(Number(fits ?? 0))
      if (length <= 0)
        return { cause, fix: 'Choose a smaller or stronger quantised model, or raise gpu-memory-utilization.' }
      return { cause, fix: `Set max-model-len to ${length}.`, change: { 'args.max-model-len': length } }
    },
  },
  {
    class: 'weights_too_big',
    match: /Cannot auto-fit max_model_len/,
    explain: says(
      'The model leaves no room for any context on this GPU.',
      'Choose a smaller or stronger quantised model.',
    ),
  },
  {
    class: 'weights_too_big',
    match: /No available memory for the cache blocks/,
    explain: (_, { log, settings }) =>
      given(settings, 'kv-cache-memory-bytes') !== undefined ||
      log.some((line) => line.includes("'kv_cache_memory_bytes'"))
        ? {
            cause: 'kv-cache-memory-bytes is too small for a single block of the cache.',
            fix: 'Remove kv-cache-memory-bytes, or raise it.',
            change: { 'args.kv-cache-memory-bytes': null },
          }
        : {
            cause: 'The weights fit, and nothing is left for the cache.',
            fix: 'Raise gpu-memory-utilization, set kv-cache-dtype to fp8, or choose a stronger quantised model.',
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
      'The weights do not fit into the memory of the GPU.',
      'Choose a smaller or stronger quantised model, or use more GPUs (tensor-parallel-size).',
    ),
  },
  {
    class: 'oom_gpu',
    match:
      /CUDA out of memory\. Tried to allocate ([\d.]+ \w+)|HIP out of memory|torch\.OutOfMemoryError|CUDA error: out of memory/,
    explain: ([, size], { log, settings }) => outOfMemory(size, log, settings),
  },
]

/** A context that fits, in round numbers. */
function shorter(fits: number): number {
  const step = fits >= 2048 ? 256 : 16
  return Math.floor(fits / step) * step
}

function given({ args = {} }: Settings, name: string): unknown {
  return args[name] ?? args[name.replaceAll('-', '_')]
}

function fewerSequences(now: number): Told {
  const fewer = Math.max(1, Math.floor(now / 2))
  return {
    cause: 'The memory of the GPU ran out while it warmed up.',
    fix: `Set max-num-seqs to ${fewer}.`,
    change: { 'args.max-num-seqs': fewer },
  }
}

/** Where the memory ran out decides what helps: while weights were loaded, or once they were there. */
function outOfMemory(size: string | undefined, log: readonly string[], settings: Settings): Told {
  const wanted = size ? ` (${size} more were asked for)` : ''
  if (log.some((line) => /Application startup complete/.test(line))) {
    const lower = lowerShare(settings)
    return {
      canHeal: true,
      cause: `The memory of the GPU ran out while it served${wanted}.`,
      fix: `Set gpu-memory-utilization to ${lower}, or close what else uses the GPU.`,
      change: { 'args.gpu-memory-utilization': lower },
    }
  }
  if (log.some((line) => /KV cache size|Capturing .*graphs/.test(line))) {
    const lower = lowerShare(settings)
    return {
      class: 'vram_peak',
      cause: `The memory of the GPU ran out while graphs were captured${wanted}.`,
      fix: `Set gpu-memory-utilization to ${lower}, or max-num-seqs lower, or enforce-eager.`,
      change: { 'args.gpu-memory-utilization': lower },
    }
  }
  return {
    class: 'weights_too_big',
    cause: `The weights do not fit into the memory of the GPU${wanted}.`,
    fix: 'Choose a smaller or stronger quantised model, use more GPUs (tensor-parallel-size), or close what else uses the GPU.',
  }
}

function lowerShare(settings: Settings): number {
  const now = Number(given(settings, 'gpu-memory-utilization') ?? 0.92)
  return Number((Math.max(0.1, Number.isFinite(now) ? now : 0.92) - 0.04).toFixed(2))
}

/** reference/vllm.md 3.2. */
export const DEVICE_RULES: readonly Rule[] = [
  {
    class: 'driver',
    match: /Driver\/library version mismatch|nvml error: driver\/library version mismatch/i,
    explain: says('The driver of the GPU was updated under the running system.', 'Restart the computer.'),
  },
  {
    class: 'gpu_lost',
    match: /GPU is lost|Unable to determine the device handle for|has fallen off the bus/,
    explain: says(
      'The system has lost the GPU.',
      'Restart the computer; if it happens again, check its power and cooling.',
    ),
  },
  {
    class: 'gpu_missing',
    match:
      /Failed to infer device type|No CUDA GPUs are available|CUDA driver initialization failed|Found no NVIDIA driver|no CUDA-capable device is detected|libcuda\.so\.1: cannot open shared object/,
    explain: says(
      'The engine sees no GPU.',
      'Run `nvidia-smi`; check `gpus` and CUDA_VISIBLE_DEVICES, in a container `--gpus all`, in WSL the driver of Windows.',
    ),
  },
  {
    class: 'driver',
    match:
      /NVIDIA driver on your system is too old(?: \(found version (\d+)\))?|CUDA driver version is insufficient|provided PTX was compiled with an unsupported toolchain/,
    explain: ([, found]) => ({
      cause: `The driver of the GPU is too old for this build${found ? ` (it knows CUDA ${Math.floor(Number(found) / 1000)}.${Math.floor((Number(found) % 1000) / 10)})` : ''}.`,
      fix: 'Update the driver, or install a build for an older CUDA.',
    }),
  },
  {
    class: 'arch',
    match:
      /no kernel image is available for execution on the device|ptxas fatal.*(sm_\w+)|is not compatible with the current PyTorch installation/,
    explain: ([, arch]) =>
      arch
        ? {
            cause: `The compiler that came along does not know this GPU (${arch}).`,
            fix: 'Set TRITON_PTXAS_PATH to the ptxas of a newer CUDA.',
          }
        : {
            cause: 'This build has no code for this GPU.',
            fix: 'Install a newer build, or one for this compute capability (7.5 at least).',
          },
  },
  {
    class: 'dtype',
    match: /Bfloat16 is only supported on GPUs with compute capability of at least [\d.]+(?:\. Your (.+?) GPU has)?/,
    explain: ([, name]) => ({
      cause: `${name ? `This GPU (${name})` : 'This GPU'} does not know bfloat16.`,
      fix: 'Set dtype to half.',
      change: { 'args.dtype': 'half' },
    }),
  },
  {
    class: 'quantization',
    match:
      /quantization method (\S+) is not supported for the current GPU\. Minimum capability: (\d+)\. Current capability: (\d+)/,
    explain: ([, method, needs, has]) => ({
      cause: `${method} needs a GPU of compute capability ${capability(needs)}, and this one has ${capability(has)}.`,
      fix: 'Choose an AWQ or GPTQ variant of the model.',
    }),
  },
  {
    class: 'quantization',
    match:
      /Quantization method specified in the model config \((\w+)\) does not match.*?\((\w+)\)|Unknown quantization method: (\S+?)\./,
    explain: ([, model, asked, strange]) => ({
      cause: strange
        ? `This vLLM does not know the quantization ${strange}.`
        : `The model is quantised as ${model}, not as ${asked}.`,
      fix: 'Remove `quantization`: the model says it itself.',
      change: { 'args.quantization': null },
    }),
  },
  {
    class: 'attention',
    match: /No valid attention backend found for/,
    explain: (_, { settings }) => {
      const cause = 'No attention backend can do this combination of GPU, head size and types.'
      return given(settings, 'kv-cache-dtype') === undefined
        ? { cause, fix: 'Set dtype to half or bfloat16, or another attention backend.' }
        : { cause, fix: 'Remove kv-cache-dtype.', change: { 'args.kv-cache-dtype': null } }
    },
  },
  {
    class: 'wsl_memory',
    match: /UVA is not available/,
    explain: says(
      'WSL gives no pinned memory to vLLM.',
      'Set VLLM_WSL2_ENABLE_PIN_MEMORY to 1 in `env`, after `wsl --update`.',
      { 'env.VLLM_WSL2_ENABLE_PIN_MEMORY': '1' },
    ),
  },
  {
    class: 'gpu_fault',
    match:
      /illegal memory access|device-side assert|unspecified launch failure|CUDA error: misaligned|uncorrectable (?:NVLink|ECC) error/,
    canHeal: true,
    explain: says(
      'A computation on the GPU went wrong.',
      "If it happens again: set enforce-eager, and look for Xid errors in the kernel's log.",
    ),
  },
]

/** 86 is 8.6. */
function capability(digits = ''): string {
  return digits.length > 1 ? `${digits.slice(0, -1)}.${digits.slice(-1)}` : digits
}

/** What the command line and the environment say: reference/vllm.md 3.3 and 3.5. */
export const SETTING_RULES: readonly Rule[] = [
  {
    class: 'bad_args',
    match: /error: unrecognized arguments: (.+)/,
    explain: ([, words = ''], { settings }) => {
      const flag = words.split(' ').find((word) => word.startsWith('-'))
      if (!flag)
        return {
          cause: `The command line holds words that mean nothing to it: ${words}.`,
          fix: 'Remove them from `args`.',
        }
      return { cause: `This version of the engine does not know ${words}.`, ...without(flag, settings) }
    },
  },
  {
    class: 'bad_args',
    match:
      /error: argument (-[\w-]+)(?:\/\S+)?: (invalid choice: '?(.*?)'? \(choose from (.+?)\)|expected .*|invalid .*)/,
    explain: ([, flag = '', what, asked = '', choices = '']) => {
      const names = [...choices.matchAll(/[\w.-]+/g)].map(([name]) => name)
      const key = keyOf(flag)
      const fix = names.length > 0 ? oneOf(key, asked, names) : `Correct ${key} in \`args\`.`
      return { cause: `${flag} does not take what it was given: ${wordsOf(what)}.`, fix }
    },
  },
  {
    class: 'bad_args',
    match: /ambiguous option: (--[\w-]+)/,
    explain: ([, flag = '']) => ({ cause: `${flag} may be one of several options.`, fix: 'Write it out in `args`.' }),
  },
  {
    class: 'bad_args',
    match: /`model` should be provided as the first positional argument/,
    explain: says('It was not told which model to serve.', 'Set `model`.'),
  },
  {
    class: 'bad_args',
    match: /--enable-auto-tool-choice requires --tool-call-parser/,
    explain: says(
      'enable-auto-tool-choice needs a tool-call-parser.',
      "Set tool-call-parser to that of the model's family, or remove enable-auto-tool-choice.",
    ),
  },
  {
    class: 'bad_args',
    match:
      /invalid (tool call|reasoning) parser: (\S+) \(chose from \{ ?(.+?) ?\}\)|Reasoning parser '(\S+)' not found\. Available parsers: (.+?)(?:"|$)/m,
    explain: ([, kind, asked, names, reasoning, others]) => {
      const key = kind === 'tool call' ? 'tool-call-parser' : 'reasoning-parser'
      const name = asked ?? reasoning ?? ''
      const known = (names ?? others ?? '').split(',').map((one) => one.trim())
      return { cause: `This version has no ${key} named ${name}.`, fix: oneOf(key, name, known) }
    },
  },
  {
    class: 'bad_args',
    match: /Sleep mode is not supported on current platform/,
    explain: says(
      'vLLM can sleep only on CUDA and ROCm under Linux.',
      'Remove enable-sleep-mode, and set `sleep` to off.',
      { 'args.enable-sleep-mode': null },
    ),
  },
  {
    class: 'parallel',
    match: /Total number of attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)/,
    explain: ([, heads, asked]) => {
      const size = divisorBelow(Number(heads), Number(asked))
      return {
        cause: `The model's ${heads} attention heads cannot be shared by ${asked} GPUs.`,
        fix: `Set tensor-parallel-size to ${size}.`,
        change: { 'args.tensor-parallel-size': size },
      }
    },
  },
  {
    class: 'parallel',
    match: /World size \((\d+)\) is larger than the number of available GPUs \((\d+)\)/,
    explain: ([, asked, has]) => {
      const cause = `${asked} GPUs were asked for, and there are ${has}.`
      return Number(has) === 1
        ? { cause, fix: 'Set tensor-parallel-size to 1.', change: { 'args.tensor-parallel-size': 1 } }
        : { cause, fix: `Set tensor-parallel-size so that no more than ${has} are used.` }
    },
  },
  {
    class: 'parallel',
    match: /NCCL error|ncclUnhandledCudaError|ncclSystemError/,
    explain: says(
      'The GPUs could not talk to each other (NCCL).',
      'Set NCCL_P2P_DISABLE to 1 in `env`; in a container use `--ipc=host`.',
      { 'env.NCCL_P2P_DISABLE': '1' },
    ),
  },
  {
    class: 'bad_env',
    match: /Unknown vLLM environment variable detected: (\w+)/,
    explain: ([, name = '']) => ({
      cause: `This vLLM does not know the environment variable ${name}.`,
      fix: `Remove ${name} from \`env\`.`,
      change: { [`env.${name}`]: null },
    }),
  },
  {
    class: 'bad_env',
    match: /ValueError: invalid literal for int\(\) with base 10: '(.*)'/,
    explain: ([, text = ''], { log }) => {
      // The traceback shows the line that reads it.
      const name = log.map((line) => /"(VLLM_\w+)": lambda/.exec(line)?.[1]).find((found) => found !== undefined)
      const which = name ?? 'An environment variable of vLLM'
      const number = /^(true|yes|on)$/i.test(text) ? '1' : /^(false|no|off)$/i.test(text) ? '0' : null
      return {
        cause: `${which} wants a number, and was given ${text || 'nothing'}.`,
        fix: number ? `Set ${name ?? 'it'} to ${number} in \`env\`.` : 'Correct it in `env`.',
        change: name && number ? { [`env.${name}`]: number } : null,
      }
    },
  },
]

function keyOf(flag: string): string {
  return flag.replace(/^-+/, '').replace(/=.*$/, '').replaceAll('_', '-')
}

/** A flag taken away again, where it is one of those that the configuration has. */
function without(flag: string, { args }: Settings): Pick<Told, 'fix' | 'change'> {
  const key = keyOf(flag)
  const has = args === undefined || given({ args }, key) !== undefined
  return { fix: `Remove ${key} from \`args\`.`, change: has ? { [`args.${key}`]: null } : null }
}

/** The nearest name may not be the one that was meant, so it is said and no button sets it. */
function oneOf(key: string, asked: string, names: readonly string[]): string {
  const nearest = nearestNames(asked, names)[0]
  const others = names.filter((name) => name !== nearest)
  return nearest
    ? `Set ${key} to ${nearest}, or to one of ${listed(others)}.`
    : `Set ${key} to one of ${listed(names)}.`
}

/** Without the list of choices: it is in the fix. */
function wordsOf(what = ''): string {
  return what.replace(/ \(choose from .*$/, '')
}

function listed(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ')
}

function divisorBelow(heads: number, asked: number): number {
  for (let size = asked - 1; size > 1; size -= 1) if (heads % size === 0) return size
  return 1
}

/** reference/vllm.md 3.4. */
export const MODEL_RULES: readonly Rule[] = [
  {
    class: 'auth',
    match:
      /gated repo|401 Client Error|403 Client Error|Access to model \S+ is restricted|Invalid user token|GatedRepoError/,
    explain: (_, { settings, log }) => {
      const name =
        log.map((line) => /Access to model (\S+) is restricted/.exec(line)?.[1]).find(Boolean) ?? settings.model
      const page = name && /^[\w.-]+\/[\w.-]+$/.test(name) ? ` on https://huggingface.co/${name}` : ''
      return {
        cause: `The hub does not give out ${name ?? 'this model'} without permission.`,
        fix: `Accept its licence${page}, and set HF_TOKEN to a token of that account.`,
      }
    },
  },
  {
    class: 'hub_limit',
    match: /429 Client Error|Too Many Requests for url/,
    canHeal: true,
    explain: says('The hub answers too many requests from here with a refusal.', 'Wait, or set HF_TOKEN.'),
  },
  {
    class: 'offline',
    match:
      /LocalEntryNotFoundError|Cannot find the requested files in the disk cache|We couldn't connect to 'https:\/\/|outgoing traffic has been disabled|Temporary failure in name resolution/,
    explain: (_, { settings }) => ({
      cause: `${settings.model ?? 'The model'} is not complete on this machine, and the hub cannot be reached.`,
      fix: 'Go online once and get it (`lexora pull`), or remove HF_HUB_OFFLINE; if the name is wrong, correct `model`.',
    }),
  },
  {
    class: 'model_missing',
    match:
      /Invalid repository ID or local directory specified: '(.*?)'|Repo id must be in the form .*?: '(.*?)'|(\S+) is not a local folder and is not a valid model identifier|RepositoryNotFoundError|Repo id must (?:use|be)/,
    explain: ([, folder, path, name], { settings }) => {
      const model = folder ?? path ?? name ?? settings.model ?? 'The model'
      return {
        cause: `There is no model at ${model}, or its config.json is missing.`,
        fix: 'Correct `model`, or get the whole model again.',
      }
    },
  },
  {
    class: 'engine_old',
    match:
      /Model architectures \[(.*?)\] (?:are not supported for now|failed to be inspected)|Model architectures? \S+ was supported in vLLM until (\S+)/,
    explain: ([, names = '', until]) => ({
      cause: until
        ? 'This vLLM has dropped the architecture of the model.'
        : `This vLLM does not know the architecture ${names.replaceAll("'", '') || 'of the model'}.`,
      fix: until ? `Install vLLM ${until.replace(/\.$/, '')}.` : 'Install a newer vLLM, or choose another model.',
    }),
  },
  {
    class: 'engine_old',
    match: /has model type `(.+?)` but Transformers does not recognize/,
    explain: ([, type]) => ({
      cause: `This installation does not know models of type ${type}.`,
      fix: 'Install a newer vLLM (with its transformers), or choose another model.',
    }),
  },
  {
    class: 'remote_code',
    match: /--trust-remote-code|trust_remote_code=True|requires you to execute the (?:configuration|modeling) file/,
    explain: says(
      'The model comes with a program of its own, which vLLM will not run unasked.',
      'If you trust its author, set trust-remote-code.',
    ),
  },
  {
    class: 'ctx_too_big',
    match: /User-specified max_model_len \((\d+)\) is greater than the derived max_model_len \((.*?)\)/,
    explain: ([, asked, derived = '']) => {
      const lengths = [...derived.matchAll(/=(\d+)(?:\.\d+)?/g)].map(([, digits]) => Number(digits))
      const longest = lengths.length > 0 ? Math.min(...lengths) : null
      const cause = `A context of ${asked} tokens is more than the model was made for.`
      if (longest === null) return { cause, fix: 'Remove max-model-len.', change: { 'args.max-model-len': null } }
      return {
        cause: `${cause.slice(0, -1)} (${longest}).`,
        fix: `Set max-model-len to ${longest}.`,
        change: { 'args.max-model-len': longest },
      }
    },
  },
  {
    class: 'template',
    match: /[Tt]he supplied chat template (?:string |path )?\((.+?)\) (?:appears path-like, but )?doesn't exist/,
    explain: ([, path]) => ({
      cause: `There is no chat template at ${path}.`,
      fix: 'Correct chat-template, or remove it.',
      change: { 'args.chat-template': null },
    }),
  },
  {
    class: 'model_bad',
    match: /config file at '(.+?)' is not a valid JSON file/,
    explain: ([, path]) => ({ cause: `${path} is not JSON.`, fix: "Get the model's files again." }),
  },
  {
    class: 'model_bad',
    match: /Cannot find any model weights with `(.+?)`/,
    explain: ([, path]) => ({ cause: `There are no weights in ${path}.`, fix: "Get the model's files again." }),
  },
  {
    class: 'model_bad',
    match:
      /Error while deserializing header|SafetensorError|incomplete metadata, file not fully covered|invalid header deserialization/,
    explain: says('A file of the weights is cut off or damaged.', "Check the model's files, and get that one again."),
  },
  {
    class: 'model_bad',
    match: /No such file or directory: '?(\S+?\.(?:safetensors|bin|json|model|gguf|txt))'?/,
    explain: ([, path]) => ({ cause: `${path} is missing.`, fix: "Get the model's files again." }),
  },
  {
    class: 'model_bad',
    match:
      /KeyError: '(\S*(?:weight|bias|scale)\w*)'|size mismatch for (\S+?):|Following weights were not initialized from checkpoint/,
    explain: ([, key, name]) => ({
      cause: `The weights do not fit the model${key || name ? ` (${key ?? name})` : ''}.`,
      fix: "Check the model's files against its page, and get them again.",
    }),
  },
  {
    class: 'model_bad',
    match:
      /Couldn't instantiate the backend tokenizer|Can't load tokenizer for '(.+?)'|Unable to load vocabulary|tokenizer\.json.*(?:expected|invalid)/,
    explain: says("The model's tokenizer is missing or damaged.", "Get the model's files again, or set tokenizer."),
  },
]

/** reference/vllm.md 3.5. */
export const HOST_RULES: readonly Rule[] = [
  {
    class: 'port_busy',
    match:
      /\[Errno (?:98|48|10048)\].*|Address already in use|port is already allocated|couldn't bind HTTP server socket/,
    explain: (_, { settings }) => ({
      cause: `Another program listens on ${settings.port === undefined ? "the engine's port" : `port ${settings.port}`}.`,
      fix: 'End that program, or set `port` to a free one.',
    }),
  },
  {
    class: 'disk',
    match: /(?:\[Errno 28\] )?No space left on device(?:: '(.+?)')?/,
    explain: ([, path]) => ({
      cause: `The disk is full${path ? ` (${path})` : ''}.`,
      fix: 'Free some space: models and compile caches are the largest.',
    }),
  },
  {
    class: 'disk',
    match: /\[Errno 30\] Read-only file system(?:: '(.+?)')?/,
    explain: ([, path]) => ({
      cause: `The file system may not be written${path ? ` (${path})` : ''}.`,
      fix: "Move the model's and the cache's folder.",
    }),
  },
  {
    class: 'permission',
    match: /\[Errno 13\] Permission denied: '(.+?)'/,
    explain: ([, path]) => ({ cause: `It may not read or write ${path}.`, fix: 'Give this user access to it.' }),
  },
  {
    class: 'host_limits',
    match: /\[Errno 24\] Too many open files/,
    explain: says('It may not open so many files.', 'Raise the limit of open files (`ulimit -n`).'),
  },
  {
    class: 'cpu_memory',
    match:
      /Available memory on node \d+ \(([\d.]+)\/([\d.]+) GiB\) (?:on kv cache allocation is less than requested memory for kv|on startup is less than desired CPU memory utilization) \(([\d.]+)/,
    explain: ([, free = '', total]) => {
      const space = Math.max(1, Math.floor(Number(free) * 0.5))
      return {
        cause: `${free} of ${total} GiB of memory are free, which is less than was asked for.`,
        fix: `Set VLLM_CPU_KVCACHE_SPACE to ${space} in \`env\`.`,
        change: { 'env.VLLM_CPU_KVCACHE_SPACE': String(space) },
      }
    },
  },
  {
    class: 'host_limits',
    match:
      /Resource temporarily unavailable|\[Errno 12\] Cannot allocate memory|can't start new thread|DefaultCPUAllocator: can't allocate memory|std::bad_alloc|MemoryError/,
    canHeal: true,
    explain: says(
      'The system gave it no more memory or threads.',
      'Close other programs, or raise the limits of this user (`ulimit -v`, `ulimit -u`).',
    ),
  },
  {
    class: 'start_timeout',
    match: /Timed out waiting for engine core processes to start.*?Waited (\d+)s/,
    canHeal: true,
    explain: ([, seconds]) => {
      const longer = Number(seconds) * 3
      return {
        cause: `Loading took longer than the ${seconds} s that vLLM waits.`,
        fix: `Set VLLM_ENGINE_READY_TIMEOUT_S to ${longer} in \`env\`.`,
        change: { 'env.VLLM_ENGINE_READY_TIMEOUT_S': String(longer) },
      }
    },
  },
  {
    class: 'environment',
    match: /undefined symbol: |(lib(?:cudart|cublas|cudnn|nccl|torch)\S*?\.so[\d.]*): cannot open shared object file/,
    explain: ([, library]) => ({
      cause: library
        ? `${library} is missing: its parts are of different builds.`
        : 'Its parts are of different builds.',
      fix: 'Install the engine anew, into an environment of its own.',
    }),
  },
  {
    class: 'environment',
    match:
      /ModuleNotFoundError: No module named '([\w.]+)'|PackageNotFoundError: No package metadata was found for (\S+)/,
    explain: ([, module, packageName]) => ({
      cause: `The Python environment has no ${module ?? packageName}.`,
      fix: 'Install the engine anew, or set `venv` to an environment that has it.',
    }),
  },
  {
    class: 'ipc_path',
    match: /ipc path ".*?" is longer than (\d+) characters/,
    explain: says(
      'The folder for its sockets has too long a name.',
      'Set VLLM_RPC_BASE_PATH to a short folder in `env`.',
      { 'env.VLLM_RPC_BASE_PATH': '/tmp' },
    ),
  },
]

/** What stands before the engine: a shell, Docker, WSL. */
export const LAUNCH_RULES: readonly Rule[] = [
  {
    class: 'executable_missing',
    match: /(\S+): (?:command )?not found$|exec: "(.+?)": executable file not found|(\S+): bad interpreter: /m,
    explain: ([, shell, container, interpreter]) => ({
      cause: `${shell ?? container ?? interpreter} was not found.`,
      fix: interpreter
        ? 'The environment was moved or its Python is gone: install it anew.'
        : 'Install it, or set `executable` or `venv` to where it is.',
    }),
  },
  {
    class: 'docker_missing',
    match: /Cannot connect to the Docker daemon|error during connect: .*docker|failed to connect to the docker API/i,
    canHeal: true,
    explain: says('Docker does not run.', 'Start Docker (or Docker Desktop).'),
  },
  {
    class: 'docker_permission',
    match: /permission denied while trying to connect to the [Dd]ocker (?:daemon socket|API)/,
    explain: says('This user may not use Docker.', 'Add the user to the group `docker`, and log in again.'),
  },
  {
    class: 'docker_gpu',
    match:
      /could not select device driver "?\w*"? with capabilities: \[\[gpu\]\]|nvidia-container-cli: .*|unknown or invalid runtime name: nvidia|failed to discover GPU vendor|unresolvable CDI devices/,
    explain: says(
      'Docker cannot reach the GPU.',
      'Install the NVIDIA Container Toolkit, run `nvidia-ctk runtime configure`, and restart Docker.',
    ),
  },
  {
    class: 'image_missing',
    match:
      /pull access denied for (\S+?),|manifest for (\S+) not found|No such image: (\S+)|manifest unknown|repository (\S+) not found/,
    explain: ([, one, two, three, four]) => ({
      cause: `The image ${one ?? two ?? three ?? four ?? ''} is not there.`.replace('  ', ' '),
      fix: 'Correct `image`, or pull it (`docker pull`).',
    }),
  },
  {
    class: 'container_name',
    match: /The container name "?\/?(\S+?)"? is already in use/,
    explain: ([, name]) => ({
      cause: `A container named ${name} is there already.`,
      fix: `Remove it (\`docker rm -f ${name}\`).`,
    }),
  },
  {
    class: 'wsl_missing',
    match:
      /no installed distributions|WSL_E_DISTRO_NOT_FOUND|no distribution with the supplied name|WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED|Windows Subsystem for Linux is not installed/,
    explain: says(
      'WSL, or the distribution that was asked for, is not installed.',
      'Run `wsl --install`, then install vLLM in it.',
    ),
  },
]

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
