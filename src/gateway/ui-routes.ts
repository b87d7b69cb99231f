import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import express from 'express'
import { z } from 'zod'
import { type Problem, problem } from '../protocol/errors.ts'
import { isOwnMachine } from './authenticate.ts'
import { isJson } from './guards.ts'
import type { RequestHead } from './request-head.ts'
import { UiFiles } from './ui-files.ts'
import type { UiSessions } from './ui-sessions.ts'

export type UiOptions = {
  /** Where the built window lies. */
  dir: string
  sessions: UiSessions
  /** Beyond this machine, too. */
  remote: boolean
}

export type UiRouteOptions<Context> = UiOptions & {
  /** Whether a typed key opens the window: the admin key, or one with the scope to change things. */
  opens: (key: string, here: boolean) => boolean
  refuse: (context: Context, told: Problem) => void
  onFault: (error: unknown, context: Context) => void
}

export const UI_PATH = '/ui'

/** No script but ours, from nowhere else, in no frame. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

const NOT_BUILT =
  '<!doctype html><meta charset="utf-8"><title>Lexora</title><p>The window is not built. Run <code>npm run build</code>' +
  ' where Lexora was installed from, and reload this page. The gateway serves meanwhile.</p>'

const ENTRY = z.union([
  z.strictObject({ link: z.string().min(1).max(200) }),
  z.strictObject({ key: z.string().min(1).max(4096) }),
])

/** `/ui`: the window's files, and the door to its session. The caller has passed the guards. */
export function uiRoutes<Context extends { head: RequestHead }>(options: UiRouteOptions<Context>): express.Express {
  const { sessions, remote, opens, refuse } = options
  const contextOf = (res: express.Response): Context => res.locals as Context
  const files = new UiFiles(options.dir)
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.enable('strict routing')
  app.use((req, res, next) => {
    for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value)
    if (remote || isOwnMachine(req.socket)) next()
    else refuse(contextOf(res), problem('permission_denied', 'The window opens on this machine only: see ui.remote.'))
  })
  app.get('/ui', (_req, res) => res.redirect(308, '/ui/'))
  app.get('/ui/session', (req, res) => {
    res.set('cache-control', 'no-store')
    res.json({ open: hasSession(req, contextOf(res).head, options) })
  })
  app.post('/ui/session', guardEntry, express.json({ limit: 8192, inflate: false }), (req, res) => {
    const entry = ENTRY.safeParse(req.body)
    if (!entry.success) {
      return refuse(contextOf(res), problem('invalid_request', 'Send either {"link"} or {"key"}, as text.'))
    }
    const waitMs = sessions.waitMs
    if (waitMs > 0) {
      const told = problem('rate_limit_exceeded', 'Too many wrong keys.', { retryAfterMs: waitMs })
      return refuse(contextOf(res), told)
    }
    const session = 'link' in entry.data ? sessions.enter(entry.data.link) : enterByKey(entry.data.key, req)
    if (session === null) {
      sessions.countWrong()
      return refuse(contextOf(res), wrongEntry('link' in entry.data))
    }
    res.setHeader('set-cookie', cookieOf(req, session))
    res.set('cache-control', 'no-store').json({ open: true })
  })
  app.post('/ui/session/end', guardEntry, (req, res) => {
    const session = sessionOf(req)
    if (session !== null) sessions.end(session)
    res.setHeader('set-cookie', `${cookieOf(req, '')}; Max-Age=0`)
    res.set('cache-control', 'no-store').json({ open: false })
  })
  app.get('/ui/*path', (req, res) => sendFile(req, res))
  app.get('/ui/', (req, res) => sendFile(req, res))
  app.use((req, res) => {
    refuse(contextOf(res), problem('not_found', `There is no ${req.method} here. The window is at ${UI_PATH}/.`))
  })
  app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    const { type, status } = error as { type?: string; status?: number }
    if (error instanceof URIError) refuse(contextOf(res), problem('invalid_request', 'The path is malformed.'))
    else if (type === 'entity.parse.failed') refuse(contextOf(res), problem('invalid_json', 'The body is not JSON.'))
    else if (type === 'entity.too.large') refuse(contextOf(res), problem('body_too_large', 'The body is too large.'))
    else if (status !== undefined && status < 500) {
      refuse(contextOf(res), problem('invalid_request', 'The body cannot be read.'))
    } else options.onFault(error, contextOf(res))
  })
  return app

  /** A form of another page can send neither JSON nor our own origin. */
  function guardEntry(req: express.Request, res: express.Response, next: express.NextFunction): void {
    if (isJson(req.headers['content-type'] ?? null) && isSameOrigin(contextOf(res).head)) return next()
    refuse(contextOf(res), problem('origin_not_allowed', 'Send JSON, from the window itself.', { param: 'origin' }))
  }

  function enterByKey(key: string, { socket }: express.Request): string | null {
    return opens(key, isOwnMachine(socket)) ? sessions.open() : null
  }

  async function sendFile(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '').split('?')[0]!.slice('/ui/'.length)
    const found = await files.read()
    if (found === null) {
      res.writeHead(503, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
      res.end(NOT_BUILT)
      return
    }
    const file = found.get(path === '' ? 'index.html' : path)
    if (file === undefined) {
      refuse((res as express.Response).locals as Context, problem('not_found', 'There is no such file of the window.'))
      return
    }
    const zipped = file.zipped !== null && /\bgzip\b/.test(req.headers['accept-encoding'] ?? '')
    const body = zipped ? file.zipped! : file.plain
    res.writeHead(200, {
      'content-type': file.type,
      'content-length': body.length,
      'cache-control': path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-store',
      vary: 'accept-encoding',
      ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    })
    res.end(req.method === 'HEAD' ? undefined : body)
  }
}

/** Whether a request comes from an open window of ours. What changes something must also prove that no other page sent it. */
export function hasSession(req: IncomingMessage, head: RequestHead, { sessions, remote }: UiOptions): boolean {
  const session = sessionOf(req)
  if (session === null || !sessions.has(session)) return false
  if (!remote && !isOwnMachine(req.socket)) return false
  if (head.method === 'GET' || head.method === 'HEAD') return head.origin === null || isOwn(head.origin, head)
  return isSameOrigin(head) && isJson(head.contentType)
}

function isSameOrigin(head: RequestHead): boolean {
  return head.origin === null ? head.fetchSite === 'same-origin' : isOwn(head.origin, head)
}

function isOwn(origin: string, { hosts }: RequestHead): boolean {
  const own = hosts[0]?.toLowerCase()
  return origin === `http://${own}` || origin === `https://${own}`
}

/** Cookies know no ports, so that the name holds ours: two Lexoras on one machine do not overwrite each other's. */
function cookieName(req: IncomingMessage): string {
  return `lexora-${req.socket.localPort}`
}

function cookieOf(req: IncomingMessage, session: string): string {
  const secure = (req.socket as Partial<TLSSocket>).encrypted === true ? '; Secure' : ''
  return `${cookieName(req)}=${session}; HttpOnly; SameSite=Strict; Path=/${secure}`
}

function sessionOf(req: IncomingMessage): string | null {
  const name = cookieName(req)
  for (const part of (req.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=')
    if (key === name && value !== undefined && value !== '') return value
  }
  return null
}

function wrongEntry(byLink: boolean): Problem {
  return byLink
    ? problem('invalid_api_key', 'This link was used or is older than ten minutes. `lexora ui` prints a new one.')
    : problem('invalid_api_key', 'This is neither the admin key nor a key that may change things here.')
}
