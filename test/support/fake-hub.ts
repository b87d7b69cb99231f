/** A hub as Hugging Face's, on loopback: listing, small files at once, large ones by a redirect to another address. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type FakeRepository = {
  files: Record<string, Buffer | string>
  /** Status for everybody without the right token. */
  gated?: { status: 401 | 403; token: string }
}

/** What one answer with content does wrong. */
export type Fault = {
  status?: number
  headers?: Record<string, string>
  /** The connection is cut after so many bytes of this answer. */
  cutAfter?: number
  /** The answer ends well after so many bytes. */
  endAfter?: number
  garbled?: boolean
  ignoresRange?: boolean
  /** Nothing more comes after so many bytes. */
  stallAfter?: number
  location?: string
  extra?: number
}

const CUT_LATER_MS = 30

export type HubRequest = { path: string; from: number; authorization: string | null; atCdn: boolean }

export const COMMIT = 'c0ffee0000000000000000000000000000000001'
/** From this size on content lies elsewhere. */
const LARGE = 256

export class FakeHub {
  readonly repositories: Record<string, FakeRepository>
  readonly requests: HubRequest[] = []
  /** Asked for each answer with content: `nth` counts those of this file. */
  fault: (path: string, nth: number) => Fault | null = () => null
  /** Asked for each answer of the API. */
  apiFault: (nth: number) => Fault | null = () => null
  private readonly hub: Server
  private readonly cdn: Server
  private readonly counts = new Map<string, number>()
  private apiCount = 0

  private constructor(repositories: Record<string, FakeRepository>) {
    this.repositories = repositories
    this.hub = createServer((request, response) => this.answer(request, response))
    this.cdn = createServer((request, response) => this.content(request, response, true))
  }

  static async start(repositories: Record<string, FakeRepository>): Promise<FakeHub> {
    const hub = new FakeHub(repositories)
    for (const server of [hub.hub, hub.cdn]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
    }
    return hub
  }

  get address(): string {
    return addressOf(this.hub)
  }

  /** Of one file, by its name. */
  asked(name: string): HubRequest[] {
    return this.requests.filter(({ path }) => path.endsWith(`/${name}`))
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, this.address)
    if (!pathname.startsWith('/api/')) return this.content(request, response, false)
    this.requests.push(requestOf(request, pathname, false))
    const fault = this.apiFault(++this.apiCount)
    if (fault !== null) return void response.writeHead(fault.status ?? 500, fault.headers).end('{"error":"no"}')
    const [, repo, what] = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\//.exec(pathname) ?? []
    const found = this.repositories[repo ?? '']
    const status = found === undefined ? 404 : refusedBy(found, request)
    response.setHeader('content-type', 'application/json')
    if (found === undefined || status !== null) return void response.writeHead(status ?? 404).end('{"error":"no"}')
    response.end(
      JSON.stringify(what === 'tree' ? listing(found) : { _id: '1', id: repo, sha: COMMIT, lastModified: 0 }),
    )
  }

  private content(request: IncomingMessage, response: ServerResponse, atCdn: boolean): void {
    const { pathname } = new URL(request.url!, this.address)
    const [, repo = '', encoded = ''] = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(pathname) ?? []
    const name = decodeURIComponent(encoded)
    const asked = requestOf(request, pathname, atCdn)
    this.requests.push(asked)
    const found = this.repositories[repo]
    const given = found?.files[name]
    if (found === undefined || given === undefined) return void response.writeHead(404).end()
    const refused = atCdn ? null : refusedBy(found, request)
    if (refused !== null) return void response.writeHead(refused).end()
    const bytes = Buffer.from(given as string)
    if (!atCdn && bytes.length >= LARGE) {
      return void response.writeHead(302, { location: `${addressOf(this.cdn)}${pathname}` }).end()
    }
    const nth = (this.counts.get(name) ?? 0) + 1
    this.counts.set(name, nth)
    send(response, bytes, asked.from, this.fault(name, nth) ?? {})
  }
}

function send(response: ServerResponse, bytes: Buffer, asked: number, fault: Fault): void {
  const { status, headers, cutAfter, endAfter, stallAfter, garbled, ignoresRange, location, extra } = fault
  if (location !== undefined) return void response.writeHead(302, { location }).end()
  if (status !== undefined) return void response.writeHead(status, headers).end('no')
  const from = ignoresRange ? 0 : asked
  if (from > 0 && from >= bytes.length) return void response.writeHead(416).end()
  let body = garbled ? Buffer.alloc(bytes.length - from, 7) : bytes.subarray(from)
  if (extra !== undefined) body = Buffer.concat([body, Buffer.alloc(extra)])
  const range = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}
  const shown = endAfter ?? body.length
  response.writeHead(from > 0 ? 206 : 200, { ...range, 'content-length': String(shown) })
  const stop = cutAfter ?? stallAfter
  if (stop === undefined) return void response.end(body.subarray(0, shown))
  response.write(body.subarray(0, stop), () => {
    // Half a close, and later: what comes in one turn with the end is lost with it.
    if (cutAfter !== undefined) setTimeout(() => response.socket?.end(), CUT_LATER_MS)
  })
}

function listing({ files }: FakeRepository): object[] {
  return Object.entries(files).map(([path, given]) => {
    const bytes = Buffer.from(given as string)
    const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const lfs = bytes.length < LARGE ? {} : { lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } }
    return { type: 'file', path, size: bytes.length, oid, ...lfs }
  })
}

function refusedBy({ gated }: FakeRepository, { headers }: IncomingMessage): number | null {
  return gated === undefined || headers.authorization === `Bearer ${gated.token}` ? null : gated.status
}

function requestOf({ headers }: IncomingMessage, path: string, atCdn: boolean): HubRequest {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  return { path, from, authorization: headers.authorization ?? null, atCdn }
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
