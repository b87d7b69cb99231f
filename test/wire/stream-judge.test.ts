import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SseFramer } from '../../src/wire/sse.ts'
import { type Dialect, StreamJudge } from '../../src/wire/stream-judge.ts'
import { chunk, counts, cutAt, DONE, finishes, named, role, says } from './given.ts'

type Options = { hideUsage?: boolean; choices?: number }

/** What came of a stream: `sent` is all that the client gets, `fault` the kind of fault or null for a good end. */
type Seen = { sent: string; fault: string | null; status?: number | null; usage: unknown; started: boolean }

/** Watches a stream as an attempt does: frame, judge, stop at a fault or at the end. */
function watch(pieces: readonly Buffer[], dialect: Dialect, options: Options): Seen {
  const framer = new SseFramer()
  const judge = new StreamJudge(dialect, options)
  const sent: Buffer[] = []
  for (const piece of pieces) {
    const events = framer.push(piece)
    if (events === null) continue
    const { send, fault } = judge.judge(events)
    if (send !== null) sent.push(send)
    if (fault !== null) return seen(fault)
    if (judge.isDone) return seen(null)
  }
  const { send, fault } = judge.end()
  if (send !== null) sent.push(send)
  return seen(fault)

  function seen(fault: ReturnType<StreamJudge['end']>['fault']): Seen {
    return {
      sent: Buffer.concat(sent).toString(),
      fault: fault?.kind ?? null,
      ...(fault?.kind === 'error-event' ? { status: fault.status } : {}),
      usage: judge.usage,
      started: judge.hasStarted,
    }
  }
}

/** Watches one stream whole, event by event and cut in two at every byte; all must tell the same. */
function judged(stream: string, dialect: Dialect, options: Options = {}): Seen {
  const bytes = Buffer.from(stream)
  const whole = watch([bytes], dialect, options)
  expect(watch(stream.split(/(?<=\n\n)/).map(Buffer.from), dialect, options)).toEqual(whole)
  for (let at = 1; at < bytes.length; at++) expect(watch(cutAt(bytes, [at]), dialect, options)).toEqual(whole)
  return whole
}

const ERROR = `data: ${JSON.stringify({ error: { message: 'The engine is busy.', type: 'Service Unavailable', param: null, code: 503 } })}\n\n`

describe('a chat stream', () => {
  const body = role() + says(' ser') + says('ist')
  const good = body + finishes('length')

  test('that finishes and says that it is done is good, byte for byte', () => {
    expect(judged(good + DONE, 'chunks')).toEqual({ sent: good + DONE, fault: null, usage: null, started: true })
  })

  test('that finishes and ends without [DONE] is given one', () => {
    expect(judged(good, 'chunks')).toMatchObject({ sent: good + DONE, fault: null })
  })

  test('that says it is done without finishing is not, and [DONE] is kept back', () => {
    expect(judged(body + DONE, 'chunks')).toMatchObject({ sent: body, fault: 'unfinished' })
  })

  test('that just ends is unfinished', () => {
    expect(judged(body, 'chunks')).toMatchObject({ sent: body, fault: 'unfinished' })
  })

  test('that ends within an event is unfinished, without the part', () => {
    expect(judged(body + finishes('stop').slice(0, -1), 'chunks')).toMatchObject({ sent: body, fault: 'unfinished' })
  })

  test('without any event is unfinished', () => {
    expect(judged(DONE, 'chunks')).toEqual({ sent: '', fault: 'unfinished', usage: null, started: false })
  })

  test('that finishes because the engine aborted is broken, and that chunk is kept back', () => {
    expect(judged(body + finishes('abort') + DONE, 'chunks')).toMatchObject({ sent: body, fault: 'aborted' })
  })

  test('that is aborted at once has sent nothing', () => {
    expect(judged(finishes('abort') + DONE, 'chunks')).toMatchObject({ sent: '', fault: 'aborted' })
  })

  test('whose finish_reason is an empty text has not finished', () => {
    expect(judged(body + finishes('') + DONE, 'chunks')).toMatchObject({ fault: 'unfinished' })
  })

  test('drops what follows [DONE]', () => {
    expect(judged(good + DONE + says('x') + DONE, 'chunks')).toMatchObject({ sent: good + DONE, fault: null })
  })

  test('that begins with an error has sent nothing, and its status is known', () => {
    expect(judged(ERROR + DONE, 'chunks')).toEqual({
      sent: '',
      fault: 'error-event',
      status: 503,
      usage: null,
      started: false,
    })
  })

  test('that breaks with an error has sent what came before, and the [DONE] after it is dropped', () => {
    expect(judged(body + ERROR + DONE, 'chunks')).toMatchObject({ sent: body, fault: 'error-event', status: 503 })
  })

  test('hands on the error event as it came', () => {
    const judge = new StreamJudge('chunks')
    const { fault } = judge.judge(Buffer.from(body + ERROR + DONE))
    expect(fault).toMatchObject({ kind: 'error-event', data: ERROR.slice('data: '.length).trimEnd() })
    expect((fault as { event: Buffer }).event.toString()).toBe(ERROR)
  })

  test('whose error comes under its name alone is broken', () => {
    expect(judged('event: error\ndata: {"message":"no","code":"500"}\n\n', 'chunks')).toMatchObject({
      fault: 'error-event',
      status: 500,
    })
  })

  test('whose chunks carry "error": null is good', () => {
    const all = chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { error: null }) + DONE
    expect(judged(role() + all, 'chunks')).toMatchObject({ sent: role() + all, fault: null })
  })

  test.each(['data: not JSON\n\n', 'data: [1]\n\n', 'data: "x"\n\n', 'data: {"choices":[\n\n', 'data:\n\n'])(
    'that begins with %j is garbled',
    (event) => {
      expect(judged(event + good + DONE, 'chunks')).toMatchObject({ sent: '', fault: 'garbled', started: false })
    },
  )

  test('passes comments without taking them for its start', () => {
    expect(judged(': keep-alive\n\n', 'chunks')).toMatchObject({ sent: ': keep-alive\n\n', started: false })
    const all = `: keep-alive\n\n${body}: keep-alive\n\n${finishes('stop')}: end\n\n${DONE}`
    expect(judged(all, 'chunks')).toMatchObject({ sent: all, fault: null })
  })

  test('in other line ends and without the space after data is the same', () => {
    for (const end of ['\r\n', '\r']) {
      const all = (good + DONE).replaceAll('\n', end).replaceAll('data: ', 'data:')
      expect(watch([Buffer.from(all)], 'chunks', {})).toMatchObject({ sent: all, fault: null })
    }
  })

  test('with odd white space around its finish is good', () => {
    const all = `${body}data: { "choices" : [ { "index":0, "delta":{}, "finish_reason" : "stop" } ] }\n\n${DONE}`
    expect(judged(all, 'chunks')).toMatchObject({ sent: all, fault: null })
  })

  test.each([
    'data: [DONE]',
    '\n\ndata: [DONE]\n\n',
    '{"error": {"code": 500}}',
    '"error"',
    '"finish_reason":"stop"',
    '"finish_reason": "abort"',
    'event: error',
    '{"usage":{"prompt_tokens":9}}',
  ])('passes the text %j as the text that it is', (text) => {
    const all = role() + says(text) + finishes('stop') + DONE
    expect(judged(all, 'chunks')).toEqual({ sent: all, fault: null, usage: null, started: true })
    expect(judged(role() + says(text), 'chunks')).toMatchObject({ fault: 'unfinished' })
  })
})

describe('a chat stream of several choices', () => {
  const body = role(0) + role(1) + says('64', 0) + says('AD', 1)

  test('is good when all have finished', () => {
    const all = body + finishes('length', 0) + finishes('stop', 1) + DONE
    expect(judged(all, 'chunks', { choices: 2 })).toMatchObject({ sent: all, fault: null })
  })

  test('may finish them in one chunk', () => {
    const both = [0, 1].map((index) => ({ index, delta: {}, finish_reason: 'stop' }))
    expect(judged(body + chunk(both) + DONE, 'chunks', { choices: 2 })).toMatchObject({ fault: null })
  })

  test('is unfinished while one has not', () => {
    const some = body + finishes('length', 0)
    expect(judged(some + DONE, 'chunks', { choices: 2 })).toMatchObject({ sent: some, fault: 'unfinished' })
    expect(judged(some, 'chunks', { choices: 2 })).toMatchObject({ sent: some, fault: 'unfinished' })
  })

  test('is broken when the second is aborted', () => {
    const some = body + finishes('length', 0)
    expect(judged(some + finishes('abort', 1) + DONE, 'chunks', { choices: 2 })).toMatchObject({
      sent: some,
      fault: 'aborted',
    })
  })
})

describe('usage of a chat stream', () => {
  const good = role() + says(' ser') + finishes('length')
  const usage = { prompt: 16, completion: 3, cached: null }

  test('is read from its own chunk, which the client sees if it asked for it', () => {
    const all = good + counts() + DONE
    expect(judged(all, 'chunks')).toEqual({ sent: all, fault: null, usage, started: true })
  })

  test('is read and hidden when we asked for it', () => {
    expect(judged(good + counts() + DONE, 'chunks', { hideUsage: true })).toEqual({
      sent: good + DONE,
      fault: null,
      usage,
      started: true,
    })
  })

  test('hidden before a missing [DONE] leaves a good end', () => {
    expect(judged(good + counts(), 'chunks', { hideUsage: true })).toMatchObject({ sent: good + DONE, fault: null })
  })

  test('in every chunk is read from the last, and chunks with choices are never hidden', () => {
    const at = (completion_tokens: number, finish_reason: string | null) =>
      chunk([{ index: 0, delta: { content: 'x' }, finish_reason }], { usage: { prompt_tokens: 16, completion_tokens } })
    const all = at(0, null) + at(1, null) + at(2, 'stop') + DONE
    expect(judged(all, 'chunks', { hideUsage: true })).toEqual({
      sent: all,
      fault: null,
      usage: { prompt: 16, completion: 2, cached: null },
      started: true,
    })
  })

  test('that is null hides nothing', () => {
    const all = role() + chunk([], { usage: null }) + finishes('stop') + DONE
    expect(judged(all, 'chunks', { hideUsage: true })).toMatchObject({ sent: all, fault: null, usage: null })
  })

  test('beside filter results at the start hides nothing that the client should see', () => {
    const filter = chunk([], { prompt_filter_results: [{ prompt_index: 0 }] })
    const all = filter + good + DONE
    expect(judged(all, 'chunks', { hideUsage: true })).toMatchObject({ sent: all, fault: null })
  })
})

describe('streams of other shapes', () => {
  test('text completions finish as chats do', () => {
    const text = (text: string, finish_reason: string | null) =>
      `data: ${JSON.stringify({ id: 'cmpl-a0', object: 'text_completion', model: 'tiny', choices: [{ index: 0, text, logprobs: null, finish_reason }] })}\n\n`
    const all = text(' type', null) + text('\u0012', 'length') + DONE
    expect(judged(all, 'chunks')).toMatchObject({ sent: all, fault: null })
  })

  test('tool calls pass with quotes in their arguments', () => {
    const call = (part: object) =>
      chunk([{ index: 0, delta: { content: null, tool_calls: [{ index: 0, ...part }] }, finish_reason: null }])
    const all =
      role() +
      call({ id: 'chatcmpl-tool-8b57', type: 'function', function: { name: 'f' } }) +
      call({ function: { arguments: '{"error":"finish_reason"}' } }) +
      finishes('tool_calls') +
      DONE
    expect(judged(all, 'chunks')).toMatchObject({ sent: all, fault: null })
  })
})

describe('a responses stream', () => {
  const response = { id: 'resp_bb', object: 'response', error: null, output: [] }
  const body =
    named('response.created', { response: { ...response, status: 'in_progress' } }) +
    named('response.output_item.added', { item: { id: 'msg_b3', type: 'message' } }) +
    named('response.output_text.delta', { delta: 'ance' }) +
    named('response.output_text.done', { text: 'ance' })
  const usage = { input_tokens: 13, input_tokens_details: { cached_tokens: 4 }, output_tokens: 6 }
  const ends = (how: string) => named(`response.${how}`, { response: { ...response, status: how, usage } })

  test.each(['completed', 'incomplete', 'failed'])('that is %s is good, without any [DONE]', (how) => {
    expect(judged(body + ends(how), 'responses')).toEqual({
      sent: body + ends(how),
      fault: null,
      usage: { prompt: 13, completion: 6, cached: 4 },
      started: true,
    })
  })

  test('that just ends is unfinished', () => {
    expect(judged(body, 'responses')).toMatchObject({ sent: body, fault: 'unfinished' })
  })

  test('that says [DONE] without an ending is unfinished', () => {
    expect(judged(body + DONE, 'responses')).toMatchObject({ sent: body, fault: 'unfinished' })
  })

  test('that breaks with an error event is broken', () => {
    const error = named('error', { code: 'server_error', message: 'no', param: null, sequence_number: 9 })
    expect(judged(body + error, 'responses')).toMatchObject({ sent: body, fault: 'error-event', status: null })
  })

  test('may speak of its ending in its text', () => {
    const text = named('response.output_text.delta', { delta: '"type":"response.completed" "error"' })
    expect(judged(body + text, 'responses')).toMatchObject({ sent: body + text, fault: 'unfinished' })
  })
})

describe('a messages stream', () => {
  const body =
    named('message_start', {
      message: { type: 'message', role: 'assistant', content: [], usage: { input_tokens: 16, output_tokens: 0 } },
    }) +
    named('content_block_start', { content_block: { type: 'text', text: '' }, index: 0 }) +
    named('content_block_delta', { delta: { type: 'text_delta', text: 'hi' }, index: 0 }) +
    named('content_block_stop', { index: 0 })
  const last = named('message_delta', { delta: { stop_reason: 'max_tokens' }, usage: { output_tokens: 6 } })
  const stop = named('message_stop')

  test('that stops is good, and its usage is put together from both ends', () => {
    expect(judged(body + last + stop, 'messages')).toEqual({
      sent: body + last + stop,
      fault: null,
      usage: { prompt: 16, completion: 6, cached: null },
      started: true,
    })
  })

  test('that just ends is unfinished', () => {
    expect(judged(body + last, 'messages')).toMatchObject({ sent: body + last, fault: 'unfinished' })
  })

  test('that says [DONE] without stopping is unfinished', () => {
    expect(judged(body + last + DONE, 'messages')).toMatchObject({ sent: body + last, fault: 'unfinished' })
  })

  test('that breaks with an error event is broken', () => {
    const error = named('error', { error: { type: 'overloaded_error', message: 'busy' } })
    expect(judged(body + error, 'messages')).toMatchObject({ sent: body, fault: 'error-event', status: null })
    expect(judged(error, 'messages')).toMatchObject({ sent: '', fault: 'error-event', started: false })
  })

  test('passes pings', () => {
    const all = body + named('ping') + last + stop
    expect(judged(all, 'messages')).toMatchObject({ sent: all, fault: null })
  })

  test('may speak of message_stop in its text', () => {
    const text = named('content_block_delta', { delta: { type: 'text_delta', text: 'message_stop "error"' } })
    expect(judged(body + text, 'messages')).toMatchObject({ sent: body + text, fault: 'unfinished' })
  })
})

describe('however a stream is cut', () => {
  const content = fc.constantFrom(
    says('plain'),
    says('日本語 👩‍👩‍👧'),
    says('data: [DONE]\n\n "error" "finish_reason":"stop"'),
    says('', 1),
    ': comment\n\n',
    '\n',
  )
  const tails = [
    finishes('stop') + DONE,
    finishes('stop'),
    finishes('stop') + counts() + DONE,
    finishes('stop') + counts(),
    finishes('stop') + finishes('length', 1) + DONE,
    finishes('abort') + DONE,
    finishes('stop') + ERROR + DONE,
    ERROR + DONE,
    ERROR,
    DONE,
    '',
    `${finishes('stop')}data: {"garbled"\n\n${DONE}`,
    finishes('stop').slice(0, 40),
  ]

  test('its verdict, its bytes and its usage are the same', () => {
    const streams = fc
      .tuple(fc.array(content, { maxLength: 6 }), fc.constantFrom(...tails), fc.constantFrom('\n', '\r\n', '\r'))
      .map(([list, tail, end]) => Buffer.from((role() + list.join('') + tail).replaceAll('\n', end)))
    const options = fc.record({ hideUsage: fc.boolean(), choices: fc.integer({ min: 1, max: 2 }) })
    fc.assert(
      fc.property(streams, fc.array(fc.nat(), { maxLength: 30 }), options, (bytes, offsets, given) => {
        const pieces = cutAt(
          bytes,
          offsets.map((offset) => offset % (bytes.length + 1)),
        )
        expect(watch(pieces, 'chunks', given)).toEqual(watch([bytes], 'chunks', given))
      }),
      { numRuns: 1000 },
    )
  })
})
