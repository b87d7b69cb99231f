import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { createProxyMiddleware, type RequestHandler } from 'http-proxy-middleware'
import type { Backend } from '../backends/backend.ts'
import { type Problem, problem, statusOf } from '../protocol/errors.ts'
import type { Principal } from '../users/api-key.ts'
import { JsonScanError, scanObject, wanted } from '../wire/json-scan.ts'
import { sendError } from './error-response.ts'
import { tooLarge } from './guards.ts'
import type { RequestHead } from './request-head.ts'
import { Seat, type SeatOptions } from './seat.ts'
import type { Settlement } from './settlement.ts'

/** How much of a body is looked at to find its model; it stays in the stream and travels on untouched. */
const PEEK_BYTES = 64 * 1024
const MODEL = wanted('model')
const REQUEST_HEADERS = new Set([
  'accept',
  'content-type',
  'content-length',
  'transfer-encoding',
  'traceparent',
  'tracestate',
])
const RESPONSE_HEADERS = new Set([
  'content-type',
  'content-length',
  'content-disposition',
  'transfer-encoding',
  'retry-after',
])

export type PassThroughOptions = SeatOptions & {
  /** How long a request may wait for its turn. */
  queueMs: number
  maxBodyBytes: number
  timeoutMs: number
}

/** `path`: at the backend, its base included. */
/** `deadline`: when the proxy gives up on a silent backend, on the monotonic clock. */
type Call = {
  backend: Backend
  requestId: string
  settlement: Settlement
  path: string
  deadline?: number
  /** Set while the proxy sends. */
  sending?: ClientRequest
  /** Answered by us; what the proxy says of it does not matter any more. */
  refused?: true
}

/**
 * Bytes through untouched, by http-proxy-middleware: audio and images to the backend that has their model, and the
 * operator's raw door to a named one. Headers are allow-listed both ways; there is no retry.
 */
export class PassThrough {
  private readonly options: PassThroughOptions
  private readonly proxies = new Map<Backend, RequestHandler>()
  private readonly calls = new WeakMap<IncomingMessage, Call>()

  constructor(options: PassThroughOptions) {
    this.options = options
  }

  /** Forwards to the backend that serves the body's model (or the one named by `?model=`). */
  async route(
    req: IncomingMessage,
    res: ServerResponse,
    head: RequestHead,
    call: Omit<Call, 'backend' | 'path'> & { principal: Principal },
  ): Promise<void> {
    const asked = new URLSearchParams(head.target.slice(head.path.length)).get('model') ?? (await peekModel(req, head))
    const { registry, queueMs, timeoutMs } = this.options
    if (res.destroyed) return clientLeft(call)
    const seat = new Seat(this.options)
    res.once('close', () => {
      seat.leave(!res.writableFinished)
      if (!res.writableFinished) clientLeft(call)
    })
    seat.ask(
      { ...call, head, model: asked },
      { queueMs, engineMs: timeoutMs },
      {
        onSeat: (name, model) => {
          const backend = registry.get(name)!
          this.forward(req, res, head, { ...call, backend, path: backend.pathFor(head, model) })
        },
        onRefused: (told, headers) => refuse(res, told, call, headers),
      },
    )
  }

  /** Forwards `/backends/{name}/rest` as `/rest`. */
  raw(req: IncomingMessage, res: ServerResponse, head: RequestHead, call: Omit<Call, 'backend' | 'path'>): void {
    const [, , name, ...rest] = head.target.split('/')
    const backend = this.options.registry.get(decodeName(name ?? ''))
    const path = `/${rest.join('/')}`
    if (backend === undefined || backend.options.type === 'dummy') {
      return refuse(res, problem('not_found', 'There is no such backend.'), call)
    }
    // Nothing may climb out of the configured base path, in plain or in escapes that a server might decode.
    if (/\.\.|%2e|%2f|%5c|\\/i.test(path))
      return refuse(res, problem('invalid_request', 'The path must be plain.'), call)
    this.forward(req, res, head, { ...call, backend, path: backend.withBase(path) })
  }

  private forward(req: IncomingMessage, res: ServerResponse, head: RequestHead, call: Call): void {
    const { maxBodyBytes } = this.options
    if (head.contentLength !== null && head.contentLength > maxBodyBytes)
      return refuse(res, tooLarge(maxBodyBytes), call)
    call.deadline = performance.now() + this.options.timeoutMs
    this.calls.set(req, call)
    call.settlement.backend = call.backend.name
    call.settlement.leave(performance.now())
    res.once('close', () => {
      const gone = !res.writableFinished
      const status = gone ? 499 : res.statusCode
      const outcome = gone ? 'client_closed' : status < 400 ? 'ok' : status < 500 ? 'client_error' : 'backend_error'
      call.settlement.settle({ outcome, status, error: status >= 400 ? `status_${status}` : null }, performance.now())
    })
    countBytes(req, maxBodyBytes, () => {
      call.refused = true
      refuse(res, tooLarge(maxBodyBytes), call)
      req.unpipe()
      call.sending?.destroy()
    })
    void this.proxyTo(call.backend)(req, res)
  }

  private whyItFailed(backend: Backend, begun: boolean, call: Call | undefined): Problem {
    if (begun) return problem('backend_truncated', `Backend '${backend.name}' ended its answer half-way.`)
    if (call?.deadline !== undefined && performance.now() >= call.deadline) {
      return problem('backend_timeout', `Backend '${backend.name}' took too long to answer.`)
    }
    return problem('backend_unreachable', `Backend '${backend.name}' could not be reached.`)
  }

  private proxyTo(backend: Backend): RequestHandler {
    let proxy = this.proxies.get(backend)
    if (proxy === undefined) {
      proxy = createProxyMiddleware({
        target: new URL(backend.options.url).origin,
        changeOrigin: true,
        followRedirects: false,
        xfwd: false,
        proxyTimeout: this.options.timeoutMs,
        pathRewrite: (_path, req) => this.calls.get(req as IncomingMessage)?.path ?? '/',
        on: {
          proxyReq: (proxyReq, req) => {
            const call = this.calls.get(req)
            if (call !== undefined) call.sending = proxyReq
            backend.connects()
            if (proxyReq.socket !== null) backend.carries(proxyReq.socket)
            for (const name of proxyReq.getHeaderNames()) {
              if (!REQUEST_HEADERS.has(name) && name !== 'host') proxyReq.removeHeader(name)
            }
            const own = backend.headers()
            for (let i = 0; i < own.length; i += 2) proxyReq.setHeader(own[i]!, own[i + 1]!)
            proxyReq.setHeader('x-request-id', this.calls.get(req)?.requestId ?? '')
          },
          proxyRes: (proxyRes, req, res) => {
            for (const name of Object.keys(proxyRes.headers)) {
              if (!RESPONSE_HEADERS.has(name)) delete proxyRes.headers[name]
            }
            const requestId = this.calls.get(req)?.requestId ?? ''
            res.setHeader('x-lexora-backend', backend.name)
            if (proxyRes.statusCode !== 401 && proxyRes.statusCode !== 403) res.setHeader('x-request-id', requestId)
            else {
              // Refused credentials are ours to solve; an answer that has ended is left alone by the proxy.
              const told = problem('backend_auth', `Backend '${backend.name}' refused Lexora's credentials.`)
              sendError(res, told, { requestId })
              proxyRes.resume()
            }
          },
          error: (_error, req, res) => {
            if (this.calls.get(req)?.refused) return
            const { requestId = '', settlement } = this.calls.get(req) ?? {}
            const begun = 'headersSent' in res && res.headersSent
            const told = this.whyItFailed(backend, begun, this.calls.get(req))
            // A client that left has settled it already.
            const status = begun ? res.statusCode : statusOf(told)
            settlement?.settle(
              { outcome: begun ? 'stream_error' : 'backend_error', status, error: told.code },
              performance.now(),
            )
            if ('headersSent' in res) sendError(res, told, { requestId })
            // An answer that was cut must look cut.
            if (!('headersSent' in res) || !res.writableEnded) res.destroy()
          },
        },
      })
      this.proxies.set(backend, proxy)
    }
    return proxy
  }
}

/** A name with a malformed escape is no backend's. */
function decodeName(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

function clientLeft({ settlement }: Pick<Call, 'settlement'>): void {
  settlement.settle({ outcome: 'client_closed', status: 499, error: 'client_closed' }, performance.now())
}

function refuse(
  res: ServerResponse,
  told: Problem,
  { requestId, settlement }: Pick<Call, 'requestId' | 'settlement'>,
  headers: readonly string[] = [],
): void {
  sendError(res, told, { requestId, close: true, headers })
  const status = statusOf(told)
  settlement.settle(
    { outcome: status < 500 ? 'client_error' : 'backend_error', status, error: told.code },
    performance.now(),
  )
}

/** Tells once when a body without a length grows beyond the limit. */
function countBytes(req: IncomingMessage, maxBytes: number, onTooMany: () => void): void {
  let bytes = 0
  const count = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes <= maxBytes) return
    req.off('data', count)
    onTooMany()
  }
  req.on('data', count)
  // Listening has set it flowing; the proxy attaches a turn later and resumes it.
  req.pause()
}

/** Looks for the model's name in the first bytes of a JSON or multipart body and puts them back; null when it is not there. */
async function peekModel(req: IncomingMessage, head: RequestHead): Promise<string | null> {
  const start = await peek(req)
  if (start.length === 0) return null
  if (head.contentType?.toLowerCase().startsWith('application/json')) return modelOfJson(start)
  const field = /name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,200})\r\n/.exec(start.toString('latin1'))
  return field === null ? null : Buffer.from(field[1]!, 'latin1').toString('utf8')
}

function modelOfJson(start: Buffer): string | null {
  try {
    const member = scanObject(start, MODEL, 64).members[0]
    const value: unknown = member === undefined ? null : JSON.parse(start.toString('utf8', member.start, member.end))
    return typeof value === 'string' ? value : null
  } catch (error) {
    if (error instanceof JsonScanError) return null
    throw error
  }
}

function peek(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let bytes = 0
    const finish = (): void => {
      req.off('readable', take)
      req.off('close', finish)
      const start = Buffer.concat(parts)
      if (start.length > 0 && !req.destroyed) req.unshift(start)
      resolve(start)
    }
    const take = (): void => {
      // Reading exactly what is there leaves the end of the stream unread, so that all of it can be put back.
      const chunk = req.readableLength > 0 ? (req.read(req.readableLength) as Buffer | null) : null
      if (chunk !== null) {
        parts.push(chunk)
        bytes += chunk.length
      }
      if (bytes >= PEEK_BYTES || req.complete || chunk === null) finish()
    }
    req.on('readable', take)
    req.once('close', finish)
  })
}
