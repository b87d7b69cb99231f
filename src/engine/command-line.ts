import { createHash } from 'node:crypto'
import { nearestNames } from '../protocol/nearest-name.ts'
import type { EngineConfig, Launch } from './launch.ts'
import { dockerCommand, wslCommand } from './launch-wrappers.ts'

/** What a command is made of beside the configuration. */
export type CommandFacts = {
  name: string
  port: number
  /** For kinds that can check one. */
  key: string
  runDir: string
  marker: string
  /** Options that the installed version knows; null: it could not be asked. */
  flags: ReadonlySet<string> | null
  /** Of the GPU with the least free memory among those it may use; null: none is known. */
  gpu: { totalBytes: number; freeBytes: number } | null
  /** Prompt tokens a second that this engine was seen to read; null: not measured. */
  prefillRate: number | null
  /** All files of the model lie on this machine. */
  isComplete: boolean
  /** Lexora's own environment. */
  env: Readonly<Record<string, string | undefined>>
}

export type EngineCommand = {
  argv: [string, ...string[]]
  env: Record<string, string>
  halt: { gently: string[]; now: string[] } | null
  /** Options that nobody wrote down, with their values. */
  derived: Record<string, string>
  /** It answers to this key only; null: it knows none. */
  key: string | null
  /** Most requests that it runs at once; null: not known. */
  maxSequences: number | null
  schedulesByPriority: boolean
}

export type Options = Record<string, EngineConfig['args'][string]>

/** Where Lexora alone decides: an address beyond loopback or a key of somebody else's would break its promises. */
const RESERVED = [
  'host',
  'port',
  'uds',
  'api-key',
  'model',
  'served-model-name',
  'alias',
  'root-path',
  'ssl-keyfile',
  'ssl-certfile',
  'headless',
  'grpc',
]

const GIB = 1024 ** 3
const MAX_SEQUENCES = 256
/** Lexora's own queue is the limit; this is what holds if that should fail. */
const QUEUE_FUSE = 8
/** What a desktop takes more of than it shows now (reference/vllm.md 10.25). */
const DESKTOP_BYTES = 0.7 * GIB
const USUAL_SHARE = 0.92
/** A step of the engine must not hold up running streams for longer (scheduling.md 1.2). */
const STEP_SECONDS = 0.12
const SMALLEST_BATCH = 512
const LARGEST_BATCH = 8192

/** Configuration and facts → argument vector and environment. Loopback only, no telemetry, no shell. */
export function engineCommand(config: EngineConfig, launch: Launch, facts: CommandFacts): EngineCommand {
  switch (config.kind) {
    case 'vllm':
      return vllmCommand(config, launch, facts)
    case 'llama-server':
      return llamaCommand(config, launch, facts)
    case 'demo':
      return plain([...launch.argv, '--host', '127.0.0.1', '--port', String(facts.port)], config, facts)
    default:
      return plain([...launch.argv, ...optionWords(filled(config, facts).args, 'repeat')], config, facts)
  }
}

/** The name that callers use. */
export function servedName(config: EngineConfig, name: string): string {
  return config.served_name ?? config.model ?? name
}

/** Tells two commands of a configuration apart: an engine is restarted, or not adopted, where it differs. */
export function configHash(config: EngineConfig): string {
  const { autostart: _, on_demand: __, idle_unload_minutes: ___, ...effective } = config
  return createHash('sha256')
    .update(JSON.stringify(sorted(effective)))
    .digest('hex')
    .slice(0, 16)
}

/** Options of the configuration that Lexora sets itself. */
export function reservedOptions({ kind, args }: EngineConfig): string[] {
  if (kind === 'command') return []
  return Object.keys(args).filter((name) => RESERVED.includes(dashed(name)))
}

/** Options that the installed version does not have, each with the nearest one that it has. */
export function unknownOptions(args: Options, flags: ReadonlySet<string>): { name: string; nearest: string | null }[] {
  return Object.keys(args)
    .filter((name) => args[name] !== null && !knows(flags, name))
    .map((name) => ({ name, nearest: nearestNames(dashed(name), flags, 1)[0] ?? null }))
}

/** The long options that a help text lists, without dashes. */
export function optionsInHelp(help: string): Set<string> {
  const found = new Set<string>()
  for (const line of help.split('\n')) {
    // An option stands at the left edge; its description, which may name others, does not.
    const head = /^ {0,4}(-.*?)(?: {2,}(?![ -])|$)/.exec(line)?.[1]
    for (const [, name] of head?.matchAll(/(?:^|[\s,|])--([A-Za-z][\w.-]*)/g) ?? []) found.add(dashed(name!))
  }
  return found
}

function knows(flags: ReadonlySet<string>, name: string): boolean {
  const long = dashed(name)
  return flags.has(long) || flags.has(long.split('.')[0]!) || flags.has(`no-${long}`)
}

function dashed(name: string): string {
  return name.replaceAll('_', '-')
}

function vllmCommand(config: EngineConfig, launch: Launch, facts: CommandFacts): EngineCommand {
  const own = ownOptions(config)
  const derived = derivedVllm(own, config, facts)
  const options = { ...derived, ...own }
  const env = { ...vllmEnvironment(config, facts), ...ownEnvironment(config) }
  const words = optionWords(options, 'many')
  const model = config.model ?? ''
  const served = servedName(config, facts.name)
  const serve = (host: string, port: number): string[] => [
    ...['serve', model, '--host', host, '--port', String(port), '--served-model-name', served],
    ...words,
  ]
  const limits = limitsOf(options)
  const known = { derived: texts(derived), key: facts.key, ...limits }
  if (launch.via === 'docker') return { ...dockerCommand(launch, config, facts, env, serve('0.0.0.0', 8000)), ...known }
  const argv = [...launch.argv, ...serve('127.0.0.1', facts.port)]
  if (launch.via === 'wsl') return { ...wslCommand(facts, env, argv), ...known }
  return { argv: checked(argv), env: { ...cleanEnvironment(facts.env), ...env }, halt: null, ...known }
}

/** Chosen from the machine and from what was measured; whatever the configuration says goes before. */
function derivedVllm(own: Options, config: EngineConfig, facts: CommandFacts): Options {
  const sequences = Number(own['max-num-seqs'] ?? MAX_SEQUENCES)
  const batch = batchTokens(facts.prefillRate, sequences)
  const wanted: Options = {
    'max-num-seqs': sequences,
    'scheduling-policy': 'priority',
    'max-num-queued-reqs': sequences + QUEUE_FUSE,
    'disable-access-log-for-endpoints': '/health,/metrics,/v1/models',
    'enable-prompt-tokens-details': true,
    ...(facts.gpu === null ? {} : { 'gpu-memory-utilization': memoryShare(facts.gpu), 'max-model-len': 'auto' }),
    ...(batch === null ? {} : { 'max-num-batched-tokens': batch, 'long-prefill-token-threshold': batch / 2 }),
    ...(config.sleep === 'off' ? {} : { 'enable-sleep-mode': true }),
  }
  // Exact sizes leave nothing to share.
  if ('kv-cache-memory-bytes' in own) delete wanted['gpu-memory-utilization']
  const isWanted = (name: string): boolean => !(name in own) && (facts.flags === null || knows(facts.flags, name))
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => isWanted(name)))
}

/** What is free now, less what a desktop may still take; never more than vLLM's own default. */
export function memoryShare({ totalBytes, freeBytes }: { totalBytes: number; freeBytes: number }): number {
  const share = Math.floor((100 * (freeBytes - DESKTOP_BYTES)) / totalBytes) / 100
  return Math.max(0.05, Math.min(USUAL_SHARE, share))
}

function batchTokens(prefillRate: number | null, sequences: number): number | null {
  if (prefillRate === null) return null
  let batch = SMALLEST_BATCH
  while (batch * 2 <= LARGEST_BATCH && batch * 2 <= prefillRate * STEP_SECONDS) batch *= 2
  return batch >= sequences ? batch : null
}

function limitsOf(options: Options): Pick<EngineCommand, 'maxSequences' | 'schedulesByPriority'> {
  const sequences = Number(options['max-num-active-seqs'] ?? options['max-num-seqs'])
  return {
    maxSequences: Number.isInteger(sequences) && sequences > 0 ? sequences : null,
    schedulesByPriority: options['scheduling-policy'] === 'priority',
  }
}

function llamaCommand(config: EngineConfig, launch: Launch, facts: CommandFacts): EngineCommand {
  const own = ownOptions(config)
  const wanted: Options = { metrics: true }
  const isWanted = (name: string): boolean => !(name in own) && (facts.flags === null || knows(facts.flags, name))
  const derived = Object.fromEntries(Object.entries(wanted).filter(([name]) => isWanted(name)))
  const model = config.model ?? ''
  const source = model.endsWith('.gguf') ? ['--model', model] : ['--hf-repo', model]
  const address = ['--host', '127.0.0.1', '--port', String(facts.port), '--alias', servedName(config, facts.name)]
  const argv = [...launch.argv, ...source, ...address, ...optionWords({ ...derived, ...own }, 'repeat')]
  const parallel = Number(own['parallel'] ?? own['np'])
  return {
    argv: checked(argv),
    env: {
      ...cleanEnvironment(facts.env),
      ...gpuEnvironment(config),
      LLAMA_API_KEY: facts.key,
      ...ownEnvironment(config),
    },
    halt: null,
    derived: texts(derived),
    key: facts.key,
    maxSequences: Number.isInteger(parallel) && parallel > 0 ? parallel : null,
    schedulesByPriority: false,
  }
}

function plain(argv: readonly string[], config: EngineConfig, facts: CommandFacts): EngineCommand {
  const env = {
    ...cleanEnvironment(facts.env),
    ...gpuEnvironment(config),
    HOST: '127.0.0.1',
    PORT: String(facts.port),
    ...ownEnvironment(filled(config, facts)),
  }
  return {
    argv: checked(argv),
    env,
    halt: null,
    derived: {},
    key: null,
    maxSequences: null,
    schedulesByPriority: false,
  }
}

/** `{port}` and `{model}` in what a command is given are those of this run. */
function filled(config: EngineConfig, { port }: CommandFacts): EngineConfig {
  const fill = <Value>(value: Value): Value =>
    typeof value === 'string'
      ? (value.replaceAll('{port}', String(port)).replaceAll('{model}', config.model ?? '') as Value)
      : value
  const args = Object.entries(config.args).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(fill) : fill(value),
  ])
  const env = Object.entries(config.env).map(([name, value]) => [name, fill(value)])
  return { ...config, args: Object.fromEntries(args), env: Object.fromEntries(env) }
}

/** Names as the command line has them; null takes away what Lexora would add. */
function ownOptions({ args }: EngineConfig): Options {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [dashed(name), value]))
}

/** `many`: the values of a list follow one option; `repeat`: each has its own. */
function optionWords(options: Options, lists: 'many' | 'repeat'): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = name.length === 1 ? `-${name}` : `--${name}`
    if (value === null) return []
    if (value === true) return [flag]
    if (value === false) return lists === 'many' ? [`--no-${name}`] : []
    if (!Array.isArray(value)) return valued(flag, String(value))
    if (lists === 'many') return [flag, ...value.map(String)]
    return value.flatMap((one) => valued(flag, String(one)))
  })
}

/** Two words, since vLLM reads `--config=FILE` but does not load it; one where the value looks like an option. */
function valued(flag: string, value: string): string[] {
  return /^-(?!\d)/.test(value) ? [`${flag}=${value}`] : [flag, value]
}

function vllmEnvironment(config: EngineConfig, facts: CommandFacts): Record<string, string> {
  return {
    VLLM_API_KEY: facts.key,
    VLLM_NO_USAGE_STATS: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    PYTHONUNBUFFERED: '1',
    // Its sockets, which it leaves behind, lie where they are cleaned up; the path must be short.
    VLLM_RPC_BASE_PATH: facts.runDir,
    TMPDIR: facts.runDir,
    VLLM_HOST_IP: '127.0.0.1',
    // Its own 5 s race with a client's next request on the same connection.
    VLLM_HTTP_TIMEOUT_KEEP_ALIVE: '75',
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    ...gpuEnvironment(config),
    ...(facts.isComplete ? { HF_HUB_OFFLINE: '1' } : {}),
    // `true` would crash it.
    ...(config.sleep === 'off' ? {} : { VLLM_SERVER_DEV_MODE: '1' }),
  }
}

function gpuEnvironment({ gpus }: EngineConfig): Record<string, string> {
  if (gpus.length === 0) return {}
  const list = gpus.join(',')
  return { CUDA_VISIBLE_DEVICES: list, HIP_VISIBLE_DEVICES: list }
}

function ownEnvironment({ env }: EngineConfig): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]))
}

const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|XDG_(CACHE|CONFIG|DATA)_HOME|HF_\w+|HUGGING_FACE_HUB_TOKEN|TRANSFORMERS_CACHE|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|CUDA_HOME|CUDA_PATH|CUDA_CACHE_PATH|NVIDIA_\w+|NCCL_\w+|ROCM_\w+|ROCR_\w+|HSA_\w+|HIP_\w+|CUDA_VISIBLE_DEVICES|TRITON_\w+|DOCKER_\w+|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|TEMP|TMP|TMPDIR|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES)$/i

/**
 * Of Lexora's environment only what a program needs to find its home, its files and its GPUs. Of an AppImage or of
 * Electron nothing: their libraries in LD_LIBRARY_PATH break Python (reference/vllm.md 10.23).
 */
export function cleanEnvironment(env: CommandFacts['env']): Record<string, string> {
  const kept: Record<string, string> = {}
  const libraries = env['APPIMAGE'] === undefined && env['APPDIR'] === undefined
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue
    if (PASSED_ON.test(name) || (libraries && name === 'LD_LIBRARY_PATH')) kept[name] = value
  }
  return kept
}

function texts(options: Options): Record<string, string> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]))
}

function checked(argv: readonly string[]): [string, ...string[]] {
  const [program, ...rest] = argv
  if (program === undefined) throw new Error('a launch has no program')
  return [program, ...rest]
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]))
}
