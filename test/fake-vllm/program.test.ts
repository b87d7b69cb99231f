import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, test } from 'vitest'
import { hello, helloStream } from './raw-client.ts'

const PROGRAM = fileURLToPath(new URL('../support/fake-vllm/main.ts', import.meta.url))

let program: ChildProcess | undefined
afterEach(() => void program?.kill('SIGKILL'))

/** Starts the program on a port of its own and gives its address. */
async function started(...flags: string[]): Promise<string> {
  program = spawn(process.execPath, [PROGRAM, '--port', '0', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: program.stdout! }), 'line')) as [string]
  return line.replace('fake vLLM on ', '')
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

test('flags set it up, and faults come by flag', async () => {
  const url = await started(
    '--model',
    'big',
    '--model',
    'alias',
    '--tokens',
    '3',
    '--fault',
    '{"do":"status","status":418}',
  )
  assert.equal((await post(`${url}/v1/chat/completions`, hello)).status, 418)
  const answer = await post(`${url}/v1/chat/completions`, { model: 'alias', messages: hello.messages })
  const { model, usage } = (await answer.json()) as { model: string; usage: { completion_tokens: number } }
  assert.deepEqual([model, usage.completion_tokens], ['big', 3])
})

test('while it runs it is steered and asked under /__fake', async () => {
  const url = await started('--api-key', 'k', '--token-ms', '60000')
  await post(`${url}/__fake/faults`, [{ do: 'empty', times: 0, match: { path: '/health' } }, { do: 'no-done' }])
  await assert.rejects(fetch(`${url}/health`))
  await fetch(`${url}/__fake/faults`, { method: 'DELETE' })
  assert.equal((await fetch(`${url}/health`)).status, 200)
  const requests = (await (await fetch(`${url}/__fake/requests`)).json()) as { path: string; outcome: string }[]
  assert.deepEqual(
    requests.map(({ path, outcome }) => [path, outcome]),
    [
      ['/health', 'faulted'],
      ['/health', 'finished'],
    ],
  )
  const state = (await (await fetch(`${url}/__fake/state`)).json()) as { running: number; sleeping: number }
  assert.deepEqual([state.running, state.sleeping], [0, 0])
  assert.equal((await post(`${url}/__fake/faults`, { do: 'no-such-fault' })).status, 400)
})

test('a client that leaves ends it, where a fault says so', async () => {
  const url = await started('--token-ms', '60000', '--fault', '{"do":"die-on-abort"}')
  const leaving = new AbortController()
  const exited = once(program!, 'exit')
  const body = JSON.stringify(helloStream)
  const headers = { 'content-type': 'application/json' }
  await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body, signal: leaving.signal })
  leaving.abort()
  assert.deepEqual(await exited, [1, null])
})

test.each([
  [['--no-such-flag'], 2],
  [['--tokens', 'many'], 2],
  [['--kind', 'cold'], 2],
  [['--fault', '{"do":"nothing"}'], 2],
  [['--help'], 0],
])('%j ends with %i', async (flags, code) => {
  program = spawn(process.execPath, [PROGRAM, ...flags], { stdio: 'ignore' })
  assert.deepEqual(await once(program, 'exit'), [code, null])
})

test('SIGTERM ends it', async () => {
  await started()
  program!.kill('SIGTERM')
  assert.deepEqual(await once(program!, 'exit'), [0, null])
})
