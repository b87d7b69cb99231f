import type { Dispatcher } from 'undici'
import type { Dispatch } from '../attempt.ts'

/**
 * The `dummy` backend: answers in this process, without a network, for dry runs of a configuration. Chat and
 * completions echo the last thing said; embeddings are constant; everything else is a 404 as a vLLM would give it.
 */
export function createDummy({ name, models }: { name: string; models: readonly string[] }): Dispatch {
  return {
    dispatch(options, handler) {
      const call = new DummyCall(handler)
      queueMicrotask(() => call.run(options, models[0] ?? name))
      return true
    },
  }
}

class DummyCall implements Dispatcher.DispatchController {
  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders = null
  rawTrailers = null
  private readonly handler: Dispatcher.DispatchHandler

  constructor(handler: Dispatcher.DispatchHandler) {
    this.handler = handler
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.handler.onResponseError?.(this, reason)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  run(options: Dispatcher.DispatchOptions, fallbackModel: string): void {
    this.handler.onRequestStart?.(this, {})
    if (this.aborted) return
    const asked = JSON.parse(String(options.body)) as Record<string, unknown>
    const model = typeof asked['model'] === 'string' ? asked['model'] : fallbackModel
    const path = options.path.slice(options.path.lastIndexOf('/v1'))
    const answer = answerFor(path, asked, model)
    const stream = asked['stream'] === true && answer.chunks !== null
    this.send(
      answer.status,
      stream ? 'text/event-stream; charset=utf-8' : 'application/json',
      stream ? answer.chunks! : [answer.body],
    )
  }

  private send(status: number, contentType: string, parts: readonly string[]): void {
    this.handler.onResponseStart?.(this, status, { 'content-type': contentType }, '')
    for (const part of parts) {
      if (this.aborted) return
      this.handler.onResponseData?.(this, Buffer.from(part))
    }
    if (!this.aborted) this.handler.onResponseEnd?.(this, {})
  }
}

type DummyAnswer = { status: number; body: string; chunks: string[] | null }

function answerFor(path: string, asked: Record<string, unknown>, model: string): DummyAnswer {
  const withUsage = (asked['stream_options'] as { include_usage?: unknown } | undefined)?.include_usage === true
  if (path === '/v1/chat/completions') return textAnswer('chat', lastMessage(asked['messages']), model, withUsage)
  if (path === '/v1/completions') return textAnswer('text', String(asked['prompt'] ?? ''), model, withUsage)
  if (path === '/v1/embeddings') return embeddings(asked['input'], model)
  return { status: 404, body: '{"detail":"Not Found"}', chunks: null }
}

function lastMessage(messages: unknown): string {
  const last = Array.isArray(messages) ? (messages.at(-1) as { content?: unknown } | undefined) : undefined
  return typeof last?.content === 'string' ? last.content : ''
}

function textAnswer(kind: 'chat' | 'text', said: string, model: string, withUsage: boolean): DummyAnswer {
  const text = `dummy: ${said}`
  const chat = kind === 'chat'
  const prompt = said.length
  const usage = { prompt_tokens: prompt, completion_tokens: text.length, total_tokens: prompt + text.length }
  const base = { id: chat ? 'chatcmpl-dummy' : 'cmpl-dummy', created: 0, model }
  const whole = chat
    ? { index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }
    : { index: 0, text, finish_reason: 'stop' }
  const part = (content: string, finish: string | null): string => {
    const choice = chat ? { delta: { content } } : { text: content }
    const object = chat ? 'chat.completion.chunk' : 'text_completion'
    return `data: ${JSON.stringify({ ...base, object, choices: [{ index: 0, ...choice, finish_reason: finish }] })}\n\n`
  }
  const usageChunk = `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [], usage })}\n\n`
  return {
    status: 200,
    body: JSON.stringify({ ...base, object: chat ? 'chat.completion' : 'text_completion', choices: [whole], usage }),
    chunks: [part(text, null), part('', 'stop'), ...(withUsage ? [usageChunk] : []), 'data: [DONE]\n\n'],
  }
}

function embeddings(input: unknown, model: string): DummyAnswer {
  const inputs = Array.isArray(input) ? input : [input]
  const data = inputs.map((_, index) => ({ object: 'embedding', index, embedding: [1, 0, 0, 0] }))
  const usage = { prompt_tokens: inputs.length, total_tokens: inputs.length }
  return { status: 200, body: JSON.stringify({ object: 'list', model, data, usage }), chunks: null }
}
