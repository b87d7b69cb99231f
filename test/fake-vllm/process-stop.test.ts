/** The rows of section 6 of the captures' table, each a test; times are scaled, flags in seconds are not. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createFakeHost, type FakeHost, type VllmRun } from '../support/fake-vllm/process/host.ts'
import { recordedLines } from '../support/fake-vllm/process/recorded-lines.ts'
import type { VllmScript } from '../support/fake-vllm/process/script.ts'
import { exchange, hello, helloStream, isWhole, type RawClient, rawClient, requestText } from './raw-client.ts'
import { comparable, holds, linesOf, type Started, startVllm } from './vllm-run.ts'

/** More tokens than any test waits for. */
const LONG = { ...helloStream, max_tokens: 400 }
const ABORTED = /"finish_reason":"abort"[\s\S]*data: \[DONE\]\n\n\r\n0\r\n\r\n$/
const ERROR_EVENT =
  /data: \{"error": \{"message": "EngineCore encountered an issue\. See stack trace \(above\) for the root cause\.", "type": "InternalServerError", "param": null, "code": 500\}\}\n\n\r\ne\r\ndata: \[DONE\]\n\n\r\n0\r\n\r\n$/

let host: FakeHost
let clients: RawClient[] = []

beforeEach(() => {
  host = createFakeHost({ vllm: { timeScale: 0.004, startScale: 0, device: 'cpu', tokenMs: 2 } })
})
afterEach(() => {
  for (const { socket } of clients) socket.destroy()
  clients = []
  host.dispose()
})

async function ready(
  script: Partial<VllmScript> = {},
  flags: string[] = [],
): Promise<{ started: Started; run: VllmRun; port: number }> {
  host.vllm(script)
  const started = startVllm(host, ['--max-model-len', '512', '--max-num-seqs', '8', ...flags])
  const run = await started.until('ready')
  await holds(() => started.text().includes('Application startup complete') || flags.includes('warning'))
  return { started, run, port: run.port! }
}

/** A request that runs: its first token has come, or for a whole answer it is in the batch. */
async function running(port: number, body: object = LONG): Promise<RawClient> {
  const client = await rawClient(port)
  clients.push(client)
  client.send(requestText({ body }))
  if ('stream' in body) await client.until((received) => received.includes('"content":" '))
  else await runningIs(port, (count) => count >= 1)
  return client
}

async function runningIs(port: number, wanted: (count: number) => boolean): Promise<void> {
  for (;;) {
    const state = (await (await fetch(`http://127.0.0.1:${port}/__fake/state`)).json()) as { running: number }
    if (wanted(state.running)) return
  }
}

const health = (port: number): Promise<number | string> =>
  fetch(`http://127.0.0.1:${port}/health`).then(
    ({ status }) => status,
    (error: { cause?: { code?: string } }) => error.cause?.code ?? 'failed',
  )

describe('SIGTERM', () => {
  test('idle: exit 0, nobody left, and the captured lines', async () => {
    const { started, run } = await ready()
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(run.alive()).toEqual([])
    await expectLines(
      started,
      'stop/sigterm-hang-close-clients',
      /in-flight requests|system_utils\.py:225|exiting busy loop|POST/,
    )
  })

  test('under load, as the script says: the last chunk says abort', async () => {
    const { started, run, port } = await ready({ sigterm: 'abort' })
    const stream = await running(port)
    const whole = await running(port, { ...hello, max_tokens: 400 })
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(stream.received()).toMatch(ABORTED)
    expect(whole.received()).toMatch(/^HTTP\/1\.1 200 [\s\S]*"finish_reason":"abort"/)
    expect(run.alive()).toEqual([])
    await expectLines(started, 'stop/sigterm-hang-close-clients', /exiting busy loop|POST|system_utils\.py:225/)
  })

  test('under load: an error event and [DONE], a whole answer is a 500', async () => {
    const { started, port } = await ready({ sigterm: 'error' })
    const stream = await running(port)
    const whole = await running(port, { ...hello, max_tokens: 400 })
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(stream.received()).toMatch(ERROR_EVENT)
    expect(whole.received()).toMatch(/^HTTP\/1\.1 500 /)
  })

  test('under load: it hangs, the port closed and the engine gone, until the last client closes', async () => {
    const { started, run, port } = await ready({ sigterm: 'hang' })
    const [one, other] = [await running(port), await running(port)]
    started.child.kill('SIGTERM')
    await holds(() => started.text().includes('Waiting for connections to close. (CTRL+C to force quit)'))
    const silent = one.bytes().length
    for (const signal of ['SIGTERM', 'SIGINT'] as const) started.child.kill(signal)
    one.socket.destroy()
    await holds(() => run.alive().length === 1)
    expect([started.isAlive(), await health(port), other.socket.readyState]).toEqual([true, 'ECONNREFUSED', 'open'])
    expect(one.bytes().length).toBe(silent)
    await expectLines(
      started,
      'stop/sigterm-stream-default',
      /loggers\.py|exiting busy loop|core\.py:16|POST|Waiting for application|Application shutdown|system_utils\.py:225/,
    )
    other.socket.destroy()
    expect(await started.exited).toEqual({ code: 0, signal: null })
  })

  test('with a stuck engine and requests in flight it hangs by itself', async () => {
    const { started, run, port } = await ready()
    const stream = await running(port)
    process.kill(run.engineCore!, 'SIGSTOP')
    started.child.kill('SIGTERM')
    await holds(() => started.text().includes('Waiting for connections to close'))
    expect(started.isAlive()).toBe(true)
    stream.socket.destroy()
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(run.alive()).toEqual([])
  })

  test('with a stuck engine and nothing in flight it ends', async () => {
    const { started, run } = await ready()
    process.kill(run.engineCore!, 'SIGSTOP')
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(run.alive()).toEqual([])
  })

  test('with --shutdown-timeout lets all finish, and refuses what is new with a 500', async () => {
    const { started, run, port } = await ready({}, ['--shutdown-timeout', '20'])
    const stream = await running(port, { ...helloStream, max_tokens: 100 })
    started.child.kill('SIGTERM')
    await holds(() => started.text().includes('draining in-flight requests count=1 timeout=20s'))
    expect(await health(port)).toBe(200)
    expect(await exchange(port, { body: hello })).toMatch(
      /^HTTP\/1\.1 500 [\s\S]*\{"error":\{"message":"cannot schedule new futures after shutdown","type":"InternalServerError"/,
    )
    expect(await stream.until(isWhole)).toMatch(/"finish_reason":"length"[\s\S]*data: \[DONE\]/)
    // A second signal changes nothing.
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(run.alive()).toEqual([])
    expect(started.text()).toMatch(/stopping engine client mode=drain timeout=20s/)
  })

  test('with a --shutdown-timeout that is exceeded hangs', async () => {
    const { started, port } = await ready({ tokenMs: 50 }, ['--shutdown-timeout', '1'])
    const stream = await running(port)
    started.child.kill('SIGTERM')
    await holds(() => started.text().includes('Waiting for connections to close'))
    expect(started.isAlive()).toBe(true)
    stream.socket.destroy()
    expect(await started.exited).toEqual({ code: 0, signal: null })
  })

  test('before the engine core exists ends it at once', async () => {
    host.vllm({ holdAt: { text: 'Resolved architecture', ms: 5000 } })
    const started = startVllm(host)
    await holds(() => started.text().includes('non-default args'))
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: null, signal: 'SIGTERM' })
  })

  test('once while the engine loads is lost: it becomes ready and serves', async () => {
    host.vllm({ holdAt: { text: 'Starting to load model', ms: 200 } })
    const started = startVllm(host)
    await holds(() => typeof started.run()?.engineCore === 'number')
    started.child.kill('SIGTERM')
    const { port } = await started.until('ready')
    expect(await health(port!)).toBe(200)
  })

  test('again and again while the engine loads ends the API server only; the others go later', async () => {
    host.vllm({ holdAt: { text: 'Starting to load model', ms: 60_000 }, timeScale: 0.05 })
    const started = startVllm(host)
    await holds(() => started.run()?.workers.length === 1)
    // Signals that come too close together are one.
    while (started.isAlive()) {
      started.child.kill('SIGTERM')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await started.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(started.text()).toMatch(/KeyboardInterrupt: terminated/)
    expect(started.run().alive().length).toBe(2)
    await holds(() => started.run().alive().length === 0)
  })
})

describe('SIGINT', () => {
  test('to the API server is a SIGTERM', async () => {
    const { started, run } = await ready()
    started.child.kill('SIGINT')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(run.alive()).toEqual([])
  })

  test('to the whole group kills the workers under what runs: an error event', async () => {
    const { started, run, port } = await ready()
    const stream = await running(port)
    process.kill(-started.child.pid!, 'SIGINT')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(stream.received()).toMatch(ERROR_EVENT)
    expect(run.alive()).toEqual([])
  })
})

describe('SIGKILL', () => {
  test('of the API server cuts all streams and leaves the engine and its worker, port free', async () => {
    const { started, run, port } = await ready()
    const stream = await running(port)
    started.child.kill('SIGKILL')
    expect(await started.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await stream.ended
    expect(stream.received()).not.toMatch(/\[DONE\]/)
    expect(await health(port)).toBe('ECONNREFUSED')
    expect(run.alive()).toEqual([run.engineCore, ...run.workers])
    expect([commandOf(run.engineCore!), nameOf(run.engineCore!), commandOf(run.workers[0]!)]).toEqual([
      'VLLM::EngineCore',
      'VLLM::EngineCor',
      'VLLM::Worker',
    ])
    process.kill(run.engineCore!, 'SIGTERM')
    await holds(() => run.alive().length === 0)
  })

  test('of the API server while it loads: the engine loads to its end, and stays', async () => {
    host.vllm({ holdAt: { text: 'Initializing a V1 LLM engine', ms: 150 } })
    const started = startVllm(host)
    await holds(() => typeof started.run()?.engineCore === 'number')
    started.child.kill('SIGKILL')
    await started.exited
    await holds(() => started.text().includes('init engine (profile, create kv cache, warmup model) took'))
    expect(started.run().alive()).toEqual([started.run().engineCore, ...started.run().workers])
  })

  test('of the engine core: error events, 503 on /health, and exit code 0', async () => {
    const { started, run, port } = await ready({ timeScale: 1, startScale: 0 })
    const stream = await running(port)
    const whole = await running(port, { ...hello, max_tokens: 400 })
    process.kill(run.engineCore!, 'SIGKILL')
    expect(await stream.until((received) => ERROR_EVENT.test(received))).toMatch(ERROR_EVENT)
    expect(await whole.until(isWhole)).toMatch(/^HTTP\/1\.1 500 /)
    expect(await started.exited).toEqual({ code: 0, signal: null })
    await expectLines(started, 'stop/sigkill-enginecore-never-served-no-requests', /POST/)
  }, 30_000)

  test('of an engine core that never served: 503 until the watchdog looks, then exit code 0', async () => {
    const { started, run, port } = await ready({ timeScale: 0.1, startScale: 0 })
    process.kill(run.engineCore!, 'SIGKILL')
    await holds(() => started.text().includes('engine core exited unexpectedly'))
    expect(await health(port)).toBe(503)
    expect(await exchange(port, { body: hello })).toMatch(/^HTTP\/1\.1 500 /)
    expect(await started.exited).toEqual({ code: 0, signal: null })
    await holds(() => run.alive().length === 0)
  }, 30_000)

  test('of a worker: the engine says so and ends, exit code 0', async () => {
    const { started, run, port } = await ready()
    const stream = await running(port)
    process.kill(run.workers[0]!, 'SIGKILL')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(stream.received()).toMatch(ERROR_EVENT)
    expect(run.alive()).toEqual([])
    await expectLines(started, 'stop/sigkill-worker-stream', /POST|serving\.py/)
  })
})

describe('SIGSTOP', () => {
  test.each(['engineCore', 'worker'] as const)(
    'of the %s: silent streams and frozen gauges behind a green /health, until SIGCONT',
    async (which) => {
      const { run, port } = await ready()
      const stream = await running(port)
      const pid = which === 'worker' ? run.workers[0]! : run.engineCore!
      process.kill(pid, 'SIGSTOP')
      const late = await rawClient(port)
      clients.push(late)
      late.send(requestText({ body: helloStream }))
      await runningIs(port, (count) => count === 2)
      const before = stream.bytes().length
      expect([await health(port), (await fetch(`http://127.0.0.1:${port}/v1/models`)).status]).toEqual([200, 200])
      expect(await gaugeOf(port, 'num_requests_running')).toBe(1)
      expect(late.received()).not.toMatch(/data: /)
      expect(stream.bytes().length - before).toBeLessThan(2000)
      process.kill(pid, 'SIGCONT')
      await late.until(isWhole)
      await stream.until((received) => received.length > before + 2000)
    },
  )

  test('of the API server: it accepts and does not answer, until SIGCONT', async () => {
    const { started, port } = await ready()
    process.kill(started.child.pid!, 'SIGSTOP')
    const client = await rawClient(port)
    clients.push(client)
    client.send(requestText({ method: 'GET', path: '/health' }))
    const answered = client.until(isWhole)
    const first = await Promise.race([
      answered.then(() => 'answer'),
      new Promise((resolve) => setTimeout(() => resolve('silence'), 100)),
    ])
    expect(first).toBe('silence')
    process.kill(started.child.pid!, 'SIGCONT')
    expect(await answered).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('a hang and a death come on demand too, after so many steps', async () => {
    const hanging = await ready({ hangAfterSteps: 5 })
    const stream = await running(hanging.port)
    expect(await health(hanging.port)).toBe(200)
    expect(stream.received()).not.toMatch(/\[DONE\]/)
    const dying = await ready({ hangAfterSteps: null, crashAfterSteps: 5 })
    await running(dying.port)
    expect(await dying.started.exited).toEqual({ code: 0, signal: null })
  })
})

describe('its output', () => {
  test('that nobody reads blocks all of it, /health too, until it is read', async () => {
    const { started, port } = await ready()
    started.child.stdout!.pause()
    let served = 0
    for (; served < 8000; served += 1) {
      const answer = await Promise.race([
        health(port),
        new Promise<string>((resolve) => setTimeout(() => resolve('nothing'), 500)),
      ])
      if (answer === 'nothing') break
    }
    expect(served).toBeGreaterThan(500)
    expect(served).toBeLessThan(8000)
    const blocked = health(port)
    started.child.stdout!.resume()
    expect(await blocked).toBe(200)
  })

  test('whose reader is gone does not end it: it serves, and hears SIGTERM', async () => {
    const { started, run, port } = await ready()
    started.child.stdout!.destroy()
    started.child.stderr!.destroy()
    for (let time = 0; time < 20; time += 1) expect(await health(port)).toBe(200)
    expect(await exchange(port, { body: hello })).toMatch(/^HTTP\/1\.1 200 /)
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(run.alive()).toEqual([])
  })
})

/** What it printed since it was up is what the captured one printed, but for lines that depend on the load. */
async function expectLines(started: Started, name: string, but: RegExp): Promise<void> {
  // A worker notices in the middle of its own end, or not.
  const probes = /GET \/|Parent process exited/
  const start = new Set(recordedLines('start/cpu').map(comparable))
  const since = () => linesOf(started).filter((line) => !start.has(line) && !probes.test(line) && !but.test(line))
  const captured = recordedLines(name)
    .map(comparable)
    .filter((line) => !probes.test(line) && !but.test(line))
  // Its last words may still be in the pipe when it is gone.
  await vi.waitFor(() => expect(since()).toEqual(captured.sort()), { timeout: 5000 })
}

async function gaugeOf(port: number, name: string): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return Number(new RegExp(`^vllm:${name}\\{.*\\} (\\S+)$`, 'm').exec(metrics)?.[1])
}

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', '')
const nameOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
