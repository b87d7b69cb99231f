import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { configHash, engineCommand, memoryShare } from '../../src/engine/command-line.ts'
import { commandLines } from '../../src/engine/command-text.ts'
import type { CommandFacts } from '../../src/engine/engine-command.ts'
import { cleanEnvironment } from '../../src/engine/engine-environment.ts'
import { optionsInHelp, reservedOptions, unknownOptions } from '../../src/engine/engine-options.ts'
import type { EngineConfig, Launch } from '../../src/engine/launch.ts'
import { configSchema } from '../../src/protocol/config.ts'

const GIB = 1024 ** 3
const FLAGS = optionsInHelp(readFileSync(new URL('../fixtures/vllm/help-all.txt', import.meta.url), 'utf8'))
const PATH_LAUNCH: Launch = { via: 'path', argv: ['/opt/vllm/bin/vllm'], said: '' }

function anEngine(more: Record<string, unknown> = {}): EngineConfig {
  const given = { model: 'Qwen/Qwen3-8B', served_name: 'qwen3-8b', ...more }
  return configSchema.parse({ engines: { main: given } }).engines['main']!
}

const theFacts = (more: Partial<CommandFacts> = {}): CommandFacts => ({
  name: 'main',
  port: 8123,
  key: 'the key',
  runDir: '/tmp/lexora-x',
  marker: 'abc',
  flags: FLAGS,
  gpu: null,
  prefillRate: null,
  isComplete: false,
  offline: false,
  isHubOff: false,
  env: { PATH: '/bin', HOME: '/home/me' },
  ...more,
})

const words = (config: EngineConfig, facts = theFacts(), launch: Launch = PATH_LAUNCH): string =>
  engineCommand(config, launch, facts).argv.join(' ')

describe('the command of vLLM', () => {
  test('whole', () => {
    expect(words(anEngine())).toBe(
      '/opt/vllm/bin/vllm serve Qwen/Qwen3-8B --host 127.0.0.1 --port 8123 --served-model-name qwen3-8b' +
        ' --max-num-seqs 256 --scheduling-policy priority --max-num-queued-reqs 264' +
        ' --disable-access-log-for-endpoints /health,/metrics,/v1/models --enable-prompt-tokens-details',
    )
  })

  test.each<[what: string, args: EngineConfig['args'], said: RegExp, silent?: RegExp]>([
    ['a flag', { 'enforce-eager': true }, / --enforce-eager$/],
    ['a flag that is off', { 'enable-prefix-caching': false }, / --no-enable-prefix-caching$/],
    ['a value', { 'kv-cache-dtype': 'fp8' }, / --kv-cache-dtype fp8$/],
    ['underscores', { max_model_len: 4096 }, / --max-model-len 4096$/],
    ['a list', { 'allowed-origins': ['a', 'b'] }, / --allowed-origins a b$/],
    ['a value that looks like an option', { 'chat-template': '-x' }, / --chat-template=-x$/],
    ['a negative number', { 'max-model-len': -1 }, / --max-model-len -1$/],
    ['a number of sequences', { 'max-num-seqs': 16 }, /--max-num-queued-reqs 24 .*--max-num-seqs 16$/],
    ['nothing where Lexora would add something', { 'scheduling-policy': null }, /serve/, /scheduling-policy/],
    ['another policy', { 'scheduling-policy': 'fcfs' }, / --scheduling-policy fcfs$/, /priority/],
  ])('takes %s', (_, args, said, silent = /never/) => {
    const text = words(anEngine({ args }))
    expect(text).toMatch(said)
    expect(text).not.toMatch(silent)
  })

  test('adds nothing that the installed version does not know', () => {
    const flags = new Set([...FLAGS].filter((name) => !/queued|priority|scheduling|prompt-tokens/.test(name)))
    const { derived, schedulesByPriority } = engineCommand(anEngine(), PATH_LAUNCH, theFacts({ flags }))
    expect(Object.keys(derived)).toEqual(['max-num-seqs', 'disable-access-log-for-endpoints'])
    expect(schedulesByPriority).toBe(false)
  })

  test('on a GPU takes what is free, less what a desktop may still want', () => {
    const { derived } = engineCommand(
      anEngine(),
      PATH_LAUNCH,
      theFacts({ gpu: { totalBytes: 24 * GIB, freeBytes: 20 * GIB } }),
    )
    expect(derived).toMatchObject({ 'gpu-memory-utilization': '0.8', 'max-model-len': 'auto' })
    expect(memoryShare({ totalBytes: 24 * GIB, freeBytes: 24 * GIB })).toBe(0.92)
    expect(memoryShare({ totalBytes: 24 * GIB, freeBytes: 0 })).toBe(0.05)
  })

  test('on a GPU leaves free what it is told to', () => {
    const facts = theFacts({ gpu: { totalBytes: 24 * GIB, freeBytes: 20 * GIB } })
    const share = (gpu_reserve_mb: number | null) =>
      engineCommand(anEngine({ gpu_reserve_mb }), PATH_LAUNCH, facts).derived['gpu-memory-utilization']
    expect([share(null), share(8 * 1024), share(0), share(100_000)]).toEqual(['0.8', '0.5', '0.83', '0.05'])
  })

  test.each([
    [3000, null],
    [9000, 1024],
    [20_000, 2048],
    [1_000_000, 8192],
  ])('reading %i tokens a second is given steps of %s tokens', (prefillRate, batch) => {
    const { derived } = engineCommand(
      anEngine({ args: { 'max-num-seqs': 1024 } }),
      PATH_LAUNCH,
      theFacts({ prefillRate }),
    )
    expect(derived['max-num-batched-tokens'] ?? null).toBe(batch === null ? null : String(batch))
    if (batch !== null) expect(derived['long-prefill-token-threshold']).toBe(String(batch / 2))
  })

  test('its environment: key, no telemetry, its own folder, the GPUs by their numbers', () => {
    const config = anEngine({ gpus: [1, 'GPU-abc'], env: { VLLM_LOGGING_LEVEL: 'DEBUG', X: 1 }, sleep: 1 })
    const { env } = engineCommand(config, PATH_LAUNCH, theFacts({ isComplete: true }))
    expect(env).toEqual({
      PATH: '/bin',
      HOME: '/home/me',
      VLLM_API_KEY: 'the key',
      VLLM_NO_USAGE_STATS: '1',
      DO_NOT_TRACK: '1',
      NO_COLOR: '1',
      PYTHONUNBUFFERED: '1',
      VLLM_RPC_BASE_PATH: '/tmp/lexora-x',
      TMPDIR: '/tmp/lexora-x',
      VLLM_HOST_IP: '127.0.0.1',
      VLLM_HTTP_TIMEOUT_KEEP_ALIVE: '75',
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      CUDA_VISIBLE_DEVICES: '1,GPU-abc',
      HIP_VISIBLE_DEVICES: '1,GPU-abc',
      HF_HUB_OFFLINE: '1',
      VLLM_SERVER_DEV_MODE: '1',
      VLLM_LOGGING_LEVEL: 'DEBUG',
      X: '1',
    })
  })
})

test('working offline no engine is to fetch anything, whatever it is started with', () => {
  const facts = theFacts({ offline: true, isHubOff: true, flags: new Set(['metrics', 'offline']) })
  const docker: Launch = { via: 'docker', argv: ['/bin/docker'], image: 'vllm/vllm-openai', said: '' }
  const commandOf = (kind: string, launch: Launch = PATH_LAUNCH) => engineCommand(anEngine({ kind }), launch, facts)
  expect([commandOf('vllm'), commandOf('command')].map(({ env }) => env['HF_HUB_OFFLINE'])).toEqual(['1', '1'])
  expect(commandOf('llama-server').argv).toContain('--offline')
  expect(commandOf('vllm', docker).argv.join(' ')).toContain('--pull never')
  expect(words(anEngine(), theFacts(), docker)).not.toContain('--pull')
  // The hub alone: images come from elsewhere.
  const hubless = engineCommand(anEngine(), docker, theFacts({ isHubOff: true }))
  expect([hubless.env['HF_HUB_OFFLINE'], hubless.argv.includes('--pull')]).toEqual(['1', false])
})

describe('the command of other kinds', () => {
  test('llama-server: a file, a list as repeated options', () => {
    const config = anEngine({ kind: 'llama-server', model: '/m/a.gguf', args: { parallel: 4, lora: ['a', 'b'] } })
    const launch: Launch = { via: 'path', argv: ['/bin/llama-server'], said: '' }
    const { argv, env, maxSequences } = engineCommand(config, launch, theFacts({ flags: new Set(['metrics', 'port']) }))
    expect(argv.join(' ')).toBe(
      '/bin/llama-server --model /m/a.gguf --host 127.0.0.1 --port 8123 --alias qwen3-8b --metrics --parallel 4 --lora a --lora b',
    )
    expect(env['LLAMA_API_KEY']).toBe('the key')
    expect(maxSequences).toBe(4)
  })

  test('a command: its port and model where it asks for them', () => {
    const config = anEngine({
      kind: 'command',
      executable: '/bin/x',
      args: { listen: '127.0.0.1:{port}', m: '{model}' },
    })
    const launch: Launch = { via: 'path', argv: ['/bin/x'], said: '' }
    const { argv, env, key } = engineCommand(config, launch, theFacts())
    expect(argv).toEqual(['/bin/x', '--listen', '127.0.0.1:8123', '-m', 'Qwen/Qwen3-8B'])
    expect(env).toMatchObject({ HOST: '127.0.0.1', PORT: '8123' })
    expect(key).toBeNull()
  })

  test('docker: loopback only, the key by name, an end by the container’s name', () => {
    const launch: Launch = { via: 'docker', argv: ['/bin/docker'], image: 'vllm/vllm-openai:v0.32.0', said: '' }
    const { argv, env, halt } = engineCommand(anEngine({ gpus: [0, 1] }), launch, theFacts({ flags: null }))
    const text = argv.join(' ')
    expect(text).toContain(
      'run --rm --init --name lexora-main-abc --label lexora.run=abc --gpus "device=0,1" --ipc=host',
    )
    expect(text).toContain('--publish 127.0.0.1:8123:8000')
    expect(text).toContain('--env VLLM_API_KEY')
    expect(text).toContain('vllm/vllm-openai:v0.32.0 Qwen/Qwen3-8B --host 0.0.0.0 --port 8000')
    expect(text).not.toContain('the key')
    expect(text).not.toContain('/tmp/lexora-x')
    expect(env).toMatchObject({ PATH: '/bin', VLLM_API_KEY: 'the key' })
    expect(halt).toEqual({
      gently: ['/bin/docker', 'stop', '--time', '30', 'lexora-main-abc'],
      now: ['/bin/docker', 'kill', 'lexora-main-abc'],
    })
  })

  test('WSL: in a session of its own there, whose number is kept in a file', () => {
    const launch: Launch = { via: 'wsl', argv: ['C:\\wsl.exe', '/home/me/venv/bin/vllm'], said: '' }
    const { argv, env, halt } = engineCommand(anEngine(), launch, theFacts())
    expect(argv.slice(0, 4)).toEqual(['C:\\wsl.exe', '--exec', 'sh', '-c'])
    expect(argv.slice(5, 9)).toEqual(['sh', '/tmp/lexora-abc.pid', '/home/me/venv/bin/vllm', 'serve'])
    expect(env['WSLENV']!.split(':')).toContain('VLLM_API_KEY')
    expect(halt!.now.slice(-2)).toEqual(['sh', '/tmp/lexora-abc.pid'])
  })
})

describe('options', () => {
  test('are read from the help of the installed version', () => {
    expect(FLAGS.size).toBeGreaterThan(200)
    for (const name of [
      'port',
      'max-model-len',
      'no-enable-prefix-caching',
      'tensor-parallel-size',
      'tool-call-parser',
    ])
      expect(FLAGS).toContain(name)
    // Named in a description only.
    expect(FLAGS).not.toContain('model-len')
    const llama =
      '-h,    --help, --usage      print usage\n-m,    --model FNAME   model path (see --hf-repo)\n--port PORT   port'
    expect([...optionsInHelp(llama)]).toEqual(['help', 'usage', 'model', 'port'])
  })

  test('that are not known are named with the nearest one', () => {
    const args = { 'max-modle-len': 1, enable_prefix_caching: false, 'compilation-config.level': 3, 'x-y-z': 1 }
    expect(unknownOptions(args, FLAGS)).toEqual([
      { name: 'max-modle-len', nearest: 'max-model-len' },
      { name: 'x-y-z', nearest: null },
    ])
  })

  test('that are Lexora’s own are told', () => {
    expect(reservedOptions(anEngine({ args: { host: '0.0.0.0', api_key: 'x', dtype: 'half' } }))).toEqual([
      'host',
      'api_key',
    ])
  })
})

test('the environment that is passed on holds no secrets and no libraries of an AppImage', () => {
  const env = {
    PATH: '/bin',
    HF_TOKEN: 'for the hub',
    OPENAI_API_KEY: 'x',
    LEXORA_HOME: '/x',
    LD_LIBRARY_PATH: '/usr/local/cuda/lib64',
    PYTHONPATH: '/x',
    ELECTRON_RUN_AS_NODE: '1',
    https_proxy: 'http://p',
  }
  expect(Object.keys(cleanEnvironment(env))).toEqual(['PATH', 'HF_TOKEN', 'LD_LIBRARY_PATH', 'https_proxy'])
  expect(cleanEnvironment({ ...env, APPDIR: '/tmp/.mount' })).not.toHaveProperty('LD_LIBRARY_PATH')
})

test('two configurations are the same command where only its owner’s habits differ', () => {
  const hash = configHash(anEngine({ args: { a: 1, b: 2 } }))
  expect(
    configHash(anEngine({ args: { b: 2, a: 1 }, autostart: true, on_demand: false, idle_unload_minutes: 5 })),
  ).toBe(hash)
  expect(configHash(anEngine({ args: { a: 1, b: 2 }, restart: 'never' }))).toBe(hash)
  expect(configHash(anEngine({ args: { a: 1, b: 2 }, gpu_reserve_mb: 1024 }))).not.toBe(hash)
  expect(configHash(anEngine({ args: { a: 1, b: 3 } }))).not.toBe(hash)
})

describe('a command that is shown', () => {
  const shown = (argv: [string, ...string[]], env: Record<string, string> = {}, more: Record<string, unknown> = {}) =>
    commandLines({ argv, env: { PATH: '/bin', ...env } }, anEngine(more), theFacts({ key: 'the-key-of-it' }))

  test('has one option a line, and words as a shell takes them', () => {
    expect(shown(['/opt/my vllm', 'serve', 'a/b', '--chat-template', "it's", '--lora', 'x=1', 'y'])).toEqual([
      "'/opt/my vllm' serve a/b",
      "--chat-template 'it'\\''s'",
      '--lora x=1 y',
    ])
  })

  test.each<[argv: [string, ...string[]], env: Record<string, string>, told: string[]]>([
    [['p', '--hf-token', 'abc'], {}, ['p', '--hf-token ***']],
    [['p', '--api-key=abc', '--port', '1'], {}, ['p', '--api-key=***', '--port 1']],
    [['p', '--x', 'https://me:pass@host/'], {}, ['p', '--x https://***@host/']],
    [['p', '--x', 'the-key-of-it'], {}, ['p', '--x ***']],
    [['p', '--x', 'hf_abcdefghijkl'], {}, ['p', '--x ***']],
    [
      ['p', '--name', 'lexora-main-abc'],
      { TMPDIR: '/tmp/lexora-x', A_TOKEN: 't' },
      ['A_TOKEN=***', 'p', '--name lexora-main-RUN'],
    ],
    [['p'], { MINE: 'visible', OTHER: 'a b' }, ['MINE=***', "OTHER='a b'", 'p']],
  ])('%j with %j hides what is secret and what is of one run', (argv, env, told) => {
    expect(shown(argv, env, { env: { MINE: 'visible' } })).toEqual(told)
  })
})
