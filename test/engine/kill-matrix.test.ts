/** {guard, API server, EngineCore, Lexora} × {SIGTERM, SIGKILL, SIGSTOP} × {starting, idle, streaming}: how each ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, type TestContext, test } from 'vitest'
import { postJson } from '../../src/engine/http.ts'
import { readRecords } from '../../src/engine/record.ts'
import { kill, until } from './given.ts'
import type { StandInSays } from './lexora-stand-in.ts'
import { Rig } from './rig.ts'

type Moment = 'starting' | 'idle' | 'streaming'
type Victim = 'guard' | 'API server' | 'EngineCore'
/** It goes on as if nothing had been, or a new one takes its place. */
type End = 'goes on' | 'is replaced'

const MOMENTS: Moment[] = ['starting', 'idle', 'streaming']

const CELLS: [Victim, NodeJS.Signals, Record<Moment, End>][] = [
  ['guard', 'SIGTERM', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
  ['guard', 'SIGKILL', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
  // It is woken before the engine's pipe is full.
  ['guard', 'SIGSTOP', { starting: 'goes on', idle: 'goes on', streaming: 'goes on' }],
  // While vLLM initialises a single SIGTERM is lost (captures, 6).
  ['API server', 'SIGTERM', { starting: 'goes on', idle: 'is replaced', streaming: 'is replaced' }],
  ['API server', 'SIGKILL', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
  ['API server', 'SIGSTOP', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
  ['EngineCore', 'SIGTERM', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
  ['EngineCore', 'SIGKILL', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
  ['EngineCore', 'SIGSTOP', { starting: 'is replaced', idle: 'is replaced', streaming: 'is replaced' }],
]

function aRig(): Rig {
  return new Rig({
    host: { vllm: { tokenMs: 20 } },
    // Short for a test, and longer than a busy machine keeps a process from running.
    timing: { stallMs: 5000, life: { quietMs: 3000, slowestPrefill: 3000, silentMs: 5000, idleMs: 6000, canaries: 2 } },
  })
}

async function reach(rig: Rig, moment: Moment): Promise<void> {
  rig.engine.start()
  if (moment === 'starting') {
    await until('its core loads', () => rig.lines.some((line) => line.includes('Starting to load model')))
    return
  }
  await rig.reaches('ready')
  if (moment === 'idle') return
  const { key } = rig.serving!
  void postJson(rig.port, '/v1/completions', key, 30_000, { model: 'qwen3-8b', prompt: 'a', max_tokens: 5000 })
  Object.assign(rig.work, { inFlight: 1, sent: 1 })
}

function pidOf(rig: Rig, victim: Victim): number | null {
  const run = rig.host.runs().at(-1)!
  if (victim === 'guard') return readRecords(rig.world.recordDir)[0]!.record.guard!.pid
  return victim === 'API server' ? run.pid : run.engineCore
}

// The three cells of a row at once: most of their time is waiting.
describe.each(CELLS)('%s, %s', (victim, signal, ends) => {
  test.concurrent.for(MOMENTS)('while %s', async (moment, { onTestFinished }) => {
    const rig = aRig()
    onTestFinished(() => rig.dispose())
    await reach(rig, moment)
    kill(await until(victim, () => pidOf(rig, victim)), signal)
    if (ends[moment] === 'goes on') {
      // Nothing is in flight any more: its client has gone.
      rig.work.inFlight = 0
      await pause(1200)
      await rig.reaches('ready')
      expect(rig.host.runs()).toHaveLength(1)
    } else {
      await rig.reaches('backoff')
      rig.work.inFlight = 0
      expect(rig.host.runs()[0]!.alive()).toEqual([])
      expect(rig.engine.view().lastFailure).toMatchObject({ canHeal: true, cause: expect.stringMatching(/\.$/) })
      await rig.reaches('ready')
      expect(rig.host.runs()).toHaveLength(2)
    }
    rig.engine.stop()
    await rig.reaches('stopped')
    expect(rig.alive()).toEqual([])
    expect(readRecords(rig.world.recordDir)).toEqual([])
  })
})

type StandIn = { rig: Rig; child: ChildProcess; says: StandInSays[] }

describe('Lexora', () => {
  async function standIn({ onTestFinished }: TestContext, moment: Moment, leaseMs: number): Promise<StandIn> {
    const rig = aRig()
    const says: StandInSays[] = []
    const { path } = rig.folder
    const task = {
      folder: path,
      env: rig.world.launch.env,
      leaseMs,
      engine: { model: 'Qwen/Qwen3-8B', port: rig.port },
    }
    const file = join(path, 'task.json')
    writeFileSync(file, JSON.stringify(task))
    const program = fileURLToPath(new URL('lexora-stand-in.ts', import.meta.url))
    const child = spawn(process.execPath, ['--no-warnings', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await rig.dispose()
    })
    let text = ''
    child.stdout!.setEncoding('utf8').on('data', (part: string) => {
      const lines = (text + part).split('\n')
      text = lines.pop()!
      says.push(...lines.map((line) => JSON.parse(line) as StandInSays))
    })
    const wanted = moment === 'starting' ? 'starting' : 'ready'
    await until(wanted, () => says.at(-1)?.state === wanted)
    await until('the engine', () => rig.host.runs()[0]?.engineCore)
    if (moment === 'streaming') {
      const body = { model: 'Qwen/Qwen3-8B', prompt: 'a', max_tokens: 5000 }
      void postJson(rig.port, '/v1/completions', says.at(-1)!.key, 30_000, body)
    }
    return { rig, child, says }
  }

  describe('SIGTERM', () => {
    test.concurrent.for(MOMENTS)('while %s: it ends its engine, then itself', async (moment, context) => {
      const { rig, child, says } = await standIn(context, moment, 30_000)
      child.kill('SIGTERM')
      await once(child, 'exit')
      expect(child.exitCode).toBe(0)
      expect(says.at(-1)!.state).toBe('stopped')
      expect(rig.alive()).toEqual([])
    })
  })

  describe('SIGKILL', () => {
    test.concurrent.for(MOMENTS)('while %s: the engine is gone within 2 s of the lease', async (moment, context) => {
      const { rig, child } = await standIn(context, moment, 800)
      child.kill('SIGKILL')
      await pause(400)
      expect(rig.alive()).not.toEqual([])
      await until('all is gone', () => rig.alive().length === 0, 400 + 2000)
      await until('the record is gone', () => readRecords(rig.world.recordDir).length === 0)
    })
  })

  describe('SIGSTOP', () => {
    test.concurrent.for(MOMENTS)(
      'while %s: the engine goes on, and Lexora too when it is woken',
      async (moment, context) => {
        const { rig, child, says } = await standIn(context, moment, 300)
        child.kill('SIGSTOP')
        await pause(1500)
        expect(rig.alive()).not.toEqual([])
        child.kill('SIGCONT')
        await until('ready', () => says.at(-1)?.state === 'ready')
        expect(rig.host.runs()).toHaveLength(1)
        child.kill('SIGTERM')
        await once(child, 'exit')
        expect(rig.alive()).toEqual([])
      },
    )
  })
})
