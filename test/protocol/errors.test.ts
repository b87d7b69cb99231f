import { describe, expect, test } from 'vitest'
import { ERRORS, problem, retryAfterSeconds, statusOf } from '../../src/protocol/errors.ts'

/** DESIGN 4.2, and two of our own: a fault of ours, and headers that were too large to be read. */
const TABLE = {
  invalid_api_key: [401, 'authentication_error'],
  permission_denied: [403, 'permission_error'],
  host_not_allowed: [403, 'permission_error'],
  origin_not_allowed: [403, 'permission_error'],
  invalid_json: [400, 'invalid_request_error'],
  invalid_request: [400, 'invalid_request_error'],
  context_length_exceeded: [400, 'invalid_request_error'],
  model_not_found: [404, 'invalid_request_error'],
  not_found: [404, 'invalid_request_error'],
  method_not_allowed: [405, 'invalid_request_error'],
  request_timeout: [408, 'invalid_request_error'],
  body_too_large: [413, 'invalid_request_error'],
  unsupported_media_type: [415, 'invalid_request_error'],
  headers_too_large: [431, 'invalid_request_error'],
  rate_limit_exceeded: [429, 'rate_limit_error'],
  internal_error: [500, 'server_error'],
  queue_full: [503, 'server_error'],
  queue_timeout: [503, 'server_error'],
  engine_starting: [503, 'server_error'],
  engine_failed: [503, 'server_error'],
  no_backend: [503, 'server_error'],
  overloaded: [503, 'server_error'],
  shutting_down: [503, 'server_error'],
  backend_unreachable: [502, 'server_error'],
  backend_invalid_response: [502, 'server_error'],
  backend_auth: [502, 'server_error'],
  backend_truncated: [502, 'server_error'],
  backend_timeout: [504, 'server_error'],
}

test('every code has the status and type of DESIGN 4.2', () => {
  const rows = Object.entries(ERRORS).map(([code, { status, type }]) => [code, [status, type]])
  expect(Object.fromEntries(rows)).toEqual(TABLE)
})

describe('a problem', () => {
  test('has the status of its code', () => {
    expect(statusOf(problem('no_backend', 'none'))).toBe(503)
  })

  test('has a status of its own where a backend gave one', () => {
    expect(statusOf(problem('backend_invalid_response', 'odd', { status: 422 }))).toBe(422)
  })
})

test.each([
  [0, 1],
  [1, 1],
  [1000, 1],
  [1001, 2],
  [59_500, 60],
])('a wait of %i ms is told as %i whole seconds', (ms, seconds) => {
  expect(retryAfterSeconds(ms)).toBe(seconds)
})
