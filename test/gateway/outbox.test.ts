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
  return { box: new Outbox(), sent, answer }
}

test('an answer that is alone leaves at once', () => {
  const { box, sent, answer } = aBox()
  box.put(answer('only'), true)
  expect(sent).toEqual(['only'])
})

test('answers of one turn leave at its end, in the order in which they were ready', async () => {
  const { box, sent, answer } = aBox()
  for (const name of ['a', 'b']) box.put(answer(name), false)
  // The others were settled by now, but not sent: it must not overtake them.
  box.put(answer('c'), true)
  expect(sent).toEqual([])
  await nextTurn()
  expect(sent).toEqual(['a', 'b', 'c'])
})

test('what becomes ready while others leave goes with the next turn', async () => {
  const { box, sent, answer } = aBox()
  const second = answer('second')
  box.put(
    answer('first', () => box.put(second, false)),
    false,
  )
  await nextTurn()
  await nextTurn()
  box.put(answer('third'), true)
  expect(sent).toEqual(['first', 'second', 'third'])
})
