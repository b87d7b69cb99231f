/** What the clients ask: the same bytes for every target. */
import { API_KEY } from './lexora-config.ts'
import { MODEL } from './vllm-bytes.ts'
import { message } from './wire.ts'

/** One chat request as text; `bodyBytes` makes its conversation long enough for a body of that size. */
export function chatRequest({ stream, bodyBytes = 0 }: { stream: boolean; bodyBytes?: number }): string {
  const bare = body(stream, '')
  const padding = 'a quick brown fox jumps over the lazy dog. '.repeat(Math.ceil(bodyBytes / 43))
  return message(
    'POST /v1/chat/completions HTTP/1.1',
    {
      host: '127.0.0.1',
      authorization: `Bearer ${API_KEY}`,
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'OpenAI/JS 7.55.0',
    },
    body(stream, padding.slice(0, Math.max(0, bodyBytes - bare.length))),
  ).toString('latin1')
}

function body(stream: boolean, padding: string): string {
  return JSON.stringify({
    model: MODEL,
    messages: [
      { role: 'system', content: `You are a helpful assistant. ${padding}` },
      { role: 'user', content: 'Say hello' },
    ],
    max_tokens: 100,
    temperature: 0.7,
    ...(stream ? { stream: true } : {}),
  })
}
