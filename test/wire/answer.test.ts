import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AnswerVerdict, isJsonObject, judgeAnswer } from '../../src/wire/answer.ts'

/** White space enough to send an answer down the path of large ones. */
const PADDING = ' '.repeat(9000)

const INVALID: AnswerVerdict = { ok: false, kind: 'invalid' }
const ABORTED: AnswerVerdict = { ok: false, kind: 'aborted' }
const error = (status: number | null): AnswerVerdict => ({ ok: false, kind: 'error', status })
type Good = Extract<AnswerVerdict, { ok: true }>
const good = (usage: Good['usage'] = null, finish: Good['finish'] = null): AnswerVerdict => ({
  ok: true,
  usage,
  finish,
})

const chat = (finish_reason: string | null, more: object = {}): string =>
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    model: 'tiny',
    choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason }],
    usage: { prompt_tokens: 16, total_tokens: 24, completion_tokens: 8 },
    ...more,
  })
const USAGE = { prompt: 16, completion: 8, cached: null }
const counted = good(USAGE, 'stop')

describe.each([
  ['a small answer', ''],
  ['a large answer', PADDING],
])('%s', (_, padding) => {
  test.each<[what: string, body: string, verdict: AnswerVerdict]>([
    ['that finished is good', chat('stop'), counted],
    ['cut by its limit says so', chat('length'), good(USAGE, 'length')],
    ['that stopped for a reason of its server’s own says other', chat('eos_found'), good(USAGE, 'other')],
    ['that says nothing of its end', chat(null), good(USAGE)],
    ['in Anthropic’s shape tells its reason', '{"type":"message","stop_reason":"end_turn"}', good(null, 'end_turn')],
    ['of the responses dialect is completed', '{"object":"response","status":"completed"}', good(null, 'completed')],
    [
      'of the responses dialect that was cut says by what',
      '{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}',
      good(null, 'max_output_tokens'),
    ],
    ['without usage is good', '{"data":[]}', good()],
    ['that is a list is good', '[{"score":1}]', good()],
    ['with "error": null beside its content is good', chat('stop', { error: null }), counted],
    ['with an error beside its content is good', chat('stop', { error: { code: 500 } }), counted],
    ['that says "abort" in its text is good', chat('stop', { note: '"finish_reason":"abort"' }), counted],
    ['that the engine aborted is not', chat('abort'), ABORTED],
    ['that it aborted in Python’s spacing is not', chat('abort').replaceAll('":', '": '), ABORTED],
    ['of another shape that says abort is good', '{"data":[{"finish_reason":"abort"}]}', good()],
    ['that is only an error has its code for a status', '{"error":{"message":"no","code":503}}', error(503)],
    ['whose code is digits has them for a status', '{"error":{"code":"429"}}', error(429)],
    ['whose code is a word has no status', '{"error":{"code":"model_not_found"}}', error(null)],
    ['whose code is no error status has none', '{"error":{"code":200}}', error(null)],
    ['whose error is a text has no status', '{"error":"no"}', error(null)],
    ['in Anthropic’s envelope is an error', '{"type":"error","error":{"type":"x"},"request_id":"r"}', error(null)],
    ['in vLLM’s old envelope is an error', '{"object":"error","error":{"code":400}}', error(400)],
    ['cut short is invalid', chat('stop').slice(0, -1), INVALID],
    ['with something after it is invalid', `${chat('stop')}}`, INVALID],
    ['that is a page is invalid', '<html>busy</html>', INVALID],
    ['of nothing is invalid', '', INVALID],
    [
      'with a field twice counts by the last, as JSON.parse does',
      twice(),
      good({ prompt: 2, completion: 2, cached: 2 }),
    ],
  ])('%s', (_, body, verdict) => {
    expect(judgeAnswer(Buffer.from(body + padding))).toEqual(verdict)
  })
})

function twice(): string {
  const usage = (n: number) =>
    `"usage":{"prompt_tokens":${n},"completion_tokens":${n},"prompt_tokens_details":{"cached_tokens":${n}}}`
  return `{${usage(1)},"choices":[],${usage(2)}}`
}

test('any body is judged alike by both paths', () => {
  const values = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.record({ code: fc.oneof(fc.integer({ min: 300, max: 700 }), fc.constantFrom('503', 'busy')) }),
    fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat() }),
    fc.constant([{ finish_reason: 'abort' }]),
  )
  const names = fc.constantFrom('error', 'usage', 'choices', 'object', 'type', 'id', 'request_id', 'model', '__proto__')
  const objects = fc
    .array(fc.tuple(names, values), { maxLength: 5 })
    .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`)
  const cuts = fc.tuple(objects, fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1)))
  const bodies = fc.oneof(objects, cuts, fc.json({ maxDepth: 3 }), fc.string())
  fc.assert(
    fc.property(bodies, (body) => {
      expect(judgeAnswer(Buffer.from(body + PADDING))).toEqual(judgeAnswer(Buffer.from(body)))
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['{"error":{}}', true],
  [' {} ', true],
  ['[]', false],
  ['"error"', false],
  ['{"error":', false],
  ['<html>', false],
  ['', false],
])('%j as an error body is a JSON object: %s', (body, is) => {
  expect(isJsonObject(Buffer.from(body))).toBe(is)
})
