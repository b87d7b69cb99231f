import { say } from '../../protocol/sentence.ts'
import { given, type Rule, says } from './rule.ts'

/** reference/vllm.md 3.2. */
export const DEVICE_RULES: readonly Rule[] = [
  {
    class: 'driver',
    match: /Driver\/library version mismatch|nvml error: driver\/library version mismatch/i,
    whileServing: true,
    explain: says(say('The driver of the GPU was updated under the running system.'), say('Restart the computer.')),
  },
  {
    class: 'gpu_lost',
    whileServing: true,
    match: /GPU is lost|Unable to determine the device handle for|has fallen off the bus/,
    explain: says(
      say('The system has lost the GPU.'),
      say('Restart the computer; if it happens again, check its power and cooling.'),
    ),
  },
  {
    class: 'gpu_missing',
    match:
      /Failed to infer device type|No CUDA GPUs are available|CUDA driver initialization failed|Found no NVIDIA driver|no CUDA-capable device is detected|libcuda\.so\.1: cannot open shared object/,
    explain: says(
      say('The engine sees no GPU.'),
      say(
        'Run `nvidia-smi`; check `gpus` and CUDA_VISIBLE_DEVICES, in a container `--gpus all`, in WSL the driver of Windows.',
      ),
    ),
  },
  {
    class: 'driver',
    match:
      /NVIDIA driver on your system is too old(?: \(found version (\d+)\))?|CUDA driver version is insufficient|provided PTX was compiled with an unsupported toolchain/,
    explain: ([, found]) => ({
      cause: found
        ? say`The driver of the GPU is too old for this build (it knows CUDA ${cudaOf(Number(found))}).`
        : say('The driver of the GPU is too old for this build.'),
      fix: say('Update the driver, or install a build for an older CUDA.'),
    }),
  },
  {
    class: 'arch',
    match:
      /no kernel image is available for execution on the device|ptxas fatal.*(sm_\w+)|is not compatible with the current PyTorch installation/,
    explain: ([, arch]) =>
      arch
        ? {
            cause: say`The compiler that came along does not know this GPU (${arch}).`,
            fix: say('Set TRITON_PTXAS_PATH to the ptxas of a newer CUDA.'),
          }
        : {
            cause: say('This build has no code for this GPU.'),
            fix: say('Install a newer build, or one for this compute capability (7.5 at least).'),
          },
  },
  {
    class: 'dtype',
    match: /Bfloat16 is only supported on GPUs with compute capability of at least [\d.]+(?:\. Your (.+?) GPU has)?/,
    explain: ([, name]) => ({
      cause: name ? say`This GPU (${name}) does not know bfloat16.` : say('This GPU does not know bfloat16.'),
      fix: say('Set dtype to half.'),
      change: { 'args.dtype': 'half' },
    }),
  },
  {
    class: 'quantization',
    match:
      /quantization method (\S+) is not supported for the current GPU\. Minimum capability: (\d+)\. Current capability: (\d+)/,
    explain: ([, method, needs, has]) => ({
      cause: say`${method} needs a GPU of compute capability ${capability(needs)}, and this one has ${capability(has)}.`,
      fix: say('Choose an AWQ or GPTQ variant of the model.'),
    }),
  },
  {
    class: 'quantization',
    match:
      /Quantization method specified in the model config \((\w+)\) does not match.*?\((\w+)\)|Unknown quantization method: (\S+?)\./,
    explain: ([, model, asked, strange]) => ({
      cause: strange
        ? say`This vLLM does not know the quantization ${strange}.`
        : say`The model is quantised as ${model}, not as ${asked}.`,
      fix: say('Remove `quantization`: the model says it itself.'),
      change: { 'args.quantization': null },
    }),
  },
  {
    class: 'attention',
    match: /No valid attention backend found for/,
    explain: (_, { settings }) => {
      const cause = say('No attention backend can do this combination of GPU, head size and types.')
      return given(settings, 'kv-cache-dtype') === undefined
        ? { cause, fix: say('Set dtype to half or bfloat16, or another attention backend.') }
        : { cause, fix: say('Remove kv-cache-dtype.'), change: { 'args.kv-cache-dtype': null } }
    },
  },
  {
    class: 'wsl_memory',
    match: /UVA is not available/,
    explain: says(
      say('WSL gives no pinned memory to vLLM.'),
      say('Set VLLM_WSL2_ENABLE_PIN_MEMORY to 1 in `env`, after `wsl --update`.'),
      { 'env.VLLM_WSL2_ENABLE_PIN_MEMORY': '1' },
    ),
  },
  {
    class: 'gpu_fault',
    whileServing: true,
    match:
      /illegal memory access|device-side assert|unspecified launch failure|CUDA error: misaligned|uncorrectable (?:NVLink|ECC) error/,
    canHeal: true,
    explain: says(
      say('A computation on the GPU went wrong.'),
      say("If it happens again: set enforce-eager, and look for Xid errors in the kernel's log."),
    ),
  },
]

/** 12080 is 12.8. */
function cudaOf(number: number): string {
  return `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`
}

/** 86 is 8.6. */
function capability(digits = ''): string {
  return digits.length > 1 ? `${digits.slice(0, -1)}.${digits.slice(-1)}` : digits
}
