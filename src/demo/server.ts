import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { chat, completion, type Dialect, type Stamp } from './chat.ts'
import { embeddings } from './embeddings.ts'
import { createMeter, type Meter } from './metrics.ts'
import { modelList } from './models.ts'
import { Problem } from './problem.ts'
import { type Fields, readFields } from './request-body.ts'
import { sendStream } from './stream.ts'
import { detokenize, tokenize } from './tokenize.ts'

type Get = (response: ServerResponse, meter: Meter) => void
type Post = (fields: Fields, response: ServerResponse, meter: Meter) => void

const GETS: Record<string, Get> = {
  '/health': (response) => void response.writeHead(200).end(),
  '/v1/models': (response) => sendJson(response, 200, modelList(Date.now())),
  '/metrics': (response, meter) =>
    void response.writeHead(200, { 'content-type': 'text/plain; version=1.0.0; charset=utf-8' }).end(meter.text()),
}

const POSTS: Record<string, Post> = {
  '/v1/chat/completions': (fields, response, meter) => speak(fields, chat(fields, stamp()), response, meter),
  '/v1/completions': (fields, response, meter) => speak(fields, completion(fields, stamp()), response, meter),
  '/v1/embeddings': (fields, response) => sendJson(response, 200, embeddings(fields, stamp())),
  '/tokenize': (fields, response) => sendJson(response, 200, tokenize(fields)),
  '/detokenize': (fields, response) => sendJson(response, 200, detokenize(fields)),
}

/** The demo engine's HTTP side: as much of vLLM's as a first look at Lexora needs. */
export function createDemoServer(): Server {
  const meter = createMeter()
  return createServer((request, response) => {
    answer(request, response, meter).catch((error: unknown) => sendProblem(response, error))
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, meter: Meter): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://demo')
  const get = GETS[pathname]
  const post = POSTS[pathname]
  if (!get && !post) return sendJson(response, 404, { detail: 'Not Found' })
  if (get && request.method === 'GET') return get(response, meter)
  if (post && request.method === 'POST') return post(await readFields(request), response, meter)
  response.setHeader('allow', get ? 'GET' : 'POST')
  sendJson(response, 405, { detail: 'Method Not Allowed' })
}

function speak(fields: Fields, dialect: Dialect, response: ServerResponse, meter: Meter): void {
  if (fields.stream === true) return sendStream(response, dialect, meter)
  const { promptTokens, completionTokens, finish } = dialect.generation
  const end = meter.begin(promptTokens)
  meter.generated(completionTokens)
  end(finish)
  sendJson(response, 200, dialect.whole())
}

function stamp(): Stamp {
  return { id: randomBytes(8).toString('hex'), createdMs: Date.now() }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendText(response, status, JSON.stringify(value))
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text)
}

function sendProblem(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  if (error instanceof Problem) return sendText(response, error.status, error.body)
  process.stderr.write(`demo engine: ${error instanceof Error ? error.stack : error}\n`)
  sendText(response, 500, new Problem(500, 'The demo engine failed.', 'InternalServerError').body)
}
