/** The yardstick: the least a Node proxy that speaks HTTP can do. `node:http` in, `Pool.dispatch` out, no feature. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import { answerCalls } from './channel.ts'

const HOP_BY_HOP = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive'])

answerCalls({
  listen: ({ upstreamPort }: { upstreamPort: number }) =>
    new Promise<number>((resolve) => {
      const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { headersTimeout: 0, bodyTimeout: 0 })
      const server = createServer({ noDelay: true }, (request, response) => forward(pool, request, response))
      server.requestTimeout = 0
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : 0)
      })
    }),
})

function forward(pool: Pool, request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    pool.dispatch(
      {
        path: request.url ?? '/',
        method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
        headers: withoutHopByHop(request.rawHeaders),
        body: body.length > 0 ? body : null,
      },
      relayTo(response),
    )
  })
}

function relayTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      response.on('close', () => {
        if (!response.writableFinished) controller.abort(new Error('the client left'))
      })
      response.on('drain', () => controller.resume())
    },
    onResponseStart(controller, status) {
      response.writeHead(status, withoutConnection(controller.rawHeaders as Buffer[]))
    },
    onResponseData(controller, chunk) {
      if (!response.write(chunk)) controller.pause()
    },
    onResponseEnd() {
      response.end()
    },
    onResponseError() {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  }
}

function withoutHopByHop(raw: string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    if (!HOP_BY_HOP.has(raw[at]!.toLowerCase())) kept.push(raw[at]!, raw[at + 1]!)
  }
  return kept
}

/** node:http frames the body itself where it is told no length. */
function withoutConnection(raw: Buffer[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toString('latin1')
    const lower = name.toLowerCase()
    if (lower !== 'connection' && lower !== 'keep-alive' && lower !== 'transfer-encoding') {
      kept.push(name, raw[at + 1]!.toString('latin1'))
    }
  }
  return kept
}
