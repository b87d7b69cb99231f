import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type Recorded = {
  method: string
  target: string
  headers: IncomingHttpHeaders
  body: Buffer
  /** The client left before it had its answer. */
  aborted: boolean
}

export type Recorder = {
  url: string
  /** What came besides the probes of health, models and metrics. */
  requests: Recorded[]
  /** Targets of all GETs, probes included. */
  gets: string[]
}

type Answer = (request: Recorded, res: ServerResponse) => void

/** A backend that writes down what it gets and, unless told otherwise, answers `{"ok":true}`; it lists `models`. */
export async function startRecorder(
  options: { models?: string[]; answer?: Answer; early?: Answer } = {},
): Promise<Recorder> {
  const { models = ['m'], answer = sayOk, early } = options
  const requests: Recorded[] = []
  const gets: string[] = []
  const server = createServer((req, res) => {
    const { method = '', url: target = '', headers } = req
    if (method === 'GET') gets.push(target)
    if (method === 'GET' && /\/(health|models)$/.test(target)) {
      return sendJson(res, 200, { object: 'list', data: models.map((id) => ({ id, object: 'model' })) })
    }
    if (method === 'GET' && target.endsWith('/metrics')) return sendJson(res, 404, {})
    const parts: Buffer[] = []
    const request: Recorded = { method, target, headers, body: Buffer.alloc(0), aborted: false }
    requests.push(request)
    res.on('close', () => {
      request.aborted = !res.writableFinished
    })
    early?.(request, res)
    req.on('data', (chunk: Buffer) => parts.push(chunk))
    req.on('end', () => {
      request.body = Buffer.concat(parts)
      answer(request, res)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, gets }
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' })
  res.end(JSON.stringify(body))
}

function sayOk(_request: Recorded, res: ServerResponse): void {
  sendJson(res, 200, { ok: true })
}
