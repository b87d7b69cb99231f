/** Kept-alive connections that die together, as they do with their server. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startApp } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'

const ANSWER = JSON.stringify({
  id: 'c',
  object: 'chat.completion',
  model: 'tiny',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
})

test('one silent retry on a fresh connection, however many idle ones are dead', async () => {
  const dead = new Set<Socket>()
  const open = new Set<Socket>()
  let holding: (() => void)[] | null = []
  const server = createServer((req, res) => {
    req.resume()
    if (dead.has(req.socket)) return void req.socket.destroy()
    const answer = (): void => {
      const body = req.method === 'POST' ? ANSWER : '{"data":[{"id":"tiny"}]}'
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': String(body.length) }).end(body)
    }
    if (holding !== null && req.method === 'POST') holding.push(answer)
    else answer()
  })
  server.on('connection', (socket) => open.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { port, outcomes } = await startApp([{ name: 'a', url }])
  const warming = Array.from({ length: 4 }, () => ask(port, aChat()))
  await expect.poll(() => holding?.length).toBe(4)
  for (const answer of holding!) answer()
  holding = null
  expect((await Promise.all(warming)).map(({ status }) => status)).toEqual([200, 200, 200, 200])

  for (const socket of open) dead.add(socket)
  const { status, headers } = await ask(port, aChat())
  expect([status, headers.get('x-lexora-attempts')]).toEqual([200, '2'])
  expect(outcomes.at(-1)).toMatchObject({ outcome: 'ok' })
})
