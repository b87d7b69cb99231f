import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventReader } from '../../renderer/transport/sse.ts'
import { type Chat, ChatReader, newChat, speedOf } from '../../renderer/view-models/chat.ts'
import type { DataNews } from '../../src/protocol/window.ts'

const event = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
const delta = (content: string) => ({ choices: [{ delta: { content }, finish_reason: null }] })

function told(news: readonly DataNews[]): Chat {
  const reader = new ChatReader()
  return news.reduce((chat, piece, i) => reader.take(chat, piece, 100 * (i + 1)), newChat(0))
}

const HEAD: DataNews = { is: 'head', status: 200, headers: { 'x-lexora-queue-ms': '12', 'x-lexora-backend': 'main' } }

test('an answer grows piece by piece, and its end tells the tokens', () => {
  const chat = told([
    HEAD,
    { is: 'chunk', text: ': waiting\n\n' },
    { is: 'chunk', text: event(delta('Hel')) },
    {
      is: 'chunk',
      text:
        event(delta('lo')) +
        event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 21 } }) +
        event('[DONE]'),
    },
    { is: 'end' },
  ])
  expect(chat).toMatchObject({ is: 'done', text: 'Hello', firstAt: 300, endedAt: 500, queueMs: 12, backend: 'main' })
  expect(chat.usage).toEqual({ prompt: 9, completion: 21 })
  expect(speedOf(chat)).toBe(100)
})

test('a refusal is told by its code', () => {
  const body = JSON.stringify({ error: { code: 'queue_full', message: 'Too many wait.' } })
  const chat = told([
    { is: 'head', status: 503, headers: {} },
    { is: 'chunk', text: body.slice(0, 9) },
    { is: 'chunk', text: body.slice(9) },
    { is: 'end' },
  ])
  expect(chat).toMatchObject({ is: 'refused', problem: { code: 'queue_full', message: 'Too many wait.' } })
})

test('an error event keeps what came before it', () => {
  const cut = event({ error: { code: 'backend_truncated', message: 'It ended early.' } })
  const chat = told([HEAD, { is: 'chunk', text: event(delta('Half')) + cut }, { is: 'end' }])
  expect(chat).toMatchObject({ is: 'cut', text: 'Half', problem: { code: 'backend_truncated' } })
})

test('events come out alike, however the text was cut', () => {
  const text = `: hello\n\nevent: snapshot\ndata: {"a":1}\n\n${event(delta('x'))}data: a\ndata: b\n\n`
  const whole = new EventReader().push(text)
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const reader = new EventReader()
      const places = [0, ...cuts.sort((a, b) => a - b), text.length]
      const pieces = places.slice(1).flatMap((end, i) => reader.push(text.slice(places[i], end)))
      expect(pieces).toEqual(whole)
    }),
  )
})
