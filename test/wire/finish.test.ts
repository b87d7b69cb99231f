/** Why a model stopped, as each dialect says it at the end of a stream; whole answers are in answer.test.ts. */
import { describe, expect, test } from 'vitest'
import { SseFramer } from '../../src/wire/sse.ts'
import { type Dialect, StreamJudge } from '../../src/wire/stream-judge.ts'
import { counts, cutAt, DONE, finishes, named, role, says } from './given.ts'

/** The same for every way in which the bytes may be cut in two. */
function finishOf(stream: string, dialect: Dialect): string | null {
  const bytes = Buffer.from(stream)
  const told = Array.from({ length: bytes.length }, (_, at) => {
    const [framer, judge] = [new SseFramer(), new StreamJudge(dialect)]
    for (const piece of cutAt(bytes, [at])) {
      const events = framer.push(piece)
      if (events !== null) judge.judge(events)
    }
    return judge.finish
  })
  expect(new Set(told).size).toBe(1)
  return told[0]!
}

const response = (how: string, more: object = {}) =>
  named('response.created', { response: { object: 'response', status: 'in_progress' } }) +
  named(`response.${how}`, { response: { object: 'response', status: how, ...more } })

const message = (reason: string) =>
  named('message_start', { message: { type: 'message', stop_reason: null } }) +
  named('message_delta', { delta: { stop_reason: reason }, usage: { output_tokens: 3 } }) +
  named('message_stop')

describe('the reason at the end of a stream', () => {
  test.each<[what: string, stream: string, dialect: Dialect, finish: string | null]>([
    ['of a chat', role() + says('x') + finishes('length') + DONE, 'chunks', 'length'],
    ['of a chat with its usage after it', role() + finishes('tool_calls') + counts() + DONE, 'chunks', 'tool_calls'],
    ['that is nobody’s word', role() + finishes('eos_found') + DONE, 'chunks', 'other'],
    ['that its text only speaks of', role() + says('"finish_reason":"length"') + finishes('stop'), 'chunks', 'stop'],
    ['of a chat that was cut', role() + says('x'), 'chunks', null],
    ['of a message', message('end_turn'), 'messages', 'end_turn'],
    ['of a response', response('completed'), 'responses', 'completed'],
    [
      'of a response that was cut',
      response('incomplete', { incomplete_details: { reason: 'max_output_tokens' } }),
      'responses',
      'max_output_tokens',
    ],
    ['of a response that failed', response('failed'), 'responses', null],
  ])('%s', (_, stream, dialect, finish) => {
    expect(finishOf(stream, dialect)).toBe(finish)
  })

  test('of several choices is that of the first to end', () => {
    const judge = new StreamJudge('chunks', { choices: 2 })
    judge.judge(Buffer.from(role() + role(1) + finishes('length', 1) + finishes('stop')))
    expect(judge.finish).toBe('length')
  })
})
