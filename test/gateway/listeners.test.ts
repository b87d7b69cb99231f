/** Where Lexora listens, what it says when it cannot start, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { App } from '../../src/app/app.ts'
import { PortTakenError } from '../../src/app/listeners.ts'
import { configSchema } from '../../src/protocol/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { Redactor } from '../../src/telemetry/redact.ts'
import { activeTimers, assertSettled, startApp, startFake, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'
import { startRecorder } from './recorder.ts'

const CHAT = '/v1/chat/completions'
const PROGRAM = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))

/** Holds a port until the test ends. */
async function holdPort(host: string, port = 0): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

function anApp(port: number): App {
  const log = createLogger({
    level: 'ERROR',
    format: 'json',
    colour: false,
    redactor: new Redactor(),
    write: () => undefined,
    now: () => new Date(),
  })
  const config = configSchema.parse({ server: { port }, metrics: { request_log: { enabled: false } } })
  const app = new App({
    config,
    backends: [],
    defaultBackend: null,
    logDir: tmpdir(),
    version: '0',
    log,
  })
  onTestFinished(() => app.stop(0))
  return app
}

type Run = {
  child: ChildProcess
  out: () => string
  err: () => string
  ended: Promise<{ code: number | null; signal: string | null }>
}

/** The built program, in a home of its own. */
function runProgram(args: string[], env: Record<string, string> = {}): Run {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  const child = spawn(process.execPath, [PROGRAM, '--no-ui', '--log-format', 'json', ...args], {
    cwd: home,
    env: { PATH: process.env['PATH'], LEXORA_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout!.on('data', (text: Buffer) => (out += text.toString()))
  child.stderr!.on('data', (text: Buffer) => (err += text.toString()))
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  )
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(home, { recursive: true, force: true })
  })
  return { child, out: () => out, err: () => err, ended }
}

/** The port that the program says it serves at. */
async function portOf(run: Run): Promise<number> {
  const address = () => /"address":"http:\/\/localhost:(\d+)\/v1"/.exec(run.out())
  await until(
    () => address() !== null || run.child.exitCode !== null,
    () => run.err() + run.out(),
  )
  return Number(address()![1])
}

describe('listening', () => {
  test('loopback is both families at one port, and each serves', async () => {
    const fake = await startFake()
    const { app, port } = await startApp([{ name: 'main', url: fake.url }])
    expect(app.addresses.map(({ address, port: at }) => [address, at])).toEqual([
      ['127.0.0.1', port],
      ['::1', port],
    ])
    for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
      const answer = await fetch(`http://${host}:${port}/v1/models`)
      expect([host, answer.status]).toEqual([host, 200])
    }
  })

  test('metrics.port opens a second door under the same guards', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => free.once('listening', resolve))
    const { port } = free.address() as { port: number }
    await new Promise((resolve) => free.close(resolve))
    await startApp([], { config: { metrics: { port }, auth: { api_keys: ['sk-test-0123456789abcdef'] } } })
    const get = async (headers: Record<string, string>) => {
      const client = await RawClient.open(port)
      const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
      client.send(`GET /metrics HTTP/1.1\r\nconnection: close\r\n${lines.join('')}\r\n`)
      return parseAnswer(await client.closed()).status
    }
    expect(await get({ authorization: 'Bearer sk-test-0123456789abcdef' })).toBe(200)
    expect(await get({})).toBe(401)
    expect(await get({ host: 'evil.example' })).toBe(403)
  })

  test.each(['127.0.0.1', '::1'])(
    'a port that is taken on %s alone is taken: nothing is left listening',
    async (host) => {
      const port = await holdPort(host)
      const app = anApp(port)
      await expect(app.start()).rejects.toThrow(PortTakenError)
      await expect(app.start()).rejects.toMatchObject({ port })
      const other = host === '::1' ? '127.0.0.1' : '::1'
      expect(await holdPort(other, port)).toBe(port)
    },
  )
})

describe('a start that is refused', () => {
  test('a busy port: exit code 6, and who holds it', async () => {
    const port = await holdPort('127.0.0.1')
    const run = runProgram(['--port', String(port), '--engine', 'none'])
    expect(await run.ended).toEqual({ code: 6, signal: null })
    expect(run.err()).toContain(`127.0.0.1:${port} is in use`)
    expect(run.err()).toContain(`--port ${port + 1}`)
    const holder = process.platform === 'linux' ? `(pid ${process.pid})` : 'held by'
    expect(run.err()).toContain(holder)
    if (process.platform === 'linux')
      expect(run.err()).toContain(readFileSync(`/proc/${process.pid}/comm`, 'utf8').trim())
    expect(run.err()).not.toContain('    at ')
  })

  test('a wrong configuration: exit code 78, the line, and the nearest name', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lexora-test-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    const path = join(dir, 'wrong.yaml')
    writeFileSync(path, 'server:\n  port: 8001\nretri:\n  max_retries: 2\ntimeouts:\n  idle: soon\n', { mode: 0o600 })
    const run = runProgram(['--config', path])
    expect(await run.ended).toEqual({ code: 78, signal: null })
    expect(run.err()).toMatch(/wrong\.yaml:3\b.*retri.*"retry"/)
    expect(run.err()).toMatch(/wrong\.yaml:6\b.*timeouts\.idle/)
    expect(run.err()).toContain('did not start')
    expect(run.out()).toBe('')
  })

  test('a network address without a key: exit code 78, and the three ways on', async () => {
    const run = runProgram(['--host', '0.0.0.0', '--port', '0'])
    expect(await run.ended).toEqual({ code: 78, signal: null })
    for (const way of ['--host 127.0.0.1', 'auth.api_keys', 'auth.mode: off']) expect(run.err()).toContain(way)
  })

  test('a wrong argument: exit code 2', async () => {
    const run = runProgram(['--prot', '1'])
    expect(await run.ended).toEqual({ code: 2, signal: null })
    expect(run.err()).toContain('--prot')
  })
})

describe('the end', () => {
  test('a request in flight finishes within the grace; who comes meanwhile gets 503 shutting_down', async () => {
    const fake = await startFake({ tokenMs: 5 })
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const baseline = activeTimers()
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat({ stream: true, max_tokens: 100 }), { connection: 'close' })
    await client.until((text) => dataOf(text).length > 2)
    const stopped = lexora.app.stop(20_000)
    for (const path of [CHAT, '/v1/audio/speech', '/v1/messages']) {
      const late = await ask(lexora.port, aChat(), {}, path)
      expect([late.status, late.headers.get('retry-after'), late.headers.get('connection')]).toEqual([
        503,
        '5',
        'close',
      ])
      if (path === '/v1/messages') expect(JSON.parse(late.body).error.type).toBe('overloaded_error')
      else expect(errorOf(late).code).toBe('shutting_down')
    }
    const probe = async (path: string) => (await fetch(lexora.url + path)).status
    expect([await probe('/healthz'), await probe('/readyz')]).toEqual([200, 503])
    const answer = parseAnswer(await client.closed())
    expect(dataOf(answer.body).at(-1)).toBe('[DONE]')
    expect(dataOf(answer.body)).toHaveLength(102)
    await stopped
    await expect(RawClient.open(lexora.port)).rejects.toThrow('ECONNREFUSED')
    expect(lexora.outcomes.map(({ outcome }) => outcome).sort()).toEqual(['backend_error', 'backend_error', 'ok'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('beyond the grace a stream ends with the error event, a whole answer with 503', async () => {
    const fake = await startFake({ tokenMs: 5 })
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const baseline = activeTimers()
    const stream = await RawClient.open(lexora.port)
    stream.post(CHAT, aChat({ stream: true, max_tokens: 400 }))
    const whole = ask(lexora.port, aChat({ max_tokens: 400 }))
    await stream.until((text) => dataOf(text).length > 2)
    await until(() => fake.running() === 2)
    await lexora.app.stop(0)
    const broken = parseAnswer(await stream.closed())
    expect([broken.status, errorOf(broken).code]).toEqual([200, 'shutting_down'])
    expect(dataOf(broken.body)).not.toContain('[DONE]')
    const refused = await whole
    expect([refused.status, errorOf(refused).code]).toEqual([503, 'shutting_down'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('an idle keep-alive connection does not hold it up', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat())
    await client.until((text) => text.includes('"usage"'))
    await lexora.app.stop(20_000)
    await client.closed()
  })

  test('something passed through that does not end is cut', async () => {
    const backend = await startRecorder({ answer: () => undefined })
    const lexora = await startApp([{ name: 'main', url: backend.url }])
    const client = await RawClient.open(lexora.port)
    client.post('/v1/audio/speech', '{"model":"m"}')
    await until(() => backend.requests.length === 1)
    await lexora.app.stop(0)
    await client.closed()
    expect(lexora.outcomes).toHaveLength(1)
  })

  test('SIGTERM: the program drains and exits with 0', async () => {
    const fake = await startFake({ tokenMs: 5 })
    const run = runProgram(['--port', '0'], { LEXORA_VLLM__URL: fake.url })
    const port = await portOf(run)
    const client = await RawClient.open(port)
    client.post(CHAT, aChat({ stream: true, max_tokens: 100 }), { connection: 'close' })
    await client.until((text) => dataOf(text).length > 2)
    run.child.kill('SIGTERM')
    expect(dataOf(parseAnswer(await client.closed()).body).at(-1)).toBe('[DONE]')
    expect(await run.ended).toEqual({ code: 0, signal: null })
  })

  test('a second SIGTERM does not wait', async () => {
    const fake = await startFake()
    fake.fault({ do: 'stall', afterEvents: 1 })
    const run = runProgram(['--port', '0'], { LEXORA_VLLM__URL: fake.url })
    const client = await RawClient.open(await portOf(run))
    client.post(CHAT, aChat({ stream: true }))
    await client.until((text) => dataOf(text).length > 0)
    run.child.kill('SIGTERM')
    await until(() => run.out().includes('"msg":"stopping"'))
    run.child.kill('SIGTERM')
    expect(await run.ended).toEqual({ code: 0, signal: null })
    await fake.waitFor(() => fake.running() === 0)
  })

  test.runIf(process.platform === 'linux')('kill -9 ends the demo engine too', async () => {
    const run = runProgram(['--port', '0', '--engine', 'demo'])
    const port = await portOf(run)
    const { data } = (await (await fetch(`http://127.0.0.1:${port}/v1/models`)).json()) as { data: { id: string }[] }
    expect((await ask(port, aChat({ model: data[0]!.id }))).status).toBe(200)
    const children = childrenOf(run.child.pid!)
    expect(children).toHaveLength(1)
    run.child.kill('SIGKILL')
    expect((await run.ended).signal).toBe('SIGKILL')
    await until(() => children.every(isGone))
  })
})

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}

/** Not there any more, or dead and only waiting for its new parent to notice. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
