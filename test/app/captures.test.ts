/** Prompts and answers, kept for a while because an operator asked for it; else never. */
import { expect, test } from 'vitest'
import { startApp, startFake } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'

const say = (content: string, more: object = {}) => aChat({ messages: [{ role: 'user', content }], ...more })

test('a capture keeps what one user asks and is answered, is seen by everybody who looks, and leaves nothing', async () => {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }])
  const { commands } = lexora.app
  const as = (user: string) => ({ 'x-lexora-user': user, 'x-request-id': `of-${user}` })
  await ask(lexora.port, say('before'), { ...as('ann'), 'x-request-id': 'early' })
  expect((await commands.snapshot()).server.capture).toBeNull()

  const { capturing } = await commands.startCapture({ user: 'ann' })
  expect((await commands.snapshot()).server.capture).toEqual(capturing)
  expect(capturing).toEqual({ user: 'ann', endsAt: expect.any(String) })
  const whole = await ask(lexora.port, say('my heron'), as('ann'))
  const stream = await ask(lexora.port, say('my bittern', { stream: true }), {
    ...as('ann'),
    'x-request-id': 'streamed',
  })
  await ask(lexora.port, say('not to be kept'), as('bob'))
  expect((await commands.listCaptures()).kept.map(({ id }) => id)).toEqual(['streamed', 'of-ann'])
  const kept = await commands.readCapture({ id: 'of-ann' })
  expect(kept).toMatchObject({ user: 'ann', endpoint: '/v1/chat/completions', headers: { 'x-lexora-user': 'ann' } })
  expect(kept.request.text).toContain('my heron')
  expect(kept.answer.text).toBe(whole.body.toString())
  const streamed = await commands.readCapture({ id: 'streamed' })
  expect(streamed.request.text).toContain('my bittern')
  expect(streamed.answer.text).toContain('[DONE]')
  expect(streamed.answer.text).toBe(stream.body.toString())
  await expect(commands.readCapture({ id: 'of-bob' })).rejects.toMatchObject({ problem: { code: 'not_found' } })

  expect(await commands.stopCapture()).toEqual({ capturing: null, kept: [] })
  expect((await commands.snapshot()).server.capture).toBeNull()
  const { rows } = await commands.auditLog()
  expect(rows.map(({ action, target, ok }) => `${action} ${target ?? ''} ${ok}`)).toEqual([
    'stopCapture  true',
    'readCapture of-bob false',
    'readCapture streamed true',
    'readCapture of-ann true',
    'startCapture  true',
  ])
  expect(JSON.stringify([rows, lexora.log])).not.toMatch(/heron|bittern/)
})

test('an answer that is refused by its backend is captured as the client saw it', async () => {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { retry: { max_retries: 0 } } })
  await lexora.app.commands.startCapture()
  fake.fault({ do: 'status', status: 400 })
  const answer = await ask(lexora.port, say('wrong'), { 'x-request-id': 'refused' })
  expect(answer.status).toBe(400)
  const { answer: kept } = await lexora.app.commands.readCapture({ id: 'refused' })
  expect(kept.text).toBe(answer.body.toString())
})
