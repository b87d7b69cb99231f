import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { urlToHttpOptions } from 'node:url'
import type { Backend } from '../backends/backend.ts'
import { REALTIME } from '../protocol/endpoints.ts'
import { type Problem, problem, statusOf } from '../protocol/errors.ts'
import type { RequestView } from '../protocol/snapshot.ts'
import type { Principal } from '../users/api-key.ts'
import { closeFrame, FrameTracker } from '../wire/websocket.ts'
import type { UserRules } from './admission-controller.ts'
import { LINGER_MS, sendError, shuttingDown } from './error-response.ts'
import type { ExchangeOptions } from './exchange.ts'
import { KEY_PROTOCOL, type RequestHead } from './request-head.ts'
import { Seat, type SeatOwner } from './seat.ts'
import type { Ending, Settlement } from './settlement.ts'

/** What a client may say before its backend is there. */
const EARLY_BYTES = 64 * 1024
/** Nobody has said anything for so long: a conversation may be ended here. */
const QUIET_MS = 1000
const REFUSAL_BYTES = 64 * 1024
/** RFC 6455, 7.4.1. */
const [GOING_AWAY, POLICY, INTERNAL] = [1001, 1008, 1011]
const TO_BACKEND = ['sec-websocket-key', 'sec-websocket-version', 'sec-websocket-extensions', 'openai-beta']
const TO_CLIENT = ['sec-websocket-accept', 'sec-websocket-extensions']
/** What OpenAI's browser clients ask for; a browser gives up where none of its protocols is chosen. */
const OWN_PROTOCOL = 'realtime'

/** One end of the conversation, and where frames begin and end in what it sends. */
type Side = {
  socket: Socket
  frames: FrameTracker
  /** Since when the other end has not read what this one sent, on the monotonic clock. */
  stalledAt: number | null
}

type Parts = {
  req: IncomingMessage
  /** Writes to the client's connection until that is upgraded. */
  res: ServerResponse
  head: RequestHead
  settlement: Settlement
  requestId: string
  principal: Principal
}

/**
 * One WebSocket, relayed as it is. It waits for its turn like any request, holds a permit of its backend and one of its
 * caller's concurrent requests while it is open, and ends with a Close frame whoever ends it. No bytes are changed, so
 * that a model's name inside of them is the backend's own.
 */
export class Realtime implements SeatOwner {
  private readonly options: ExchangeOptions
  private readonly parts: Parts
  private readonly seat: Seat
  private readonly client: Side
  private backend: Side | null = null
  private asked: ClientRequest | null = null
  private readonly early: Buffer[] = []
  private earlyBytes = 0
  private readonly startedAt = performance.now()
  private deadline: number
  private readonly ticking = { slot: -1, onTick: (now: number) => this.onTick(now) }
  private over = false
  private spokeAt = this.startedAt
  private isEnding = false
  /** What its Close frames say. */
  private goodbye = { code: GOING_AWAY, reason: '' }
  /** Its place in the list of what is in flight. */
  slot = -1

  constructor(options: ExchangeOptions, parts: Parts) {
    this.options = options
    this.parts = parts
    this.seat = new Seat(options)
    this.client = { socket: parts.req.socket, frames: new FrameTracker(), stalledAt: null }
    this.deadline = this.startedAt + options.limits.totalMs
  }

  /** Begins. From here on it ends by itself, and its settlement tells when. */
  start(): void {
    const { head, settlement } = this.parts
    settlement.stream = true
    this.watch(this.client)
    const told = handshakeProblem(this.parts.req)
    if (told !== null) return this.refuse(told)
    this.options.registry.clock.add(this.ticking)
    const model = new URLSearchParams(head.target.slice(head.path.length)).get('model')
    const { queueMs, totalMs } = this.options.limits
    this.seat.ask({ ...this.parts, model }, { queueMs, engineMs: totalMs }, this)
  }

  onSeat(name: string, model: string | null): void {
    if (this.over) return
    const backend = this.options.registry.get(name)!
    this.parts.settlement.backend = name
    if (backend.options.type === 'dummy') {
      return this.refuse(problem('not_found', `Backend '${name}' has no ${REALTIME}.`))
    }
    this.parts.settlement.leave(performance.now())
    this.connect(backend, model)
  }

  onRefused(told: Problem, headers: readonly string[]): void {
    this.refuse(told, headers)
  }

  get id(): string {
    return this.parts.requestId
  }

  get keyId(): string | null {
    return this.parts.principal.keyId
  }

  get socket(): Socket {
    return this.parts.req.socket
  }

  /** For faces. */
  view(now: number): RequestView {
    const { settlement, requestId } = this.parts
    return {
      id: requestId,
      phase: this.seat.isWaiting ? 'queued' : this.backend === null ? 'prefill' : 'decode',
      user: settlement.user,
      app: settlement.app,
      endpoint: REALTIME,
      stream: true,
      model: settlement.model,
      backend: settlement.backend,
      attempts: this.asked === null ? 0 : 1,
      mostAttempts: 1,
      ageMs: Math.round(now - this.startedAt),
      tokens: null,
    }
  }

  /** For faces: how it stands, and what its caller may. */
  standing(): { view: RequestView; rules: UserRules } {
    const { principal, settlement } = this.parts
    const rules = this.options.admission.rulesOf(principal, settlement.user)
    return { view: this.view(performance.now()), rules }
  }

  /** The operator ends it. False when it is over already. */
  cancel(): boolean {
    return this.end(problem('permission_denied', 'The operator of this Lexora cancelled the request.'))
  }

  /** Lexora stops and its patience is over. */
  shutDown(): void {
    this.end(shuttingDown())
  }

  /** Lexora drains. A conversation has no end of its own, so that waiting for one would only hold up the others. */
  endWhenQuiet(): void {
    this.isEnding = true
  }

  /** Ends it wherever it is, and tells both ends why. False when it is over already. */
  end(told: Problem): boolean {
    if (this.over) return false
    if (this.backend === null) this.refuse(told)
    else this.close(brokenBy(told), statusOf(told) < 500 ? POLICY : GOING_AWAY, told.code)
    return true
  }

  private onTick(now: number): void {
    if (this.isStalled(this.backend, now)) return this.clientGone()
    if (this.isStalled(this.client, now)) {
      return this.close(brokenBy(problem('backend_timeout', 'The backend does not read.')), INTERNAL, 'backend_timeout')
    }
    if (this.isEnding && this.backend !== null && now - this.spokeAt >= QUIET_MS) return this.shutDown()
    if (now < this.deadline) return
    const late = this.asked !== null && this.backend === null
    this.end(
      late
        ? problem('backend_timeout', `Backend '${this.parts.settlement.backend}' did not answer in time.`)
        : problem('request_timeout', 'The connection was open for as long as timeouts.total allows.'),
    )
  }

  private isStalled(side: Side | null, now: number): boolean {
    return side?.stalledAt != null && now - side.stalledAt >= this.options.limits.idleMs
  }

  private connect(backend: Backend, model: string | null): void {
    const url = new URL(backend.options.url)
    const ask = url.protocol === 'https:' ? httpsRequest : httpRequest
    const { ca, connectTimeoutMs, timeoutMs } = backend.options
    this.deadline = performance.now() + connectTimeoutMs
    const request = ask({
      ...urlToHttpOptions(new URL(url.origin)),
      path: pathOf(backend, model, this.parts.head),
      agent: false,
      ...(ca === null ? {} : { ca }),
    })
    this.asked = request
    backend.connects()
    for (const [name, value] of Object.entries(this.headersFor(backend))) request.setHeader(name, value)
    request.on('socket', (socket) => {
      backend.carries(socket)
      socket.once('connect', () => {
        this.deadline = performance.now() + (timeoutMs ?? this.options.limits.firstByteMs)
      })
    })
    request.on('upgrade', (answer, socket, rest) => this.onUpgrade(answer, socket as Socket, rest))
    request.on('response', (answer) => void this.onRefusal(answer))
    request.on('error', () => {
      this.refuse(problem('backend_unreachable', `Backend '${backend.name}' could not be reached.`))
    })
    request.end()
  }

  private headersFor(backend: Backend): Record<string, string> {
    const headers: Record<string, string> = { connection: 'Upgrade', upgrade: 'websocket' }
    const given = this.parts.req.headers
    for (const name of TO_BACKEND) if (typeof given[name] === 'string') headers[name] = given[name]
    const protocols = protocolsOf(this.parts.req)
    if (protocols.length > 0) headers['sec-websocket-protocol'] = protocols.join(', ')
    const own = backend.headers()
    for (let i = 0; i < own.length; i += 2) headers[own[i]!] = own[i + 1]!
    headers['x-request-id'] = this.parts.requestId
    return headers
  }

  /** Both ends are there. */
  private onUpgrade(answer: IncomingMessage, socket: Socket, rest: Buffer): void {
    if (this.over) return void socket.destroy()
    if (answer.headers.upgrade?.toLowerCase() !== 'websocket' || answer.headers['sec-websocket-accept'] === undefined) {
      socket.destroy()
      return this.refuse(problem('backend_invalid_response', 'The backend opened something else than a WebSocket.'))
    }
    const now = performance.now()
    this.deadline = this.startedAt + this.options.limits.totalMs
    this.parts.settlement.comeBack(now)
    this.parts.settlement.firstToken(now)
    const { client } = this
    client.socket.write(this.switchingHead(answer))
    this.backend = { socket, frames: new FrameTracker(), stalledAt: null }
    for (const side of [client, this.backend]) {
      side.socket.setNoDelay(true)
      // An end whose machine is gone says nothing; the other one would hold its permit for an hour.
      side.socket.setKeepAlive(true, 30_000)
    }
    this.watch(this.backend)
    if (rest.length > 0) this.relay(this.backend, client, rest)
    for (const chunk of this.early.splice(0)) this.relay(client, this.backend, chunk)
    client.socket.resume()
  }

  private switchingHead({ headers }: IncomingMessage): string {
    const lines = ['HTTP/1.1 101 Switching Protocols', 'connection: Upgrade', 'upgrade: websocket']
    for (const name of TO_CLIENT) if (typeof headers[name] === 'string') lines.push(`${name}: ${headers[name]}`)
    const offered = protocolsOf(this.parts.req)
    const chosen = headers['sec-websocket-protocol'] ?? (offered.includes(OWN_PROTOCOL) ? OWN_PROTOCOL : undefined)
    if (chosen !== undefined) lines.push(`sec-websocket-protocol: ${chosen}`)
    lines.push(`x-request-id: ${this.parts.requestId}`, `x-lexora-backend: ${this.parts.settlement.backend}`)
    return `${lines.join('\r\n')}\r\n\r\n`
  }

  /** The backend answers in words instead: its own error passes, as on any route. */
  private async onRefusal(answer: IncomingMessage): Promise<void> {
    const name = this.parts.settlement.backend
    const status = answer.statusCode ?? 502
    const message = await errorMessageOf(answer)
    if (status === 401 || status === 403) {
      const text = `Backend '${name}' refused Lexora's credentials, or has no ${REALTIME} for this model.`
      return this.refuse(problem('backend_auth', text))
    }
    if (message === null || status < 400) {
      return this.refuse(problem('backend_invalid_response', `Backend '${name}' opened no WebSocket (${status}).`))
    }
    this.refuse(problem(status < 500 ? 'invalid_request' : 'backend_invalid_response', message, { status }))
  }

  /** Listens to one end: what it sends, when it does not read, and when it is gone. */
  private watch(side: Side): void {
    const { socket } = side
    const other = (): Side | null => (side === this.client ? this.backend : this.client)
    socket.on('data', (chunk: Buffer) => this.onData(side, other(), chunk))
    socket.on('drain', () => {
      const from = other()
      if (from === null) return
      from.stalledAt = null
      from.socket.resume()
    })
    socket.on('end', () => this.onGone(side))
    socket.on('close', () => this.onGone(side))
    // 'close' follows.
    socket.on('error', () => {})
  }

  private onData(from: Side, to: Side | null, chunk: Buffer): void {
    if (this.over) return this.finishFrame(from, to, chunk)
    if (to !== null) return this.relay(from, to, chunk)
    this.early.push(chunk)
    this.earlyBytes += chunk.length
    if (this.earlyBytes > EARLY_BYTES) from.socket.pause()
  }

  private relay(from: Side, to: Side, chunk: Buffer): void {
    from.frames.feed(chunk)
    this.spokeAt = performance.now()
    if (to.socket.write(chunk)) return
    from.stalledAt ??= performance.now()
    from.socket.pause()
  }

  private onGone(side: Side): void {
    if (this.over) return
    const { backend, client } = this
    if (backend === null) return this.clientGone()
    if (client.frames.closed || backend.frames.closed) return this.close({ outcome: 'ok', status: 101, error: null })
    if (side === client) return this.clientGone()
    const told = problem('backend_truncated', 'The backend left without a word.')
    this.close(brokenBy(told), INTERNAL, told.code)
  }

  private clientGone(): void {
    this.close({ outcome: 'client_closed', status: 499, error: 'client_closed' })
  }

  /** Before it is open: as an HTTP answer. */
  private refuse(told: Problem, headers: readonly string[] = []): void {
    if (this.over) return
    const status = statusOf(told)
    sendError(this.parts.res, told, { requestId: this.parts.requestId, headers, close: true })
    this.settle({ outcome: status < 500 ? 'client_error' : 'backend_error', status, error: told.code })
    this.asked?.destroy()
  }

  /** Once: the account is closed at once, the two ends a moment later, each at the end of a frame. */
  private close(ending: Ending, code = GOING_AWAY, reason = ''): void {
    if (this.over) return
    this.settle(ending)
    const { client, backend } = this
    this.goodbye = { code, reason }
    if (backend === null) {
      this.asked?.destroy()
      client.socket.destroy()
      return
    }
    this.farewell(client, backend)
    this.farewell(backend, client)
    setTimeout(() => {
      client.socket.destroy()
      backend.socket.destroy()
    }, LINGER_MS).unref()
  }

  /** Ends `to`, where `from` is between two frames. */
  private farewell(to: Side, from: Side): void {
    if (to.socket.writableEnded || to.socket.destroyed) return
    if (from.frames.closed && from.frames.isBetweenFrames) to.socket.end()
    else if (from.frames.isBetweenFrames) {
      to.socket.end(closeFrame(this.goodbye.code, this.goodbye.reason, to === this.backend))
    } else if (from.socket.readableEnded || from.socket.destroyed) to.socket.destroy()
    else from.socket.resume()
  }

  /** It is over, but a frame must not be left open: its rest passes, and nothing after it. */
  private finishFrame(from: Side, to: Side | null, chunk: Buffer): void {
    if (to === null || from.frames.isBetweenFrames) return
    const rest = from.frames.finish(chunk)
    if (!to.socket.writableEnded) to.socket.write(chunk.subarray(0, rest))
    this.farewell(to, from)
  }

  private settle(ending: Ending): void {
    this.over = true
    this.options.registry.clock.remove(this.ticking)
    this.seat.leave(ending.outcome !== 'ok' && this.backend !== null)
    this.parts.settlement.settle(ending, performance.now())
  }
}

function brokenBy({ code }: Problem): Ending {
  return { outcome: 'stream_error', status: 101, error: code }
}

/** What cannot become a WebSocket, whoever asks. */
function handshakeProblem({ headers }: IncomingMessage): Problem | null {
  if (headers['sec-websocket-version'] !== '13') {
    const extra = { status: 426, param: 'sec-websocket-version' }
    return problem('invalid_request', 'Only version 13 of WebSockets is spoken here.', extra)
  }
  if (/^[A-Za-z0-9+/]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return null
  return problem('invalid_request', 'The header sec-websocket-key is malformed.', { param: 'sec-websocket-key' })
}

/** Those that the client offers, without its key. */
function protocolsOf({ headers }: IncomingMessage): string[] {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  return offered.filter((name) => name !== '' && !name.startsWith(KEY_PROTOCOL))
}

/** Made of configuration, but for the one mode that OpenAI's clients ask for. */
function pathOf(backend: Backend, model: string | null, head: RequestHead): string {
  const query = new URLSearchParams(model === null ? {} : { model })
  if (new URLSearchParams(head.target.slice(head.path.length)).get('intent') === 'transcription')
    query.set('intent', 'transcription')
  const path = backend.pathFor({ path: REALTIME }, model)
  return query.size === 0 ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`
}

/** The message of a backend's JSON error; null: it sent none. */
async function errorMessageOf(answer: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      parts.push(part)
      bytes += part.length
      if (bytes > REFUSAL_BYTES) return null
    }
    const told = JSON.parse(Buffer.concat(parts).toString()) as { error?: { message?: unknown } } | null
    const message = told?.error?.message
    return typeof message === 'string' ? message.slice(0, 1000) : null
  } catch {
    return null
  }
}
