import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { explainEnd, failureIn } from '../../src/policy/failure-rules.ts'
import { describedFailure, failureNames } from '../support/fake-vllm/process/described-failures.ts'
import { recordedLines } from '../support/fake-vllm/process/recorded-lines.ts'
import { readRecording } from '../support/fake-vllm/process/recording.ts'

type Expected = { class: string; change?: Record<string, unknown>; canHeal?: boolean; says?: RegExp }

/** What a person who knows vLLM would say of each captured failing start, written beside the captures' table. */
const CAPTURED: Record<string, Expected> = {
  'bad-choice': { class: 'bad_args', says: /--dtype.*float99/ },
  'bad-flag-value-int': { class: 'bad_args', says: /--sse-keep-alive-interval.*0\.5/ },
  'chat-template-missing-file': {
    class: 'template',
    change: { 'args.chat-template': null },
    says: /\/no\/such\.jinja/,
  },
  'config-broken-json': { class: 'model_bad', says: /brokencfg\/config\.json/ },
  'config-missing': { class: 'model_missing', says: /\/models\/noconfig/ },
  'dev-mode-true': { class: 'bad_env', change: { 'env.VLLM_SERVER_DEV_MODE': '1' } },
  'kv-memory-bytes-tiny': { class: 'weights_too_big', change: { 'args.kv-cache-memory-bytes': null } },
  'kv-space-huge': { class: 'cpu_memory', change: { 'env.VLLM_CPU_KVCACHE_SPACE': '6' } },
  'kv-too-small': { class: 'ctx_too_big', change: { 'args.max-model-len': 384 } },
  'max-model-len-over': { class: 'ctx_too_big', change: { 'args.max-model-len': 2048 } },
  'model-missing': { class: 'model_missing', says: /\/models\/does-not-exist/ },
  'model-missing-relative': { class: 'offline' },
  'no-served-name-no-model': { class: 'bad_args' },
  'port-taken': { class: 'port_busy' },
  'real-weights-missing': { class: 'model_bad', says: /\/models\/tiny/ },
  'reasoning-parser-bad': { class: 'bad_args', says: /nope/ },
  'removed-flag-disable-log-requests': { class: 'bad_args', change: { 'args.disable-log-requests': null } },
  'sleep-mode-on-cpu': { class: 'bad_args', change: { 'args.enable-sleep-mode': null } },
  'tokenizer-missing': { class: 'model_bad' },
  'tool-choice-no-parser': { class: 'bad_args' },
  'tool-parser-bad-name': { class: 'bad_args', says: /nope/ },
  'tp-2-on-cpu': { class: 'parallel', change: { 'args.tensor-parallel-size': 2 } },
  'ulimit-v-4g': { class: 'host_limits', canHeal: true },
  'unknown-arch': { class: 'engine_old', says: /FooBarForCausalLM/ },
  'unknown-env-fail': { class: 'bad_env', change: { 'env.VLLM_LEXORA_X': null } },
  'unknown-env-warn': { class: 'bad_args', change: { 'args.no-such': null } },
  'unknown-flag': { class: 'bad_args', change: { 'args.no-such-flag': null } },
  'unknown-model-type': { class: 'engine_old', says: /foobar/ },
}

/** The same of the failures that the process double has besides. */
const DESCRIBED: Record<string, Expected> = {
  'vram-busy': { class: 'vram_busy', change: { 'args.gpu-memory-utilization': 0.46 } },
  'vram-changed': { class: 'vram_changed', canHeal: true },
  'oom-weights': { class: 'weights_too_big' },
  'oom-graphs': { class: 'vram_peak', change: { 'args.gpu-memory-utilization': 0.88 } },
  'oom-sampler': { class: 'vram_peak', change: { 'args.max-num-seqs': 128 } },
  'kv-none': { class: 'weights_too_big' },
  'context-too-long': { class: 'ctx_too_big', change: { 'args.max-model-len': 34_816 } },
  'context-no-estimate': { class: 'ctx_too_big' },
  'context-auto-no-room': { class: 'weights_too_big' },
  'oom-host': { class: 'oom_host', canHeal: true },
  'no-gpu': { class: 'gpu_missing' },
  'no-cuda-gpus': { class: 'gpu_missing' },
  'driver-mismatch': { class: 'driver' },
  'driver-old': { class: 'driver', says: /CUDA 12\.4/ },
  'ptx-toolchain': { class: 'driver' },
  'no-kernel-image': { class: 'arch' },
  'ptxas-old': { class: 'arch', says: /sm_121a/ },
  'bfloat16-unsupported': { class: 'dtype', change: { 'args.dtype': 'half' } },
  'quantization-unsupported': { class: 'quantization', says: /8\.9.*8\.6/ },
  'quantization-mismatch': { class: 'quantization', change: { 'args.quantization': null } },
  'attention-backend': { class: 'attention' },
  'wsl-uva': { class: 'wsl_memory', change: { 'env.VLLM_WSL2_ENABLE_PIN_MEMORY': '1' } },
  'illegal-access': { class: 'gpu_fault', canHeal: true },
  'tensor-parallel-gpus': { class: 'parallel', change: { 'args.tensor-parallel-size': 1 } },
  nccl: { class: 'parallel', change: { 'env.NCCL_P2P_DISABLE': '1' } },
  'gated-repo': { class: 'auth', says: /Llama-3\.1-8B-Instruct/ },
  'hub-rate-limit': { class: 'hub_limit', canHeal: true },
  'hub-unreachable': { class: 'offline' },
  'remote-code': { class: 'remote_code' },
  'shard-truncated': { class: 'model_bad' },
  'shard-missing': { class: 'model_bad', says: /model-00003-of-00004\.safetensors/ },
  'weights-mismatch': { class: 'model_bad', says: /qkv_proj/ },
  'no-space': { class: 'disk' },
  permission: { class: 'permission', says: /config\.json/ },
  'too-many-files': { class: 'host_limits' },
  'engine-timeout': { class: 'start_timeout', canHeal: true, change: { 'env.VLLM_ENGINE_READY_TIMEOUT_S': '1800' } },
  'mixed-build': { class: 'environment' },
  'no-cudart': { class: 'environment', says: /libcudart\.so\.13/ },
  'ipc-path': { class: 'ipc_path', change: { 'env.VLLM_RPC_BASE_PATH': '/tmp' } },
  'cpu-memory': { class: 'cpu_memory', change: { 'env.VLLM_CPU_KVCACHE_SPACE': '6' } },
  segfault: { class: 'oom_host', canHeal: true },
  unheard: { class: 'unknown', canHeal: true },
}

const exitOf = (code: number) => (code < 0 ? { code: null, signal: 'SIGKILL' } : { code, signal: null })
const { captured, described } = failureNames()
const CORPUS = [
  ...captured.map((name) => ({ name, expected: CAPTURED[name], recording: readRecording(`fail/${name}`) })),
  ...described.map((name) => ({ name, expected: DESCRIBED[name], recording: describedFailure(name, 'gpu')! })),
]

describe('a failing start is named by its own words', () => {
  test.each(CORPUS)('$name', ({ expected, recording }) => {
    const end = { lines: recordedLines(recording), exit: exitOf(recording.exit), wasReady: false }
    const told = explainEnd(end)
    expect({ class: told.class, change: told.change, canHeal: told.canHeal }).toEqual({
      class: expected?.class,
      change: expected?.change ?? null,
      canHeal: expected?.canHeal ?? false,
    })
    if (expected?.says) expect(told.cause).toMatch(expected.says)
    expect(told.cause).toMatch(/^[^\n]{10,200}\.$/)
    expect(told.lines.length).toBeGreaterThan(0)
  })
})

test('at least 95 of 100 failing starts are named, and no remedy is a wrong one', () => {
  const named = CORPUS.filter(({ recording }) => failureIn(recordedLines(recording)) !== null)
  // Two were killed without a word, and one says what nobody has heard of.
  expect(CORPUS.length - named.length).toBe(3)
  const told = CORPUS.map(({ recording }) =>
    explainEnd({ lines: recordedLines(recording), exit: exitOf(recording.exit), wasReady: false }),
  )
  expect(told.filter((one) => one.class !== 'unknown').length / CORPUS.length).toBeGreaterThanOrEqual(0.95)
})

test("the prefixes are not needed: a logging configuration of one's own leaves them out", () => {
  for (const { name, recording } of CORPUS) {
    const lines = recordedLines(recording)
    const bare = lines.map((line) => line.replace(/^\([\w-]+ pid=\d+\) /, ''))
    expect([name, failureIn(bare)?.class]).toEqual([name, failureIn(lines)?.class])
  }
})

test.each([
  'start/cpu',
  'start/cpu-shards',
  'start/cpu-compile',
  'start/cpu-pooling',
  'stop/sigterm-hang-close-clients',
  'stop/sigterm-stream-default',
  'stop/sigterm-twice',
  'stop/port-stolen-during-start',
])('%s holds no failure', (name) => {
  expect(failureIn(recordedLines(name))).toBe(null)
})

test('while it serves the errors of requests are no failure, and do not explain its end', () => {
  const worker = '(Worker pid=7) ERROR 11-20 15:27:01 [multiproc_executor.py:1063]'
  const request = `${worker} FileNotFoundError: [Errno 2] No such file or directory: '/models/nolora/adapter_config.json'`
  const fatal = `${worker} torch.AcceleratorError: CUDA error: an illegal memory access was encountered`
  const serving = [...recordedLines('start/cpu'), request]
  const exit = { code: 0, signal: null }
  expect(failureIn(serving)).toBe(null)
  expect(explainEnd({ lines: serving, exit, wasReady: true }).class).toBe('crashed')
  expect(failureIn([...serving, fatal])?.class).toBe('gpu_fault')
  // The start is long out of sight.
  expect(explainEnd({ lines: [request], exit, wasReady: true }).class).toBe('crashed')
  expect(failureIn([request])?.class).toBe('model_bad')
})

describe('an end without a cause in the log', () => {
  const ends = (lines: string[], exit: { code: number | null; signal: string | null } | null, wasReady = true) =>
    explainEnd({ lines, exit, wasReady })

  test('an engine core that is gone, though vLLM exits with 0', () => {
    const lines = recordedLines('stop/sigkill-enginecore-never-served-no-requests')
    expect(ends(lines, { code: 0, signal: null })).toMatchObject({ class: 'engine_died', canHeal: true })
  })

  test('a worker that was killed: the system ran out of memory', () => {
    const lines = recordedLines('stop/sigkill-worker-stream')
    expect(ends(lines, { code: 0, signal: null })).toMatchObject({ class: 'oom_host', canHeal: true })
  })

  test('exit code 0 that nobody asked for is a crash', () => {
    expect(ends([], { code: 0, signal: null })).toMatchObject({ class: 'crashed', canHeal: true })
  })

  test.each([
    [{ code: null, signal: 'SIGKILL' }, 'oom_host'],
    [{ code: 137, signal: null }, 'oom_host'],
    [{ code: null, signal: 'SIGSEGV' }, 'crashed'],
    [{ code: 139, signal: null }, 'crashed'],
    [{ code: null, signal: 'SIGILL' }, 'arch'],
    [{ code: null, signal: 'SIGTERM' }, 'ended_outside'],
    [{ code: 3, signal: null }, 'unknown'],
  ])('%o', (exit, name) => {
    expect(ends(['INFO:     Application startup complete.'], exit).class).toBe(name)
  })

  test.each([
    ['ENOENT', 'executable_missing'],
    ['EACCES', 'executable_bad'],
    ['ENOEXEC', 'executable_bad'],
    ['EAGAIN', 'host_limits'],
    ['EISDIR', 'executable_bad'],
  ])('it could not be started: %s', (spawnError, name) => {
    expect(explainEnd({ lines: [], exit: null, spawnError, wasReady: false }).class).toBe(name)
  })

  test('the unknown says so, and shows the last lines that say something', () => {
    const lines = [
      'Traceback (most recent call last):',
      '  File "x.py", line 1, in <module>',
      '    explode()',
      '',
      'what is this',
    ]
    expect(ends(lines, { code: 1, signal: null }, false)).toEqual({
      class: 'unknown',
      cause: 'It ended with exit code 1 before it was up, for a reason that Lexora does not know.',
      fix: null,
      change: null,
      canHeal: true,
      lines: ['Traceback (most recent call last):', 'what is this'],
    })
  })
})

test('out of memory helps itself by where it happened', () => {
  const oom =
    '(EngineCore pid=7) ERROR 11-20 15:48:08 [core.py:1512] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.'
  const settings = { args: { 'gpu-memory-utilization': 0.9 } }
  const changeAfter = (...before: string[]) => failureIn([...before, oom], settings)?.change
  expect(changeAfter()).toBe(null)
  expect(changeAfter('Capturing CUDA graphs (decode, FULL):   0%| | 0/19')).toEqual({
    'args.gpu-memory-utilization': 0.86,
  })
  expect(changeAfter('INFO:     Application startup complete.')).toEqual({ 'args.gpu-memory-utilization': 0.86 })
})

test('a flag that the configuration does not have is not taken out of it', () => {
  const lines = ['vllm: error: unrecognized arguments: --uvicorn-log-levl']
  expect(failureIn(lines, { args: { 'uvicorn-log-levl': 'info' } })?.change).toEqual({ 'args.uvicorn-log-levl': null })
  expect(failureIn(lines, { args: { dtype: 'half' } })?.change).toBe(null)
})

test.each([
  // Docker and its daemon
  [
    'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    'docker_missing',
  ],
  [
    'docker: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
    'docker_permission',
  ],
  [
    "docker: Error response from daemon: pull access denied for vllm/vllm-opnai, repository does not exist or may require 'docker login'",
    'image_missing',
  ],
  ['docker: Error response from daemon: manifest for vllm/vllm-openai:v9 not found: manifest unknown', 'image_missing'],
  ['docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]', 'docker_gpu'],
  ['nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown', 'docker_gpu'],
  [
    'docker: Error response from daemon: driver failed programming external connectivity: Bind for 127.0.0.1:8000 failed: port is already allocated',
    'port_busy',
  ],
  [
    'docker: Error response from daemon: Conflict. The container name "/lexora-main" is already in use by container "4f1"',
    'container_name',
  ],
  ['docker: Error response from daemon: exec: "vllm": executable file not found in $PATH', 'executable_missing'],
  // shells, environments, WSL
  ['/bin/sh: 1: vllm: not found', 'executable_missing'],
  ['bash: line 1: vllm: command not found', 'executable_missing'],
  ['/opt/vllm/bin/vllm: /opt/old/bin/python: bad interpreter: No such file or directory', 'executable_missing'],
  ["ModuleNotFoundError: No module named 'vllm'", 'environment'],
  ['importlib.metadata.PackageNotFoundError: No package metadata was found for vllm', 'environment'],
  ['There is no distribution with the supplied name.', 'wsl_missing'],
  ['Windows Subsystem for Linux has no installed distributions.', 'wsl_missing'],
  ['ImportError: libcuda.so.1: cannot open shared object file: No such file or directory', 'gpu_missing'],
  // llama-server
  ['error: unknown argument: --n-gpu-layer', 'bad_args'],
  ["gguf_init_from_file: failed to open GGUF file '/models/q.gguf' (No such file or directory)", 'model_missing'],
  ["gguf_init_from_file_impl: invalid magic characters: 'vers', expected 'GGUF'", 'model_bad'],
  [
    "llama_model_load: error loading model: tensor 'blk.3.ffn_up.weight' data is not within the file bounds, model is corrupted or incomplete",
    'model_bad',
  ],
  [
    "llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'qwen9'",
    'engine_old',
  ],
  [
    'ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory',
    'oom_gpu',
  ],
  ["main: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080", 'port_busy'],
  [
    'llama-server: error while loading shared libraries: libcudart.so.12: cannot open shared object file: No such file or directory',
    'environment',
  ],
  // the hub, disks
  [
    'huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. Repository Not Found for url: https://huggingface.co/api/models/Qwen/Qwen33',
    'model_missing',
  ],
  ["OSError: [Errno 30] Read-only file system: '/models/.cache'", 'disk'],
  ["OSError: [Errno 28] No space left on device: '/home/user/.cache/vllm/x'", 'disk'],
])('%s', (line, name) => {
  expect(failureIn([line])?.class).toBe(name)
})

test('garbage is no failure, and never throws', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom('(EngineCore pid=', '(', '{"msg":"', 'ERROR'),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), fc.integer(), (lines, code) => {
      expect(explainEnd({ lines, exit: { code, signal: null }, wasReady: false }).cause).toMatch(/\.$/)
    }),
  )
})

test('a log whose beginning is lost, or cut anywhere, is named rightly or not at all', () => {
  const name = fc.constantFrom(...CORPUS.map((one) => one.name))
  fc.assert(
    fc.property(name, fc.nat(), fc.nat(), (name, from, cut) => {
      const { recording, expected } = CORPUS.find((one) => one.name === name)!
      const all = recordedLines(recording)
      const lines = all.slice(from % all.length)
      const last = lines.pop() ?? ''
      lines.push(last.slice(0, cut % (last.length + 1)))
      const named = failureIn(lines)
      // Where the memory ran out is told by what came before.
      const vaguer = ['weights_too_big', 'vram_peak'].includes(expected?.class ?? '') ? ['oom_gpu'] : []
      if (named) expect([expected?.class, ...vaguer]).toContain(named.class)
    }),
    { numRuns: 600 },
  )
})
