/** What is kept of prompts and answers: only while it is wanted, never much, never long, never a secret. */
import { describe, expect, test } from 'vitest'
import { Captures } from '../../src/telemetry/captures.ts'
import { Redactor } from '../../src/telemetry/redact.ts'

const MINUTE = 60_000

function someCaptures() {
  const redactor = new Redactor()
  redactor.add('the-admin-key')
  let now = 1_800_000_000_000
  const captures = new Captures(redactor, () => now)
  const ask = (id: string, { user = 'ann' as string | null, body = '{"prompt":"hi"}', headers = {} } = {}) =>
    captures.begin(() => ({ id, user, endpoint: '/v1/completions', headers, body: Buffer.from(body) }), user)
  const ids = () => captures.report().kept.map(({ id }) => id)
  return {
    captures,
    ask,
    ids,
    pass: (ms: number) => {
      now += ms
    },
  }
}

describe('captures', () => {
  test('are none until somebody wants them, and then no request is even looked at', () => {
    const { captures, ids } = someCaptures()
    const looked = () => {
      throw new Error('was looked at')
    }
    expect(captures.begin(looked, 'ann')).toBeNull()
    captures.start('bob')
    expect(captures.begin(looked, 'ann')).toBeNull()
    expect([captures.view?.user, ids()]).toEqual(['bob', []])
  })

  test('hold what was asked and answered, the newest first', () => {
    const { captures, ask } = someCaptures()
    captures.start(null)
    ask('a')
    const second = ask('b', { user: null })!
    for (const piece of ['data: 1\n\n', 'data: 2\n\n']) second.answered(Buffer.from(piece))
    expect(captures.report().kept).toMatchObject([
      { id: 'b', user: null, requestBytes: 15, answerBytes: 18 },
      { id: 'a', user: 'ann', answerBytes: 0 },
    ])
    expect(captures.read('b')).toMatchObject({
      endpoint: '/v1/completions',
      request: { text: '{"prompt":"hi"}', bytes: 15, cut: false },
      answer: { text: 'data: 1\n\ndata: 2\n\n', bytes: 18, cut: false },
    })
    expect(captures.read('c')).toBeNull()
  })

  test('end by themselves after ten minutes, and each request is forgotten ten minutes after it came', () => {
    const { captures, ask, ids, pass } = someCaptures()
    captures.start(null)
    ask('a')
    pass(9 * MINUTE)
    ask('b')
    pass(MINUTE)
    expect([captures.view, ask('c'), ids()]).toEqual([null, null, ['b']])
    pass(9 * MINUTE)
    expect(ids()).toEqual([])
    expect(captures.read('b')).toBeNull()
  })

  test('leave nothing behind when they are stopped, not even of what still runs', () => {
    const { captures, ask, ids } = someCaptures()
    captures.start(null)
    const running = ask('a')!
    captures.stop()
    running.answered(Buffer.from('more'))
    captures.start(null)
    expect(ids()).toEqual([])
    running.answered(Buffer.from('more'))
    expect(captures.read('a')).toBeNull()
  })

  test('show no secret: of headers, of texts, of what looks like a key', () => {
    const { captures, ask } = someCaptures()
    captures.start(null)
    const headers = {
      authorization: 'Bearer abc',
      cookie: 'session=1',
      'x-forwarded-for': '10.0.0.9',
      'x-lexora-app': 'my the-admin-key app',
      'user-agent': 'curl/8',
    }
    ask('a', { headers, body: '{"prompt":"my key is sk-abcdefghijklmnop, or the-admin-key"}' })!.answered(
      Buffer.from('You said lx-abcdefghijklmnop'),
    )
    const shown = captures.read('a')!
    expect(shown.headers).toEqual({
      authorization: '***',
      cookie: '***',
      'x-lexora-app': 'my *** app',
      'user-agent': 'curl/8',
    })
    expect([shown.request.text, shown.answer.text]).toEqual(['{"prompt":"my key is ***, or ***"}', 'You said ***'])
  })

  test('keep the beginning of a large body, 200 requests, and 16 MiB of them', () => {
    const { captures, ask, ids } = someCaptures()
    captures.start(null)
    ask('large', { body: 'x'.repeat(300_000) })!.answered(Buffer.alloc(300_000, 'y'))
    const { request, answer } = captures.read('large')!
    expect([request.text.length, request.bytes, request.cut]).toEqual([262_144, 300_000, true])
    expect([answer.text.length, answer.cut]).toEqual([262_144, true])
    for (let i = 0; i < 250; i++) ask(`small-${i}`)
    expect([ids().length, ids()[0], ids().at(-1)]).toEqual([200, 'small-249', 'small-50'])
    for (let i = 0; i < 100; i++) ask(`large-${i}`, { body: 'x'.repeat(262_144) })
    expect([ids().length, ids()[0], ids().at(-1)]).toEqual([64, 'large-99', 'large-36'])
  })

  test('have one request of each id, the last', () => {
    const { captures, ask, ids } = someCaptures()
    captures.start(null)
    const first = ask('a', { body: 'one' })!
    ask('a', { body: 'two' })
    first.answered(Buffer.from('late'))
    expect([ids(), captures.read('a')?.request.text, captures.read('a')?.answer.text]).toEqual([['a'], 'two', ''])
  })
})
