/** What the shell uses and Electron 22 does not have yet. */
import { Readable } from 'node:stream'
import { app, protocol } from 'electron'

type Handler = (request: { url: string }) => Promise<{ status: number; headers: Map<string, string>; body: Buffer }>

class PlainHeaders extends Map<string, string> {}

class PlainResponse {
  readonly status: number
  readonly headers: PlainHeaders
  readonly body: Buffer

  constructor(body: string | Uint8Array, { status = 200, headers = {} as Record<string, string> } = {}) {
    this.status = status
    this.headers = new PlainHeaders(Object.entries(headers))
    this.body = Buffer.from(body as Uint8Array)
  }
}

const world = globalThis as Record<string, unknown>
world['Response'] ??= PlainResponse

/** Electron 25's own, on top of what was there before it. */
if (protocol.handle === undefined) {
  const old = protocol as unknown as {
    handle: (scheme: string, handler: Handler) => void
    registerStreamProtocol: (
      scheme: string,
      handler: (request: { url: string }, answer: (response: object) => void) => void,
    ) => void
  }
  old.handle = (scheme, handler) => {
    old.registerStreamProtocol(scheme, (request, answer) => {
      void handler(request).then(
        ({ status, headers, body }) =>
          answer({ statusCode: status, headers: Object.fromEntries(headers), data: Readable.from(body) }),
        () => answer({ error: -2 }),
      )
    })
  }
}

/** Aborted as soon as one of them is. */
const signals = AbortSignal as unknown as { any?: (list: AbortSignal[]) => AbortSignal }
signals.any ??= (list) => {
  const joined = new AbortController()
  for (const signal of list) {
    if (signal.aborted) joined.abort()
    else signal.addEventListener('abort', () => joined.abort(), { once: true })
  }
  return joined.signal
}

/** Electron 24 named the address in the event itself; before that it came after it. */
app.on('web-contents-created', (_event, contents) => {
  contents.on('will-navigate', (event, url) => {
    const old = event as { url?: string }
    old.url ??= url
  })
})

const object = Object as unknown as { hasOwn?: (of: object, name: PropertyKey) => boolean }
object.hasOwn ??= (of, name) => Object.hasOwn(of, name)

const url = URL as unknown as { canParse?: (text: string) => boolean }
url.canParse ??= (text) => {
  try {
    new URL(text)
    return true
  } catch {
    return false
  }
}

const list = Array.prototype as unknown as Record<string, unknown>
list['toSorted'] ??= function toSorted(this: unknown[], by?: (a: unknown, b: unknown) => number) {
  return [...this].sort(by)
}
