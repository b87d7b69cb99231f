import { parseArgs } from 'node:util'
import { FAULT_HELP, readFaults } from './fault-names.ts'
import type { Fault } from './faults.ts'
import type { FakeOptions } from './options.ts'

type CommandLine = { help: boolean; options: FakeOptions; faults: Fault[] } | { problem: string }

type Flag = { option?: keyof FakeOptions; kind: 'text' | 'number' | 'switch' | 'list'; help: string; oneOf?: string[] }

const FLAGS: Record<string, Flag> = {
  port: { option: 'port', kind: 'number', help: 'port (8000)' },
  host: { option: 'host', kind: 'text', help: 'address (127.0.0.1)' },
  model: { option: 'models', kind: 'list', help: 'served name; repeat it for aliases (tiny)' },
  kind: {
    option: 'kind',
    kind: 'text',
    help: 'generate, pooling or classify (generate)',
    oneOf: ['generate', 'pooling', 'classify'],
  },
  'max-model-len': { option: 'maxModelLen', kind: 'number', help: 'context length (512)' },
  'api-key': { option: 'apiKey', kind: 'text', help: 'bearer key for /v1 (none)' },
  tokens: { option: 'tokens', kind: 'number', help: 'length of an answer without max_tokens (8)' },
  'ttft-ms': { option: 'ttftMs', kind: 'number', help: 'wait before the first token (0)' },
  'token-ms': { option: 'tokenMs', kind: 'number', help: 'wait between tokens (0: as fast as possible)' },
  'max-num-seqs': { option: 'maxNumSeqs', kind: 'number', help: 'sequences that run at a time (256)' },
  'max-queued': {
    option: 'maxQueued',
    kind: 'number',
    help: 'most requests running and waiting; more are refused (no limit)',
  },
  overflow: {
    option: 'overflow',
    kind: 'text',
    help: 'how a stream is refused: status or event (status)',
    oneOf: ['status', 'event'],
  },
  'start-delay-ms': { option: 'startDelayMs', kind: 'number', help: 'refuse connections this long (0)' },
  'keep-alive-ms': { option: 'keepAliveMs', kind: 'number', help: 'close idle connections after (5000)' },
  'sse-keep-alive-ms': {
    option: 'sseKeepAliveMs',
    kind: 'number',
    help: 'comment into silent streams every (0: never)',
  },
  'embedding-size': { option: 'embeddingSize', kind: 'number', help: 'numbers in a vector (64)' },
  'dev-mode': { option: 'devMode', kind: 'switch', help: 'sleep, wake_up, pause, resume' },
  'enable-tools': { option: 'enableTools', kind: 'switch', help: 'accept tools' },
  'request-id-headers': { option: 'requestIdHeaders', kind: 'switch', help: 'answer with X-Request-Id' },
  lora: { option: 'lora', kind: 'switch', help: 'load and unload adapters at run time' },
  'tokenizer-info': { option: 'tokenizerInfo', kind: 'switch', help: 'GET /tokenizer_info' },
  'prompt-tokens-details': { option: 'promptTokensDetails', kind: 'switch', help: 'cached tokens in usage' },
  'per-request-metrics': { option: 'perRequestMetrics', kind: 'switch', help: 'metrics in answers' },
  'server-load': { option: 'serverLoad', kind: 'switch', help: 'count in GET /load' },
  fault: { kind: 'list', help: 'a fault as JSON, see below; may be repeated' },
  help: { kind: 'switch', help: 'this text' },
}

export function optionsFrom(argv: string[]): CommandLine {
  try {
    const { values } = parseArgs({
      args: argv,
      options: Object.fromEntries(Object.entries(FLAGS).map(([name, flag]) => [name, parseRule(flag)])),
    })
    const given = Object.entries(values).flatMap(([name, value]) => {
      const { option } = FLAGS[name]!
      return option ? [[option, valueFrom(name, value as string)] as const] : []
    })
    const faults = ((values.fault ?? []) as string[]).flatMap(readFaults)
    return { help: values.help === true, options: { port: 8000, ...Object.fromEntries(given) }, faults }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

function parseRule({ kind }: Flag): { type: 'string' | 'boolean'; multiple: boolean } {
  return { type: kind === 'switch' ? 'boolean' : 'string', multiple: kind === 'list' }
}

function valueFrom(name: string, value: string): unknown {
  const { kind, oneOf } = FLAGS[name]!
  if (oneOf && !oneOf.includes(value)) throw new Error(`--${name} wants ${oneOf.join(' or ')}, not ${value}`)
  if (kind !== 'number') return value
  if (Number.isFinite(Number(value))) return Number(value)
  throw new Error(`--${name} wants a number, not ${value}`)
}

export function helpText(): string {
  const flags = Object.entries(FLAGS).map(([name, { kind, help }]) => [`--${name}${VALUES[kind]}`, help] as const)
  return `usage: node test/support/fake-vllm/main.ts [options]

A server that answers as vLLM 0.32.0 does, and that can fail in many ways.

${table(flags)}

While it runs: POST /__fake/faults, GET and DELETE /__fake/faults, GET /__fake/requests, GET /__fake/state.

A fault is JSON: {"do": "cut", "afterEvents": 3, "how": "rst", "times": 1, "match": {"path": "/v1/*", "body": "text", "nth": 2}}

${table(Object.entries(FAULT_HELP))}
`
}

const VALUES: Record<Flag['kind'], string> = { text: ' X', list: ' X', number: ' N', switch: '' }

function table(rows: (readonly [string, string])[]): string {
  return rows.map(([left, right]) => `  ${left.padEnd(26)}${right}`).join('\n')
}
