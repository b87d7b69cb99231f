import { request } from 'undici'
import type { BenchReport } from '../protocol/models.ts'
import { readEvents, SseFramer } from '../wire/sse.ts'

export type BenchOrder = {
  /** Of the gateway, without a path. */
  address: string
  key: string | null
  model: string
  requests: number
  concurrency: number
  /** Asked of each answer. */
  tokens: number
  /** About so many tokens in each prompt. */
  prompt: number
  signal: AbortSignal
}

type Sample = { ttftMs: number; streamMs: number; completion: number; prompt: number }

const ONE_MS = 300_000

/** Streams through the gateway as clients do, so many at once, and counts. Never rejects for what a request meets. */
export async function runBench(order: BenchOrder): Promise<BenchReport> {
  const { model, requests, concurrency, tokens, prompt, signal } = order
  const samples: Sample[] = []
  const errors: string[] = []
  let next = 0
  const began = performance.now()
  const worker = async (): Promise<void> => {
    while (next < requests && !signal.aborted) {
      const number = next++
      try {
        samples.push(await sample(order, number))
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, worker))
  const seconds = (performance.now() - began) / 1000
  const total = (of: 'completion' | 'prompt'): number => samples.reduce((sum, one) => sum + one[of], 0)
  const ttft = samples.map(({ ttftMs }) => ttftMs).sort((one, other) => one - other)
  return {
    model,
    requests,
    concurrency,
    tokens,
    prompt,
    errors: errors.length,
    error: errors[0] ?? null,
    seconds: rounded(seconds, 3),
    ttftMs: ttft.length === 0 ? null : { p50: at(ttft, 0.5), p95: at(ttft, 0.95), max: at(ttft, 1) },
    tokensPerSecondPerStream: perStream(samples),
    tokensPerSecond: rounded(total('completion') / seconds, 1),
    promptTokens: total('prompt'),
    completionTokens: total('completion'),
  }
}

/** The middle one, of those that came in more than one piece. */
function perStream(samples: readonly Sample[]): number | null {
  const rates = samples
    .filter(({ streamMs, completion }) => streamMs > 0 && completion > 1)
    .map(({ streamMs, completion }) => (1000 * (completion - 1)) / streamMs)
    .sort((one, other) => one - other)
  return rates.length === 0 ? null : rounded(at(rates, 0.5), 1)
}

function at(sorted: readonly number[], share: number): number {
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!, 1)
}

async function sample({ address, key, model, tokens, prompt, signal }: BenchOrder, number: number): Promise<Sample> {
  const body = {
    model,
    // The number comes first, so that no cache of prefixes flatters the figures.
    messages: [{ role: 'user', content: `${number} ${'one two three four five '.repeat(Math.ceil(prompt / 5))}` }],
    max_tokens: tokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  }
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (key !== null) headers['authorization'] = `Bearer ${key}`
  const began = performance.now()
  const answer = await request(`${address}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    headersTimeout: ONE_MS,
    bodyTimeout: ONE_MS,
    signal: AbortSignal.any([signal, AbortSignal.timeout(ONE_MS)]),
  })
  if (answer.statusCode !== 200) throw new Error(refusal(answer.statusCode, await answer.body.text()))
  let [first, last, chunks] = [0, 0, 0]
  let usage: { prompt_tokens?: number; completion_tokens?: number } = {}
  const framer = new SseFramer()
  for await (const bytes of answer.body) {
    const events = framer.push(bytes as Buffer)
    if (events === null) continue
    const now = performance.now()
    for (const { data } of readEvents(events)) {
      if (data === null || data === '[DONE]') continue
      const chunk = JSON.parse(data) as Chunk
      if (chunk.error !== undefined) throw new Error(chunk.error.message ?? 'the stream ended in an error')
      if (hasContent(chunk)) {
        first ||= now
        last = now
        chunks++
      }
      usage = chunk.usage ?? usage
    }
  }
  if (first === 0) throw new Error('The answer came without a token.')
  const completion = usage.completion_tokens ?? chunks
  return { ttftMs: first - began, streamMs: last - first, completion, prompt: usage.prompt_tokens ?? 0 }
}

type Chunk = {
  choices?: { delta?: { content?: string | null; reasoning?: string | null; reasoning_content?: string | null } }[]
  usage?: { prompt_tokens?: number; completion_tokens?: number } | null
  error?: { message?: string }
}

function hasContent({ choices }: Chunk): boolean {
  const delta = choices?.[0]?.delta
  return Boolean(delta?.content || delta?.reasoning || delta?.reasoning_content)
}

function refusal(status: number, text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } }
    if (typeof error?.message === 'string') return error.message
  } catch {
    // Told with its status below.
  }
  return `HTTP ${status}`
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
