import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { corsHeaders, type GuardRules, guard, guardBody } from '../../src/gateway/guards.ts'
import { aBareHead, aHead } from './a-head.ts'

const RULES: GuardRules = {
  hosts: new Set(['127.0.0.1', 'localhost', '[::1]', 'gpu.lan']),
  origins: new Set(['https://app.example.com']),
}

/** The code of the refusal, or `passes`. */
const guarded = (head: ReturnType<typeof aHead>): string => guard(head, RULES)?.code ?? 'passes'

const host = (...values: string[]): string =>
  guarded(aBareHead({ headers: values.map((value): [string, string] => ['host', value]) }))

describe('E: the Host header', () => {
  test.each([
    ['127.0.0.1', 'passes'],
    ['127.0.0.1:8001', 'passes'],
    ['localhost:1', 'passes'],
    ['LOCALHOST:8001', 'passes'],
    ['[::1]', 'passes'],
    ['[::1]:8001', 'passes'],
    ['Gpu.Lan:65535', 'passes'],
    ['evil.example', 'host_not_allowed'],
    ['localhost.', 'host_not_allowed'],
    ['localhost.evil.example', 'host_not_allowed'],
    ['evil-localhost', 'host_not_allowed'],
    ['127.0.0.2', 'host_not_allowed'],
    ['0.0.0.0', 'host_not_allowed'],
    ['2130706433', 'host_not_allowed'],
    ['0x7f.1', 'host_not_allowed'],
    ['[::ffff:127.0.0.1]', 'host_not_allowed'],
    ['[0:0:0:0:0:0:0:1]', 'host_not_allowed'],
    ['::1', 'invalid_request'],
    ['', 'invalid_request'],
    [' localhost', 'invalid_request'],
    ['localhost:', 'invalid_request'],
    ['localhost:8001:8001', 'invalid_request'],
    ['localhost:port', 'invalid_request'],
    ['localhost:999999', 'invalid_request'],
    ['localhost/x', 'invalid_request'],
    ['localhost#', 'invalid_request'],
    ['localhost, evil.example', 'invalid_request'],
    ['user@localhost', 'invalid_request'],
    ['local%68ost', 'invalid_request'],
    ['[::1', 'invalid_request'],
    ['[::1]evil', 'invalid_request'],
  ])('%j: %s', (value, verdict) => {
    expect(host(value)).toBe(verdict)
  })

  test('D26: must be there, and once', () => {
    expect([host(), host('localhost', 'localhost'), host('localhost', 'evil.example')]).toEqual([
      'invalid_request',
      'invalid_request',
      'invalid_request',
    ])
  })

  test('passes only in a spelling of a listed name, with or without a port', () => {
    const parts = fc.constantFrom('localhost', 'LocalHost', '127.0.0.1', '[::1]', 'gpu.lan', ':', '8001', '.', ' ', '%')
    const near = fc.array(parts, { maxLength: 4 }).map((list) => list.join(''))
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (value) => {
        const spelled = /^(127\.0\.0\.1|localhost|\[::1\]|gpu\.lan)(:\d{1,5})?$/i.test(value)
        expect(host(value) === 'passes').toBe(spelled)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the request target', () => {
  test.each([
    ['/', 'passes'],
    ['/v1/models?x=//y', 'passes'],
    ['//evil.example/', 'invalid_request'],
    ['http://localhost/v1/models', 'invalid_request'],
    ['localhost:8001', 'invalid_request'],
    ['*', 'invalid_request'],
    ['', 'invalid_request'],
  ])('%j: %s', (target, verdict) => {
    expect(guarded(aHead({ target }))).toBe(verdict)
  })
})

describe('E: the Origin of a page', () => {
  const from = (origin: string | null, site?: string): string =>
    guarded(
      aHead({
        headers: [
          ...(origin === null ? [] : [['Origin', origin] as [string, string]]),
          ...(site === undefined ? [] : [['Sec-Fetch-Site', site] as [string, string]]),
        ],
      }),
    )

  test.each<[string | null, string | undefined, string]>([
    [null, undefined, 'passes'],
    [null, 'none', 'passes'],
    [null, 'same-origin', 'passes'],
    [null, 'cross-site', 'origin_not_allowed'],
    [null, 'same-site', 'origin_not_allowed'],
    ['http://127.0.0.1:8001', 'same-origin', 'passes'],
    ['https://127.0.0.1:8001', undefined, 'passes'],
    ['https://app.example.com', 'cross-site', 'passes'],
    ['http://127.0.0.1:3000', 'same-site', 'origin_not_allowed'],
    ['http://127.0.0.1', undefined, 'origin_not_allowed'],
    ['http://localhost:8001', undefined, 'origin_not_allowed'],
    ['https://app.example.com:444', 'cross-site', 'origin_not_allowed'],
    ['http://app.example.com', 'cross-site', 'origin_not_allowed'],
    ['https://app.example.com.evil.example', 'cross-site', 'origin_not_allowed'],
    ['https://evil.example', 'same-origin', 'origin_not_allowed'],
    ['null', undefined, 'origin_not_allowed'],
    ['', undefined, 'origin_not_allowed'],
    ['file://', undefined, 'origin_not_allowed'],
  ])('%j from a site that is %s: %s', (origin, site, verdict) => {
    expect(from(origin, site)).toBe(verdict)
  })
})

describe('CORS', () => {
  const headersFor = (origin?: string) =>
    corsHeaders(aHead({ headers: origin === undefined ? [] : [['Origin', origin]] }), RULES)

  test('is granted to a listed origin by its name, never by a wildcard', () => {
    const headers = new Map(headersFor('https://app.example.com'))
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(headers.get('vary')).toBe('Origin')
    expect([...headers.values()].join()).not.toContain('*')
    expect(headers.has('access-control-allow-credentials')).toBe(false)
  })

  test('lets its pages send keys and Lexora’s fields, and read what they are told', () => {
    const headers = new Map(headersFor('https://app.example.com'))
    const allowed = headers.get('access-control-allow-headers')?.split(', ')
    expect(allowed).toEqual(expect.arrayContaining(['authorization', 'content-type', 'x-lexora-priority']))
    const exposed = headers.get('access-control-expose-headers')?.split(', ')
    expect(exposed).toEqual(expect.arrayContaining(['x-request-id', 'retry-after', 'x-lexora-backend']))
  })

  test.each([undefined, 'https://evil.example', 'null', 'http://127.0.0.1:8001'])('is not granted to %s', (origin) => {
    expect(headersFor(origin)).toEqual([])
  })
})

describe('what a body claims to be', () => {
  const body = (headers: [string, string][], most = 100): string =>
    guardBody(aHead({ headers }), most)?.code ?? 'passes'

  test.each([
    ['application/json', 'passes'],
    ['Application/JSON', 'passes'],
    ['application/json; charset=utf-8', 'passes'],
    ['application/json;charset="UTF-8"', 'passes'],
    ['application/json; boundary=x', 'passes'],
    ['application/json; charset=utf-16', 'unsupported_media_type'],
    ['application/json; charset=iso-8859-1', 'unsupported_media_type'],
    ['text/plain', 'unsupported_media_type'],
    ['text/plain; application/json', 'unsupported_media_type'],
    ['application/jsonp', 'unsupported_media_type'],
    ['application/x-www-form-urlencoded', 'unsupported_media_type'],
    ['multipart/form-data; boundary=x', 'unsupported_media_type'],
    ['', 'unsupported_media_type'],
  ])('D12: %j: %s', (type, verdict) => {
    expect(body([['Content-Type', type]])).toBe(verdict)
  })

  test('D12: nothing at all is not JSON', () => {
    expect(body([])).toBe('unsupported_media_type')
  })

  const json: [string, string] = ['Content-Type', 'application/json']

  test.each([
    ['identity', 'passes'],
    ['Identity', 'passes'],
    ['gzip', 'unsupported_media_type'],
    ['br', 'unsupported_media_type'],
    ['identity, gzip', 'unsupported_media_type'],
  ])('D6: in the encoding %j: %s', (encoding, verdict) => {
    expect(body([json, ['Content-Encoding', encoding]])).toBe(verdict)
  })

  test.each([
    ['100', 'passes'],
    ['101', 'body_too_large'],
    ['99999999999', 'body_too_large'],
  ])('D5: of %s bytes where 100 are allowed: %s', (length, verdict) => {
    expect(body([json, ['Content-Length', length]])).toBe(verdict)
  })
})
