import type { RawRequest } from './request-reader.ts'

/** What a test may ask about a request. It is live: its figures grow while the answer is sent. */
export type FakeRequest = {
  id: number
  method: string
  /** Without the query; `target` has it. */
  path: string
  target: string
  headers: Record<string, string>
  rawHeaders: string[]
  body: Buffer
  startedAt: number
  socketId: number
  eventsSent: number
  bytesSent: number
  /** `finished`: a whole answer was written. `aborted`: the client left before. `faulted`: a fault broke it off. */
  outcome: 'open' | 'finished' | 'aborted' | 'faulted'
  closedAt: number | null
}

const MOST = 10_000

/** The requests so far, the oldest dropped when a long run would fill the memory. */
export function createRequestLog(onChange: () => void) {
  const requests: FakeRequest[] = []
  let last = 0

  function open(raw: RawRequest, path: string, socketId: number): FakeRequest {
    last += 1
    const request: FakeRequest = {
      id: last,
      method: raw.method,
      path,
      target: raw.target,
      headers: raw.headers,
      rawHeaders: raw.rawHeaders,
      body: raw.body,
      startedAt: Date.now(),
      socketId,
      eventsSent: 0,
      bytesSent: 0,
      outcome: 'open',
      closedAt: null,
    }
    requests.push(request)
    if (requests.length > MOST) requests.shift()
    onChange()
    return request
  }

  function close(request: FakeRequest, outcome: FakeRequest['outcome']): void {
    request.outcome = outcome
    request.closedAt = Date.now()
    onChange()
  }

  return { requests, open, close }
}
