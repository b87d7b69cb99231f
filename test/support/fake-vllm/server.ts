import { createServer, type Server, type Socket } from 'node:net'
import type { Context } from './answer.ts'
import { serveConnection } from './connection.ts'
import { createControl } from './control.ts'
import { createFaultList, type Fault } from './faults.ts'
import { createFrontDoor } from './front-door.ts'
import { type FakeOptions, settingsOf } from './options.ts'
import { createRequestLog, type FakeRequest } from './request-log.ts'
import { routesOf } from './routes.ts'
import { createState } from './state.ts'
import { createWatchers, pause } from './watchers.ts'

export type { Fault, FaultKind, FaultMatch } from './faults.ts'
export type { FakeOptions } from './options.ts'
export type { FakeRequest } from './request-log.ts'

export type FakeVllm = {
  url: string
  port: number
  /** Resolves when the server listens; at once without startDelayMs. */
  ready: Promise<void>
  fault(fault: Fault): void
  clearFaults(): void
  /** The log, live, oldest first. */
  requests: FakeRequest[]
  running(): number
  waiting(): number
  openSockets(): number
  /** Resolves as soon as the predicate holds; looks at every change of state. */
  waitFor(predicate: () => boolean, timeoutMs?: number): Promise<void>
  /** Stops listening; open connections live on. */
  refuse(): Promise<void>
  /** Listens again on the same port. */
  listen(): Promise<void>
  close(): Promise<void>
}

/** Starts a server that answers as vLLM does, or as its faults say. */
export async function startFakeVllm(options: FakeOptions = {}): Promise<FakeVllm> {
  const settings = settingsOf(options)
  const sockets = new Set<Socket>()
  const watchers = createWatchers(
    () => `running ${running()}, waiting ${waiting()}, requests ${JSON.stringify(log.requests.map(brief))}`,
  )
  const log = createRequestLog(watchers.changed)
  const faults = createFaultList()
  const context: Context = { settings, state: createState(settings, watchers.changed) }
  const frontDoor = createFrontDoor(routesOf(settings), context)
  const { running, waiting } = context.state.engine
  const control = createControl({ faults, requests: log.requests, context, openSockets: () => sockets.size })
  const closing = new AbortController()
  let server: Server | null = null
  let port = settings.port
  let socketIds = 0
  let dead = false

  function accept(socket: Socket): void {
    sockets.add(socket)
    socketIds += 1
    socket.on('close', () => {
      sockets.delete(socket)
      watchers.changed()
    })
    watchers.changed()
    const parts = { id: socketIds, context, faults, log, frontDoor, control, onChange: watchers.changed, die }
    serveConnection(socket, parts).catch((error: Error) => socket.destroy(error))
  }

  async function listen(): Promise<void> {
    if (server || closing.signal.aborted) return
    dead = false
    const next = createServer({ allowHalfOpen: true, noDelay: true }, accept)
    server = next
    await new Promise<void>((resolve, reject) => {
      next.once('error', reject)
      if (settings.bound) next.listen(settings.bound, resolve)
      else next.listen(port, settings.host, resolve)
    })
    const address = next.address()
    if (typeof address === 'object' && address) port = address.port
  }

  function refuse(): Promise<void> {
    const old = server
    server = null
    // close() waits for the open connections; that it no longer listens is true at once.
    old?.close()
    return Promise.resolve()
  }

  function die(): void {
    if (dead) return
    dead = true
    void refuse()
    for (const socket of sockets) socket.resetAndDestroy()
    settings.onDeath()
  }

  async function close(): Promise<void> {
    closing.abort()
    await refuse()
    for (const socket of sockets) socket.destroy()
    await watchers.waitFor(() => sockets.size === 0)
  }

  // Without a port of its own it has to listen once to learn it.
  if (settings.startDelayMs === 0 || port === 0) await listen()
  const ready = settings.startDelayMs > 0 ? listenLater() : Promise.resolve()

  async function listenLater(): Promise<void> {
    await refuse()
    await pause(settings.startDelayMs, closing.signal)
    await listen()
  }

  return {
    url: `http://${settings.host}:${port}`,
    port,
    ready,
    fault: faults.add,
    clearFaults: faults.clear,
    requests: log.requests,
    running,
    waiting,
    openSockets: () => sockets.size,
    waitFor: watchers.waitFor,
    refuse,
    listen,
    close,
  }
}

function brief({ method, path, outcome }: FakeRequest): string {
  return `${method} ${path} ${outcome}`
}
