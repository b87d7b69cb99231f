/** The managed endpoints of the data plane (DESIGN 4.1): the only paths on which a request body is read and routed. */
export type EndpointKind =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'responses'
  | 'messages'
  | 'rerank'
  | 'score'
  | 'pooling'
  | 'classify'
  | 'tokenize'
  | 'detokenize'
  | 'count_tokens'

export type Endpoint = {
  /** The path here and at the backend: never built from request text. */
  path: string
  kind: EndpointKind
  /** Answers as server-sent events when the body says `"stream": true`. */
  streams: boolean
  /** Its answer is text, whose length is not known before. */
  generates: boolean
  /** Waits for a permit: what it asks for takes the engine's time. */
  queued: boolean
  /** Whose error shape the caller's client library expects. */
  shape: 'openai' | 'anthropic'
}

/** Answered by the server's front, beside the engine. */
const UNQUEUED = new Set<EndpointKind>(['tokenize', 'detokenize', 'count_tokens'])

const endpoint = (
  path: string,
  kind: EndpointKind,
  streams = false,
  shape: Endpoint['shape'] = 'openai',
): Endpoint => ({
  path,
  kind,
  streams,
  generates: streams,
  queued: !UNQUEUED.has(kind),
  shape,
})

export const MANAGED: readonly Endpoint[] = [
  endpoint('/v1/chat/completions', 'chat', true),
  endpoint('/v1/completions', 'completions', true),
  endpoint('/v1/embeddings', 'embeddings'),
  endpoint('/v1/responses', 'responses', true),
  endpoint('/v1/messages', 'messages', true, 'anthropic'),
  endpoint('/v1/messages/count_tokens', 'count_tokens', false, 'anthropic'),
  endpoint('/v1/rerank', 'rerank'),
  endpoint('/rerank', 'rerank'),
  endpoint('/v2/rerank', 'rerank'),
  endpoint('/v1/score', 'score'),
  endpoint('/score', 'score'),
  endpoint('/pooling', 'pooling'),
  endpoint('/classify', 'classify'),
  endpoint('/tokenize', 'tokenize'),
  endpoint('/detokenize', 'detokenize'),
]

/** Endpoints whose body passes untouched, multipart or JSON, through http-proxy-middleware. */
export const PASSED_THROUGH: readonly string[] = [
  '/v1/audio/speech',
  '/v1/audio/transcriptions',
  '/v1/audio/translations',
  '/v1/images/generations',
  '/v1/images/edits',
  '/v1/images/variations',
]

/** A WebSocket, relayed as it is. */
export const REALTIME = '/v1/realtime'

/** Help with code, for editors (DESIGN 4.1): asked of a model by a chat request of Lexora's own. */
export const ASSISTED: readonly string[] = [
  '/api/ai/explain',
  '/api/ai/rewrite',
  '/api/ai/explain/stream',
  '/api/ai/rewrite/stream',
]
