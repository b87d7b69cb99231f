import { z } from 'zod'
import { type CommandRow, optionNames, pathArguments } from './command-row.ts'
import { COMMANDS, EVENTS_PATH } from './commands.ts'
import { ASSISTED, type Endpoint, MANAGED, PASSED_THROUGH, REALTIME } from './endpoints.ts'
import { ERRORS } from './errors.ts'

export const OPENAPI_PATH = '/openapi.json'
export const ADMIN_OPENAPI_PATH = '/admin/openapi.json'

/** Routes beside the managed ones: what they answer, in a few words. */
export const OPERATIONS: readonly { path: string; about: string; open?: true }[] = [
  { path: '/healthz', about: 'Alive at all.', open: true },
  { path: '/readyz', about: '200 when at least one backend can serve, else 503.', open: true },
  { path: '/health', about: 'Backends, engines, GPU memory; 503 when unhealthy.' },
  { path: '/stats', about: 'Requests, tokens and latencies.' },
  { path: '/metrics', about: 'The figures for Prometheus, as text.' },
  { path: '/v1/models', about: 'The models of all backends and the aliases.' },
  { path: '/v1/models/{id}', about: 'One model.' },
  { path: REALTIME, about: 'A WebSocket to a model that speaks, relayed as it is.' },
  { path: OPENAPI_PATH, about: 'This document.' },
]

type Json = { [key: string]: unknown }

/** The document of the data plane: what programs call. */
export function dataDocument(version: string): Json {
  const paths: Record<string, Json> = {}
  for (const endpoint of MANAGED) paths[endpoint.path] = { post: managed(endpoint) }
  for (const path of PASSED_THROUGH) paths[path] = { post: passedThrough(path) }
  for (const path of ASSISTED) paths[path] = { post: assisted(path) }
  for (const { path, about, open } of OPERATIONS) paths[path] = { get: operation(path, about, open === true) }
  return document('Lexora', 'An OpenAI-compatible gateway in front of the engines of one machine.', version, paths)
}

/** The document of the admin API, made of the table of commands. */
export function adminDocument(version: string): Json {
  const paths: Record<string, Json> = {}
  for (const [name, row] of Object.entries(COMMANDS) as [string, CommandRow][]) {
    paths[row.path] = { ...paths[row.path], [row.method.toLowerCase()]: command(name, row) }
  }
  paths[EVENTS_PATH] = { get: { ...about('watchSnapshots', 'Every snapshot, as it changes.'), responses: events() } }
  paths[ADMIN_OPENAPI_PATH] = { get: operation(ADMIN_OPENAPI_PATH, 'This document.', false) }
  return document(
    'Lexora admin API',
    'What the window and the terminal call. Needs the admin key, or a key with the scope.',
    version,
    paths,
  )
}

function document(title: string, description: string, version: string, paths: Record<string, Json>): Json {
  return {
    openapi: '3.1.0',
    info: { title, description, version },
    paths,
    security: [{ bearer: [] }, { apiKey: [] }],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
      schemas: { Error: ERROR, AnthropicError: ANTHROPIC_ERROR },
      headers: RESPONSE_HEADERS,
    },
  }
}

const CODES = Object.keys(ERRORS)
const ERROR = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string', enum: [...new Set(Object.values(ERRORS).map(({ type }) => type))] },
        param: { type: ['string', 'null'], description: 'The field at fault.' },
        code: { type: 'string', examples: CODES, description: "Stable; a backend's own error passes unchanged." },
      },
    },
  },
}
const ANTHROPIC_ERROR = {
  type: 'object',
  required: ['type', 'error'],
  properties: {
    type: { const: 'error' },
    error: {
      type: 'object',
      required: ['type', 'message'],
      properties: { type: { type: 'string' }, message: { type: 'string' } },
    },
  },
}

const text = (description: string): Json => ({ description, schema: { type: 'string' } })
const whole = (description: string): Json => ({ description, schema: { type: 'integer', minimum: 0 } })

const RESPONSE_HEADERS: Record<string, Json> = {
  'x-request-id': text('Of this request; kept where the client sent a sane one.'),
  'x-lexora-backend': text('Where the answer comes from.'),
  'x-lexora-model': text('The model that was asked for there.'),
  'x-lexora-attempts': whole('Attempts that it took.'),
  'x-lexora-queue-ms': whole('Milliseconds in the queue.'),
  'x-lexora-priority': text('The band, where the caller may not have the one it asked for.'),
  'x-ratelimit-limit-requests': whole("The caller's own limit."),
  'x-ratelimit-remaining-requests': whole('What is left of it.'),
  'x-ratelimit-reset-requests': text('Until it is full again, as in 1.5s.'),
  'x-ratelimit-limit-tokens': whole("The caller's own limit."),
  'x-ratelimit-remaining-tokens': whole('What is left of it.'),
  'x-ratelimit-reset-tokens': text('Until it is full again, as in 6m0s.'),
  'retry-after': whole('Seconds; on every 429 and 503.'),
}

/** What Lexora itself reads of a request; all else travels on as it came. */
const BODY_FIELDS: Record<string, Json> = {
  model: { type: 'string', description: 'A model, an alias, or nothing where there is a default.' },
  stream: { type: 'boolean' },
  user: { type: 'string', description: 'Whom limits and statistics count, inside the key.' },
  x_priority: { enum: ['high', 'normal', 'low'], description: 'The band. Removed before the backend.' },
  x_user_id: { type: 'string', description: 'Goes before `user`. Removed before the backend.' },
  x_timeout: {
    type: 'number',
    exclusiveMinimum: 0,
    description: 'Seconds that it may wait. Removed before the backend.',
  },
}
const REQUEST_HEADERS: Record<string, string> = {
  'x-lexora-priority': 'high, normal or low; as x_priority.',
  'x-lexora-user': 'As x_user_id.',
  'x-lexora-timeout': 'Seconds; as x_timeout.',
  'x-lexora-task': 'Chooses the model of a task.',
  'x-lexora-session': 'Keeps a conversation where its cache is.',
  'x-lexora-app': "Tells a user's programs apart.",
  'x-request-id': 'Kept in the answer and the log.',
}

function managed({ path, kind, streams, shape }: Endpoint): Json {
  const properties = streams
    ? BODY_FIELDS
    : Object.fromEntries(Object.entries(BODY_FIELDS).filter(([name]) => name !== 'stream'))
  const body = { type: 'object', properties, additionalProperties: true }
  const answer = { 'application/json': { schema: { type: 'object' } } }
  const stream = { 'text/event-stream': { schema: { type: 'string' } } }
  const schema = shape === 'anthropic' ? 'AnthropicError' : 'Error'
  return {
    ...about(`post ${path}`, `Passed on to a backend that has the model (${kind}).`),
    parameters: Object.entries(REQUEST_HEADERS).map(([name, description]) => header(name, description)),
    requestBody: { required: true, content: { 'application/json': { schema: body } } },
    responses: {
      200: {
        ...answered(streams ? { ...answer, ...stream } : answer),
        headers: headers(Object.keys(RESPONSE_HEADERS)),
      },
      ...failures([400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504], schema),
    },
  }
}

function passedThrough(path: string): Json {
  const any = { schema: { type: 'object', additionalProperties: true } }
  return {
    ...about(`post ${path}`, 'Streamed through untouched to a backend that has the model.'),
    requestBody: { required: true, content: { 'multipart/form-data': any, 'application/json': any } },
    responses: {
      200: { ...answered({ '*/*': {} }), headers: headers(['x-request-id', 'x-lexora-backend']) },
      ...failures([400, 401, 403, 404, 405, 413, 415, 429, 502, 503, 504]),
    },
  }
}

function assisted(path: string): Json {
  const text = { type: 'string' }
  const properties = { code: text, language: text, path: text, instruction: text, model: text }
  const schema = { type: 'object', required: ['code'], properties, additionalProperties: false }
  const kind = path.endsWith('/stream') ? 'text/event-stream' : 'application/json'
  return {
    ...about(`post ${path}`, path.includes('/rewrite') ? 'Code rewritten, as a unified diff.' : 'Code explained.'),
    requestBody: { required: true, content: { 'application/json': { schema } } },
    responses: { 200: answered({ [kind]: {} }), ...failures([400, 401, 403, 404, 405, 413, 415, 429, 503, 504]) },
  }
}

function operation(path: string, said: string, open: boolean): Json {
  const kind = path === '/metrics' ? 'text/plain' : 'application/json'
  return {
    ...about(`get ${path}`, said),
    ...(open ? { security: [{}] } : {}),
    ...(path.includes('{id}') ? { parameters: [place('id')] } : {}),
    responses: { 200: answered({ [kind]: {} }), ...failures(open ? [503] : [401, 403, 404, 503]) },
  }
}

function command(name: string, row: CommandRow): Json {
  const schema = z.toJSONSchema(row.args, { io: 'input', unrepresentable: 'any' }) as Json
  const { $schema: _, ...args } = schema
  const inPath = pathArguments(row)
  const properties = (args['properties'] ?? {}) as Record<string, Json>
  const required = ((args['required'] ?? []) as string[]).filter((one) => !inPath.includes(one))
  const rest = Object.keys(properties).filter((one) => !inPath.includes(one))
  const query =
    row.method === 'GET'
      ? rest.map((one) => ({ name: one, in: 'query', required: required.includes(one), schema: properties[one] }))
      : []
  const body = { ...args, properties: Object.fromEntries(rest.map((one) => [one, properties[one]])), required }
  return {
    ...about(name, row.about),
    description: `Scope: ${row.scope}. In the terminal: lexora ${row.cli.join(' ')}${optionNames(row).length > 0 ? ' …' : ''}`,
    parameters: [...inPath.map((one) => place(one, properties[one])), ...query],
    ...(row.method === 'POST' && rest.length > 0
      ? { requestBody: { required: required.length > 0, content: { 'application/json': { schema: body } } } }
      : {}),
    responses: {
      200: answered({ 'application/json': { schema: { type: 'object' } } }),
      ...failures([400, 401, 403, 404, 503]),
    },
  }
}

function about(id: string, summary: string): Json {
  return { operationId: id.replaceAll(/[^A-Za-z0-9]+/g, '_').replaceAll(/^_|_$/g, ''), summary }
}

function place(name: string, schema: Json = { type: 'string' }): Json {
  return { name, in: 'path', required: true, schema }
}

function header(name: string, description: string): Json {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } }
}

function headers(names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

function answered(content: Json): Json {
  return { description: 'Done.', content }
}

function events(): Json {
  return { 200: answered({ 'text/event-stream': { schema: { type: 'string' } } }), ...failures([401, 403, 503]) }
}

/** Each status with the codes that bear it. */
function failures(statuses: readonly number[], schema = 'Error'): Json {
  const rows = statuses.map((status) => {
    const codes = Object.entries(ERRORS).flatMap(([code, row]) => (row.status === status ? [code] : []))
    const content = { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } }
    const later = status === 429 || status === 503 ? { headers: headers(['retry-after']) } : {}
    return [String(status), { description: codes.join(', '), content, ...later }]
  })
  return Object.fromEntries(rows)
}
