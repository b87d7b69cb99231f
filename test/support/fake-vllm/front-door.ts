import { type Answer, type Call, type Context, doneEvent, eventStream, Refusal, text, type Work } from './answer.ts'
import { anthropicError, BUSY, errorEventText, openAiError, unauthorized } from './errors.ts'
import { findRoute, type Route } from './routes.ts'

/** From a request to its answer, or to the work that has to run first: CORS, key, route, queue limit. */
export function createFrontDoor(routes: Route[], context: Context): (call: Call) => Answer | Work {
  return (call) => {
    if (isPreflight(call)) return disallowedOrigin()
    if (!mayEnter(call, context)) return unauthorized()
    const route = findRoute(routes, call)
    const answer = 'handler' in route ? handled(route, call, context) : route
    count(context, 'handler' in route ? route.path : 'none', call, answer)
    return answer
  }
}

function handled(route: Route, call: Call, context: Context): Answer | Work {
  try {
    const answer = route.handler(call, context)
    if (answer.is === 'answer') return answer
    const refusal = context.settings.core?.refusal()
    if (refusal) return openAiError(500, refusal)
    if (context.state.engine.full(answer.sequences)) return busy(call, answer, context)
    return withLoadReport(answer, call, context)
  } catch (error) {
    return error instanceof Refusal ? error.answer : openAiError(500, String(error))
  }
}

/** No origin is allowed by default, and a preflight is told so in plain text. */
function isPreflight({ method, headers }: Call): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

function disallowedOrigin(): Answer {
  const vary =
    'Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network'
  const answer = text('Disallowed CORS origin', 'text/plain; charset=utf-8', 400, [
    ['vary', vary],
    ['access-control-allow-methods', 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY'],
    ['access-control-max-age', '600'],
  ])
  return { ...answer, vary: false }
}

/** The key guards these paths only, and before they are routed. */
function mayEnter({ method, path, headers }: Call, { settings }: Context): boolean {
  if (settings.apiKey === null || method === 'OPTIONS' || !/^\/(v1|v2|inference|cohere)(\/|$)/.test(path)) return true
  const [scheme, key] = (headers.authorization ?? '').split(' ')
  return scheme?.toLowerCase() === 'bearer' && key === settings.apiKey
}

function busy(call: Call, work: Work, { settings, state }: Context): Answer {
  state.counters.add('rejected:max_num_queued_reqs')
  if (work.stream && settings.overflow === 'event')
    return eventStream([{ do: 'send', text: errorEventText(503, BUSY) }, doneEvent])
  return call.path === '/v1/messages' ? anthropicError(503, BUSY) : openAiError(503, BUSY)
}

/** ORCA: a header with the load on whole answers, for those who ask for it. */
function withLoadReport(work: Work, { headers }: Call, { state }: Context): Work {
  if (headers['endpoint-load-metrics-format']?.toUpperCase() !== 'JSON') return work
  const value = `JSON {"named_metrics": {"num_requests_waiting": ${state.engine.waiting()}.0, "kv_cache_usage_perc": 0.0}}`
  return { ...work, whole: () => ({ ...work.whole(), headers: [['endpoint-load-metrics', value]] }) }
}

const PROBES = new Set(['/health', '/metrics', '/metrics/', '/load', '/ping', '/version', '/server_info'])

function count({ state }: Context, handler: string, { method }: Call, answer: Answer | Work): void {
  if (PROBES.has(handler)) return
  const status = answer.is === 'work' ? 200 : answer.status
  state.counters.add(`http:${handler} ${method} ${Math.floor(status / 100)}xx`)
}
