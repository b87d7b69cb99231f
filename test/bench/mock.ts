/**
 * The upstream: a vLLM in byte shapes only, on bare sockets with precomputed answers. How it answers is set by the
 * bench for all chat requests at once, since a proxy under test may drop any header or field that would choose it.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { answerCalls } from './channel.ts'
import {
  chatAnswer,
  contentEvent,
  contentPayloadBytes,
  firstEvent,
  healthAnswer,
  lastEvent,
  metricsAnswer,
  microseconds,
  modelsAnswer,
  notFoundAnswer,
  stampedEvent,
  streamEnd,
  streamHead,
  streamOf,
  usageEvent,
} from './vllm-bytes.ts'
import { readHead } from './wire.ts'

export type Behaviour =
  /** A whole answer. */
  | { is: 'json' }
  /** A stream of so many events; 0 ms apart means all in one write. */
  | { is: 'stream'; events: number; everyMs: number }
  /** Stamped events until the client leaves or the mock is told otherwise. */
  | { is: 'endless'; everyMs: number }
  /** One event, then silence. */
  | { is: 'silent-after-first' }
  /** Not a byte. */
  | { is: 'silent' }
  /** Content events as fast as they are taken, up to so many bytes. */
  | { is: 'flood'; bytes: number }

type Call = { socket: Socket; sent: number; slot: number; wantsUsage: boolean; flooded: number }

/** One flood: the port that tells it from others, the bytes the kernel has taken, and how many of them are payload. */
export type Flood = { remotePort: number; wireBytes: number; payloadBytes: number }

let behaviour: Behaviour = { is: 'json' }
let frozen = false
let server: Server | null = null
const sockets = new Set<Socket>()
const calls = new Set<Call>()
let answered = 0
let abortedAt: number[] = []

function takeConnection(socket: Socket): void {
  sockets.add(socket)
  socket.setNoDelay(true)
  let pending: Buffer | null = null
  let call: Call | null = null

  socket.on('data', (bytes: Buffer) => {
    const request: Buffer = pending ? Buffer.concat([pending, bytes]) : bytes
    const head = readHead(request)
    const length = head ? head.length + (head.contentLength ?? 0) : Number.POSITIVE_INFINITY
    if (!head || request.length < length) {
      pending = request
      return
    }
    pending = null
    if (head.startLine.startsWith('POST ')) call = answerChat(socket, request.subarray(head.length))
    else socket.write(answerGet(head.startLine.split(' ')[1] ?? ''))
  })
  const leave = () => {
    sockets.delete(socket)
    if (call && calls.delete(call)) abortedAt.push(microseconds())
  }
  socket.on('end', leave)
  socket.on('close', leave)
  socket.on('error', leave)
}

function answerGet(path: string): Buffer {
  if (path === '/health') return healthAnswer
  if (path === '/v1/models') return modelsAnswer
  if (path === '/metrics') return metricsAnswer
  return notFoundAnswer
}

function answerChat(socket: Socket, body: Buffer): Call | null {
  if (behaviour.is === 'json') {
    answered++
    socket.write(chatAnswer)
    return null
  }
  const wantsUsage = /"include_usage"\s*:\s*true/.test(body.toString('latin1'))
  const call: Call = { socket, sent: 0, slot: 0, wantsUsage, flooded: 0 }
  calls.add(call)
  if (behaviour.is === 'silent') return call
  if (behaviour.is === 'flood') flood(call, behaviour.bytes)
  else if (behaviour.is === 'stream' && behaviour.everyMs === 0) {
    socket.write(Buffer.concat([streamHead, ...streamOf(behaviour.events), ...ending(call)]))
    finish(call)
  } else {
    const stamped = behaviour.is === 'endless'
    socket.write(Buffer.concat([streamHead, stamped ? stampedEvent() : firstEvent]))
    call.sent = 1
    if (behaviour.is !== 'silent-after-first') wheel.add(call, behaviour.everyMs)
  }
  return call
}

const ending = (call: Call) => (call.wantsUsage ? [usageEvent, streamEnd] : [streamEnd])

function finish(call: Call): void {
  calls.delete(call)
  answered++
}

/** One event per write, like the engine; the next one only once the kernel has taken the one before. */
function flood(call: Call, bytes: number): void {
  call.socket.write(streamHead)
  const next = () => {
    call.flooded += contentEvent.length
    if (!calls.has(call) || frozen) return
    if (call.flooded < bytes) call.socket.write(contentEvent, next)
    else {
      call.socket.write(Buffer.concat(ending(call)))
      finish(call)
    }
  }
  call.socket.write(contentEvent, next)
}

/**
 * Paces all streams from one timer: stream n gets its events in millisecond n of every period, so that they reach
 * the proxy evenly spread, as from streams that began at different moments, and the same for every target.
 */
const wheel = {
  slots: [] as Set<Call>[],
  joined: 0,
  at: 0,
  timer: null as NodeJS.Timeout | null,
  dueMs: 0,

  add(call: Call, everyMs: number): void {
    if (this.slots.length !== everyMs) this.slots = Array.from({ length: everyMs }, () => new Set())
    call.slot = this.joined++ % everyMs
    this.slots[call.slot]?.add(call)
    if (this.timer) return
    this.dueMs = performance.now() + 1
    this.timer = setInterval(() => this.turn(), 1)
  },

  /** Every millisecond that has passed since the last turn gets its slot: a late timer delays events, never drops them. */
  turn(): void {
    for (; this.dueMs <= performance.now(); this.dueMs++) {
      this.at = (this.at + 1) % this.slots.length
      const slot = this.slots[this.at]!
      for (const call of slot) if (!step(call)) slot.delete(call)
    }
    if (this.slots.every((slot) => slot.size === 0)) this.stop()
  },

  stop(): void {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
    this.joined = 0
  },
}

/** Sends the next event of one stream; false once it has ended. */
function step(call: Call): boolean {
  if (!calls.has(call)) return false
  if (behaviour.is === 'endless') {
    call.socket.write(stampedEvent())
    return true
  }
  call.sent++
  const last = behaviour.is !== 'stream' || call.sent >= behaviour.events
  call.socket.write(last ? Buffer.concat([lastEvent, ...ending(call)]) : contentEvent)
  if (last) finish(call)
  return !last
}

/** Ends what is open, as a restart of the engine would. */
async function close(): Promise<void> {
  wheel.stop()
  const closing = server
  server = null
  const closed = new Promise<void>((resolve) => (closing ? closing.close(() => resolve()) : resolve()))
  for (const socket of sockets) socket.destroy()
  await closed
}

const api = {
  listen: ({ port }: { port: number }) =>
    new Promise<number>((resolve, reject) => {
      server = createServer({ noDelay: true }, takeConnection)
      server.once('error', reject)
      server.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => {
        const address = server?.address()
        resolve(typeof address === 'object' && address ? address.port : port)
      })
    }),
  close: () => close(),
  behave: (next: Behaviour) => {
    behaviour = next
    frozen = false
    answered = 0
    abortedAt = []
  },
  calls: () => ({ answered, open: calls.size, abortedAt }),
  floods: (): Flood[] =>
    [...calls].map(({ socket, flooded }) => ({
      remotePort: socket.remotePort ?? 0,
      wireBytes: streamHead.length + flooded,
      payloadBytes: (flooded / contentEvent.length) * contentPayloadBytes,
    })),
  /** No further flood byte, so that what is under way can be counted to its end. */
  freeze: () => {
    frozen = true
  },
}
export type MockApi = typeof api

answerCalls(api)
