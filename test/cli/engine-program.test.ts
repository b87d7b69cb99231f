/** The whole program with the process double as its `vllm`: what a new user does and sees, from the first start to the last stop. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../src/engine/ports.ts'
import { createFakeHost, type FakeHost } from '../support/fake-vllm/process/host.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask } from '../support/requests.ts'
import { aHome, lexora, type Run, waitFor } from './program.ts'

const MODEL = 'qwen3-8b'

type Place = {
  host: FakeHost
  home: string
  port: number
  server: Run
  /** A command beside it, to its end. */
  run: (...argv: string[]) => Promise<{ code: number | null; out: string }>
}

/** A machine with a fake vLLM on PATH, and a Lexora with one engine. */
async function setUp(vllm: Parameters<FakeHost['vllm']>[0], argv: string[] = []): Promise<Place> {
  const host = createFakeHost({ vllm })
  onTestFinished(() => host.dispose())
  const home = aHome()
  const [port, enginePort] = [await freePort(), await freePort()]
  const engine = `{model: Qwen/Qwen3-8B, served_name: ${MODEL}, port: ${enginePort}}`
  writeFileSync(join(home, 'lexora_config.yaml'), `server: {port: ${port}}\nengines:\n  qwen: ${engine}\n`)
  const { PATH } = host.env
  const server = lexora(home, ['--no-ui', ...argv], { PATH })
  await waitFor('it serves', () => server.out().includes('INFO    ready'), server.out)
  const run = async (...words: string[]) => {
    const command = lexora(home, words, { PATH })
    return { code: await command.ended, out: command.out() }
  }
  return { host, home, port, server, run }
}

const says = (over: Record<string, unknown> = {}) => aChat({ model: MODEL, ...over })

async function post({ port }: Place, body: unknown): Promise<RawClient> {
  const client = await RawClient.open(port)
  client.post('/v1/chat/completions', body, { connection: 'close' })
  return client
}

const alive = ({ host }: Place): number[] => host.runs().flatMap((run) => run.alive())

test('started, asked while it loads, killed under streams, healed, stopped: and nothing is left', async () => {
  const place = await setUp({ startScale: 0.02, timeScale: 0.004, tokenMs: 20, tokens: 200 })
  const { host, port, run, server } = place
  expect(server.out()).toContain(`Engines   qwen (${MODEL}): stopped; its first request starts it`)

  const first = await run('start', '--wait')
  expect(first).toEqual({ code: 0, out: expect.stringMatching(/qwen: starting: loading weights \d+ %/) })
  expect(first.out).toMatch(/qwen: ready\n$/)

  // The second start knows how long it takes, and a chat that comes meanwhile waits for it.
  const again = run('restart', '--wait')
  await waitFor('it restarts', () => host.runs().length === 2)
  const chat = await ask(port, says({ max_tokens: 3 }))
  expect([chat.status, chat.headers.get('x-lexora-backend')]).toEqual([200, 'qwen'])
  expect(await again).toEqual({ code: 0, out: expect.stringMatching(/starting: .+ %, about .+ s left/) })

  const streams = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const client = await post(place, says({ stream: true, max_tokens: 200 }))
      if (i < 25) await client.until((text) => text.includes('"content"'))
      return client
    }),
  )
  process.kill(host.runs().at(-1)!.engineCore!, 'SIGKILL')
  for (const answer of (await Promise.all(streams.map((stream) => stream.closed()))).map(parseAnswer)) {
    const isWhole = answer.status === 200 && answer.body.includes('data: [DONE]')
    expect(isWhole || answer.body.includes('"error"')).toBe(true)
  }
  expect((await ask(port, says({ max_tokens: 3 }))).status).toBe(200)
  expect((await run('engines')).out).toMatch(/^qwen +qwen3-8b +(ready|busy) .* 1 +\//m)
  expect((await run('logs', 'engine', '--lines', '5')).out.split('\n').length).toBe(6)

  const stopped = await run('stop', '--wait')
  expect(stopped.code).toBe(0)
  expect(stopped.out).toMatch(/qwen: stopped; 22\.\d GiB of GPU memory returned, in /)
  expect([alive(place), host.held()]).toEqual([[], []])
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
}, 90_000)

test('an option that may wait is written, shown against what runs, and in force from the next start on', async () => {
  const { host, run } = await setUp({})
  expect((await run('engine', 'command', 'qwen')).out).toMatch(/^Its next start:\nVLLM_API_KEY=\*\*\* /)
  expect((await run('start', '--wait')).code).toBe(0)
  expect((await run('engine', 'command')).out).toMatch(/^It runs with:\n.*--served-model-name qwen3-8b/s)
  const path = 'engines.qwen.args.max-num-seqs'
  expect((await run('config', 'set', path, '8', '--later')).code).toBe(0)
  expect(host.runs()).toHaveLength(1)
  const told = (await run('engine', 'command')).out
  expect(told).toMatch(/^Its next start is another:\n.*\nAgainst what runs:\n.*\n\+ --max-num-seqs 8\n/s)
  expect((await run('engine', 'command', '--args', '{"max-num-seqs":null}')).out).toMatch(/^It runs with:/)
  const served = await run('config', 'set', 'engines.qwen.served_name', 'other', '--later')
  expect([served.code, served.out]).toEqual([2, expect.stringContaining('cannot wait for the next start of an engine')])
  expect((await run('config', 'set', 'engines.qwen.gpu_reserve_mb', '512', '--later')).code).toBe(0)
  expect(host.runs()).toHaveLength(1)
  expect((await run('restart', '--wait')).code).toBe(0)
  expect(host.runs()[1]!.argv.join(' ')).toContain('--max-num-seqs 8')
  expect((await run('engine', 'command')).out).toMatch(/^It runs with:/)
}, 90_000)

test('--engine starts it with Lexora, and the end of Lexora is its end', async () => {
  const place = await setUp({}, ['--engine', 'qwen'])
  const { run, server } = place
  expect(server.out()).toMatch(/Engines {3}qwen \(qwen3-8b\): (preflight|starting)/)
  expect((await run('start', '--wait')).code).toBe(0)
  expect((await run('free-gpu')).out).toMatch(
    /qwen: stopped; 22\.\d GiB of GPU memory returned.*\nRequests do not start/,
  )
  expect((await ask(place.port, says())).status).toBe(503)
  expect((await run('start', '--wait')).code).toBe(0)
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  expect(alive(place)).toEqual([])
  expect(await run('start')).toEqual({ code: 3, out: expect.stringContaining('Start it first: lexora\n') })
}, 60_000)

test.each([
  ['context-too-long', 7, 'max-model-len'],
  ['gated-repo', 8, 'huggingface'],
  ['unknown-arch', 5, ''],
])(
  'a start that fails (%s) ends with %i, the cause and what to do',
  async (fail, code, says) => {
    const { run } = await setUp({ fail })
    const failed = await run('start', '--wait')
    expect([failed.code, failed.out]).toEqual([code, expect.stringMatching(/qwen: failed\n {2}\S.+\n {2}\S/)])
    expect(failed.out).toContain(says)
    expect((await run('status')).code).toBe(code)
  },
  60_000,
)

test('one that takes longer than one waits for goes on, and says so with 10', async () => {
  const { run } = await setUp({ holdAt: { text: 'Loading weights took', ms: 20_000 } })
  const late = await run('start', '--wait', '--timeout', '2')
  expect([late.code, late.out]).toEqual([10, expect.stringMatching(/qwen: starting: .*\nlexora: It still goes on/)])
  expect((await run('stop', '--wait')).code).toBe(0)
}, 60_000)
