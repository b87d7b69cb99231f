import { isSet, readableLength, type ServeArguments, value } from './arguments.ts'
import { engineFailure } from './described-failures.ts'
import { line, type Owner, type Printed, type Recording } from './recording.ts'
import type { HostScript } from './script.ts'
import { heldVram } from './vram.ts'

/** The longest context that the model itself knows. */
const MODEL_LEN = 40_960
/** Of a model as large as Qwen3-8B: reference/vllm.md 7. */
const KIB_PER_TOKEN = 144
const OVERHEAD_GIB = 2

type GpuStart = Recording & { maxModelLen: number; fail: boolean }

/**
 * A start on GPUs, in the lines of reference/vllm.md 2.3, with figures that fit the fake `nvidia-smi`: memory that
 * others hold, and a context that is too long, end it as they end vLLM.
 */
export function gpuStart(folder: string, { vllm, smi }: HostScript, args: ServeArguments): GpuStart {
  const gib = (mib: number) => mib / 1024
  const gpu = smi.gpus[0] ?? { totalMib: 0, usedMib: 0 }
  const held = heldVram(folder).filter((one) => one.gpu === 0)
  const free = gib(gpu.totalMib - gpu.usedMib - held.reduce((sum, { mib }) => sum + mib, 0))
  const total = gib(gpu.totalMib)
  const utilization = Number(value(args, '--gpu-memory-utilization') ?? 0.92)
  const ranks = Number(value(args, '--tensor-parallel-size') ?? 1)
  const weights = gib(vllm.weightsMib) / ranks
  const owner: Owner = ranks > 1 ? 'worker' : 'engine'
  const opening = apiOpening(args, vllm.version)
  const failed = (printed: Printed[]): GpuStart => ({ exit: 1, printed, maxModelLen: 0, fail: true })

  const engine = [
    line(
      'engine',
      12,
      'core.py:133',
      `Initializing a V1 LLM engine (v${vllm.version}) with config: model='${args.model}', dtype=torch.bfloat16, load_format=auto, tensor_parallel_size=${ranks}`,
    ),
    line(
      owner,
      2,
      'parallel_state.py:1906',
      `world_size=${ranks} rank=0 local_rank=0 distributed_init_method=tcp://127.0.0.1:41933 backend=nccl`,
    ),
  ]
  if (smi.gpus.length === 0)
    return failed([
      ...opening,
      ...engineFailure([
        'RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue.',
      ]),
    ])
  if (ranks > smi.gpus.length)
    return failed([
      ...opening,
      ...engine,
      ...engineFailure([
        `ValueError: World size (${ranks}) is larger than the number of available GPUs (${smi.gpus.length}) in this node. If this is intentional and you are using:`,
      ]),
    ])
  if (free < utilization * total)
    return failed([
      ...opening,
      ...engine,
      ...engineFailure([
        `ValueError: Free memory on device cuda:0 (${free.toFixed(2)}/${total.toFixed(2)} GiB) on startup is less than desired GPU memory utilization (${utilization}, ${(utilization * total).toFixed(2)} GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.`,
      ]),
    ])

  const loading = [
    line(owner, 1, 'gpu_model_runner.py:5101', `Starting to load model ${args.model}...`),
    line(
      owner,
      0.5,
      'weight_utils.py:1108',
      `Filesystem type for checkpoints: EXT4. Checkpoint size: ${weights.toFixed(2)} GiB. Available RAM: 48.21 GiB.`,
    ),
    ...bar('Loading safetensors checkpoint shards', vllm.shards, 2.87, (percent) => `${percent}% Completed`, owner),
    line(owner, 0.2, 'default_loader.py:501', `Loading weights took ${(vllm.shards * 2.87).toFixed(2)} seconds`),
    holding(
      line(
        owner,
        0.1,
        'gpu_model_runner.py:5196',
        `Model loading took ${weights.toFixed(2)} GiB memory and ${(vllm.shards * 2.87 + 0.8).toFixed(6)} seconds`,
      ),
      vllm.weightsMib / ranks + 500,
    ),
  ]
  if (weights > utilization * total - OVERHEAD_GIB / 2)
    return failed([
      ...opening,
      ...engine,
      ...loading.slice(0, 2),
      ...engineFailure([
        `torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 192.00 MiB. GPU 0 has a total capacity of ${total.toFixed(2)} GiB of which 54.44 MiB is free. Including non-PyTorch memory, this process has ${(total - 0.1).toFixed(2)} GiB memory in use.`,
      ]),
    ])
  const eager = isSet(args, '--enforce-eager')
  const compiling = eager
    ? []
    : [
        line(
          owner,
          1,
          'backends.py:1128',
          "Using cache directory: /home/user/.cache/vllm/torch_compile_cache/6a1b0c2f7d/rank_0_0/backbone for vLLM's torch.compile",
        ),
        line(owner, 6, 'backends.py:1187', 'Dynamo bytecode transform time: 5.96 s'),
        line(owner, 12, 'backends.py:390', 'Compiling a graph for compile range (1, 2048) takes 11.52 s'),
        line(owner, 1, 'monitor.py:53', 'torch.compile took 18.62 s in total'),
      ]
  const kvGib = utilization * total - weights - OVERHEAD_GIB
  const profiling = [
    line(owner, 3, 'monitor.py:91', 'Initial profiling/warmup run took 2.71 s'),
    line(owner, 0.1, 'gpu_worker.py:467', `Available KV cache memory: ${kvGib.toFixed(2)} GiB`),
  ]
  const tokens = Math.max(0, Math.floor((kvGib * 1024 * 1024) / KIB_PER_TOKEN / 16) * 16)
  const asked = value(args, '--max-model-len')
  const length =
    asked === 'auto' || asked === '-1' ? Math.min(MODEL_LEN, tokens) : (readableLength(asked ?? '') ?? MODEL_LEN)
  const before = [...opening, ...engine, ...loading, ...compiling, ...profiling]
  if (kvGib <= 0)
    return failed([
      ...before,
      ...engineFailure([
        'ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.',
      ]),
    ])
  if (length > tokens) {
    const needed = (length * KIB_PER_TOKEN) / 1024 / 1024
    return failed([
      ...before,
      ...engineFailure([
        `ValueError: To serve at least one request with the model's max seq len (${length}), (${needed.toFixed(2)} GiB KV cache is needed, which is larger than the available KV cache memory (${kvGib.toFixed(2)} GiB). Based on the available memory, the estimated maximum model length is ${tokens}. Try increasing \`gpu_memory_utilization\` or decreasing \`max_model_len\` when initializing the engine. See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.`,
      ]),
    ])
  }
  const fitted = length < MODEL_LEN && (asked === 'auto' || asked === '-1')
  const caching = [
    ...(fitted
      ? [
          line(
            'engine',
            0.1,
            'kv_cache_utils.py:1802',
            `Auto-fit max_model_len: reduced from ${MODEL_LEN} to ${length} to fit in available GPU memory (${kvGib.toFixed(2)} GiB available for KV cache)`,
          ),
        ]
      : []),
    holding(
      line(
        'engine',
        0.2,
        'kv_cache_utils.py:2327',
        `GPU KV cache size: ${thousands(tokens)} tokens, Maximum concurrency for ${thousands(length)} tokens per request: ${(tokens / length).toFixed(2)}x`,
      ),
      0,
    ),
    holding(line(owner, 0.1, 'gpu_model_runner.py:6021', 'Allocated KV cache'), utilization * gpu.totalMib, true),
  ]
  const graphs = eager
    ? []
    : [
        ...bar('Capturing CUDA graphs (mixed prefill-decode, PIECEWISE)', 35, 0.12, (percent) => `${percent}%`, owner),
        ...bar('Capturing CUDA graphs (decode, FULL)', 19, 0.16, (percent) => `${percent}%`, owner),
        line(owner, 0.1, 'gpu_model_runner.py:6288', 'Graph capturing finished in 8 secs, took 0.61 GiB'),
      ]
  const ready = [
    line(
      'engine',
      0.5,
      'core.py:402',
      `init engine (profile, create kv cache, warmup model) took ${eager ? '6.31' : '41.07'} s`,
    ),
    ...closing(vllm.kind),
  ]
  return { exit: 0, printed: [...before, ...caching, ...graphs, ...ready], maxModelLen: length, fail: false }
}

const thousands = (value: number) => value.toLocaleString('en-US')

/** Memory that the process holds once it has printed this. `silent`: it prints nothing. */
function holding(printed: Printed, mib: number, silent = false): Printed {
  return { ...printed, ...(mib > 0 ? { vramMib: Math.round(mib) } : {}), ...(silent ? { text: '' } : {}) }
}

function apiOpening(args: ServeArguments, version: string): Printed[] {
  return [
    line('api', 14, 'api_utils.py:347', `vLLM server version ${version}, serving model ${args.model}`),
    line('api', 0.1, 'api_utils.py:286', `non-default args: {'model_tag': '/models/tiny'}`),
    line('api', 6, 'model.py:733', 'Resolved architecture: Qwen3ForCausalLM'),
    line(
      'api',
      0.1,
      'model.py:2152',
      `Using max model len ${readableLength(value(args, '--max-model-len') ?? '') ?? MODEL_LEN}`,
    ),
  ]
}

function closing(kind: string): Printed[] {
  const tasks = kind === 'generate' ? "['generate']" : "['embed']"
  return [
    line('api', 0.2, 'entry.py:136', `Supported tasks: ${tasks}`),
    line('api', 0.6, 'entry.py:140', 'Starting vLLM server on http://127.0.0.1:8100'),
    line('api', 0, 'launcher.py:186', 'Available routes are:'),
    ...[
      '/health, Methods: GET',
      '/metrics, Methods: GET',
      '/v1/models, Methods: GET',
      `/v1/${kind === 'generate' ? 'chat/completions' : 'embeddings'}, Methods: POST`,
    ].map((route) => line('api', 0, 'launcher.py:195', `Route: ${route}`)),
    { owner: 'api', waitS: 0.1, stream: 'err', text: 'INFO:     Started server process [13488]\n' },
    { owner: 'api', waitS: 0, stream: 'err', text: 'INFO:     Waiting for application startup.\n' },
    { owner: 'api', waitS: 0.4, stream: 'err', text: 'INFO:     Application startup complete.\n' },
  ]
}

/** A bar is on stderr and begins with a carriage return each time that it moves. */
function bar(
  what: string,
  count: number,
  secondsEach: number,
  said: (percent: string) => string,
  owner: Owner,
): Printed[] {
  const clock = (seconds: number) =>
    `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
  const bars = Array.from({ length: count + 1 }, (_, done): Printed => {
    const percent = String(Math.floor((100 * done) / count)).padStart(3)
    const left = done === 0 ? '?' : clock((count - done) * secondsEach)
    const speed = done === 0 ? '?it/s' : `${secondsEach.toFixed(2)}s/it`
    const text = `\r${what}: ${said(percent)} | ${done}/${count} [${clock(done * secondsEach)}<${left}, ${speed}]`
    return { owner, waitS: done === 0 ? 0 : secondsEach, stream: 'err', text }
  })
  return [...bars, { owner, waitS: 0, stream: 'err', text: '\n' }]
}
