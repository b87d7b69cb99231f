/** What the mock says: vLLM 0.32's answers to chat requests, byte shapes from its captures, sizes from the method. */
import { chunk, head, lastChunk, message } from './wire.ts'

export const MODEL = 'tiny'
const SERVER = { date: 'Fri, 20 Nov 2026 15:25:28 GMT', server: 'uvicorn', vary: 'Origin' }
const ID = 'chatcmpl-afa18bc2dce070f5'
const FINGERPRINT = 'vllm-0.32.0-e2a48a84'
const CREATED = 1795188330

function jsonAnswer(body: unknown, status = '200 OK'): Buffer {
  return message(`HTTP/1.1 ${status}`, { ...SERVER, 'content-type': 'application/json' }, JSON.stringify(body))
}

/** A whole chat answer whose body has about 600 bytes. */
export const chatAnswer = jsonAnswer({
  id: ID,
  object: 'chat.completion',
  created: CREATED,
  model: MODEL,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: ' serist openist openist openist', refusal: null, tool_calls: [] },
      logprobs: null,
      finish_reason: 'length',
      stop_reason: null,
      token_ids: null,
      routed_experts: null,
    },
  ],
  service_tier: null,
  system_fingerprint: FINGERPRINT,
  usage: { prompt_tokens: 16, total_tokens: 24, completion_tokens: 8, prompt_tokens_details: null },
  prompt_logprobs: null,
  prompt_token_ids: null,
  prompt_text: null,
  kv_transfer_params: null,
  ec_transfer_params: null,
})

export const healthAnswer = message('HTTP/1.1 200 OK', SERVER)
export const notFoundAnswer = jsonAnswer({ detail: 'Not Found' }, '404 Not Found')
export const modelsAnswer = jsonAnswer({
  object: 'list',
  data: [
    {
      id: MODEL,
      object: 'model',
      created: CREATED,
      owned_by: 'vllm',
      root: '/models/tiny',
      parent: null,
      max_model_len: 32768,
      permission: [],
    },
  ],
})

/** The gauges a gateway steers by; all of them say that the engine is idle and large. */
export const metricsAnswer = message(
  'HTTP/1.1 200 OK',
  { ...SERVER, 'content-type': 'text/plain; version=1.0.0; charset=utf-8' },
  ['num_requests_running', 'num_requests_waiting', 'kv_cache_usage_perc']
    .map((name) => `# TYPE vllm:${name} gauge\nvllm:${name}{engine="0",model_name="${MODEL}"} 0.0\n`)
    .join(''),
)

export const streamHead = head('HTTP/1.1 200 OK', {
  ...SERVER,
  'content-type': 'text/event-stream; charset=utf-8',
  'transfer-encoding': 'chunked',
})

type Chunk = { choices: unknown[] } & Record<string, unknown>

function event(rest: Chunk): Buffer {
  const body = { id: ID, object: 'chat.completion.chunk', created: CREATED, model: MODEL, ...rest }
  return chunk(`data: ${JSON.stringify(body)}\n\n`)
}

function choice(delta: Record<string, string>, finish: Record<string, unknown> = { finish_reason: null }) {
  return [{ index: 0, delta, logprobs: null, ...finish, token_ids: null }]
}

export const contentEvent = event({ choices: choice({ content: ' openist' }) })
export const contentPayloadBytes = contentEvent.lastIndexOf('\r\n') - contentEvent.indexOf('data:')

export const firstEvent = event({ choices: choice({ role: 'assistant', content: '' }) })
export const lastEvent = event({
  choices: choice({ content: ' ser' }, { finish_reason: 'length', stop_reason: null }),
  system_fingerprint: FINGERPRINT,
})

/** The events of one stream, each in a chunk of its own: the role, the tokens, the last token with its reason. */
export function streamOf(events: number): Buffer[] {
  return [firstEvent, ...Array.from({ length: events - 2 }, () => contentEvent), lastEvent]
}

export const usageEvent = event({
  choices: [],
  usage: { prompt_tokens: 16, total_tokens: 116, completion_tokens: 100 },
  system_fingerprint: FINGERPRINT,
})

export const streamEnd = Buffer.concat([chunk('data: [DONE]\n\n'), lastChunk])

const STAMP_DIGITS = 16

/** A content event that carries the moment it was sent, in µs of the clock all processes of a machine share. */
export function stampedEvent(): Buffer {
  const stamp = microseconds().toString().padStart(STAMP_DIGITS, '0')
  return event({ choices: choice({ content: `sent@${stamp}` }) })
}

/** The moments that the stamped events in these bytes were sent. */
export function readStamps(bytes: Buffer): number[] {
  const stamps: number[] = []
  for (let at = bytes.indexOf('sent@'); at >= 0; at = bytes.indexOf('sent@', at + 5)) {
    const digits = bytes.toString('latin1', at + 5, at + 5 + STAMP_DIGITS)
    if (digits.length === STAMP_DIGITS) stamps.push(Number(digits))
  }
  return stamps
}

/** CLOCK_MONOTONIC in µs: the same in every process of the machine. */
export function microseconds(): number {
  return Number(process.hrtime.bigint() / 1000n)
}
