import type { IncomingMessage } from 'node:http'
import express from 'express'
import type { CommandRow } from '../protocol/command-row.ts'
import { COMMANDS, CommandError, type CommandName, EVENTS_PATH } from '../protocol/commands.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import { nearestNames } from '../protocol/nearest-name.ts'
import { ADMIN_OPENAPI_PATH, adminDocument } from '../protocol/openapi.ts'
import type { Caller, Scope } from '../protocol/users.ts'
import type { AdminEvents } from './admin-events.ts'
import { isJson } from './guards.ts'

/** Checks the arguments and does it, in this caller's name; rejects with CommandError. */
export type RunCommand = (name: CommandName, given: Record<string, unknown>, caller: Caller) => Promise<unknown>

/** What the routes need of the gateway around them. `Context` is the request's, found in `res.locals`. */
export type AdminRouteOptions<Context> = {
  run: RunCommand
  version: string
  events: AdminEvents
  /** Who this is, if he may. */
  authenticate: (context: Context, scope: Scope) => { ok: true; caller: Caller } | { ok: false; problem: Problem }
  refuse: (context: Context, told: Problem) => void
  onFault: (error: unknown, context: Context) => void
}

const MAX_BODY_BYTES = 64 * 1024
const BODY_SILENCE_MS = 30_000

const ROWS = Object.entries(COMMANDS) as [CommandName, CommandRow][]

/** `/admin/*`: one route for each row of the table of commands, and the stream of snapshots. The caller has passed the guards. */
export function adminRoutes<Context>(options: AdminRouteOptions<Context>): express.Express {
  const contextOf = (res: express.Response): Context => res.locals as Context
  const callers = new WeakMap<express.Response, Caller>()
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  app.enable('case sensitive routing')
  app.enable('strict routing')
  app.use((req, res, next) => {
    const admin = options.authenticate(contextOf(res), scopeAt(req.method, req.path))
    if (!admin.ok) return options.refuse(contextOf(res), admin.problem)
    callers.set(res, admin.caller)
    next()
  })
  app.get(EVENTS_PATH, (req, res, next) => {
    // Express offers a HEAD to a GET's handler, but a stream has no head alone.
    if (req.method === 'HEAD') next()
    else if (options.events.isFull) options.refuse(contextOf(res), problem('overloaded', 'Too many watch already.'))
    else options.events.open(res, () => options.authenticate(contextOf(res), scopeAt(req.method, req.path)).ok)
  })
  app.get(ADMIN_OPENAPI_PATH, (_req, res) => void res.json(adminDocument(options.version)))
  app.use((req, res, next) => {
    const told = guardBody(req)
    if (told !== null) return options.refuse(contextOf(res), told)
    const late = problem('request_timeout', `The body stopped arriving for ${BODY_SILENCE_MS / 1000} s.`)
    req.setTimeout(BODY_SILENCE_MS, () => options.refuse(contextOf(res), late))
    next()
  })
  for (const [, { method, path, mostBytes }] of ROWS)
    if (method === 'POST' && mostBytes !== undefined) app.post(path, jsonBody(mostBytes))
  app.use(jsonBody(MAX_BODY_BYTES))
  app.use((req, _res, next) => {
    // A command may take longer than a body.
    req.setTimeout(0)
    next()
  })
  for (const [name, row] of ROWS) {
    const path = row.path.replaceAll(/\{(\w+)\}/g, ':$1')
    app[row.method === 'GET' ? 'get' : 'post'](path, async (req, res) => {
      const given = row.method === 'GET' ? req.query : ((req.body ?? {}) as object)
      if (Array.isArray(given)) return options.refuse(contextOf(res), notAnObject())
      const result = await options.run(name, { ...given, ...req.params }, callers.get(res)!)
      res.set('cache-control', 'no-store').json(result)
    })
  }
  app.use((req, res) => {
    const allowed = methodsAt(req.path)
    if (allowed.length > 0) res.setHeader('allow', allowed.join(', '))
    options.refuse(contextOf(res), unknownPath(req.path, allowed))
  })
  app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    const told = problemOf(error)
    if (told === null) options.onFault(error, contextOf(res))
    else options.refuse(contextOf(res), told)
  })
  return app
}

/** Does nothing where a body was read already. */
function jsonBody(limit: number): express.RequestHandler {
  return express.json({ limit, inflate: false, type: () => true })
}

/** A POST without a body needs no content type; with one it is JSON, since a page could send anything else unasked. */
function guardBody(req: IncomingMessage): Problem | null {
  const { 'content-length': length, 'transfer-encoding': coding, 'content-type': type } = req.headers
  const empty = coding === undefined && (length === undefined || length === '0')
  if (empty || isJson(type ?? null)) return null
  return problem('unsupported_media_type', "Send the body as 'content-type: application/json'.", {
    param: 'content-type',
  })
}

function notAnObject(): Problem {
  return problem('invalid_request', 'The body must be a JSON object.')
}

/** What Express and its body parser say, in our words; null: a fault of ours. */
function problemOf(error: unknown): Problem | null {
  if (error instanceof CommandError) return error.problem
  if (error instanceof URIError) return problem('invalid_request', 'The path is malformed.')
  const { type, limit } = error as { type?: unknown; limit?: number }
  switch (type) {
    case 'entity.too.large':
      return problem('body_too_large', `The body is larger than ${limit} bytes.`)
    case 'entity.parse.failed':
      return problem('invalid_json', 'The body is not a JSON object.')
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return problem('unsupported_media_type', 'Send the body as plain UTF-8.', { param: 'content-encoding' })
    case 'request.size.invalid':
    case 'request.aborted':
      return problem('invalid_request', 'The body ended early.')
    default:
      return null
  }
}

/** What a key needs for this route; where there is none, what the method would do. */
function scopeAt(method: string, path: string): Scope {
  const row = ROWS.map(([, one]) => one).find((one) => one.method === method && shapeOf(one.path).test(path))
  return row?.scope ?? (method === 'GET' || method === 'HEAD' ? 'admin:read' : 'admin:write')
}

function methodsAt(path: string): string[] {
  const methods = ROWS.filter(([, row]) => shapeOf(row.path).test(path)).map(([, { method }]) => method as string)
  return path === EVENTS_PATH || path === ADMIN_OPENAPI_PATH ? ['GET'] : methods
}

function shapeOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

function unknownPath(path: string, allowed: readonly string[]): Problem {
  if (allowed.length > 0) return problem('method_not_allowed', `Use ${allowed.join(' or ')} for this path.`)
  const near = nearestNames(path.slice(0, 100), [EVENTS_PATH, ...ROWS.map(([, row]) => row.path)], 1)
  return problem('not_found', `There is no such path here.${near.length > 0 ? ` Did you mean ${near[0]}?` : ''}`)
}
