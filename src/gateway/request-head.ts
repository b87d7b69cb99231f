import type { IncomingMessage } from 'node:http'

/** The request headers that Lexora reads, found in one pass over the raw list. Names are case-insensitive. */
export type RequestHead = {
  method: string
  /** The target as sent, query included. */
  target: string
  /** The target without its query. */
  path: string
  hosts: string[]
  origin: string | null
  fetchSite: string | null
  fetchMode: string | null
  contentType: string | null
  contentLength: number | null
  contentEncoding: string | null
  /** Keys presented, by any of the headers that may carry one, without duplicates. */
  keys: string[]
  requestId: string | null
  priority: string | null
  user: string | null
  timeout: string | null
  task: string | null
  /** What a conversation is kept together by, and which of a user's programs asks. */
  session: string | null
  app: string | null
  userAgent: string | null
  /** Headers that go on to the backend, names and values in turn. */
  forwarded: string[]
}

/** How a browser, which can set no header, sends its key with a WebSocket. */
export const KEY_PROTOCOL = 'openai-insecure-api-key.'

/** What of a client's headers a backend may see. Nothing else passes: no cookies, no forwarding, nothing hop-by-hop. */
const FORWARDED = new Set(['accept', 'traceparent', 'tracestate', 'anthropic-version', 'anthropic-beta', 'openai-beta'])

export function readHead(req: IncomingMessage, keyHeader: string | null): RequestHead {
  const target = req.url ?? '/'
  const query = target.indexOf('?')
  const head: RequestHead = {
    method: req.method ?? 'GET',
    target,
    path: query === -1 ? target : target.slice(0, query),
    hosts: [],
    origin: null,
    fetchSite: null,
    fetchMode: null,
    contentType: null,
    contentLength: null,
    contentEncoding: null,
    keys: [],
    requestId: null,
    priority: null,
    user: null,
    timeout: null,
    task: null,
    session: null,
    app: null,
    userAgent: null,
    forwarded: [],
  }
  const raw = req.rawHeaders
  for (let i = 0; i < raw.length; i += 2) readHeader(head, raw[i]!.toLowerCase(), raw[i + 1]!, keyHeader)
  return head
}

function readHeader(head: RequestHead, name: string, value: string, keyHeader: string | null): void {
  switch (name) {
    case 'host':
      head.hosts.push(value)
      return
    case 'origin':
      head.origin = value
      return
    case 'sec-fetch-site':
      head.fetchSite = value
      return
    case 'sec-fetch-mode':
      head.fetchMode = value
      return
    case 'content-type':
      head.contentType = value
      return
    case 'content-length':
      head.contentLength = Number(value)
      return
    case 'content-encoding':
      head.contentEncoding = value
      return
    case 'authorization':
      return addKey(head, bearer(value))
    case 'x-api-key':
      return addKey(head, value)
    case 'sec-websocket-protocol':
      for (const name of value.split(',')) addKey(head, keyOfProtocol(name.trim()))
      return
    case 'x-request-id':
      head.requestId = value
      return
    case 'x-lexora-priority':
      head.priority = value
      return
    case 'x-lexora-user':
      head.user = value
      return
    case 'x-lexora-timeout':
      head.timeout = value
      return
    case 'x-lexora-session':
      head.session = value
      return
    case 'x-lexora-app':
      head.app = value
      return
    case 'user-agent':
      head.userAgent = value
      return
    case 'x-lexora-task':
    case 'x-orch-task-kind':
      head.task = value
      return
  }
  if (name === keyHeader) addKey(head, value)
  else if (FORWARDED.has(name)) head.forwarded.push(name, value)
}

function addKey(head: RequestHead, key: string | null): void {
  if (key !== null && key !== '' && !head.keys.includes(key)) head.keys.push(key)
}

function keyOfProtocol(name: string): string | null {
  return name.startsWith(KEY_PROTOCOL) ? name.slice(KEY_PROTOCOL.length) : null
}

/** The token of a Bearer credential; other schemes carry no key of ours. */
function bearer(value: string): string | null {
  return value.slice(0, 7).toLowerCase() === 'bearer ' ? value.slice(7).trim() : null
}
