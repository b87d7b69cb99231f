/** Section 2.F of the fault catalogue: what the process itself goes through. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RunRecord } from '../../src/app/run-file.ts'
import { aHome, lexora, type Run, waitFor } from '../cli/program.ts'
import { poll } from '../gateway/poll.ts'
import { activeTimers, assertSettled, startApp, startFake, until } from '../support/app.ts'
import { aChat, ask, dataOf, errorOf, spelled } from '../support/requests.ts'

/** A Lexora of its own process in front of this backend. */
async function startProgram(
  backend: string,
  { config = '', env = {}, shell }: { config?: string; env?: NodeJS.ProcessEnv; shell?: string } = {},
): Promise<Run & { port: number; url: string; pid: number }> {
  const home = aHome()
  const file = join(home, 'lexora_config.yaml')
  writeFileSync(file, `server: {port: 0, shutdown_grace: 5}\nvllm: {url: "${backend}"}\n${config}`, { mode: 0o600 })
  const run = lexora(home, ['--no-ui', '--engine', 'none', '--log-format', 'json'], env, shell)
  await waitFor('Lexora', () => run.out().includes('"ready"') || run.child.exitCode !== null, run.out)
  const { address, pid } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as RunRecord
  return { ...run, url: address, port: Number(new URL(address).port), pid }
}

describe('F: the process', () => {
  test('F2 it is started twice: the second says who holds the port and ends, and the first one’s engine is untouched', async () => {
    const home = aHome()
    const first = lexora(home, ['--no-ui', '--port', '0', '--engine', 'demo', '--log-format', 'json'])
    await waitFor('its engine', () => first.out().includes('"state":"ready"'), first.out)
    const { address } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as RunRecord
    const engines = async () => {
      const told = lexora(home, ['engines', '--json'])
      await told.ended
      return (JSON.parse(told.out()) as { engines: { pid: number; restarts: number }[] }).engines[0]
    }
    const before = await engines()
    const second = lexora(home, ['--no-ui', '--port', new URL(address).port, '--engine', 'demo'])
    expect(await second.ended).toBe(6)
    expect(second.out()).toMatch(/is in use, held by \S+ \(pid \d+\)/)
    expect(await engines()).toMatchObject({ pid: before!.pid, restarts: 0 })
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  }, 60_000)

  test('F11 it is stopped and goes on, as a machine that slept: what runs ends whole, and its backend is still up', async () => {
    const fake = await startFake({ tokenMs: 50, tokens: 100 })
    const program = await startProgram(fake.url, { config: 'timeouts: {idle: 1, first_byte: 1}\n' })
    const answer = ask(program.port, aChat({ stream: true, max_tokens: 100 }))
    await fake.waitFor(() => fake.running() === 1)
    process.kill(program.pid, 'SIGSTOP')
    onTestFinished(() => {
      if (program.child.exitCode === null) process.kill(program.pid, 'SIGCONT')
    })
    // Longer than every deadline of the stream: the backend has said all that it had to say.
    await fake.waitFor(() => fake.running() === 0, 20_000)
    process.kill(program.pid, 'SIGCONT')
    const { status, body } = await answer
    expect([status, dataOf(body).at(-1)]).toEqual([200, '[DONE]'])
    expect((await ask(program.port, aChat())).status).toBe(200)
    const health = (await (await fetch(`${program.url}/health`)).json()) as {
      backends: Record<string, { status: string }>
    }
    expect(health.backends['vllm']).toMatchObject({ status: 'up', breaker: 'closed' })
  }, 60_000)

  test('F11 it slept while its connections died: they are told from live ones, its backend is asked anew, and nobody gets more than their burst', async () => {
    const fake = await startFake({ keepAliveMs: 1000 })
    const program = await startProgram(fake.url, { config: 'rate_limit: {default_rate: 1, default_burst: 3}\n' })
    const statuses = async (users: string[]): Promise<number[]> =>
      await Promise.all(users.map(async (user) => (await ask(program.port, aChat(), { 'x-lexora-user': user })).status))
    const many = Array.from({ length: 12 }, (_, n) => `user-${n}`)
    const bob = many.map(() => 'bob')
    expect(await statuses(many)).toEqual(many.map(() => 200))
    expect(fake.openSockets()).toBeGreaterThan(1)
    expect(await statuses(bob)).toContain(429)
    process.kill(program.pid, 'SIGSTOP')
    onTestFinished(() => {
      if (program.child.exitCode === null) process.kill(program.pid, 'SIGCONT')
    })
    // Long enough for the backend to end every idle connection; and at one a second twice the burst would have come together.
    await pause(7000)
    const probes = (): number => fake.requests.filter(({ path }) => path === '/health').length
    const before = probes()
    const woken = performance.now()
    process.kill(program.pid, 'SIGCONT')
    expect(await statuses(many)).toEqual(many.map(() => 200))
    const served = (await statuses(bob)).filter((status) => status === 200).length
    expect(served).toBeGreaterThanOrEqual(3)
    expect(served).toBeLessThanOrEqual(3 + Math.ceil((performance.now() - woken) / 1000))
    await fake.waitFor(() => probes() > before, 20_000)
  }, 60_000)

  test('F12 the event loop stands still for two seconds: no stream is cut for it, and health says so', async () => {
    const fake = await startFake({ tokenMs: 100, tokens: 30 })
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { timeouts: { idle: 1 } } })
    const baseline = activeTimers()
    const answer = ask(lexora.port, aChat({ stream: true, max_tokens: 30 }))
    await fake.waitFor(() => fake.running() === 1)
    // Blocks this very thread, and with it Lexora.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500)
    const { status, body } = await answer
    expect([status, dataOf(body).at(-1)]).toEqual([200, '[DONE]'])
    const health = (await (await fetch(`${lexora.url}/health`)).json()) as { status: string; reasons: string[] }
    expect(health).toMatchObject({
      status: 'degraded',
      reasons: expect.arrayContaining([expect.stringMatching(/^Lexora stood still for \d+\./)]),
    })
    await assertSettled(lexora, [fake], baseline)
  })

  test('F13 thousands of requests leave nothing behind: not a timer, not a listener, not half a kilobyte each', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }])
    const baseline = activeTimers()
    const round = async (): Promise<number> => {
      for (let i = 0; i < 50; i++) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, n) => ask(lexora.port, aChat({ stream: n % 2 === 0, max_tokens: 2 }))),
        )
        expect(answers.every(({ status }) => status === 200)).toBe(true)
      }
      // What tests keep is not Lexora's.
      lexora.outcomes.length = 0
      lexora.log.length = 0
      fake.requests.length = 0
      await until(() => lexora.app.inFlight.requests === 0)
      collect()
      return process.memoryUsage().heapUsed
    }
    // What is compiled or cached late is no leak: of two rounds the one that holds less counts.
    const lesser = async (): Promise<number> => Math.min(await round(), await round())
    await lesser()
    const before = await lesser()
    // Far enough apart that what the collector has put off is small beside what a leak would add.
    for (let i = 0; i < 3; i++) await lesser()
    expect((await lesser()) - before).toBeLessThan(512 * 8000)
    await until(() => activeTimers() <= baseline)
  }, 120_000)

  test('F14 a fault in one request is that request’s 500, with its id, and nobody else’s', async () => {
    const fake = await startFake()
    let isBroken = false
    const chance = (): number => {
      if (!isBroken) return 0.5
      isBroken = false
      throw new Error('a fault of ours')
    }
    const lexora = await startApp([{ name: 'main', url: fake.url }], { chance })
    const baseline = activeTimers()
    fake.fault({ do: 'status', status: 503 })
    isBroken = true
    const answer = await ask(lexora.port, aChat(), { 'x-request-id': 'mine-1' })
    expect([answer.status, errorOf(answer).code]).toEqual([500, 'internal_error'])
    expect(answer.body).not.toContain('a fault of ours')
    expect(lexora.log.join('')).toContain('a fault of ours')
    expect(spelled((await ask(lexora.port, aChat({ stream: true }))).body)).not.toBe('')
    await assertSettled(lexora, [fake], baseline)
  })

  test('F14 an exception that nobody caught is logged; what runs ends whole, and the process ends with code 1', async () => {
    const fake = await startFake({ tokenMs: 20, tokens: 40 })
    const preload = "data:text/javascript,process.on('SIGUSR2',()=>{throw new Error('nobody caught me')})"
    const program = await startProgram(fake.url, { env: { NODE_OPTIONS: `--import "${preload}"` } })
    const answer = ask(program.port, aChat({ stream: true, max_tokens: 40 }))
    await fake.waitFor(() => fake.running() === 1)
    process.kill(program.pid, 'SIGUSR2')
    const { status, body } = await answer
    expect([status, dataOf(body).at(-1)]).toEqual([200, '[DONE]'])
    expect(await program.ended).toBe(1)
    expect(program.out()).toContain('nobody caught me')
  }, 60_000)

  test.skipIf(process.platform === 'win32')(
    'F15 its descriptors run out: who cannot be served is told so or turned away, and then all are served again',
    async () => {
      const fake = await startFake({ ttftMs: 300, maxNumSeqs: 256 })
      const program = await startProgram(fake.url, {
        shell: 'ulimit -n 64; exec "$0" "$@"',
        config: 'rate_limit: {enabled: false}\n',
      })
      const crowd = Array.from({ length: 80 }, () =>
        ask(program.port, aChat()).then(
          (answer) => {
            if (answer.body === '') return 'turned away'
            return answer.status === 200 ? 'served' : `${answer.status} ${errorOf(answer).code}`
          },
          () => 'turned away',
        ),
      )
      const seen = new Set(await Promise.all(crowd))
      expect(seen.has('served')).toBe(true)
      expect([...seen].filter((how) => !['served', 'turned away', '503 overloaded'].includes(how))).toEqual([])
      const again = await poll(
        async () => await ask(program.port, aChat()).catch(() => null),
        (answer) => answer?.status === 200,
      )
      expect(again?.status).toBe(200)
    },
    60_000,
  )

  test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'])(
    'F15 a connection that this machine has no socket for (%s) is overloaded, and no fault of the backend’s',
    async (code) => {
      const { failureFromError, EXHAUSTED_REASON } = await import('../../src/backends/failure.ts')
      const error = Object.assign(new Error(code), { code, address: '127.0.0.1' })
      expect(failureFromError(error, 'main', { sent: false, headSeen: false })).toMatchObject({
        kind: 'unreachable',
        reason: EXHAUSTED_REASON,
        problem: { code: 'overloaded' },
      })
    },
  )
})
