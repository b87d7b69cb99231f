/**
 * Every error a client can meet, by its stable code. The one table behind every error response, the stream's error
 * event and the request log; DESIGN 4.2 is its contract.
 */
export type ErrorCode = keyof typeof ERRORS

type Row = { status: number; type: string }

const row = (status: number, type: string): Row => ({ status, type })

export const ERRORS = {
  invalid_api_key: row(401, 'authentication_error'),
  permission_denied: row(403, 'permission_error'),
  host_not_allowed: row(403, 'permission_error'),
  origin_not_allowed: row(403, 'permission_error'),
  invalid_json: row(400, 'invalid_request_error'),
  invalid_request: row(400, 'invalid_request_error'),
  context_length_exceeded: row(400, 'invalid_request_error'),
  model_not_found: row(404, 'invalid_request_error'),
  not_found: row(404, 'invalid_request_error'),
  method_not_allowed: row(405, 'invalid_request_error'),
  request_timeout: row(408, 'invalid_request_error'),
  body_too_large: row(413, 'invalid_request_error'),
  headers_too_large: row(431, 'invalid_request_error'),
  unsupported_media_type: row(415, 'invalid_request_error'),
  rate_limit_exceeded: row(429, 'rate_limit_error'),
  /** A fault of ours: never expected, never silent. */
  internal_error: row(500, 'server_error'),
  queue_full: row(503, 'server_error'),
  queue_timeout: row(503, 'server_error'),
  engine_starting: row(503, 'server_error'),
  engine_failed: row(503, 'server_error'),
  no_backend: row(503, 'server_error'),
  overloaded: row(503, 'server_error'),
  shutting_down: row(503, 'server_error'),
  backend_unreachable: row(502, 'server_error'),
  backend_invalid_response: row(502, 'server_error'),
  backend_auth: row(502, 'server_error'),
  backend_truncated: row(502, 'server_error'),
  backend_timeout: row(504, 'server_error'),
} as const satisfies Record<string, Row>

/** A refusal or failure as a value. `param` names the field at fault; `retryAfterMs` is told in whole seconds on 429 and 503. */
export type Problem = {
  code: ErrorCode
  message: string
  param?: string | null
  retryAfterMs?: number | undefined
  /** Overrides the table's status where a backend's own status is passed on (an error inside a 200, for instance). */
  status?: number | undefined
}

export function problem(code: ErrorCode, message: string, extra: Omit<Problem, 'code' | 'message'> = {}): Problem {
  return { code, message, ...extra }
}

export function statusOf(problem: Problem): number {
  return problem.status ?? ERRORS[problem.code].status
}

/** Whole seconds for a Retry-After header: at least 1, since 0 would ask the client to come back at once. */
export function retryAfterSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
