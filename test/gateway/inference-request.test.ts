import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BodyChanges, type InferenceRequest, parseInferenceRequest } from '../../src/gateway/inference-request.ts'
import { type Endpoint, type EndpointKind, MANAGED } from '../../src/protocol/endpoints.ts'
import { aHead } from './a-head.ts'

const endpointOf = (kind: EndpointKind): Endpoint => MANAGED.find((endpoint) => endpoint.kind === kind)!

type Given = { headers?: [string, string][]; kind?: EndpointKind }

function parse(body: string | Buffer, { headers = [], kind = 'chat' }: Given = {}) {
  return parseInferenceRequest(Buffer.from(body), aHead({ headers }), endpointOf(kind))
}

function parsed(body: string | Buffer, given: Given = {}): InferenceRequest {
  const result = parse(body, given)
  if (!result.ok) throw new Error(result.problem.message)
  return result.request
}

/** The refusal as `code param`. */
function refused(body: string | Buffer, given: Given = {}): string {
  const result = parse(body, given)
  if (result.ok) throw new Error('expected a refusal')
  return `${result.problem.code} ${result.problem.param ?? '-'}`
}

/** The body for a backend, as text; by default nothing must change. */
function sent(body: string, changes: Partial<BodyChanges> = {}, given: Given = {}): string {
  return parsed(body, given)
    .bodyFor({ model: null, includeUsage: false, dropEngineFields: false, priority: null, ...changes })
    .toString()
}

describe('fields', () => {
  test('are read from the body', () => {
    const request = parsed(
      '{"model":"m","messages":[],"stream":true,"n":2,"user":"u","x_user_id":"ann","x_timeout":1.5,"x_priority":"low"}',
    )
    expect(request).toMatchObject({
      model: 'm',
      stream: true,
      user: 'ann',
      timeoutMs: 1500,
      choices: 2,
      stores: false,
      wantsUsage: false,
    })
  })

  test('that are absent or null have their defaults', () => {
    const defaults = { model: null, stream: false, user: null, timeoutMs: null, choices: 1, wantsUsage: false }
    expect(parsed('{}')).toMatchObject(defaults)
    const nulls = ['model', 'stream', 'n', 'user', 'x_user_id', 'x_timeout', 'x_priority', 'stream_options']
    expect(parsed(`{${nulls.map((name) => `"${name}":null`)}}`)).toMatchObject(defaults)
  })

  test.each<[what: string, headers: [string, string][], body: string, read: object]>([
    ['x-lexora-user', [['X-Lexora-User', 'ann']], '{}', { user: 'ann' }],
    ['x-lexora-timeout', [['X-Lexora-Timeout', '2.5']], '{}', { timeoutMs: 2500 }],
    ['x_user_id before x-lexora-user', [['x-lexora-user', 'bob']], '{"x_user_id":"ann"}', { user: 'ann' }],
    ['x-lexora-user before user', [['x-lexora-user', 'bob']], '{"user":"u"}', { user: 'bob' }],
    ['x_timeout before x-lexora-timeout', [['x-lexora-timeout', '9']], '{"x_timeout":1}', { timeoutMs: 1000 }],
    ['user alone', [], '{"user":"u"}', { user: 'u' }],
    ['an empty user as none', [], '{"user":""}', { user: null }],
    ['a user of another kind as none', [], '{"user":7}', { user: null }],
  ])('%s is heard', (_, headers, body, read) => {
    expect(parsed(body, { headers })).toMatchObject(read)
  })

  test('stream only where the endpoint streams', () => {
    const kinds = MANAGED.filter(({ kind }) => parsed('{"stream":true}', { kind }).stream).map(({ kind }) => kind)
    expect(kinds).toEqual(['chat', 'completions', 'responses', 'messages'])
  })

  test('only a stored response must not be repeated', () => {
    expect(parsed('{"store":true}', { kind: 'responses' }).stores).toBe(true)
    expect(parsed('{"store":false}', { kind: 'responses' }).stores).toBe(false)
    expect(parsed('{"store":true}', { kind: 'chat' }).stores).toBe(false)
  })

  test.each(['0', '1', '-3', '"2"', 'true', 'null'])('n: %s expects one choice', (n) => {
    expect(parsed(`{"n":${n}}`).choices).toBe(1)
  })

  test('that come twice count by the last, as backends read them', () => {
    expect(parsed('{"store":false,"store":true,"n":3,"n":2}', { kind: 'responses' }).stores).toBe(true)
    expect(parsed('{"n":3,"n":2}').choices).toBe(2)
  })

  test.each([
    ['{"stream_options":{"include_usage":true}}', true],
    ['{"stream_options":{"include_usage":false}}', false],
    ['{"stream_options":{"other":1}}', false],
    ['{"stream_options":{}}', false],
    ['{"stream_options":null}', false],
    ['{"stream_options":"x"}', false],
  ])('%s wants usage: %s', (body, wants) => {
    expect(parsed(body).wantsUsage).toBe(wants)
  })

  test('hidden behind escapes are the fields that a backend would read', () => {
    expect(parsed('{"mod\\u0065l":"m","str\\u0065am":true}')).toMatchObject({ model: 'm', stream: true })
  })
})

describe('a wrong value is refused by its name', () => {
  test.each([
    ['{"model":7}', 'model'],
    ['{"model":""}', 'model'],
    ['{"model":["m"]}', 'model'],
    ['{"stream":"true"}', 'stream'],
    ['{"stream":1}', 'stream'],
    ['{"x_priority":"urgent"}', 'x_priority'],
    ['{"x_priority":1}', 'x_priority'],
    ['{"x_priority":"HIGH"}', 'x_priority'],
    ['{"x_user_id":7}', 'x_user_id'],
    ['{"x_user_id":""}', 'x_user_id'],
    ['{"x_user_id":"a\\nb"}', 'x_user_id'],
    [`{"x_user_id":"${'u'.repeat(257)}"}`, 'x_user_id'],
    ['{"x_timeout":0}', 'x_timeout'],
    ['{"x_timeout":-1}', 'x_timeout'],
    ['{"x_timeout":"5"}', 'x_timeout'],
    ['{"x_timeout":1e999}', 'x_timeout'],
    ['{"x_timeout":86401}', 'x_timeout'],
  ])('%s', (body, field) => {
    expect(refused(body)).toBe(`invalid_request ${field}`)
  })

  test.each<[header: string, value: string]>([
    ['x-lexora-priority', 'urgent'],
    ['x-lexora-priority', ''],
    ['x-lexora-user', ''],
    ['x-lexora-user', 'a\u0085b'],
    ['x-lexora-timeout', ''],
    ['x-lexora-timeout', 'soon'],
    ['x-lexora-timeout', '0'],
    ['x-lexora-timeout', '-1'],
    ['x-lexora-timeout', 'Infinity'],
    ['x-lexora-timeout', '5, 6'],
  ])('the header %s: %j', (header, value) => {
    expect(refused('{}', { headers: [[header, value]] })).toBe(`invalid_request ${header}`)
  })

  test('D9: twice in one body, for every field that decides something here', () => {
    for (const field of ['model', 'stream', 'x_priority', 'x_user_id', 'x_timeout']) {
      expect(refused(`{"${field}":null,"a":1,"${field}":null}`)).toBe(`invalid_request ${field}`)
    }
    expect(refused('{"model":"a","\\u006dodel":"b"}')).toBe('invalid_request model')
  })

  test('other fields may come twice', () => {
    const body = '{"temperature":0,"temperature":1,"messages":[],"messages":[]}'
    expect(sent(body)).toBe(body)
  })
})

describe('a body that cannot be read is refused', () => {
  test.each<[what: string, body: string | Buffer, told: string]>([
    ['that is empty', '', 'invalid_json -'],
    ['that is cut short', '{"model":"m"', 'invalid_json -'],
    ['of two texts', '{}{}', 'invalid_json -'],
    ['that is a list', '[]', 'invalid_request -'],
    ['that is a text', '"x"', 'invalid_request -'],
    ['D11: with a byte order mark', '\ufeff{}', 'invalid_json -'],
    ['D11: in UTF-16', Buffer.from('{}', 'utf16le'), 'invalid_json -'],
    ['D11: with half a character', Buffer.from([0x7b, 0x22, 0xc3, 0x22, 0x3a, 0x31, 0x7d]), 'invalid_json -'],
    ['D11: with a surrogate as a character', Buffer.from('7b22eda0bd223a317d', 'hex'), 'invalid_json -'],
    ['D7: nested 200,000 deep', `{"a":${'['.repeat(200_000)}`, 'invalid_json -'],
    ['D7: nested 65 deep', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 'invalid_json -'],
    ['D8: of 500,000 members', `{${Array.from({ length: 500_000 }, (_, i) => `"${i}":0`)}}`, 'invalid_request -'],
  ])('%s', (_, body, told) => {
    expect(refused(body)).toBe(told)
  })

  test('with the place of the fault', () => {
    expect(parse('{"a":tru}')).toMatchObject({
      problem: { message: "The body is not valid JSON: unexpected '}' at byte 8." },
    })
  })
})

describe('the body for a backend', () => {
  test('is the very same buffer where nothing must change', () => {
    const bytes = Buffer.from(' {"model" : "m", "seed":12345678901234567890,"x":"\\u00e9"}\n')
    const request = parsed(bytes)
    const changes = { model: 'm', includeUsage: false, dropEngineFields: true, priority: null }
    expect(request.bodyFor(changes)).toBe(request.body)
    expect(request.body.equals(bytes)).toBe(true)
  })

  test.each<[what: string, body: string, changes: Partial<BodyChanges>, sent: string]>([
    ['names the mapped model', '{"model": "m" ,"a":1}', { model: 'org/m' }, '{"model": "org/m" ,"a":1}'],
    ['quotes a name that needs it', '{"model":"m"}', { model: 'a"b\\é' }, '{"model":"a\\"b\\\\é"}'],
    ['names a model where none was', '{"a":1}', { model: 'm' }, '{"model":"m","a":1}'],
    ['names a model in an empty object', '{ }', { model: 'm' }, '{"model":"m" }'],
    ['names a model in place of null', '{"model":null}', { model: 'm' }, '{"model":"m"}'],
    ['keeps a model written in escapes', '{"model":"\\u006d"}', { model: 'm' }, '{"model":"\\u006d"}'],
    [
      'loses Lexora’s fields',
      '{"x_priority":"low","model":"m", "x_user_id":"ann" ,"a":1,"x_timeout":5}',
      {},
      '{"model":"m", "a":1}',
    ],
    ['loses them to the last', '{"x_user_id":"ann","x_timeout":5}', {}, '{}'],
    [
      'keeps vLLM’s fields for others',
      '{"priority":1,"kv_transfer_params":{}}',
      {},
      '{"priority":1,"kv_transfer_params":{}}',
    ],
    [
      'loses vLLM’s fields, however often they come',
      '{"priority":1,"a":1,"kv_transfer_params":{"b":[1,2]},"priority":2}',
      { dropEngineFields: true },
      '{"a":1}',
    ],
    [
      'keeps fields of those names that lie deeper',
      '{"a":{"priority":1,"x_user_id":"u","model":"x"}}',
      { dropEngineFields: true },
      '{"a":{"priority":1,"x_user_id":"u","model":"x"}}',
    ],
    [
      'does all of it at once',
      '{"x_priority":"low","model":"m","stream":true,"priority":3}',
      { model: 'n', includeUsage: true, dropEngineFields: true },
      '{"stream_options":{"include_usage":true},"model":"n","stream":true}',
    ],
  ])('%s', (_, body, changes, expected) => {
    expect(sent(body, changes)).toBe(expected)
  })

  test('names a model where only Lexora’s own fields were', () => {
    expect(sent('{"x_user_id":"ann"}', { model: 'm' })).toBe('{"model":"m"}')
  })

  test.each<[what: string, body: string, sent: string]>([
    ['where there are no options', '{"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
    ['in place of null', '{"stream_options": null}', '{"stream_options": {"include_usage":true}}'],
    ['in empty options', '{"stream_options":{ }}', '{"stream_options":{"include_usage":true }}'],
    [
      'beside other options',
      '{"stream_options":{"continuous_usage_stats":true}}',
      '{"stream_options":{"include_usage":true,"continuous_usage_stats":true}}',
    ],
    ['in place of false', '{"stream_options":{"include_usage": false}}', '{"stream_options":{"include_usage": true}}'],
    [
      'in place of null inside',
      '{"stream_options":{"include_usage":null}}',
      '{"stream_options":{"include_usage":true}}',
    ],
    [
      'not again where the client asked',
      '{"stream_options":{"include_usage":true}}',
      '{"stream_options":{"include_usage":true}}',
    ],
    ['not where the options are none: the backend refuses them', '{"stream_options":7}', '{"stream_options":7}'],
  ])('asks for usage %s', (_, body, expected) => {
    expect(sent(body, { includeUsage: true })).toBe(expected)
  })

  test('holds the same values as before but for the changes, whatever the body', () => {
    const own = fc.constantFrom('x_priority', 'x_user_id', 'x_timeout')
    const values: Record<string, unknown> = {
      x_priority: 'high',
      x_user_id: 'u',
      x_timeout: 1,
      model: 'm',
      stream: true,
    }
    const other = fc.string({ unit: 'grapheme-ascii', minLength: 1 }).filter((name) => !(name in values))
    const members = fc.uniqueArray(
      fc.oneof(
        own.map((name) => [name, values[name]] as const),
        fc.constantFrom('model', 'stream', 'priority').map((name) => [name, values[name] ?? 7] as const),
        fc.tuple(other, fc.jsonValue({ maxDepth: 2 })),
      ),
      { selector: ([name]) => name, minLength: 1 },
    )
    fc.assert(
      fc.property(members, fc.nat(2), (list, indent) => {
        // A member of its own keeps the object from being emptied.
        const body = Object.fromEntries([...list, ['kept', 0]]) as Record<string, unknown>
        const text = JSON.stringify(body, null, indent)
        const result = JSON.parse(sent(text, { model: 'new', dropEngineFields: true })) as Record<string, unknown>
        const expected = { ...JSON.parse(text), model: 'new' }
        for (const gone of ['x_priority', 'x_user_id', 'x_timeout', 'priority']) delete expected[gone]
        expect(result).toEqual(expected)
      }),
    )
  })
})
