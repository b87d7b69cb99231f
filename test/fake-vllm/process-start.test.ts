import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describedFailure } from '../support/fake-vllm/process/described-failures.ts'
import { aGpu, createFakeHost, type FakeHost } from '../support/fake-vllm/process/host.ts'
import { recordedLines } from '../support/fake-vllm/process/recorded-lines.ts'
import { readRecording } from '../support/fake-vllm/process/recording.ts'
import { comparable, holds, linesOf, type Started, startCommand, startVllm } from './vllm-run.ts'

let host: FakeHost

beforeEach(() => {
  host = createFakeHost({ vllm: { timeScale: 0, device: 'cpu' } })
})
afterEach(() => host.dispose())

describe('a start prints what the captured one printed, on the same streams', () => {
  test.each(['cpu', 'cpu-shards', 'cpu-compile', 'cpu-pooling'] as const)('%s', async (start) => {
    host.vllm(start === 'cpu-pooling' ? { kind: 'pooling' } : { start })
    const started = startVllm(host, ['--max-model-len', '512'])
    await started.until('ready')
    await holds(() => started.text().includes('Application startup complete'))
    const { printed } = readRecording(`start/${start}`)
    for (const stream of ['out', 'err'] as const) {
      const captured = printed.filter((piece) => piece.stream === stream).map(({ text }) => text)
      expect(bytesOf(started, stream)).toEqual(
        captured.join('').replaceAll('tiny-real', 'tiny').split('\n').map(comparable),
      )
    }
  })
})

describe('a failing start', () => {
  test('that no capture shows leaves nothing behind either', async () => {
    for (const fail of ['vram-busy', 'gated-repo', 'oom-host', 'nccl', 'unheard']) {
      host.vllm({ fail, device: 'gpu' })
      const started = startVllm(host)
      expect(await started.exited).toEqual({ code: describedFailure(fail, 'gpu')!.exit, signal: null })
      expect(started.run().alive()).toEqual([])
    }
  })

  test('may fail once, and start the next time', async () => {
    host.vllm({ fail: 'hub-rate-limit', failTimes: 1 })
    expect(await startVllm(host).exited).toEqual({ code: 1, signal: null })
    await startVllm(host).until('ready')
  })
})

describe('the command line', () => {
  test('--version and --help=all say what the real ones say', async () => {
    const version = startCommand(host, ['--version'])
    expect([await version.exited, version.text()]).toEqual([{ code: 0, signal: null }, '0.32.0\n'])
    const help = startCommand(host, ['serve', '--help=all'])
    await help.exited
    expect(help.text()).toMatch(
      /^usage: vllm serve \[model_tag\] \[options\]\n[\s\S]*\n {2}--enable-prefix-caching, --no-enable-prefix-caching\n[\s\S]*\n {2}--max-num-queued-reqs /,
    )
  })

  test.each([
    [['--no-such-flag'], 'unknown-flag'],
    [['--dtype', 'float99'], 'bad-choice'],
    [['--sse-keep-alive-interval', '0.5'], 'bad-flag-value-int'],
  ])('%j is refused in the captured words', async (flags, captured) => {
    const started = startVllm(host, flags)
    expect(await started.exited).toEqual({ code: 2, signal: null })
    const said = recordedLines(`fail/${captured}`).filter((line) => !line.startsWith('Found duplicate'))
    expect(linesOf(started)).toEqual(said.map(comparable).sort())
  })

  test.each([
    [{ VLLM_SERVER_DEV_MODE: 'true' }, [], /invalid literal for int\(\) with base 10: 'true'/],
    [{}, ['--enable-auto-tool-choice'], /requires --tool-call-parser/],
  ] as const)('%j %j fails by itself', async (env, flags, words) => {
    const started = startVllm(host, [...flags], { env })
    expect(await started.exited).toEqual({ code: 1, signal: null })
    expect(started.text()).toMatch(words)
  })

  test('flags and environment reach the server', async () => {
    const started = startVllm(
      host,
      ['--max-model-len', '1k', '--served-model-name', 'a', 'b', '--enable-server-load-tracking'],
      {
        env: { VLLM_API_KEY: 'k', VLLM_SERVER_DEV_MODE: '1' },
      },
    )
    const { port, argv, env } = await started.until('ready')
    const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
    expect((await ask('/v1/models')).status).toBe(401)
    const models = (await (await ask('/v1/models', { headers: { authorization: 'Bearer k' } })).json()) as {
      data: { id: string; max_model_len: number }[]
    }
    expect(models.data.map(({ id, max_model_len }) => [id, max_model_len])).toEqual([
      ['a', 1000],
      ['b', 1000],
    ])
    expect(await (await ask('/sleep', { method: 'POST' })).json()).toEqual({ status: 'sleeping', level: 1 })
    expect(await (await ask('/is_sleeping')).json()).toEqual({ is_sleeping: true })
    expect([argv.slice(0, 2), env.VLLM_API_KEY]).toEqual([['serve', '/models/tiny'], 'k'])
  })
})

describe('the port', () => {
  test('is bound and refuses until it is up; the first answer is 200', async () => {
    host.vllm({ holdAt: { text: 'Supported tasks', ms: 300 } })
    const started = startVllm(host)
    await holds(() => typeof started.run()?.port === 'number')
    const url = `http://127.0.0.1:${started.run().port}/health`
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    await started.until('ready')
    expect((await fetch(url)).status).toBe(200)
  })

  test('with a listener on it ends the start, in the captured words', async () => {
    const other = await listening(0)
    const started = startVllm(host, ['--port', String(portOf(other))])
    expect(await started.exited).toEqual({ code: 1, signal: null })
    expect(linesOf(started)).toEqual(recordedLines('fail/port-taken').map(comparable).sort())
    other.close()
  })

  test('that is stolen while it loads leaves it deaf: it says that it is up, and only SIGTERM shows who has it', async () => {
    host.vllm({ holdAt: { text: 'Supported tasks', ms: 300 } })
    const started = startVllm(host)
    await holds(() => typeof started.run()?.port === 'number')
    const thief = await listening(started.run().port!)
    await started.until('deaf')
    await holds(() => started.text().includes('Application startup complete'))
    expect(started.isAlive()).toBe(true)
    started.child.kill('SIGTERM')
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(started.text()).toMatch(/port \d+ is used by process psutil\.Process\(pid=/)
    thief.close()
  })

  test('may be a Unix socket: there, refusing, serving, and its file stays', async () => {
    const path = join(host.bin, 'vllm.sock')
    host.vllm({ holdAt: { text: 'Supported tasks', ms: 300 } })
    const started = startVllm(host, ['--uds', path])
    await holds(() => existsSync(path))
    await expect(healthOf(path)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await started.until('ready')
    expect(await healthOf(path)).toBe(200)
    started.child.kill('SIGTERM')
    await started.exited
    expect(existsSync(path)).toBe(true)
  })
})

describe('what is logged', () => {
  test('--uvicorn-log-level warning says nothing of being up, and logs no access', async () => {
    const started = startVllm(host, ['--uvicorn-log-level', 'warning'])
    const { port } = await started.until('ready')
    await fetch(`http://127.0.0.1:${port}/health`)
    started.child.kill('SIGTERM')
    await started.exited
    expect(started.text()).not.toMatch(/Application startup complete|GET \/health/)
  })

  test('access lines have neither prefix nor time, and named endpoints none', async () => {
    const started = startVllm(host, ['--disable-access-log-for-endpoints', '/health,/metrics'])
    const { port } = await started.until('ready')
    for (const path of ['/health', '/v1/models', '/metrics']) await fetch(`http://127.0.0.1:${port}${path}`)
    started.child.kill('SIGTERM')
    await started.exited
    const access = started.text().match(/^.*HTTP\/1\.1" \d.*$/gm)
    expect(access).toEqual([
      expect.stringMatching(/^INFO: {5}127\.0\.0\.1:\d+ - "GET \/v1\/models HTTP\/1\.1" 200 OK$/),
    ])
  })

  test('a logging configuration of one’s own takes the prefix away', async () => {
    const started = startVllm(host, [], { env: { VLLM_LOGGING_CONFIG_PATH: '/x.json' } })
    await started.until('ready')
    expect(started.text()).not.toMatch(/pid=/)
    expect(started.text()).toMatch(/^INFO .* Initializing a V1 LLM engine/m)
  })
})

describe('the memory of a GPU', () => {
  const use = (vllm: object = {}) => host.vllm({ device: 'gpu', ...vllm })

  test('is held from the weights on, and given back at the end', async () => {
    use({ holdAt: { text: 'Available KV cache memory', ms: 300 } })
    const started = startVllm(host, ['--max-model-len', '8192'])
    await holds(() => host.held().length === 1)
    expect(host.held()).toMatchObject([{ gpu: 0, mib: 16_126, name: 'VLLM::EngineCore' }])
    const { engineCore } = await started.until('ready')
    expect(host.held()).toMatchObject([{ pid: engineCore, mib: Math.round(0.92 * aGpu().totalMib) }])
    started.child.kill('SIGTERM')
    await started.exited
    expect(host.held()).toEqual([])
  })

  test('that an orphan holds ends the next start, with the true figures', async () => {
    use()
    const first = startVllm(host, ['--max-model-len', '8192'])
    await first.until('ready')
    first.child.kill('SIGKILL')
    const second = startVllm(host, ['--max-model-len', '8192'])
    expect(await second.exited).toEqual({ code: 1, signal: null })
    expect(second.text()).toMatch(
      /ValueError: Free memory on device cuda:0 \(1\.32\/23\.99 GiB\) on startup is less than desired GPU memory utilization \(0\.92, 22\.07 GiB\)/,
    )
  })

  test.each([
    [
      ['--max-model-len', '40960'],
      {},
      'max seq len (40960), (5.63 GiB KV cache is needed, which is larger than the available KV cache memory (4.81 GiB). Based on the available memory, the estimated maximum model length is 35008.',
    ],
    [[], { weightsMib: 30_000 }, 'torch.OutOfMemoryError: CUDA out of memory.'],
    [['--gpu-memory-utilization', '0.7'], {}, 'No available memory for the cache blocks.'],
    [['-tp', '2'], {}, 'World size (2) is larger than the number of available GPUs (1)'],
  ])('%j %j does not fit, and says so', async (flags, vllm, words) => {
    use(vllm)
    const started = startVllm(host, flags)
    expect(await started.exited).toEqual({ code: 1, signal: null })
    expect(started.text()).toContain(words)
  })

  test('with --max-model-len auto it is fitted', async () => {
    use()
    const started = startVllm(host, ['--max-model-len', 'auto'])
    const { port } = await started.until('ready')
    expect(started.text()).toMatch(/Auto-fit max_model_len: reduced from 40960 to 35008/)
    const models = (await (await fetch(`http://127.0.0.1:${port}/v1/models`)).json()) as {
      data: { max_model_len: number }[]
    }
    expect(models.data[0]!.max_model_len).toBe(35_008)
  })

  test('of two GPUs is held by two workers', async () => {
    use()
    host.smi({ gpus: [aGpu(), aGpu({ uuid: 'GPU-2' })] })
    const started = startVllm(host, ['-tp', '2', '--max-model-len', '8192'])
    const { workers } = await started.until('ready')
    expect(
      host
        .held()
        .map(({ pid, gpu }) => [pid, gpu])
        .sort(),
    ).toEqual(workers.map((pid, gpu) => [pid, gpu]).sort())
  })
})

function bytesOf(started: Started, stream: 'out' | 'err'): string[] {
  const said = started.said().filter((piece) => piece.stream === stream)
  return said
    .map(({ text }) => text)
    .join('')
    .split('\n')
    .map(comparable)
}

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

function healthOf(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/health', agent: new Agent({ keepAlive: false }) }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    asked.on('error', reject).end()
  })
}
