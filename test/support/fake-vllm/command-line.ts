import { parseArgs } from 'node:util'
import type { Fault } from './faults.ts'
import type { FakeOptions } from './options.ts'

export type CommandLine = { help: boolean; options: FakeOptions; faults: Fault[] } | { problem: string }

type Flag = { option?: keyof FakeOptions; kind: 'text' | 'number' | 'switch' | 'list'; help: string }

const FLAGS: Record<string, Flag> = {
  port: { option: 'port', kind: 'number', help: 'port (8000)' },
  host: { option: 'host', kind: 'text', help: 'address (127.0.0.1)' },
  model: { option: 'models', kind: 'list', help: 'served name; repeat it for aliases (tiny)' },
  kind: { option: 'kind', kind: 'text', help: 'generate, pooling or classify (generate)' },
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
  overflow: { option: 'overflow', kind: 'text', help: 'how a stream is refused: status or event (status)' },
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
  fault: { kind: 'list', help: 'a fault as JSON; may be repeated, e.g. \'{"do":"cut","afterEvents":3,"how":"rst"}\'' },
  help: { kind: 'switch', help: 'this text' },
}

export function optionsFrom(argv: string[]): CommandLine {
  try {
    const { values } = parseArgs({
      args: argv,
      options: Object.fromEntries(Object.entries(FLAGS).map(([name, flag]) => [name, parseRule(flag)])),
    })
    const given = Object.entries(values).flatMap(([name, value]) => {
      const { option, kind } = FLAGS[name]!
      return option ? [[option, kind === 'number' ? numberFrom(name, value as string) : value] as const] : []
    })
    const faults = ((values.fault ?? []) as string[]).map((text) => JSON.parse(text) as Fault)
    return { help: values.help === true, options: { port: 8000, ...Object.fromEntries(given) }, faults }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

function parseRule({ kind }: Flag): { type: 'string' | 'boolean'; multiple: boolean } {
  return { type: kind === 'switch' ? 'boolean' : 'string', multiple: kind === 'list' }
}

function numberFrom(name: string, value: string): number {
  const number = Number(value)
  if (Number.isFinite(number)) return number
  throw new Error(`--${name} wants a number, not ${value}`)
}

export function helpText(): string {
  const lines = Object.entries(FLAGS).map(([name, { kind, help }]) => {
    const flag = `--${name}${kind === 'switch' ? '' : ` ${kind === 'number' ? 'N' : 'X'}`}`
    return `  ${flag.padEnd(26)}${help}`
  })
  return `usage: node test/support/fake-vllm/main.ts [options]\n\nA server that answers as vLLM 0.32.0 does, and that can fail in many ways.\n\n${lines.join('\n')}\n\nWhile it runs: POST /__fake/faults (JSON), DELETE /__fake/faults, GET /__fake/requests, GET /__fake/state.\nThe faults are in the README.md beside this program.\n`
}
