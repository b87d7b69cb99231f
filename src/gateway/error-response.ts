import type { ServerResponse } from 'node:http'
import type { Endpoint } from '../protocol/endpoints.ts'
import { ERRORS, type Problem, problem, retryAfterSeconds, statusOf } from '../protocol/errors.ts'

type Shape = Endpoint['shape']

export function shuttingDown(): Problem {
  return problem('shutting_down', 'Lexora is shutting down.', { retryAfterMs: 5000 })
}

/** A fault of ours; its details stand in the log, under the request's id. */
export function internalError(requestId: string): Problem {
  return problem('internal_error', `A fault in Lexora. Its log has the details under ${requestId}.`)
}

export const LINGER_MS = 1000
const LINGER_BYTES = 64 * 1024 * 1024

/** The error object of DESIGN 4.2, or Anthropic's form of it. */
function errorBody(told: Problem, shape: Shape): unknown {
  const { type } = ERRORS[told.code]
  if (shape === 'anthropic')
    return { type: 'error', error: { type: anthropicType(statusOf(told), type), message: told.message } }
  return { error: { message: told.message, type, param: told.param ?? null, code: told.code } }
}

/** Anthropic's error types by status (Anthropic API reference, errors). */
function anthropicType(status: number, type: string): string {
  if (status === 404) return 'not_found_error'
  if (status === 413) return 'request_too_large'
  if (status === 503) return 'overloaded_error'
  return status >= 500 ? 'api_error' : type
}

/** The one place where a problem becomes a response. Does nothing when the response has begun or its client has left. */
export function sendError(
  res: ServerResponse,
  told: Problem,
  options: { requestId: string; shape?: Shape; headers?: readonly string[]; close?: boolean },
): void {
  if (res.headersSent || res.destroyed) return
  const status = statusOf(told)
  const body = Buffer.from(JSON.stringify(errorBody(told, options.shape ?? 'openai')))
  const headers = [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    'x-request-id',
    options.requestId,
  ]
  if (options.headers !== undefined) headers.push(...options.headers)
  const retryAfterMs = told.retryAfterMs ?? (status === 503 ? 1000 : undefined)
  if ((status === 429 || status === 503) && retryAfterMs !== undefined) {
    headers.push('retry-after', String(retryAfterSeconds(retryAfterMs)))
  }
  if (status === 401) headers.push('www-authenticate', 'Bearer')
  // What was not read of the body would be taken for the next request.
  if (options.close === true) headers.push('connection', 'close')
  res.writeHead(status, headers)
  if (options.close === true && !res.req.complete) endAfterBody(res, body)
  else res.end(body)
}

/**
 * Closing on a client that still sends would reset the connection, and the answer would be lost with it. So the answer
 * goes out, and what the client sends meanwhile is read into nothing, for a while (nginx's lingering_close).
 */
function endAfterBody(res: ServerResponse, answer: Buffer): void {
  const { req } = res
  let bytes = 0
  const end = (): void => {
    clearTimeout(timer)
    if (!res.writableEnded) res.end()
  }
  const timer = setTimeout(end, LINGER_MS).unref()
  res.write(answer)
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > LINGER_BYTES) end()
  })
  req.once('end', end)
  res.once('close', end)
  req.resume()
}

/** The event that ends a stream which failed after it had begun, in the form its client library understands. */
export function errorEvent(told: Problem, endpoint: Endpoint): Buffer {
  if (endpoint.kind === 'messages')
    return Buffer.from(`event: error\ndata: ${JSON.stringify(errorBody(told, 'anthropic'))}\n\n`)
  if (endpoint.kind === 'responses') {
    const { message, code, param } = told
    const payload = { type: 'error', code, message, param: param ?? null, ...(errorBody(told, 'openai') as object) }
    return Buffer.from(`event: error\ndata: ${JSON.stringify(payload)}\n\n`)
  }
  return Buffer.from(`data: ${JSON.stringify(errorBody(told, 'openai'))}\n\n`)
}
