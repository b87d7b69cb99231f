import express from 'express'
import type { BackendRegistry } from '../../backends/registry.ts'
import type { RouteTable } from '../../policy/route.ts'
import { ASSISTED, MANAGED, PASSED_THROUGH, REALTIME } from '../../protocol/endpoints.ts'
import { type Problem, problem } from '../../protocol/errors.ts'
import { nearestNames } from '../../protocol/nearest-name.ts'
import { dataDocument, OPENAPI_PATH, OPERATIONS } from '../../protocol/openapi.ts'
import { listModels } from './models.ts'

/** The facts behind the operators' routes, from the app that holds them. */
export type Operations = {
  health(): { status: string }
  ready(): boolean
  stats(): unknown
  metrics(): Promise<{ contentType: string; text: string }>
}

/** What a route needs of the gateway around it. `Context` is the request's, found in `res.locals`. */
export type OperationsOptions<Context> = {
  operations: Operations
  /** As the configuration in force has it. */
  world: () => { registry: BackendRegistry; routes: RouteTable }
  isServing: () => boolean
  version: string
  /** Why this caller may not read, or null. */
  authenticate: (context: Context) => Problem | null
  refuse: (context: Context, told: Problem) => void
  onFault: (error: unknown, context: Context) => void
}

const PATHS = OPERATIONS.map(({ path }) => path).filter((path) => !path.includes('{'))

/** Everything that is not on the token path: Express routes it. Only the exact paths of the table are routes. */
export function operationRoutes<Context extends { head: { path: string } }>(
  options: OperationsOptions<Context>,
): express.Express {
  const { operations } = options
  const modelsNow = () => listModels(options.world().registry, options.world().routes, created)
  const created = Math.floor(Date.now() / 1000)
  const contextOf = (res: express.Response): Context => res.locals as Context
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  app.enable('case sensitive routing')
  app.enable('strict routing')
  app.get('/healthz', (_req, res) => res.json({ status: 'alive' }))
  app.get('/readyz', (_req, res) => {
    const ready = operations.ready() && options.isServing()
    res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not_ready' })
  })
  app.use((_req, res, next) => {
    const told = options.authenticate(contextOf(res))
    if (told === null) next()
    else options.refuse(contextOf(res), told)
  })
  app.get('/health', (_req, res) => {
    const report = operations.health()
    res.status(report.status === 'unhealthy' ? 503 : 200).json(report)
  })
  app.get('/stats', (_req, res) => res.json(operations.stats()))
  app.get('/metrics', async (_req, res) => {
    const { contentType, text } = await operations.metrics()
    res.set('content-type', contentType).send(text)
  })
  app.get(OPENAPI_PATH, (_req, res) => void res.json(dataDocument(options.version)))
  app.get('/v1/models', (_req, res) => res.json({ object: 'list', data: modelsNow() }))
  app.get('/v1/models/*id', (req, res) => {
    // A model's name may hold slashes, which the wildcard hands over in pieces.
    const id = (req.params['id'] as unknown as string[]).join('/')
    const models = modelsNow()
    const model = models.find((entry) => entry.id === id)
    if (model !== undefined) res.json(model)
    else options.refuse(contextOf(res), unknownModel(id, models))
  })
  app.use((req, res) => {
    if (isRoute(req.path)) res.setHeader('allow', 'GET, HEAD')
    options.refuse(contextOf(res), unknownPath(req.path))
  })
  app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    if (error instanceof URIError) {
      options.refuse(contextOf(res), problem('invalid_request', 'The path is malformed.'))
    } else options.onFault(error, contextOf(res))
  })
  return app
}

function unknownModel(id: string, models: readonly { id: string }[]): Problem {
  const near = nearestNames(
    id,
    models.map((entry) => entry.id),
  )
  const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''
  return problem('model_not_found', `No such model.${hint}`, { param: 'model' })
}

/** A model's own address takes a GET as well. */
function isRoute(path: string): boolean {
  return PATHS.includes(path) || path.startsWith('/v1/models/')
}

function unknownPath(path: string): Problem {
  if (isRoute(path)) return problem('method_not_allowed', `Use GET for ${path}.`)
  const known = [...MANAGED.map((endpoint) => endpoint.path), ...PASSED_THROUGH, ...ASSISTED, REALTIME, ...PATHS]
  const near = nearestNames(path.slice(0, 100), known, 1)
  const hint = near.length > 0 ? ` Did you mean ${near[0]}?` : ''
  return problem('not_found', `There is no such path here.${hint}`)
}
