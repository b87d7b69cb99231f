import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { line, type Owner, type Printed, type Recording, readRecording } from './recording.ts'

/**
 * Failures that no capture shows, most of them because they need a GPU: in the words of reference/vllm.md 3, in the
 * frame in which the captured ones come.
 */
type Described = {
  where: Owner | 'engine-dies'
  after: 'config' | 'load' | 'graphs' | 'nothing'
  error: string
  before?: string[]
}

const DESCRIBED: Record<string, Described> = {
  'vram-busy': {
    where: 'engine',
    after: 'config',
    error:
      'ValueError: Free memory on device cuda:0 (11.62/23.99 GiB) on startup is less than desired GPU memory utilization (0.92, 22.07 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.',
  },
  'vram-changed': {
    where: 'engine',
    after: 'load',
    error:
      'AssertionError: Error in memory profiling. Initial free memory 20.11 GiB, current free memory 22.87 GiB. This happens when other processes sharing the same container release GPU memory while vLLM is profiling during initialization.',
  },
  'oom-weights': {
    where: 'engine',
    after: 'config',
    before: [
      'Failed to load model - not enough GPU memory. Try lowering --gpu-memory-utilization to free memory for weights, increasing --tensor-parallel-size, or using --quantization.',
    ],
    error:
      'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 270.00 MiB. GPU 0 has a total capacity of 23.99 GiB of which 113.44 MiB is free.',
  },
  'oom-graphs': {
    where: 'engine',
    after: 'graphs',
    error:
      'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 128.00 MiB. GPU 0 has a total capacity of 23.99 GiB of which 12.44 MiB is free.',
  },
  'oom-sampler': {
    where: 'engine',
    after: 'load',
    error:
      'RuntimeError: CUDA out of memory occurred when warming up sampler with 256 dummy requests. Please try lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine.',
  },
  'kv-none': {
    where: 'engine',
    after: 'load',
    error:
      'ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.',
  },
  'context-too-long': {
    where: 'engine',
    after: 'load',
    error:
      "ValueError: To serve at least one request with the model's max seq len (131072), (18.00 GiB KV cache is needed, which is larger than the available KV cache memory (4.81 GiB). Based on the available memory, the estimated maximum model length is 35024. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
  },
  'context-no-estimate': {
    where: 'engine',
    after: 'load',
    error:
      "ValueError: To serve at least one request with the model's max seq len (131072), (18.00 GiB KV cache is needed, which is larger than the available KV cache memory (0.01 GiB). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
  },
  'context-auto-no-room': {
    where: 'engine',
    after: 'load',
    error:
      'ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve even a single token. Try increasing `gpu_memory_utilization`.',
  },
  'oom-host': { where: 'engine-dies', after: 'load', error: '' },
  'no-gpu': {
    where: 'api',
    after: 'nothing',
    error:
      'RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue.',
  },
  'no-cuda-gpus': { where: 'engine', after: 'config', error: 'RuntimeError: No CUDA GPUs are available' },
  'driver-mismatch': {
    where: 'engine',
    after: 'config',
    error:
      'RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was attempted on non supported HW. Failed to initialize NVML: Driver/library version mismatch',
  },
  'driver-old': {
    where: 'engine',
    after: 'config',
    error:
      'RuntimeError: The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by downloading and installing a new version.',
  },
  'ptx-toolchain': {
    where: 'engine',
    after: 'load',
    error: 'torch.AcceleratorError: CUDA error: the provided PTX was compiled with an unsupported toolchain.',
  },
  'no-kernel-image': {
    where: 'engine',
    after: 'load',
    error: 'torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device',
  },
  'ptxas-old': {
    where: 'engine',
    after: 'load',
    error:
      "RuntimeError: `ptxas` failed with error code 255: ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
  },
  'bfloat16-unsupported': {
    where: 'engine',
    after: 'config',
    error:
      'ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 instead by explicitly setting the `dtype` flag in CLI, for example: --dtype=half.',
  },
  'quantization-unsupported': {
    where: 'api',
    after: 'nothing',
    error:
      'pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n  Value error, The quantization method fp8 is not supported for the current GPU. Minimum capability: 89. Current capability: 86.',
  },
  'quantization-mismatch': {
    where: 'api',
    after: 'nothing',
    error:
      'pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, Quantization method specified in the model config (awq) does not match the quantization method specified in the `quantization` argument (gptq).',
  },
  'attention-backend': {
    where: 'engine',
    after: 'config',
    error:
      'ValueError: No valid attention backend found for cuda with AttentionSelectorConfig(head_size=80, dtype=torch.bfloat16, kv_cache_dtype=fp8).',
  },
  'wsl-uva': { where: 'engine', after: 'config', error: 'RuntimeError: UVA is not available' },
  'illegal-access': {
    where: 'engine',
    after: 'graphs',
    error: 'torch.AcceleratorError: CUDA error: an illegal memory access was encountered',
  },
  'tensor-parallel-gpus': {
    where: 'engine',
    after: 'config',
    error:
      'ValueError: World size (2) is larger than the number of available GPUs (1) in this node. If this is intentional and you are using:',
  },
  nccl: {
    where: 'worker',
    after: 'config',
    error:
      'torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:94, unhandled system error (run with NCCL_DEBUG=INFO for details), NCCL version 2.27.5',
  },
  'gated-repo': {
    where: 'api',
    after: 'nothing',
    error:
      'OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct.\n401 Client Error. (Request ID: Root=1-67)\n\nCannot access gated repo for url https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct/resolve/main/config.json.\nAccess to model meta-llama/Llama-3.1-8B-Instruct is restricted. You must have access to it and be authenticated to access it. Please log in.',
  },
  'hub-rate-limit': {
    where: 'api',
    after: 'nothing',
    error:
      'huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/api/models/Qwen/Qwen3-8B',
  },
  'hub-unreachable': {
    where: 'api',
    after: 'nothing',
    error:
      "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.\nCheck your internet connection or see how to run the library in offline mode at 'https://huggingface.co/docs/transformers/installation#offline-mode'.",
  },
  'remote-code': {
    where: 'api',
    after: 'nothing',
    error:
      'RuntimeError: Failed to load the model config. If the model is a custom model not yet available in the HuggingFace transformers library, consider setting `trust_remote_code=True` in LLM or using the `--trust-remote-code` flag in the CLI.',
  },
  'shard-truncated': {
    where: 'engine',
    after: 'config',
    error:
      'safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered',
  },
  'shard-missing': {
    where: 'engine',
    after: 'config',
    error: "FileNotFoundError: No such file or directory: '/models/tiny/model-00003-of-00004.safetensors'",
  },
  'weights-mismatch': {
    where: 'engine',
    after: 'config',
    error: "KeyError: 'model.layers.11.self_attn.qkv_proj.weight'",
  },
  'no-space': { where: 'engine', after: 'load', error: 'OSError: [Errno 28] No space left on device' },
  permission: {
    where: 'api',
    after: 'nothing',
    error: "PermissionError: [Errno 13] Permission denied: '/models/tiny/config.json'",
  },
  'too-many-files': { where: 'engine', after: 'load', error: 'OSError: [Errno 24] Too many open files' },
  'engine-timeout': {
    where: 'api',
    after: 'load',
    error:
      'TimeoutError: Timed out waiting for engine core processes to start. This is often caused by slow weight loading for large models. Waited 600s (configured by VLLM_ENGINE_READY_TIMEOUT_S).',
  },
  'mixed-build': {
    where: 'api',
    after: 'nothing',
    error: 'ImportError: /venv/site-packages/vllm/_C.abi3.so: undefined symbol: _ZN3c104cuda9SetDeviceEab',
  },
  'no-cudart': {
    where: 'api',
    after: 'nothing',
    error: 'ImportError: libcudart.so.13: cannot open shared object file: No such file or directory',
  },
  'ipc-path': {
    where: 'api',
    after: 'nothing',
    error:
      'zmq.error.ZMQError: ipc path "/very/deep/folder/9f1c" is longer than 107 characters (sizeof(sockaddr_un.sun_path)).',
  },
  'cpu-memory': {
    where: 'worker',
    after: 'config',
    error:
      'ValueError: Available memory on node 0 (12.86/17.34 GiB) on startup is less than desired CPU memory utilization (0.92, 15.95 GiB).',
  },
  segfault: { where: 'engine-dies', after: 'graphs', error: '' },
  unheard: { where: 'engine', after: 'load', error: 'RuntimeError: the flux capacitor is out of alignment by 1.21' },
}

/** Every start that fails, captured and described. */
export function failureNames(): { captured: string[]; described: string[] } {
  const folder = fileURLToPath(new URL('../../../fixtures/vllm/fail/', import.meta.url))
  const captured = readdirSync(folder).map((name) => name.replace(/\.txt$/, ''))
  return { captured: captured.sort(), described: Object.keys(DESCRIBED) }
}

export function describedFailure(
  name: string,
  device: 'cpu' | 'gpu',
): (Recording & { engineEnds: 'exit' | 'SIGKILL' }) | null {
  const described = DESCRIBED[name]
  if (!described) return null
  const { where, after, error, before = [] } = described
  const opening = openingOf(after)
  const told = before.map((text) => line('engine', 0, 'gpu_model_runner.py:5110', text, 'ERROR'))
  if (where === 'api') return { exit: 1, printed: [...opening, ...traceback(error)], engineEnds: 'exit' }
  if (where === 'engine-dies')
    return { exit: 1, printed: [...opening, ...wrapper("{'EngineCore': -9}")], engineEnds: 'SIGKILL' }
  const failed = where === 'worker' || device === 'cpu' ? workerFailure([error]) : engineFailure([error])
  return { exit: 1, printed: [...opening, ...told, ...failed], engineEnds: 'exit' }
}

/** What a start prints before it gets so far. */
function openingOf(after: Described['after']): Printed[] {
  const { printed } = readRecording('start/cpu-shards')
  const until = (found: (text: string) => boolean) => printed.slice(0, printed.findIndex(({ text }) => found(text)) + 1)
  switch (after) {
    case 'nothing':
      return until((text) => text.includes('non-default args'))
    case 'config':
      return until((text) => text.includes('Initializing a V1 LLM engine'))
    case 'load':
      return until((text) => text.includes('Loading weights took'))
    case 'graphs':
      return [
        ...until((text) => text.includes('Loading weights took')),
        line(
          'engine',
          0.2,
          'kv_cache_utils.py:2327',
          'GPU KV cache size: 87,024 tokens, Maximum concurrency for 32,768 tokens per request: 2.66x',
        ),
        {
          owner: 'engine',
          waitS: 0.1,
          stream: 'err',
          text: '\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|          | 0/35 [00:00<?, ?it/s]',
        },
      ]
  }
}

/** An engine core that fails: its own traceback with the prefix, then plain, then that of the API server, which only wraps it. */
export function engineFailure(errors: string[]): Printed[] {
  const at = 'core.py:1510'
  const frames = [
    'EngineCore failed to start.',
    'Traceback (most recent call last):',
    '  File "/venv/site-packages/vllm/v1/engine/core.py", line 1482, in run_engine_core',
    '    engine_core = EngineCoreProc(*args, engine_index=dp_rank, **kwargs)',
  ]
  return [
    ...logged('engine', at, [...frames, ...errors]),
    {
      owner: 'engine',
      waitS: 0,
      stream: 'err',
      text: `Process EngineCore:\nTraceback (most recent call last):\n  File "/python/multiprocessing/process.py", line 314, in _bootstrap\n    self.run()\n${errors.join('\n')}\n`,
    },
    ...wrapper("{'EngineCore': 1}"),
  ]
}

function workerFailure(errors: string[]): Printed[] {
  const at = 'multiproc_executor.py:953'
  const frames = [
    'WorkerProc failed to start.',
    'Traceback (most recent call last):',
    '  File "/venv/site-packages/vllm/v1/executor/multiproc_executor.py", line 920, in worker_main',
  ]
  const worker = logged('worker', at, [...frames, ...errors])
  return [
    ...worker,
    ...engineFailure([
      'Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.',
    ]),
  ]
}

/** A message of several lines has the prefix on each, and a carriage return before all ends of line but the last. */
function logged(owner: Owner, at: string, texts: string[]): Printed[] {
  const lines = texts.flatMap((text) => text.split('\n'))
  return lines.map((text, index) => line(owner, 0, at, index < lines.length - 1 ? `${text}\r` : text, 'ERROR'))
}

function wrapper(failed: string): Printed[] {
  return traceback(
    `RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): ${failed}`,
    2.6,
  )
}

/** A traceback of the API server: plain text on stderr. */
function traceback(error: string, waitS = 0.1): Printed[] {
  const text = `Traceback (most recent call last):\n  File "/venv/bin/vllm", line 10, in <module>\n    sys.exit(main())\n             ^^^^^^\n  File "/venv/site-packages/vllm/entrypoints/cli/serve.py", line 156, in cmd\n    uvloop.run(run_server(args))\n${error}\n`
  return [{ owner: 'api', waitS, stream: 'err', text }]
}
