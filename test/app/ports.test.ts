/** Who has a port of this machine: over HTTP and in a terminal, of real listeners. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../src/engine/ports.ts'
import { aHome, startRun } from '../support/run.ts'
import { inTerminal } from '../support/terminal.ts'

const FILE = 'server: {port: 0}\nmetrics: {request_log: {enabled: false}}\n'
const TELLS_PIDS = process.platform === 'linux'

async function setUp() {
  const lexora = await startRun(FILE)
  const call = async (query: string) => {
    const headers = { authorization: `Bearer ${lexora.record.token}` }
    const response = await fetch(`${lexora.url}/admin/port${query}`, { headers })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { lexora, call }
}

/** A program of its own that listens there and prints where. */
async function otherProgram(): Promise<{ pid: number; port: number }> {
  const listens = "const s=require('net').createServer().listen(0,'127.0.0.1',()=>console.log(s.address().port))"
  const child = spawn(process.execPath, ['-e', listens], { cwd: aHome(), stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const port = await new Promise<number>((resolve) => child.stdout.once('data', (text) => resolve(Number(text))))
  return { pid: child.pid!, port }
}

test('its own port is this Lexora, another program is named, and a port that nobody has is free', async () => {
  const { lexora, call } = await setUp()
  const other = await otherProgram()
  const free = await freePort()
  const own = { port: lexora.port, state: 'own', pid: process.pid, program: null }
  expect((await call(`?port=${lexora.port}`)).body).toEqual(own)
  expect((await call(`?port=${free}`)).body).toEqual({ port: free, state: 'free', pid: null, program: null })
  const program = TELLS_PIDS ? readFileSync(`/proc/${other.pid}/comm`, 'utf8').trim() : null
  const held = { port: other.port, state: 'used', pid: TELLS_PIDS ? other.pid : null, program }
  expect((await call(`?port=${other.port}`)).body).toEqual(held)
  expect(await lexora.commands.checkPort({ port: other.port })).toEqual(held)
  const said = TELLS_PIDS ? `${other.port}: used by ${program} (pid ${other.pid})\n` : `${other.port}: used\n`
  expect(await inTerminal(lexora.home, 'port', String(other.port))).toMatchObject({ code: 0, out: said })
  expect(JSON.parse((await inTerminal(lexora.home, 'port', String(lexora.port), '--json')).out)).toEqual(own)
})

test.runIf(TELLS_PIDS)(
  'who listens at another address of this machine has the port, too, and hears nothing of it',
  async () => {
    const { call } = await setUp()
    let calls = 0
    const server = createServer((socket) => {
      calls++
      socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    expect((await call(`?port=${port}`)).body).toMatchObject({ state: 'used', pid: process.pid })
    expect(calls).toBe(0)
  },
)

test.each(['?port=0', '?port=65536', '?port=much', '?port=1.5', '?port=', ''])(
  'what is no port is refused by its name: %j',
  async (query) => {
    const { call } = await setUp()
    const { status, body } = await call(query)
    expect([status, body]).toMatchObject([400, { error: { code: 'invalid_request', param: 'port' } }])
  },
)
