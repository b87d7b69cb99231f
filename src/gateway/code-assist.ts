import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Agent, type Dispatcher, request } from 'undici'
import { z } from 'zod'
import { unifiedDiff } from '../policy/unified-diff.ts'
import { ERRORS, type ErrorCode, type Problem, problem } from '../protocol/errors.ts'
import { readEvents, SseFramer } from '../wire/sse.ts'
import { sendError } from './error-response.ts'

const MOST_CODE = 256 * 1024
const MOST_BODY = 1024 * 1024
const MOST_EVENT = 4 * 1024 * 1024

const asked = z.strictObject({
  code: z.string('must be text').min(1, 'is empty').max(MOST_CODE, 'is longer than 262144 characters'),
  language: z.string('must be text').max(64, 'is too long').optional(),
  path: z.string('must be text').max(1024, 'is too long').optional(),
  instruction: z.string('must be text').max(8192, 'is too long').optional(),
  model: z.string('must be text').max(256, 'is too long').optional(),
})
type Asked = z.output<typeof asked>

/** The caller's credentials and wishes travel on, so that limits, queue and log count him. */
const PASSED = /^(authorization|x-api-key|host|x-request-id|traceparent|x-lexora-.*)$/

const EXPLAIN =
  'You explain code to the programmer who reads it. Say what it does and why, in short paragraphs. Name what could go wrong.'
const REWRITE =
  'You rewrite code as you are told. Answer with the whole new text of the code and nothing else: no explanation, no fences.'

/**
 * Explains or rewrites code by a chat request to this very Lexora, with the caller's own key: so it waits, counts and
 * falls back as every request does. A time-out is a 504 here, any other fault of a backend a 503 (DESIGN 4.1).
 */
export async function assist(
  { req, res, path, requestId }: { req: IncomingMessage; res: ServerResponse; path: string; requestId: string },
  keyHeader: string | null,
): Promise<void> {
  const refuse = (told: Problem): void => sendError(res, told, { requestId, close: !req.complete })
  const parsed = parse(await readBody(req))
  if ('code' in parsed && 'message' in parsed) return refuse(parsed)
  const wanted = { rewrites: path.includes('/rewrite'), streams: path.endsWith('/stream') }
  const left = new AbortController()
  res.once('close', () => left.abort())
  const agent = new Agent({ connect: { rejectUnauthorized: false }, headersTimeout: 0, bodyTimeout: 0 })
  try {
    const answer = await ask(agent, req, chatOf(parsed, wanted), keyHeader, left.signal)
    if (answer.statusCode !== 200) return refuse(await problemOf(answer))
    for (const name of ['x-lexora-backend', 'x-lexora-model']) {
      const value = answer.headers[name]
      if (value !== undefined) res.setHeader(name, value)
    }
    res.setHeader('x-request-id', requestId)
    if (wanted.streams) await relay(answer, res, parsed, wanted.rewrites)
    else {
      const { choices, model, usage = null } = (await answer.body.json()) as ChatAnswer
      const text = choices?.[0]?.message?.content ?? ''
      send(res, { ...resultOf(parsed, text, wanted.rewrites), model, usage })
    }
  } catch (error) {
    if (!left.signal.aborted) refuse(problem('overloaded', `The model could not be asked (${(error as Error).name}).`))
  } finally {
    await agent.destroy()
  }
}

type Piece = { delta?: { content?: string | null }; message?: { content?: string | null } }
type ChatAnswer = { choices?: Piece[]; model?: string; usage?: unknown; error?: { message?: string } }

function chatOf({ code, language, path, instruction, model }: Asked, wanted: { rewrites: boolean; streams: boolean }) {
  const facts = [path === undefined ? '' : `File: ${path}`, language === undefined ? '' : `Language: ${language}`]
  const wish = instruction ?? (wanted.rewrites ? 'Make it clearer. Keep what it does.' : 'Explain this code.')
  const content = [...facts.filter(Boolean), wish, '', code].join('\n')
  const messages = [
    { role: 'system', content: wanted.rewrites ? REWRITE : EXPLAIN },
    { role: 'user', content },
  ]
  const more = wanted.streams ? { stream: true, stream_options: { include_usage: true } } : {}
  return { ...(model === undefined ? {} : { model }), messages, ...more }
}

/** Through the address that the caller came by. */
async function ask(
  agent: Agent,
  req: IncomingMessage,
  chat: unknown,
  keyHeader: string | null,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const socket = req.socket as Socket & { encrypted?: boolean }
  const { address, port } = { address: socket.localAddress ?? '127.0.0.1', port: socket.localPort } as AddressInfo
  const host = address.includes(':') ? `[${address}]` : address
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  for (const [name, value] of Object.entries(req.headers)) {
    if (typeof value === 'string' && (PASSED.test(name) || name === keyHeader)) headers[name] = value
  }
  const url = `http${socket.encrypted === true ? 's' : ''}://${host}:${port}/v1/chat/completions`
  return await request(url, { method: 'POST', headers, body: JSON.stringify(chat), dispatcher: agent, signal })
}

/** Each piece of text as it comes, then the whole result, then `[DONE]`. */
async function relay(
  answer: Dispatcher.ResponseData,
  res: ServerResponse,
  given: Asked,
  rewrites: boolean,
): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const framer = new SseFramer()
  let [text, model, usage] = ['', null as string | null, null as unknown]
  const tell = (value: unknown): void => void res.write(`data: ${JSON.stringify(value)}\n\n`)
  for await (const chunk of answer.body) {
    const events = framer.push(chunk as Buffer)
    if (framer.pending > MOST_EVENT) break
    for (const { data } of events === null ? [] : readEvents(events)) {
      if (data === null || data === '[DONE]') continue
      const piece = JSON.parse(data) as ChatAnswer
      // Broken on the way: without a [DONE], as everywhere.
      if (piece.error !== undefined) return void res.end(`data: ${data}\n\n`)
      const said = piece.choices?.[0]?.delta?.content ?? ''
      model = piece.model ?? model
      usage = piece.usage ?? usage
      text += said
      if (said !== '') tell({ delta: said })
    }
  }
  tell({ ...resultOf(given, text, rewrites), model, usage })
  res.end('data: [DONE]\n\n')
}

function resultOf({ code, path }: Asked, text: string, rewrites: boolean): { text: string } | { diff: string } {
  if (!rewrites) return { text }
  const plain = unfenced(text)
  // Models leave the last line break out; that is no change.
  const after = code.endsWith('\n') && !plain.endsWith('\n') ? `${plain}\n` : plain
  return { diff: unifiedDiff(code, after, path?.replace(/^\/+/, '') ?? 'code') }
}

/** Models fence code in spite of what they are told. */
function unfenced(text: string): string {
  const fenced = /^\s*```[^\n]*\n([\s\S]*?)\n?```\s*$/.exec(text)
  return fenced?.[1] ?? text
}

function parse(body: string | Problem): Asked | Problem {
  if (typeof body !== 'string') return body
  let given: unknown
  try {
    given = JSON.parse(body)
  } catch {
    return problem('invalid_json', 'The body is not a JSON object.')
  }
  const parsed = asked.safeParse(given)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const field = issue.code === 'unrecognized_keys' ? issue.keys[0]! : issue.path.join('.')
  const says = issue.code === 'unrecognized_keys' ? 'is not known here' : issue.message
  return problem('invalid_request', `${field || 'The body'}: ${says}`, { param: field || null })
}

async function readBody(req: IncomingMessage): Promise<string | Problem> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length
    if (bytes > MOST_BODY) return problem('body_too_large', `The body is larger than ${MOST_BODY} bytes.`)
    parts.push(chunk as Buffer)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** What was refused as the caller's own doing stays so. */
async function problemOf({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Problem> {
  const told = (await body.json().catch(() => null)) as {
    error?: { code?: string; message?: string; param?: string }
  } | null
  const message = told?.error?.message ?? `The model could not be asked (HTTP ${statusCode}).`
  if (statusCode === 504) return problem('backend_timeout', message)
  const seconds = Number(headers['retry-after'])
  const later = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}
  if (statusCode >= 500) return problem('overloaded', message, later)
  const code = told?.error?.code ?? ''
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'invalid_request'
  return problem(known, message, { status: statusCode, param: told?.error?.param ?? null, ...later })
}

function send(res: ServerResponse, result: unknown): void {
  const body = Buffer.from(JSON.stringify(result))
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  res.end(body)
}
