import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'vitest'
import { DEMO_MODELS } from '../../src/app/engines.ts'
import { DEMO_PROGRAM, type Phase, startProgram } from './demo-program.ts'

test('it loads in visible phases, refuses until it is ready, and then serves', async () => {
  const port = await freePort()
  const refused: Promise<boolean>[] = []
  const demo = await startProgram([DEMO_PROGRAM, '--port', String(port)], ({ phase }: Phase) => {
    if (phase !== 'ready') refused.push(isRefused(port))
  })
  assert.deepEqual(
    demo.phases.map(({ phase, percent }) => [phase, percent]),
    [
      ['starting', 0],
      ['loading', 20],
      ['loading', 40],
      ['loading', 70],
      ['warming-up', 90],
      ['ready', 100],
    ],
  )
  assert.deepEqual(demo.phases.at(-1)?.models, DEMO_MODELS)
  assert.deepEqual([...new Set(await Promise.all(refused))], [true])
  assert.equal((await fetch(`${demo.url}/health`)).status, 200)
  demo.child.kill('SIGTERM')
  assert.deepEqual(await once(demo.child, 'exit'), [0, null])
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(true))
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
}
