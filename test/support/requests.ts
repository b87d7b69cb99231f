import { type HttpAnswer, parseAnswer, RawClient } from './raw-client.ts'

/** A chat request of eight tokens; name what matters. */
export function aChat(over: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: 'tiny', messages: [{ role: 'user', content: 'Say hello' }], max_tokens: 8, ...over }
}

/** Sends one JSON request on a connection of its own and reads the whole answer. */
export async function ask(
  port: number,
  body: unknown,
  headers: Record<string, string> = {},
  path = '/v1/chat/completions',
): Promise<HttpAnswer> {
  const client = await RawClient.open(port)
  client.post(path, body, { ...headers, connection: 'close' })
  return parseAnswer(await client.closed())
}

/** The payloads of a stream's data events, `[DONE]` included, as text. */
export function dataOf(body: string): string[] {
  return body
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trim())
}

/** The text that a chat stream spelled. */
export function spelled(body: string): string {
  return dataOf(body)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data).choices?.[0]?.delta?.content ?? '')
    .join('')
}

/** The error object of an answer: its own body, or the last event of a stream. */
export function errorOf({ headers, body }: HttpAnswer): {
  code: string
  type: string
  message: string
  param: string | null
} {
  const text = headers.get('content-type')?.startsWith('text/event-stream') ? dataOf(body).at(-1)! : body
  return JSON.parse(text).error
}
