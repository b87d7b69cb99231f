import type { Answer, Call, Context, Handler } from './answer.ts'
import { chat } from './chat.ts'
import { completions } from './completions.ts'
import { classify, cohereEmbed, embeddings, pooling } from './embeddings.ts'
import { methodNotAllowed, notFound, openAiError } from './errors.ts'
import { loadLora, unloadLora } from './lora.ts'
import { countMessageTokens, messages } from './messages.ts'
import { models } from './models.ts'
import * as operations from './operations.ts'
import type { Settings } from './options.ts'
import { responses } from './responses.ts'
import { rerank, score } from './score.ts'
import { detokenize, tokenize, tokenizerInfo } from './tokenize.ts'
import { isFields, readBody } from './validate.ts'

export type Route = { method: string; path: string; handler: Handler }

/** Which routes are there depends on the model's tasks and the flags. */
export function routesOf(settings: Settings): Route[] {
  return [
    ...commonRoutes(),
    ...(settings.kind === 'generate' ? generateRoutes() : poolingRoutes()),
    ...(settings.kind === 'classify' ? [post('/classify', classify)] : []),
    ...(settings.lora ? [post('/v1/load_lora_adapter', loadLora), post('/v1/unload_lora_adapter', unloadLora)] : []),
    ...(settings.tokenizerInfo ? [get('/tokenizer_info', tokenizerInfo)] : []),
    ...(settings.devMode ? devRoutes() : []),
  ]
}

function commonRoutes(): Route[] {
  return [
    get('/health', operations.health),
    get('/ping', operations.health),
    post('/ping', operations.health),
    get('/version', operations.version),
    get('/load', operations.load),
    get('/metrics', operations.metrics),
    get('/metrics/', operations.metricsWithSlash),
    get('/kv_event_sources', operations.kvEventSources),
    get('/v1/models', models),
    post('/tokenize', tokenize),
    post('/detokenize', detokenize),
  ]
}

function generateRoutes(): Route[] {
  return [
    post('/v1/chat/completions', chat),
    post('/v1/completions', completions),
    post('/v1/responses', responses),
    get('/v1/responses/{id}', unknownResponse),
    post('/v1/responses/{id}/cancel', unknownResponse),
    post('/v1/messages', messages),
    post('/v1/messages/count_tokens', countMessageTokens),
    post('/invocations', invocations),
    post('/generative_scoring', operations.generativeScoring),
    post('/v1/chat/completions/render', operations.scaleOutDisabled),
    post('/v1/completions/render', operations.scaleOutDisabled),
    post('/v1/messages/render', operations.scaleOutDisabled),
    post('/v1/responses/render', operations.scaleOutDisabled),
  ]
}

function poolingRoutes(): Route[] {
  return [
    post('/v1/embeddings', embeddings),
    post('/v2/embed', cohereEmbed),
    post('/pooling', pooling),
    post('/score', score),
    post('/v1/score', score),
    post('/rerank', rerank),
    post('/v1/rerank', rerank),
    post('/v2/rerank', rerank),
  ]
}

function devRoutes(): Route[] {
  return [
    post('/sleep', operations.sleep),
    post('/wake_up', operations.wakeUp),
    get('/is_sleeping', operations.isSleeping),
    post('/collective_rpc', operations.collectiveRpc),
    post('/pause', operations.pauseEngine),
    post('/resume', operations.resume),
    get('/is_paused', operations.isPaused),
    post('/reset_prefix_cache', operations.resetPrefixCache),
  ]
}

/** The route of a call, or the router's own refusal. */
export function findRoute(routes: Route[], { method, path }: Call): Route | Answer {
  const there = routes.filter((route) => fits(route.path, path))
  if (there.length === 0) return notFound()
  return (
    there.find((route) => route.method === method) ?? methodNotAllowed(there.map((route) => route.method).join(', '))
  )
}

function fits(pattern: string, path: string): boolean {
  const { length } = pattern.split('/')
  const parts = path.split('/')
  return (
    parts.length === length &&
    pattern.split('/').every((part, at) => part === parts[at] || (part === '{id}' && parts[at] !== ''))
  )
}

/** Nothing is stored, as without VLLM_ENABLE_RESPONSES_API_STORE. */
function unknownResponse({ path }: Call): Answer {
  return openAiError(404, `Response with id '${path.split('/')[3]}' not found.`, 'response_id', 'invalid_request_error')
}

/** SageMaker's one door: the body says which request it is. */
function invocations(call: Call, context: Context) {
  const body = readBody(call.headers, call.body, {})
  return isFields(body) && body.messages ? chat(call, context) : completions(call, context)
}

function get(path: string, handler: Handler): Route {
  return { method: 'GET', path, handler }
}

function post(path: string, handler: Handler): Route {
  return { method: 'POST', path, handler }
}
