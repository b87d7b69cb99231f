import { spawn } from 'node:child_process'
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { test as base, describe, expect } from 'vitest'
import { getJson, postJson } from '../../src/engine/http.ts'
import { readRecords } from '../../src/engine/record.ts'
import { START_PHASES } from '../../src/policy/engine-log.ts'
import { aGpu } from '../support/fake-vllm/process/host.ts'
import { aFolder, aServer, kill, until } from './given.ts'
import { Rig, type RigOptions } from './rig.ts'

const GIB = 1024 ** 3

/** Each test has a machine of its own, so those of one group run side by side: most of their time is waiting. */
const test = base.extend<{ given: (options?: RigOptions) => Rig; ends: (end: () => void) => void }>({
  // biome-ignore lint/correctness/noEmptyPattern: the form that vitest reads
  given: async ({}, use) => {
    const rigs: Rig[] = []
    await use((options) => {
      const rig = new Rig(options)
      rigs.push(rig)
      return rig
    })
    for (const rig of rigs) await rig.dispose()
  },
  // biome-ignore lint/correctness/noEmptyPattern: the form that vitest reads
  ends: async ({}, use) => {
    const all: (() => void)[] = []
    await use((end) => void all.push(end))
    for (const end of all) end()
  },
})

describe('a start', () => {
  test.concurrent('goes through the phases that its log tells, and ends when it answers with a token', async ({
    given,
  }) => {
    const rig = given({ host: { vllm: { timeScale: 0.02 } } })
    const { engine, states } = rig
    const phases: string[] = []
    const watch = engine.until((state) => {
      if (state.is === 'starting' && phases.at(-1) !== state.phase) phases.push(state.phase)
      return state.is === 'ready'
    })
    engine.start()
    await watch
    expect(states).toEqual(['preflight', 'starting', 'ready'])
    // On a busy machine several lines come at once, and a short phase is over before it is seen.
    expect(phases).toEqual(START_PHASES.filter((phase) => phases.includes(phase)))
    expect(phases).toContain('loading weights')
    expect(rig.serving).toMatchObject({
      url: `http://127.0.0.1:${rig.port}`,
      model: 'qwen3-8b',
      maxSequences: 256,
      schedulesByPriority: true,
    })
    expect(engine.view()).toMatchObject({ version: '0.32.0', pid: rig.host.runs()[0]!.pid, port: rig.port })
  })

  test.concurrent('gives it a key of its own, no telemetry, and nothing else of Lexora’s environment', async ({
    given,
  }) => {
    const rig = given({
      env: { LD_LIBRARY_PATH: '/tmp/.mount_x/usr/lib', APPIMAGE: '/x.AppImage', SECRET: 'of somebody else' },
    })
    await rig.started()
    const [{ env, argv }] = rig.host.runs() as [ReturnType<typeof rig.host.runs>[0]]
    expect(argv.slice(0, 6)).toEqual(['serve', 'Qwen/Qwen3-8B', '--host', '127.0.0.1', '--port', String(rig.port)])
    expect(env).toMatchObject({ VLLM_API_KEY: rig.serving!.key, VLLM_NO_USAGE_STATS: '1', DO_NOT_TRACK: '1' })
    expect(Object.keys(env)).not.toEqual(expect.arrayContaining(['SECRET']))
    expect(env['LD_LIBRARY_PATH']).toBeUndefined()
    expect(argv.join(' ')).not.toContain(rig.serving!.key!)
    expect((await getJson(rig.port, '/v1/models', null, 1000)).status).toBe(401)
  })

  test.concurrent('shows what Lexora added, and leaves out what the configuration decides', async ({ given }) => {
    const rig = given({ engine: { args: { 'max-num-seqs': 32, 'gpu-memory-utilization': null } } })
    await rig.started()
    const { derived } = rig.engine.view()
    expect(derived).toMatchObject({
      'scheduling-policy': 'priority',
      'max-num-queued-reqs': '40',
      'max-model-len': 'auto',
    })
    expect(derived).not.toHaveProperty('max-num-seqs')
    expect(rig.host.runs()[0]!.argv).toEqual(expect.arrayContaining(['--max-num-seqs', '32']))
    expect(rig.host.runs()[0]!.argv).not.toContain('--gpu-memory-utilization')
  })

  test.concurrent('tells how long it still takes, once there was an earlier one', async ({ given }) => {
    const rig = given({ host: { vllm: { timeScale: 0.02 } } })
    const { engine } = rig
    const lefts: (number | null)[] = []
    const watch = async (): Promise<void> => {
      engine.start()
      await engine.until((state) => {
        if (state.is === 'starting') lefts.push(state.leftMs)
        return state.is === 'ready'
      })
    }
    await watch()
    expect(new Set(lefts)).toEqual(new Set([null]))
    engine.stop()
    await rig.reaches('stopped')
    lefts.length = 0
    await watch()
    expect(lefts.at(-1)).toEqual(expect.any(Number))
    expect(Math.max(...lefts.map(Number))).toBeGreaterThan(200)
  })

  test.concurrent('that fails says why, is not tried again where that cannot help, and not started by requests', async ({
    given,
  }) => {
    const rig = given({ host: { vllm: { fail: 'unknown-arch' } } })
    const { engine } = rig
    engine.start()
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ class: 'engine_old', canHeal: false })
    engine.demand()
    expect(engine.state.is).toBe('failed')
    expect(rig.host.runs()).toHaveLength(1)
    rig.host.vllm({ fail: null })
    await rig.started()
    const [good, bad] = rig.world.starts.latest('main')
    expect(good).toMatchObject({ outcome: 'ready' })
    expect(bad).toMatchObject({ outcome: 'engine_old', phases: { launching: expect.any(Number) } })
  })

  test.concurrent('that somebody ends is no failed start', async ({ given }) => {
    const rig = given({ host: { vllm: { holdAt: { text: 'Capturing CUDA graphs', ms: 60_000 } } } })
    rig.engine.start()
    await rig.reaches('starting')
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(rig.world.starts.latest('main')).toEqual([])
  })

  test.concurrent('that fails once and can heal is tried again', async ({ given }) => {
    const rig = given({ host: { vllm: { fail: 'ulimit-v-4g', failTimes: 1 } } })
    const { engine } = rig
    engine.start()
    await rig.reaches('backoff')
    await rig.reaches('ready')
    expect(engine.view().restarts).toBe(1)
    expect(rig.alive().length).toBe(rig.host.runs().at(-1)!.alive().length)
  })

  test.concurrent('asked for fifty times is one start', async ({ given }) => {
    const rig = given()
    const { engine } = rig
    for (let i = 0; i < 50; i++) i % 2 === 0 ? engine.start() : engine.demand()
    await rig.reaches('ready')
    expect(rig.host.runs()).toHaveLength(1)
  })

  test.concurrent('that says nothing for too long and works at nothing is given up', async ({ given }) => {
    const rig = given({
      host: { vllm: { holdAt: { text: 'Capturing CUDA graphs', ms: 60_000 } } },
      timing: { stallMs: 700 },
    })
    const { engine } = rig
    engine.start()
    const { failure } = await rig.reaches('backoff')
    expect(failure).toMatchObject({ class: 'stalled', cause: expect.stringContaining('no progress') })
    expect(rig.alive()).toEqual([])
  })
})

describe('a preflight', () => {
  test.concurrent('names what is not installed, and where it looked', async ({ given }) => {
    const rig = given({ env: { PATH: '/nowhere' } })
    const { engine } = rig
    engine.start()
    const { failure } = await rig.reaches('not-installed')
    expect(failure.class).toBe('executable_missing')
    expect(failure.lines.join('\n')).toContain('PATH')
  })

  test.concurrent.for<[string, Record<string, unknown>, string, RegExp]>([
    ['an option that the version does not know', { args: { 'max-model-lee-len': 4096 } }, 'bad_args', /max-model-len/],
    ['an option that Lexora sets', { args: { host: '0.0.0.0' } }, 'bad_args', /Remove/],
    ['a model folder that is not there', { model: '/models/none' }, 'model_missing', /Set `model`/],
    ['no model', { model: null }, 'model_missing', /Set `model`/],
  ])('refuses %s, and says what to do', async ([_, engine, name, fix], { given }) => {
    const rig = given({ engine })
    rig.engine.start()
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ class: name, fix: expect.stringMatching(fix) })
    expect(rig.host.runs()).toEqual([])
  })

  test.concurrent.for([
    ['nothing may be fetched', 'isOffline', /privacy\.offline: false/],
    ['the hub is blocked', 'isHubOff', /lexora outbound/],
  ] as const)('of a model that is not here says so where %s', async ([_, why, fix], { given }) => {
    const rig = given()
    rig.world.launch[why] = () => true
    rig.engine.start()
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ class: 'model_missing', fix: expect.stringMatching(fix) })
    expect(rig.host.runs()).toEqual([])
  })

  test.concurrent('names who holds the memory, and the share that is left', async ({ given }) => {
    const rig = given({
      engine: { args: { 'gpu-memory-utilization': 0.9 } },
      host: {
        smi: { gpus: [aGpu({ usedMib: 12_000 })], others: [{ pid: 4711, name: 'a game', mib: 11_000, gpu: 0 }] },
      },
    })
    rig.engine.start()
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ class: 'vram_busy', change: { 'args.gpu-memory-utilization': 0.49 } })
    expect(failure.lines).toEqual([expect.stringContaining('a game (pid 4711)')])
  })

  test.concurrent('names the memory that is to stay free where that alone is in the way', async ({ given, ends }) => {
    const folder = aFolder()
    ends(() => folder.remove())
    const tensor = { dtype: 'U8', shape: [2 * GIB], data_offsets: [0, 2 * GIB] }
    const header = Buffer.from(JSON.stringify({ w: tensor }))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    writeFileSync(join(folder.path, 'config.json'), '{}')
    writeFileSync(join(folder.path, 'model.safetensors'), Buffer.concat([length, header]))
    truncateSync(join(folder.path, 'model.safetensors'), 8 + header.length + 2 * GIB)
    const rig = given({ engine: { model: folder.path, gpu_reserve_mb: 23_000 } })
    rig.engine.start()
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({
      class: 'vram_busy',
      cause: expect.stringContaining('23000 MB of its'),
      change: { gpu_reserve_mb: null },
    })
  })

  test.concurrent('finds a stranger on the port, names it and leaves it alone', async ({ given, ends }) => {
    const rig = given()
    const { engine, port } = rig
    const stranger = spawn(
      process.execPath,
      [
        '-e',
        `require('node:http').createServer((_, r) => r.end('{"data":[{"id":"theirs"}]}')).listen(${port}, '127.0.0.1', () => console.log())`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    ends(() => void stranger.kill('SIGKILL'))
    await until('it listens', () => stranger.stdout!.readableLength > 0)
    engine.start()
    const { holder } = await rig.reaches('foreign')
    expect(holder).toEqual({ port, pid: stranger.pid, program: expect.any(String), models: ['theirs'] })
    engine.stop()
    await rig.reaches('stopped')
    expect(stranger.exitCode).toBeNull()
    expect(rig.host.runs()).toEqual([])
  })
})

describe('a port that somebody takes while the engine loads', () => {
  test.concurrent('is noticed although the engine itself says that it is up', async ({ given, ends }) => {
    const rig = given({ host: { vllm: { timeScale: 0.02 } } })
    const { engine, port } = rig
    engine.start()
    await rig.reaches('starting')
    await until('it is bound', () => rig.lines.some((line) => line.includes('Initializing')))
    const thief = createServer((socket) =>
      socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"data":[]}'),
    )
    ends(() => void thief.close())
    await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve))
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ class: 'port_busy', cause: expect.stringContaining(`(pid ${process.pid})`) })
    expect(rig.alive()).toEqual([])
  })
})

describe('a crash', () => {
  test.concurrent.for(['engineCore', 'pid'] as const)(
    'of its %s is healed, and nothing of the old one is left',
    async (which, { given }) => {
      const rig = given()
      const { engine, states } = rig
      await rig.started()
      const [first] = rig.host.runs()
      kill(first![which]!, 'SIGKILL')
      await rig.reaches('backoff')
      await rig.reaches('ready')
      expect(states).toEqual([
        'preflight',
        'starting',
        'ready',
        'stopping',
        'backoff',
        'preflight',
        'starting',
        'ready',
      ])
      expect(first!.alive()).toEqual([])
      expect(rig.host.runs()).toHaveLength(2)
      expect(engine.view()).toMatchObject({ restarts: 1, lastFailure: { canHeal: true } })
    },
  )

  test.concurrent('that comes five times in ten minutes stops it', async ({ given }) => {
    const rig = given({ host: { vllm: { fail: 'ulimit-v-4g' } } })
    const { engine } = rig
    engine.start()
    for (let crash = 1; crash < 5; crash++) {
      await rig.reaches('backoff')
      // An impatient operator; the count goes on.
      engine.start()
      await engine.until(({ is }) => is !== 'backoff')
    }
    const { failure } = await rig.reaches('failed')
    expect(failure.cause).toMatch(/^It crashed 5 times/)
    expect(rig.host.runs()).toHaveLength(5)
  })

  test.concurrent('of one that is not restarted is its end, until somebody starts it', async ({ given }) => {
    const rig = given({ engine: { restart: 'never' } })
    await rig.started()
    kill(rig.host.runs()[0]!.pid, 'SIGKILL')
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ canHeal: false, cause: expect.stringMatching(/^It is not restarted by itself\. /) })
    expect(rig.states).not.toContain('backoff')
    rig.engine.start()
    await rig.reaches('ready')
    expect(rig.host.runs()).toHaveLength(2)
  })

  test.concurrent('takes the gateway’s hands off at once', async ({ given }) => {
    const rig = given()
    await rig.started()
    kill(rig.host.runs()[0]!.pid, 'SIGKILL')
    await rig.reaches('stopping')
    expect(rig.serving).toBeNull()
  })
})

describe('a hang', () => {
  test.concurrent('behind a green /health is found by its missing tokens, and healed', async ({ given }) => {
    const rig = given()
    const { states } = rig
    await rig.started()
    const [first] = rig.host.runs()
    kill(first!.engineCore!, 'SIGSTOP')
    rig.work.inFlight = 1
    expect((await getJson(rig.port, '/health', null, 1000)).status).toBe(200)
    await rig.reaches('degraded')
    rig.work.inFlight = 0
    await rig.reaches('backoff')
    expect(rig.engine.view().lastFailure).toMatchObject({ class: 'hang' })
    await rig.reaches('ready')
    expect(states).toContain('degraded')
    expect(first!.alive()).toEqual([])
  })

  test.concurrent('is not what a long prompt is', async ({ given }) => {
    const rig = given()
    const { states } = rig
    await rig.started()
    kill(rig.host.runs()[0]!.engineCore!, 'SIGSTOP')
    Object.assign(rig.work, { inFlight: 1, prefillTokens: 60_000 })
    await pause(2000)
    expect(rig.engine.state.is).toBe('ready')
    kill(rig.host.runs()[0]!.engineCore!, 'SIGCONT')
    Object.assign(rig.work, { inFlight: 0, prefillTokens: 0 })
    expect(states).not.toContain('degraded')
  })

  test.concurrent('of the API server is found although nothing is in flight', async ({ given }) => {
    const rig = given()
    await rig.started()
    kill(rig.host.runs()[0]!.pid, 'SIGSTOP')
    await rig.reaches('backoff', 20_000)
    await rig.reaches('ready')
    expect(rig.alive().length).toBe(rig.host.runs()[1]!.alive().length)
  })
})

describe('a stop', () => {
  test.concurrent('gives everything back, and says how much', async ({ given }) => {
    const rig = given()
    const { engine } = rig
    await rig.started()
    engine.stop()
    await rig.reaches('stopped')
    const { receipt } = engine.view()
    expect(receipt).toMatchObject({ portFree: true, left: [], holders: [] })
    expect(receipt!.freedBytes!).toBeGreaterThan(15 * GIB)
    expect(rig.alive()).toEqual([])
    expect(readRecords(rig.world.recordDir)).toEqual([])
    expect(rig.serving).toBeNull()
  })

  test.concurrent('waits for what is in flight, and shows how much that is', async ({ given }) => {
    const rig = given()
    const { engine } = rig
    await rig.started()
    rig.work.inFlight = 3
    engine.stop()
    expect(await rig.reaches('draining')).toEqual({ is: 'draining', left: 3 })
    rig.work.inFlight = 0
    await rig.reaches('stopped')
  })

  test.concurrent('asked for twice does not wait', async ({ given }) => {
    const rig = given({ timing: { drainMs: 60_000 } })
    const { engine } = rig
    await rig.started()
    rig.work.inFlight = 3
    engine.stop()
    engine.stop()
    await rig.reaches('stopped')
    expect(rig.alive()).toEqual([])
  })

  test.concurrent('ends an engine that hangs in its own end', async ({ given }) => {
    const rig = given({
      host: { vllm: { sigterm: 'hang', tokenMs: 50 } },
      timing: { drainMs: 100, terminateMs: 500 },
    })
    const { engine } = rig
    await rig.started()
    const body = { model: 'qwen3-8b', prompt: 'a', max_tokens: 2000 }
    void postJson(rig.port, '/v1/completions', rig.serving!.key, 20_000, body)
    rig.work.inFlight = 1
    engine.stop()
    await rig.reaches('stopped')
    expect(rig.alive()).toEqual([])
  })

  test.concurrent.for([0, 50, 150, 400, 700])(
    '%s ms into a start leaves nothing, and a start afterwards works',
    async (ms, { given }) => {
      const rig = given()
      const { engine } = rig
      engine.start()
      await pause(ms)
      engine.stop()
      await rig.reaches('stopped')
      expect(rig.alive()).toEqual([])
      await rig.started()
      expect(rig.alive().length).toBe(rig.host.runs().at(-1)!.alive().length)
    },
  )

  test.concurrent.for([0, 50, 200])('and a start %s ms after it is remembered', async (ms, { given }) => {
    const rig = given()
    const { engine } = rig
    await rig.started()
    engine.stop()
    await pause(ms)
    engine.start()
    await rig.reaches('ready')
    expect(rig.alive().length).toBe(rig.host.runs().at(-1)!.alive().length)
  })

  test.concurrent('leaves no folder and no socket behind', async ({ given }) => {
    const rig = given()
    const { engine } = rig
    await rig.started()
    const { runDir } = readRecords(rig.world.recordDir)[0]!.record
    engine.stop()
    await rig.reaches('stopped')
    await until('the folder of the run is gone', () => {
      try {
        readdirSync(runDir)
        return false
      } catch {
        return true
      }
    })
  })
})

describe('on demand', () => {
  test.concurrent('a request starts it, and rest unloads it', async ({ given }) => {
    const rig = given({ engine: { idle_unload_minutes: 0.01 } })
    const { engine, states } = rig
    engine.demand()
    await rig.reaches('ready')
    await rig.reaches('stopped')
    expect(states).toEqual(['preflight', 'starting', 'ready', 'draining', 'stopping', 'stopped'])
    engine.demand()
    await rig.reaches('ready')
  })

  test.concurrent('work keeps it loaded, also such as comes and goes between two looks', async ({ given }) => {
    const rig = given({ engine: { idle_unload_minutes: 0.01 } })
    await rig.started()
    for (let i = 0; i < 20; i++) {
      rig.work.sent++
      await pause(60)
    }
    expect(rig.engine.state.is).toBe('ready')
  })

  test.concurrent('a freed GPU stays free until somebody starts it', async ({ given }) => {
    const rig = given()
    const { engine, engines } = rig
    await rig.started()
    const [freed] = await engines.freeGpu()
    expect(freed).toMatchObject({ engine: 'main', receipt: { portFree: true } })
    engine.demand()
    expect(engine.state.is).toBe('stopped')
    await rig.started()
  })

  test.concurrent('off means off', ({ given }) => {
    const rig = given({ engine: { on_demand: false } })
    const { engine } = rig
    engine.demand()
    expect(engine.state.is).toBe('stopped')
  })

  test.concurrent('sleep gives the GPU back and keeps the process; a request wakes it', async ({ given }) => {
    const rig = given({ engine: { idle_unload_minutes: 0.01, sleep: 1 } })
    const { engine } = rig
    await rig.started()
    await engine.until((state) => state.is === 'sleeping' && state.step === 'asleep')
    expect(rig.serving).toBeNull()
    engine.demand()
    await rig.reaches('ready')
    expect(rig.host.runs()).toHaveLength(1)
  })
})

describe('another Lexora', () => {
  test.concurrent('adopts what the first one left, without a reload', async ({ given }) => {
    const rig = given()
    const { engine } = rig
    await rig.started()
    const { pid, derived } = engine.view()
    const { key } = rig.serving!
    rig.engines.leave()
    rig.engines = rig.another()
    await rig.engines.open()
    await rig.reaches('ready')
    expect(rig.engine.view()).toMatchObject({ pid, derived, version: '0.32.0' })
    expect(rig.serving).toMatchObject({ key, maxSequences: 256 })
    expect(rig.host.runs()).toHaveLength(1)
  })

  test.concurrent('leaves alone what the first one still has', async ({ given }) => {
    const rig = given()
    await rig.started()
    const second = rig.another()
    await second.open()
    const engine = second.get('main')!
    await engine.until(({ is }) => is === 'foreign')
    expect(engine.state).toMatchObject({ holder: { port: rig.port, pid: rig.engine.view().pid } })
    expect(rig.engine.state.is).toBe('ready')
    expect(rig.host.runs()).toHaveLength(1)
  })

  test.concurrent('ends what it no longer wants as it is', async ({ given }) => {
    const rig = given()
    await rig.started()
    rig.engines.leave()
    rig.engines = rig.another({ ...rig.config, args: { 'max-num-seqs': 8 } })
    await rig.engines.open()
    await rig.reaches('stopped')
    expect(rig.alive()).toEqual([])
  })

  test.concurrent('ends what is configured no longer', async ({ given }) => {
    const rig = given()
    await rig.started()
    rig.engines.leave()
    const none = rig.another()
    none.reconfigure({})
    await none.open()
    expect(rig.alive()).toEqual([])
    expect(readRecords(rig.world.recordDir)).toEqual([])
    rig.engines = none
  })

  test.concurrent('restarts it where its command changed, and only there', async ({ given }) => {
    const rig = given()
    await rig.started()
    rig.engines.reconfigure({ main: { ...rig.config, idle_unload_minutes: 30 } })
    expect(rig.engine.state.is).toBe('ready')
    rig.engines.reconfigure({ main: { ...rig.config, args: { 'max-num-seqs': 8 } } })
    await rig.reaches('preflight')
    await rig.reaches('ready')
    expect(rig.host.runs().at(-1)!.argv).toEqual(expect.arrayContaining(['--max-num-seqs', '8']))
  })

  test.concurrent('lets it run where the change may wait, and starts it with that the next time', async ({ given }) => {
    const rig = given()
    await rig.started()
    const other = { ...rig.config, args: { 'max-num-seqs': 8 } }
    rig.engines.reconfigure({ main: other }, undefined, true)
    // Read again by the watch on its file, it is the same change.
    rig.engines.reconfigure({ main: { ...other, idle_unload_minutes: 30 } })
    expect([rig.engine.state.is, rig.engine.view().idleUnloadMinutes]).toEqual(['ready', 30])
    expect(await rig.engine.command()).toMatchObject({
      differs: true,
      diff: expect.arrayContaining(['+ --max-num-seqs 8']),
    })
    rig.engine.restart()
    await rig.reaches('preflight')
    await rig.reaches('ready')
    expect(rig.host.runs().at(-1)!.argv).toEqual(expect.arrayContaining(['--max-num-seqs', '8']))
    expect(await rig.engine.command()).toMatchObject({ differs: false, diff: [] })
  })

  test.concurrent('forgets a change that waited once it is taken back', async ({ given }) => {
    const rig = given()
    await rig.started()
    rig.engines.reconfigure({ main: { ...rig.config, args: { 'max-num-seqs': 8 } } }, undefined, true)
    rig.engines.reconfigure({ main: rig.config })
    expect((await rig.engine.command()).differs).toBe(false)
    rig.engine.stop()
    await rig.reaches('stopped')
    rig.engines.reconfigure({ main: { ...rig.config, args: { 'max-num-seqs': 4 } } }, undefined, true)
    await rig.started()
    expect(rig.host.runs().at(-1)!.argv).toEqual(expect.arrayContaining(['--max-num-seqs', '4']))
  })
})

describe('the command of an engine', () => {
  test.concurrent('is what it was started with; the next one differs by what was changed and nothing else', async ({
    given,
  }) => {
    const rig = given({
      host: { smi: { gpus: [aGpu()] } },
      engine: { args: { 'hf-token': 'hf_abcdefghijk', seed: 7 }, env: { MY_SECRET: 'hidden-value' } },
    })
    const before = await rig.engine.command()
    expect(before).toMatchObject({ running: null, problems: [], differs: false, diff: [] })
    await rig.started()
    const { running, next, differs, diff } = await rig.engine.command()
    expect([differs, diff]).toEqual([false, []])
    expect(next).toEqual(running)
    const [run] = rig.host.runs()
    expect(running!.join(' ')).toContain(` ${run!.argv.join(' ').replace('hf_abcdefghijk', '***')}`)
    expect(running).toEqual(expect.arrayContaining(['MY_SECRET=***', 'VLLM_API_KEY=***', '--seed 7']))
    expect(JSON.stringify(running)).not.toMatch(/hidden-value|hf_abc|lexora-/)
    const changed = await rig.engine.command({ 'max-model-len': 4096, seed: null, port: 9, 'max-model-le': 1 })
    expect(changed.diff).toEqual([
      '- --max-model-len auto',
      '- --seed 7',
      '+ --max-model-len 4096',
      '+ --port 9',
      '+ --max-model-le 1',
    ])
    expect(changed.problems).toEqual([
      '`port` is set by Lexora itself. Set `port` of the engine instead.',
      'The installed version does not know the option `max-model-le`. Did you mean `max-model-len`? Else remove `args.max-model-le`.',
    ])
    expect((await rig.engine.command({ 'hf-token': 'hf_other1234' })).diff).toEqual([])
    expect((await rig.engine.command({ 'hf-token': 'hf_other1234' })).differs).toBe(true)
  })

  test.concurrent('is known of one that an earlier Lexora started', async ({ given }) => {
    const rig = given()
    await rig.started()
    const { running } = await rig.engine.command()
    rig.engines.leave()
    rig.engines = rig.another()
    await rig.engines.open()
    await rig.reaches('ready')
    expect(await rig.engine.command()).toMatchObject({ running, differs: false, diff: [] })
  })

  test.concurrent('says what is missing where there is nothing to start it with', async ({ given }) => {
    const rig = given({ engine: { executable: '/nowhere/vllm' } })
    expect(await rig.engine.command()).toMatchObject({
      running: null,
      next: null,
      problems: ['There is no /nowhere/vllm.'],
    })
  })
})

describe('other kinds', () => {
  test.concurrent('the demo engine is supervised like any other', async ({ given }) => {
    const rig = given({ engine: { kind: 'demo', model: null, served_name: null } })
    const { engine } = rig
    await rig.started()
    expect(rig.serving).toMatchObject({ models: ['demo-chat', 'demo-embed'], key: null })
    const { pid } = engine.view()
    kill(pid!, 'SIGKILL')
    await rig.reaches('backoff')
    await rig.reaches('ready')
    engine.stop()
    await rig.reaches('stopped')
    expect(engine.view().receipt).toMatchObject({ portFree: true, left: [] })
  })

  test.concurrent('a command is any server that speaks the API; it is ours by the process that listens', async ({
    given,
  }) => {
    const rig = given({
      engine: {
        kind: 'command',
        executable: process.execPath,
        model: 'mine',
        served_name: null,
        args: { e: aServer() },
      },
    })
    await rig.started()
    expect(rig.serving).toMatchObject({ model: 'mine', key: null, schedulesByPriority: false })
  })
})
