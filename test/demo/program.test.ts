import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { DEMO_PROGRAM, type Phase, startProgram } from './demo-program.ts'

test('it loads in visible phases, refuses until it is ready, and then serves', async () => {
  const port = await freePort()
  const refused: Promise<boolean>[] = []
  const demo = await startProgram([DEMO_PROGRAM, '--port', String(port), '--owner-fd', '3'], ({ phase }: Phase) => {
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
  assert.deepEqual(demo.phases.at(-1)?.models, ['demo-chat', 'demo-embed'])
  assert.deepEqual([...new Set(await Promise.all(refused))], [true])
  assert.equal((await fetch(`${demo.url}/health`)).status, 200)
  demo.child.kill('SIGTERM')
  assert.deepEqual(await once(demo.child, 'exit'), [0, null])
})

test('it ends with its owner, even one that is killed', async () => {
  const owner = `
    const { spawn } = require('node:child_process')
    spawn(process.execPath, [${JSON.stringify(DEMO_PROGRAM)}, '--owner-fd', '3'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })`
  const demo = await startProgram(['-e', owner])
  assert.equal(await isRefused(demo.port), false)
  demo.child.kill('SIGKILL')
  const killed = performance.now()
  while (!(await isRefused(demo.port))) expect(performance.now() - killed).toBeLessThan(1000)
})

test('without an owner it just serves', async () => {
  const demo = await startProgram([DEMO_PROGRAM])
  demo.child.stdio[3]?.destroy()
  assert.equal((await fetch(`${demo.url}/health`)).status, 200)
  demo.child.kill('SIGTERM')
  await once(demo.child, 'exit')
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
