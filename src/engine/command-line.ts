import { createHash } from 'node:crypto'
import { namesOf } from '../config/adapters.ts'
import type { CommandFacts, EngineCommand, Options } from './engine-command.ts'
import {
  cleanEnvironment,
  gpuEnvironment,
  hubEnvironment,
  ownEnvironment,
  vllmEnvironment,
} from './engine-environment.ts'
import { knows, optionWords, ownOptions } from './engine-options.ts'
import type { EngineConfig, Launch } from './launch.ts'
import { dockerCommand, wslCommand } from './launch-wrappers.ts'

const MIB = 1024 ** 2
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
/** What an earlier start teaches. */
const LEARNT = ['max-num-batched-tokens', 'long-prefill-token-threshold']

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
  const { autostart: _, on_demand: __, idle_unload_minutes: ___, restart: ____, gpu_reserve_mb, ...rest } = config
  // Engines of before this setting are still known by their hash.
  const effective = gpu_reserve_mb === null ? rest : { ...rest, gpu_reserve_mb }
  return createHash('sha256')
    .update(JSON.stringify(sorted(effective)))
    .digest('hex')
    .slice(0, 16)
}

function vllmCommand(config: EngineConfig, launch: Launch, facts: CommandFacts): EngineCommand {
  // Its adapters it gets when somebody asks for them.
  const { 'lora-modules': adapters, ...own } = ownOptions(config)
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
    ...(facts.gpu === null
      ? {}
      : { 'gpu-memory-utilization': memoryShare(facts.gpu, config), 'max-model-len': 'auto' }),
    ...(batch === null ? {} : { 'max-num-batched-tokens': batch, 'long-prefill-token-threshold': batch / 2 }),
    ...(config.sleep === 'off' ? {} : { 'enable-sleep-mode': true }),
    ...(namesOf(config).size === 0 ? {} : { 'enable-lora': true }),
  }
  if (facts.running !== undefined) stayAs(facts.running, wanted)
  // Exact sizes leave nothing to share.
  if ('kv-cache-memory-bytes' in own) delete wanted['gpu-memory-utilization']
  const isWanted = (name: string): boolean => !(name in own) && (facts.flags === null || knows(facts.flags, name))
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => isWanted(name)))
}

/** What is free now, less what a desktop may still take, or what is to stay free; never more than vLLM's own default. */
export function memoryShare(
  { totalBytes, freeBytes }: { totalBytes: number; freeBytes: number },
  { gpu_reserve_mb: reserve }: { gpu_reserve_mb: number | null } = { gpu_reserve_mb: null },
): number {
  const left = reserve === null ? DESKTOP_BYTES : reserve * MIB
  const share = Math.floor((100 * (freeBytes - left)) / totalBytes) / 100
  return Math.max(0.05, Math.min(USUAL_SHARE, share))
}

/** What a run goes on with says nothing of what somebody changed. */
function stayAs(running: Readonly<Record<string, string>>, wanted: Options): void {
  const share = running['gpu-memory-utilization']
  if (share !== undefined) wanted['gpu-memory-utilization'] = share
  for (const name of LEARNT) {
    const value = running[name]
    if (value === undefined) delete wanted[name]
    else wanted[name] = value
  }
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
  const wanted: Options = { metrics: true, ...(facts.isHubOff ? { offline: true } : {}) }
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
    ...hubEnvironment(facts.isHubOff),
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
