import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Outbox } from '../../src/gateway/outbox.ts'

function aBox() {
  const sent: string[] = []
  const answer = (name: string, then = (): void => {}) => ({
    send: () => {
      sent.push(name)
      then()
    },
  })
  const requests = { alone: false }
  return { box: new Outbox(() => requests.alone), requests, sent, answer }
}

test('an answer that is alone leaves at once', () => {
  const { box, requests, sent, answer } = aBox()
  requests.alone = true
  box.put(answer('only'))
  expect(sent).toEqual(['only'])
})

test('answers of one turn leave at its end, in the order in which they were ready', async () => {
  const { box, requests, sent, answer } = aBox()
  for (const name of ['a', 'b']) box.put(answer(name))
  // The others were settled by now, but not sent: it must not overtake them.
  requests.alone = true
  box.put(answer('c'))
  expect(sent).toEqual([])
  await nextTurn()
  expect(sent).toEqual(['a', 'b', 'c'])
})

test('what becomes ready while others leave goes with the next turn', async () => {
  const { box, requests, sent, answer } = aBox()
  const second = answer('second')
  box.put(answer('first', () => box.put(second)))
  await nextTurn()
  await nextTurn()
  requests.alone = true
  box.put(answer('third'))
  expect(sent).toEqual(['first', 'second', 'third'])
})
