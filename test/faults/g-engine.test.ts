/** Faults of the engine, by the ids of reliability.md 2.G: real processes, the double of vLLM where its ways matter. */
import { spawn } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test as base, describe, expect } from 'vitest'
import { listProcesses, readBootId, readProcess } from '../../src/engine/processes.ts'
import { readRecords, recordFile, writeRecord } from '../../src/engine/record.ts'
import { LIFE_RULES } from '../../src/policy/engine-liveness.ts'
import { INITIAL_ENGINE, reduceEngine, STABLE_AFTER_MS } from '../../src/policy/engine-state-machine.ts'
import { aFailure, aServer, aSpec, kill, until } from '../engine/given.ts'
import { Rig, type RigOptions } from '../engine/rig.ts'
import { aGpu } from '../support/fake-vllm/process/host.ts'

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

/** An engine of kind `command` that runs this Node program. */
const running = (program: string, more: Record<string, unknown> = {}) => ({
  kind: 'command',
  executable: process.execPath,
  model: 'mine',
  served_name: null,
  args: { e: program },
  ...more,
})

/** For a test of twenty starts, on a machine that has other things to do. */
const MANY_MS = 90_000

/** With a child that ignores SIGTERM, as it does itself. */
const STUBBORN = `
  process.on('SIGTERM', () => {})
  require('node:child_process').spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'ignore' })
`

const descendantsIn = (rig: Rig): number[] => {
  const { marker } = readRecords(rig.world.recordDir)[0]?.record ?? { marker: 'none' }
  return listProcesses().flatMap(({ pid, isZombie }) => (!isZombie && isMarked(pid, marker) ? [pid] : []))
}

function isMarked(pid: number, marker: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`LEXORA_ENGINE_RUN=${marker}`)
  } catch {
    return false
  }
}

describe('what cannot be started', () => {
  test.concurrent('G1 is named at once, with what to do, and not tried again', async ({ given }) => {
    const missing = given({ engine: { executable: '/nowhere/vllm' } })
    missing.engine.start()
    const { failure } = await missing.reaches('not-installed')
    expect(failure).toMatchObject({ class: 'executable_missing', fix: expect.stringContaining('`executable`') })

    const file = join(missing.folder.path, 'vllm')
    writeFileSync(file, '#!/bin/sh\n')
    chmodSync(file, 0o600)
    const blocked = given({ engine: { executable: file, launch: 'path' } })
    blocked.engine.start()
    if (process.getuid?.() === 0) chmodSync(file, 0o600)
    expect((await blocked.reaches('not-installed')).failure.class).toBe('executable_bad')

    const broken = given({ engine: { kind: 'command', executable: '/dev/null' } })
    broken.engine.start()
    expect((await broken.reaches('not-installed')).failure.class).toBe('executable_bad')
    expect([missing, blocked, broken].map((rig) => rig.states.filter((is) => is === 'preflight'))).toEqual([
      ['preflight'],
      ['preflight'],
      ['preflight'],
    ])
  })

  test.concurrent('G2 ends at once: tried later and later, five times, with its last words kept', async ({ given }) => {
    const rig = given({ engine: running(`console.error('no such thing'); process.exit(3)`) })
    const waits: number[] = []
    rig.engine.start()
    for (let crash = 1; crash < 5; crash++) {
      const { retryInMs } = await rig.reaches('backoff')
      waits.push(Math.ceil(retryInMs / 1000))
      rig.engine.start()
      await rig.engine.until(({ is }) => is !== 'backoff')
    }
    const { failure } = await rig.reaches('failed')
    expect(waits).toEqual([1, 2, 5, 15])
    expect(failure).toMatchObject({ class: 'unknown', lines: ['no such thing'] })
  })

  test.concurrent('G2 with a wrong argument: not tried again, since that cannot help', async ({ given }) => {
    const rig = given({ host: { vllm: { fail: 'bad-choice' } } })
    rig.engine.start()
    expect((await rig.reaches('failed')).failure).toMatchObject({ class: 'bad_args', canHeal: false })
    expect(rig.host.runs()).toHaveLength(1)
  })

  test.concurrent('G6 stays failed until an operator or another configuration says otherwise', async ({ given }) => {
    const rig = given({ host: { vllm: { fail: 'unknown-arch' } } })
    rig.engine.start()
    await rig.reaches('failed')
    rig.engine.demand()
    rig.engine.reconfigure({ ...rig.config, idle_unload_minutes: 5 })
    expect(rig.engine.state.is).toBe('failed')
    rig.host.vllm({ fail: null })
    rig.engine.reconfigure({ ...rig.config, args: { 'max-num-seqs': 8 } })
    expect(rig.engine.state.is).toBe('stopped')
    rig.engine.demand()
    await rig.reaches('ready')
  })
})

test('G3 a crash after long uptime is followed by a start at once, with a clean sheet', () => {
  const failure = aFailure()
  const ready = { ...INITIAL_ENGINE, run: 4, streak: 4, crashes: [1], at: { is: 'ready', since: 1000 } as const }
  const [after] = reduceEngine(ready, { run: 4, type: 'exited', at: 1000 + STABLE_AFTER_MS, failure })
  expect(after).toMatchObject({ streak: 1, at: { next: { is: 'backoff', delayMs: 1000 } } })
})

describe('a start', () => {
  test.concurrent('G4 that takes long is left alone while its log moves', async ({ given }) => {
    const talks = `const talk = setInterval(() => console.log('still at it'), 100); setTimeout(() => clearInterval(talk), 5000)`
    const rig = given({
      engine: running(aServer({ readyMs: 5000, first: talks })),
      timing: { stallMs: 1500, muteMs: 2500 },
    })
    rig.engine.start()
    await rig.reaches('ready')
    expect(rig.states).toEqual(['preflight', 'starting', 'ready'])
  })

  test.concurrent('G5 that dies half-way is noticed within a second', async ({ given }) => {
    const rig = given({ host: { vllm: { timeScale: 0.02 } } })
    rig.engine.start()
    await until('it loads', () => rig.lines.some((line) => line.includes('Loading')))
    const died = performance.now()
    kill(rig.host.runs()[0]!.pid, 'SIGKILL')
    await rig.engine.until(({ is }) => is !== 'starting')
    expect(performance.now() - died).toBeLessThan(1000)
  })

  test.concurrent(
    'G16 stopped at twenty moments leaves nothing, and the next one works',
    async ({ given }) => {
      const rig = given({ engine: running(aServer({ readyMs: 120 })) })
      for (let moment = 0; moment < 20; moment++) {
        rig.engine.start()
        await pause(moment * 25)
        const marked = descendantsIn(rig)
        rig.engine.stop()
        await rig.reaches('stopped')
        expect(marked.filter((pid) => readProcess(pid)?.isZombie === false)).toEqual([])
        expect(readRecords(rig.world.recordDir)).toEqual([])
      }
      await rig.started()
    },
    MANY_MS,
  )

  test.concurrent(
    'G17 asked for at twenty moments of a stop comes after it, once',
    async ({ given }) => {
      const rig = given({
        engine: running(aServer({ first: `process.on('SIGTERM', () => setTimeout(() => process.exit(0), 80))` })),
      })
      await rig.started()
      for (let moment = 0; moment < 20; moment++) {
        const before = rig.engine.view().pid
        rig.engine.stop()
        await pause(moment * 10)
        rig.engine.start()
        await rig.reaches('ready')
        expect(readProcess(before!)?.isZombie ?? true, `moment ${moment}`).toBe(true)
        expect(descendantsIn(rig)).toEqual([rig.engine.view().pid])
      }
    },
    MANY_MS,
  )

  test.concurrent('G18 asked for by fifty at once is one', async ({ given }) => {
    const rig = given()
    const asked = Array.from({ length: 50 }, async () => {
      rig.engine.start()
      return await rig.engine.until(({ is }) => is === 'ready')
    })
    expect(new Set((await Promise.all(asked)).map(({ is }) => is))).toEqual(new Set(['ready']))
    expect(rig.host.runs()).toHaveLength(1)
  })

  test.concurrent('G25 that serves another model is never ready', async ({ given }) => {
    const rig = given({ engine: running(aServer({ model: 'something else' })) })
    rig.engine.start()
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ class: 'wrong_model', cause: 'It serves something else, not mine.' })
    expect(rig.states).not.toContain('ready')
  })
})

describe('a hang', () => {
  test('G7 is over within 180 s: a minute without a token, then two questions of half a minute', () => {
    expect(LIFE_RULES.quietMs + LIFE_RULES.canaries * 30_000).toBeLessThan(180_000)
  })

  test.concurrent('G7 is found by missing tokens while /health is green', async ({ given }) => {
    const rig = given({ host: { vllm: { hangAfterSteps: 3 } } })
    await rig.started()
    Object.assign(rig.work, { inFlight: 1, sent: 1 })
    kill(rig.host.runs()[0]!.engineCore!, 'SIGSTOP')
    await rig.reaches('degraded')
    rig.host.vllm({ hangAfterSteps: null })
    rig.work.inFlight = 0
    await rig.reaches('backoff')
    expect(rig.engine.view().lastFailure!.class).toBe('hang')
    await rig.reaches('ready')
  })

  test.concurrent('G8 is seen although the engine’s own gauges show nothing running', async ({ given }) => {
    const rig = given()
    await rig.started()
    kill(rig.host.runs()[0]!.engineCore!, 'SIGSTOP')
    // Nothing of ours ever reached it, so that its gauges are 0; our own table says otherwise.
    Object.assign(rig.work, { inFlight: 4, sent: 4 })
    await rig.reaches('degraded')
    rig.work.inFlight = 0
    await rig.reaches('ready')
    expect(rig.host.runs()).toHaveLength(2)
  })

  test.concurrent('G9 is not what a long prompt is', async ({ given }) => {
    const rig = given()
    await rig.started()
    const core = rig.host.runs()[0]!.engineCore!
    kill(core, 'SIGSTOP')
    Object.assign(rig.work, { inFlight: 1, sent: 1, prefillTokens: 100_000 })
    await pause(2500)
    kill(core, 'SIGCONT')
    Object.assign(rig.work, { lastTokenAt: performance.now(), prefillTokens: 0 })
    await pause(300)
    expect(rig.states).toEqual(['preflight', 'starting', 'ready'])
    rig.work.inFlight = 0
  })

  test.concurrent('G10 of a core that is dead while its parent lives ends in a new engine', async ({ given }) => {
    const rig = given()
    await rig.started()
    const [first] = rig.host.runs()
    kill(first!.engineCore!, 'SIGKILL')
    await rig.reaches('backoff')
    expect(first!.alive()).toEqual([])
    await rig.reaches('ready')
  })
})

describe('memory of the GPU', () => {
  test.concurrent('G12 that orphans hold is theirs no more, and the next start waits until it is back', async ({
    given,
  }) => {
    const rig = given({ host: { smi: { lingerMs: 1500 } }, engine: { args: { 'gpu-memory-utilization': 0.9 } } })
    await rig.started()
    kill(rig.host.runs()[0]!.pid, 'SIGKILL')
    await rig.reaches('backoff')
    await rig.reaches('ready', 20_000)
    expect(rig.host.runs()).toHaveLength(2)
    expect(rig.host.held().every(({ pid }) => rig.host.runs()[1]!.alive().includes(pid))).toBe(true)
  })

  test.concurrent('G12 that others hold is named with its holder', async ({ given }) => {
    const others = [{ pid: 4711, name: 'a game', mib: 20_000, gpu: 0 }]
    const rig = given({
      host: { smi: { gpus: [aGpu({ usedMib: 21_000 })], others } },
      engine: { args: { 'gpu-memory-utilization': 0.9 } },
    })
    rig.engine.start()
    const { failure } = await rig.reaches('failed', 20_000)
    expect(failure).toMatchObject({ class: 'vram_busy', lines: [expect.stringContaining('a game (pid 4711)')] })
  })

  test.concurrent('G26 that is gone after a sleep of the machine: one restart, then the truth', async ({ given }) => {
    const rig = given()
    let sleptMs = 0
    rig.world.wallClock = () => Date.now() + sleptMs
    await rig.started()
    kill(rig.host.runs()[0]!.engineCore!, 'SIGSTOP')
    rig.host.vllm({ fail: 'driver-mismatch' })
    sleptMs = 3_600_000
    await rig.reaches('backoff')
    const { failure } = await rig.reaches('failed')
    expect(failure).toMatchObject({ canHeal: false, class: expect.stringMatching(/^(driver|gpu_lost|gpu_missing)$/) })
    expect(rig.host.runs()).toHaveLength(2)
  })
})

describe('Lexora', () => {
  test.concurrent('G13 killed and started again goes on with the same engine', async ({ given, ends }) => {
    const rig = given()
    const file = join(rig.folder.path, 'task.json')
    const engine = { model: 'Qwen/Qwen3-8B', served_name: 'qwen3-8b', port: rig.port }
    writeFileSync(file, JSON.stringify({ folder: rig.folder.path, env: rig.world.launch.env, leaseMs: 20_000, engine }))
    const program = fileURLToPath(new URL('../engine/lexora-stand-in.ts', import.meta.url))
    const lexora = spawn(process.execPath, ['--no-warnings', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    ends(() => void lexora.kill('SIGKILL'))
    let told = ''
    lexora.stdout.setEncoding('utf8').on('data', (text: string) => {
      told += text
    })
    await until('ready', () => told.includes('"ready"'))
    lexora.kill('SIGKILL')
    await rig.engines.open()
    await rig.reaches('ready')
    expect(rig.engine.view().pid).toBe(rig.host.runs()[0]!.pid)
    expect(rig.host.runs()).toHaveLength(1)
  })

  test.concurrent.for([
    ['G14', 'in the same boot', null, '1'],
    ['G27', 'after another boot', 'another boot', null],
  ] as const)('%s leaves alone who has a recorded number now, %s', async ([, , boot, began], { given, ends }) => {
    const rig = given()
    const innocent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
    ends(() => void innocent.kill('SIGKILL'))
    const pid = innocent.pid!
    const { startTime } = await until('it runs', () => readProcess(pid))
    const id = { pid, startTime: began ?? startTime }
    const record = {
      ...aSpec(rig.folder.path, ''),
      leader: id,
      members: [id],
      guard: id,
      bootId: boot ?? readBootId(),
      startedAt: 0,
    }
    writeRecord(recordFile(rig.world.recordDir, 'main'), record)
    await rig.engines.open()
    await rig.reaches('stopped')
    await until('the record is gone', () => readRecords(rig.world.recordDir).length === 0)
    expect(readProcess(pid)).toMatchObject({ isZombie: false, startTime })
    await rig.started()
  })

  test.concurrent('G15 names the stranger on its port, and neither adopts nor ends it', async ({ given, ends }) => {
    const rig = given()
    const program = aServer({ model: 'theirs' })
    const env = { ...process.env, PORT: String(rig.port), HOST: '127.0.0.1' }
    const stranger = spawn(process.execPath, ['-e', program], { env, stdio: 'ignore' })
    ends(() => void stranger.kill('SIGKILL'))
    await until('it is seen', async () => {
      rig.engine.start()
      const { is } = await rig.engine.until((state) => state.is !== 'preflight')
      if (is !== 'foreign') rig.engine.stop()
      return is === 'foreign'
    })
    const { holder } = await rig.reaches('foreign')
    expect(holder).toMatchObject({ port: rig.port, pid: stranger.pid, models: ['theirs'] })
    expect(stranger.exitCode).toBeNull()
    expect(rig.serving).toBeNull()
  })

  test.concurrent('G19 that is unloading an engine when a request comes brings it back', async ({ given }) => {
    const rig = given({ engine: running(aServer(), { idle_unload_minutes: 0.005 }) })
    await rig.started()
    for (const is of ['draining', 'stopping'] as const) {
      await rig.engine.until((state) => state.is === is || state.is === 'stopping')
      rig.engine.demand()
      await rig.reaches('ready')
    }
  })
})

describe('the end of an engine', () => {
  test.concurrent('G20 that ignores SIGTERM, with children that do, is its group’s end', async ({ given }) => {
    const rig = given({ engine: running(aServer({ first: STUBBORN })), timing: { terminateMs: 300, groupMs: 300 } })
    await rig.started()
    await until('its child', () => descendantsIn(rig).length === 2)
    const all = descendantsIn(rig)
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(all.filter((pid) => readProcess(pid)?.isZombie === false)).toEqual([])
    expect(rig.engine.view().receipt).toMatchObject({ left: [], portFree: true })
  })

  test.concurrent('G21 is nobody else’s', async ({ given, ends }) => {
    const [rig, other] = [given({ engine: running(aServer()) }), given({ engine: running(aServer()) })]
    const sibling = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    ends(() => void sibling.kill('SIGKILL'))
    await Promise.all([rig.started(), other.started()])
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(sibling.exitCode ?? sibling.signalCode).toBeNull()
    expect(other.engine.state.is).toBe('ready')
  })

  test.concurrent('G22 by the system for want of memory is told as that', async ({ given }) => {
    const rig = given({ engine: running(aServer()) })
    await rig.started()
    kill(rig.engine.view().pid, 'SIGKILL')
    const { failure } = await rig.reaches('backoff')
    expect(failure).toMatchObject({ class: 'oom_host', cause: expect.stringContaining('memory') })
  })
})

describe('what an engine prints', () => {
  test.concurrent('G23 without end and without lines costs neither it nor us anything', async ({ given }) => {
    const flood = `
      const text = 'x'.repeat(1 << 20)
      let left = 200
      const more = () => { if (left-- > 0) process.stderr.write(text, more); else console.log('flooded') }
      more()
    `
    const rig = given({ engine: running(aServer({ first: flood })) })
    await rig.started()
    await until('all of it was taken', () => rig.lines.includes('flooded'))
    expect(Math.max(...rig.lines.map(({ length }) => length))).toBeLessThanOrEqual(8192)
    rig.engine.stop()
    await rig.reaches('stopped')
    const files = readdirSync(rig.world.logDir)
    const bytes = files.reduce((sum, name) => sum + statSync(join(rig.world.logDir, name)).size, 0)
    expect(bytes).toBeLessThan(1 << 20)
  })

  test.concurrent('G24 goes on being taken when nobody of us reads', async ({ given }) => {
    const talks = `setInterval(() => { for (let i = 0; i < 100; i++) console.log('x'.repeat(100)) }, 5)`
    const rig = given({ engine: running(aServer({ first: talks })) })
    await rig.started()
    const { pid } = rig.engine.view()
    rig.engines.leave()
    await pause(700)
    expect(readProcess(pid!)).toMatchObject({ isZombie: false })
    rig.engines = rig.another()
    await rig.engines.open()
    await rig.reaches('ready')
    expect(rig.engine.view().pid).toBe(pid)
  })
})

test(
  'G28 twenty restarts leave no process, no descriptor and no timer',
  async ({ given }) => {
    const rig = given({ engine: running(aServer()) })
    await rig.started()
    const count = () => ({
      descriptors: readdirSync('/proc/self/fd').length,
      timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
      zombies: listProcesses().filter(({ parent, isZombie }) => parent === process.pid && isZombie).length,
    })
    const before = count()
    for (let i = 0; i < 20; i++) {
      rig.engine.restart()
      await rig.reaches('preflight')
      await rig.reaches('ready')
    }
    const after = count()
    expect(after.zombies).toBe(0)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 3)
    expect(after.timers).toBeLessThanOrEqual(before.timers + 3)
  },
  MANY_MS,
)
