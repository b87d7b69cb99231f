import { describe, expect, test } from 'vitest'
import { askedAgain, prettyOf, talkOf } from '../../renderer/view-models/capture.ts'

const text = (given: string | object) => ({
  text: typeof given === 'string' ? given : JSON.stringify(given),
  bytes: 1,
  cut: false,
})
const talk = (request: string | object, answer: string | object) =>
  talkOf({ request: text(request), answer: text(answer) }).map(({ role, text }) => `${role}: ${text}`)
const events = (...given: object[]) => given.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')

const CHAT = {
  model: 'm',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
  ],
}

describe('a captured request as a talk', () => {
  test.each<[what: string, request: string | object, answer: string | object, talk: string[]]>([
    [
      'of a chat, whole',
      CHAT,
      { choices: [{ message: { role: 'assistant', content: 'Hi.' } }] },
      ['system: Be brief.', 'user: Hello', 'assistant: Hi.'],
    ],
    [
      'of a chat, streamed',
      { messages: [{ role: 'user', content: 'x' }] },
      `${events({ choices: [{ delta: { content: 'H' } }] }, { choices: [{ delta: { content: 'i' } }] })}data: [DONE]\n\n`,
      ['user: x', 'assistant: Hi'],
    ],
    ['of a completion', { prompt: 'Once' }, { choices: [{ text: ' upon' }] }, ['user: Once', 'assistant:  upon']],
    [
      'of a message, streamed',
      { system: 'S', messages: [{ role: 'user', content: 'x' }] },
      events(
        { type: 'message_start', message: {} },
        { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Hi' } },
      ),
      ['system: S', 'user: x', 'assistant: Hi'],
    ],
    [
      'of a response, streamed',
      { instructions: 'S', input: 'x' },
      events(
        { type: 'response.output_text.delta', delta: 'Hi' },
        { type: 'response.completed', response: { output: [{ content: [{ text: 'Hi' }] }] } },
      ),
      ['system: S', 'user: x', 'assistant: Hi'],
    ],
    [
      'of one that was refused',
      { prompt: 'x' },
      { error: { message: 'No such model.' } },
      ['user: x', 'assistant: No such model.'],
    ],
    ['of one that was cut off', '{"messages":[{"ro', '', ['user: {"messages":[{"ro']],
  ])('%s', (_, request, answer, said) => {
    expect(talk(request, answer)).toEqual(said)
  })

  test('is asked again by its last message and its system prompt', () => {
    expect(askedAgain(talkOf({ request: text(CHAT), answer: text('') }))).toEqual({
      message: 'Hello',
      system: 'Be brief.',
    })
  })
})

test('JSON is shown in lines, events as they came', () => {
  expect(prettyOf('{"a":1}')).toBe('{\n  "a": 1\n}')
  expect(prettyOf('data: {}\n\n')).toBe('data: {}\n\n')
})
