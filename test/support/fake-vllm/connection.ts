import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Answer, Call, Context, Work } from './answer.ts'
import { breakOff, type Ending, type Exchange, hang, holdHeaders, reset } from './exchange.ts'
import type { FaultList, Plan } from './faults.ts'
import { digest } from './generate.ts'
import { replaceAnswer } from './replace-answer.ts'
import type { createRequestLog, FakeRequest } from './request-log.ts'
import { ByteReader, NotHttp, type RawRequest, readRequest } from './request-reader.ts'
import { sendAnswer } from './send-answer.ts'
import { sendWork } from './send-work.ts'
import { pause } from './watchers.ts'
import { createWriter } from './writer.ts'

export type ConnectionParts = {
  id: number
  context: Context
  faults: FaultList
  log: ReturnType<typeof createRequestLog>
  frontDoor: (call: Call) => Answer | Work
  /** Answers the requests that steer the fake itself, or gives null. */
  control: (call: Call) => Answer | null
  onChange: () => void
  /** Ends the whole server, as if its process had died. */
  die: () => void
}

const BANNER = 'SSH-2.0-OpenSSH_9.6\r\n'
const NO_FAULTS: Plan = () => undefined

/** Serves one socket until either side ends it. */
export async function serveConnection(socket: Socket, parts: ConnectionParts): Promise<void> {
  const reader = new ByteReader(socket)
  socket.on('error', () => socket.destroy())
  socket.setNoDelay(true)
  const atAccept = parts.faults.forConnection()
  if (atAccept('reset')) return void socket.resetAndDestroy()
  if (atAccept('banner')) return void socket.end(BANNER)
  for (let ending: Ending = 'open'; ending === 'open'; ) {
    const request = await nextRequest(socket, reader)
    if (!request) break
    const race = { armed: false }
    ending = await serveRequest(socket, request, parts, race)
    if (race.armed && ending === 'open') return dropAtNextByte(socket, reader)
    if (ending === 'open') ending = await idle(socket, reader, parts.context.settings.keepAliveMs)
  }
  socket.end()
}

async function nextRequest(socket: Socket, reader: ByteReader): Promise<RawRequest | null> {
  try {
    return await readRequest(reader, () => socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
  } catch (error) {
    if (!(error instanceof NotHttp)) throw error
    const message = 'Invalid HTTP request received.'
    const head = `date: ${new Date().toUTCString()}\r\nserver: uvicorn\r\ncontent-type: text/plain; charset=utf-8`
    socket.end(
      `HTTP/1.1 400 Bad Request\r\n${head}\r\ncontent-length: ${message.length}\r\nconnection: close\r\n\r\n${message}`,
    )
    return null
  }
}

/** A kept-alive connection that says nothing is closed. */
async function idle(socket: Socket, reader: ByteReader, keepAliveMs: number): Promise<Ending> {
  const woken = new AbortController()
  const spoke = reader.readable().finally(() => woken.abort())
  await Promise.race([spoke, pause(keepAliveMs, woken.signal)])
  if (woken.signal.aborted) return (await spoke) ? 'open' : 'left'
  socket.end()
  return 'closed'
}

/** The race that every pool of connections loses once: the server closes while the next request is on its way. */
async function dropAtNextByte(socket: Socket, reader: ByteReader): Promise<void> {
  await reader.readable()
  socket.destroy()
}

async function serveRequest(
  socket: Socket,
  raw: RawRequest,
  parts: ConnectionParts,
  race: { armed: boolean },
): Promise<Ending> {
  const call = callOf(raw)
  const steering = parts.control(call)
  const plan = steering ? NO_FAULTS : parts.faults.forRequest(call)
  const leaving = new AbortController()
  const writer = createWriter(socket, plan, leaving.signal)
  const entry = steering ? null : parts.log.open(raw, call.path, parts.id)
  const leave = () => leaving.abort()
  const x: Exchange = {
    context: parts.context,
    plan,
    writer,
    signal: leaving.signal,
    requestId: parts.context.settings.requestIdHeaders ? requestIdOf(raw) : '',
    close: raw.headers.connection?.toLowerCase() === 'close' || raw.version === 'HTTP/1.0',
    onEvent: () => note(entry, writer.bytesSent(), parts),
    onHead: (status) => parts.context.settings.onAccess(accessLine(socket, raw, status), call.path),
  }
  socket.on('end', leave).on('error', leave).on('close', leave)
  if (plan('die-on-abort')) leaving.signal.addEventListener('abort', parts.die)
  try {
    const ending = await answerCall(x, call, () => steering ?? parts.frontDoor(call))
    if (entry) settleEntry(entry, ending, x, parts)
    race.armed = plan('keep-alive-race') !== undefined
    return ending
  } finally {
    socket.off('end', leave).off('error', leave).off('close', leave)
    leaving.signal.removeEventListener('abort', parts.die)
  }
}

/** As uvicorn prints it, without the time. */
function accessLine({ remoteAddress, remotePort }: Socket, { method, target, version }: RawRequest, status: number) {
  return `INFO:     ${remoteAddress ?? ''}:${remotePort ?? ''} - "${method} ${target} ${version}" ${status} ${STATUS_CODES[status] ?? ''}`
}

function requestIdOf({ headers, target, body }: RawRequest): string {
  return headers['x-request-id'] ?? digest(target, body).repeat(2)
}

function callOf(raw: RawRequest): Call {
  const { pathname, searchParams } = new URL(raw.target, 'http://fake')
  return { method: raw.method, path: pathname, query: searchParams, headers: raw.headers, body: raw.body }
}

function note(entry: FakeRequest | null, bytesSent: number, { onChange }: ConnectionParts): void {
  if (!entry) return
  entry.eventsSent += 1
  entry.bytesSent = bytesSent
  onChange()
}

function settleEntry(entry: FakeRequest, ending: Ending, x: Exchange, { log }: ConnectionParts): void {
  entry.bytesSent = x.writer.bytesSent()
  log.close(entry, ending === 'left' ? 'aborted' : ending === 'broken' ? 'faulted' : 'finished')
}

/** The faults that come before an answer, then the answer. */
async function answerCall(x: Exchange, call: Call, answer: () => Answer | Work): Promise<Ending> {
  const { plan } = x
  const early = plan('reset')?.when
  if (early === 'accept' || early === 'before-headers') return reset(x)
  if (plan('empty')) return breakOff(x)
  if (plan('banner')) {
    await x.writer.write(BANNER)
    return breakOff(x)
  }
  const informational = plan('informational')
  if (informational) await x.writer.write(`HTTP/1.1 ${informational.code} Informational\r\n\r\n`, 'head')
  const ready = replaceAnswer(plan, call) ?? answer()
  if (ready.is === 'work') return sendWork(x, ready)
  await holdHeaders(x)
  return plan('stall')?.afterEvents === -1 ? hang(x) : sendAnswer(x, ready)
}
