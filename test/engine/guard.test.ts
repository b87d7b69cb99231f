import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EngineRun } from '../../src/engine/engine-run.ts'
import { endFamily, livingFamily } from '../../src/engine/family.ts'
import { type Exit, familyOf, type GuardSpec, type LogText } from '../../src/engine/guard/protocol.ts'
import { isAlive, type ProcessId, readProcess } from '../../src/engine/processes.ts'
import { readRecord } from '../../src/engine/record.ts'
import { aFolder, aSpec, type Folder, GUARD, kill, until } from './given.ts'

/** Says that it is up, and stays. A child of it stays too, whatever becomes of its parent. */
const WITH_CHILD = `
  const { spawn } = require('node:child_process')
  const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  console.log('child ' + child.pid)
  setInterval(() => {}, 1000)
`
/** Its child leaves the session and the group, and ignores SIGTERM. */
const WITH_DESERTER = WITH_CHILD.replace("stdio: 'ignore'", "stdio: 'ignore', detached: true")
const QUIET = `console.log('up'); setInterval(() => {}, 1000)`

let folder: Folder
const specs: GuardSpec[] = []
const children: ChildProcess[] = []

beforeEach(() => {
  folder = aFolder()
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const { marker } of specs.splice(0)) await endFamily({ marker, leader: null, members: [] }, 0)
  folder.remove()
})

function spec(program: string, more: Partial<GuardSpec> = {}): GuardSpec {
  const made = aSpec(folder.path, program, more)
  specs.push(made)
  return made
}

type Heard = { run: EngineRun; lines: string[]; exits: Exit[] }

function listener(heard: Pick<Heard, 'lines' | 'exits'>) {
  return {
    pingMs: 100,
    onLines: (lines: LogText[]) => void heard.lines.push(...lines.map(({ text }) => text)),
    onExited: (exit: Exit) => void heard.exits.push(exit),
  }
}

async function start(made: GuardSpec): Promise<Heard> {
  const heard = { lines: [], exits: [] }
  return { ...heard, run: await EngineRun.start(GUARD, made, listener(heard)) }
}

/** A Lexora of its own that starts this engine; the test may kill it. */
async function startElsewhere(made: GuardSpec): Promise<{ lexora: ChildProcess; engine: ProcessId }> {
  const file = join(folder.path, 'spec.json')
  writeFileSync(file, JSON.stringify(made))
  const program = fileURLToPath(new URL('stand-in.ts', import.meta.url))
  const lexora = spawn(process.execPath, ['--no-warnings', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(lexora)
  let told = ''
  lexora.stdout!.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  await until('the engine', () => told.includes('\n'))
  const { pid, startTime } = readProcess(JSON.parse(told).engine)!
  return { lexora, engine: { pid, startTime } }
}

const logged = (): string =>
  readdirSync(folder.path)
    .filter((name) => name.startsWith('engine.log'))
    .toSorted()
    .toReversed()
    .map((name) => readFileSync(join(folder.path, name), 'utf8'))
    .join('')

const family = (made: GuardSpec) => livingFamily({ marker: made.marker, leader: null, members: [] }, true)

describe('the guard', () => {
  test('starts the engine as the leader of a session of its own, with the marker in its environment', async () => {
    const made = spec(`console.log(process.env.LEXORA_ENGINE_RUN); setInterval(() => {}, 1000)`)
    const { run, lines } = await start(made)
    await until('a line', () => lines.length > 0)
    const { pid } = run.leader!
    expect(readProcess(pid)).toMatchObject({ group: pid, session: pid })
    expect(lines).toEqual([made.marker])
    expect(await run.end(1000)).toEqual([])
  })

  test('leaves a record that only its owner may read, and removes it with the engine', async () => {
    const made = spec(QUIET)
    const { run } = await start(made)
    const record = await until('the record', () => readRecord(made.recordFile)?.leader && readRecord(made.recordFile))
    expect(record).toMatchObject({ engine: 'main', leader: run.leader, port: 8000, configHash: 'abc', key: 'the key' })
    expect(statSync(made.recordFile).mode & 0o777).toBe(0o600)
    expect(statSync(made.socket).mode & 0o777).toBe(0o600)
    await run.end(1000)
    expect(readRecord(made.recordFile)).toBeNull()
    await until('the folder of the run is gone', () => !readdirSync(folder.path).includes('run'))
  })

  test('tells how the engine ended', async () => {
    const { exits, run } = await start(spec(`console.error('no more'); process.exitCode = 3`))
    await until('the exit', () => exits.length > 0)
    expect(exits).toEqual([{ code: 3, signal: null, error: null }])
    expect(await run.end(0)).toEqual([])
  })

  test('tells that the engine cannot be started', async () => {
    const { exits, run } = await start(spec('', { argv: [join(folder.path, 'nobody')] }))
    await until('the exit', () => exits.length > 0)
    expect(exits).toEqual([{ code: null, signal: null, error: 'ENOENT' }])
    expect(await run.end(0)).toEqual([])
  })

  test.each([
    ['that ignores SIGTERM', WITH_CHILD],
    ['that has left its session', WITH_DESERTER],
  ])('ends a child of the engine %s', async (_, program) => {
    const made = spec(program)
    const { run, lines } = await start(made)
    const child = Number((await until('the child', () => lines[0])).split(' ')[1])
    expect(family(made).map(({ pid }) => pid)).toContain(child)
    kill(run.leader!.pid, 'SIGKILL')
    expect(await run.end(100)).toEqual([])
    expect(readProcess(child)?.isZombie ?? true).toBe(true)
  })

  test('does not wait when it is asked again in a hurry', async () => {
    const { run, lines } = await start(spec(`process.on('SIGTERM', () => {}); ${QUIET}`))
    await until('it is up', () => lines.length > 0)
    const began = performance.now()
    const gently = run.end(30_000)
    expect(await run.end(0)).toEqual([])
    expect(await gently).toEqual([])
    expect(performance.now() - began).toBeLessThan(5000)
  })

  test('lets nobody in without the token, and only one at a time', async () => {
    const made = spec(QUIET)
    const { run } = await start(made)
    const record = await until('the record', () => readRecord(made.recordFile))
    const heard = { lines: [], exits: [] }
    expect(await EngineRun.adopt(made.recordFile, record, listener(heard))).toBe('owned')
    expect(await EngineRun.adopt(made.recordFile, { ...record, token: 'another' }, listener(heard))).toBeNull()
    await run.end(0)
  })
})

describe('without Lexora', () => {
  test('the engine and its children are gone when the lease is over', async () => {
    const made = spec(WITH_CHILD, { leaseMs: 400 })
    const { lexora, engine } = await startElsewhere(made)
    await until('the child', () => family(made).length >= 2)
    lexora.kill('SIGKILL')
    const began = performance.now()
    await until('all gone', () => family(made).length === 0 && !isAlive(engine))
    expect(performance.now() - began).toBeGreaterThan(300)
    expect(performance.now() - began).toBeLessThan(400 + 2000)
    await until('the record is gone', () => readRecord(made.recordFile) === null)
  })

  test('the engine goes on through its lease, and a new Lexora adopts it as it is', async () => {
    const made = spec(QUIET)
    const { lexora, engine } = await startElsewhere(made)
    lexora.kill('SIGKILL')
    const record = readRecord(made.recordFile)!
    const heard = { lines: [] as string[], exits: [] }
    const run = await EngineRun.adopt(made.recordFile, record, listener(heard))
    if (!(run instanceof EngineRun)) throw new Error(`it was not adopted: ${run}`)
    expect(run.leader).toEqual(engine)
    await until('what it printed', () => heard.lines.length > 0)
    expect(heard.lines).toEqual(['up'])
    expect(isAlive(engine)).toBe(true)
    expect(await run.end(0)).toEqual([])
  })

  test('what the engine prints meanwhile is in its log, and it never blocks', async () => {
    const program = `
      let n = 0
      setInterval(() => { for (let i = 0; i < 200; i++) console.log('line ' + n++ + ' ' + 'x'.repeat(80)) }, 10)
    `
    const made = spec(program, { log: { path: join(folder.path, 'engine.log'), maxBytes: 64e6, files: 2 } })
    const { lexora } = await startElsewhere(made)
    lexora.kill('SIGKILL')
    const written = () => Number(/line (\d+) x+\n$/.exec(logged())?.[1] ?? 0)
    const before = written()
    // Far more than a pipe holds.
    await until('it goes on', () => written() > before + 5000)
    const numbers = [...logged().matchAll(/ O line (\d+) /g)].map(([, number]) => Number(number))
    expect(numbers).toEqual(numbers.map((_, i) => i))
  })
})

describe('without its guard', () => {
  test('an engine is ended by its owner', async () => {
    const made = spec(WITH_CHILD)
    const { run, exits } = await start(made)
    await until('the child', () => family(made).length >= 2)
    const record = await until('the record', () => readRecord(made.recordFile))
    kill(record.guard!.pid, 'SIGKILL')
    await until('the owner knows', () => exits.length > 0)
    expect(exits).toEqual([{ code: null, signal: null, error: 'guard' }])
    expect(await run.end(100)).toEqual([])
    expect(family(made)).toEqual([])
    expect(readRecord(made.recordFile)).toBeNull()
  })

  test('and without its owner it is found again by its record', async () => {
    const made = spec(WITH_CHILD)
    const { lexora, engine } = await startElsewhere(made)
    await until('the child', () => family(made).length >= 2)
    const record = readRecord(made.recordFile)!
    lexora.kill('SIGKILL')
    kill(record.guard!.pid, 'SIGKILL')
    expect(isAlive(engine)).toBe(true)
    expect(await EngineRun.unguarded(made.recordFile, record).end(100)).toEqual([])
    expect(isAlive(engine)).toBe(false)
    expect(family(made)).toEqual([])
  })

  test('a guard that is asked to end takes its engine along', async () => {
    const made = spec(WITH_CHILD)
    const { exits } = await start(made)
    await until('the child', () => family(made).length >= 2)
    kill(readRecord(made.recordFile)!.guard!.pid, 'SIGTERM')
    await until('all gone', () => family(made).length === 0)
    await until('the owner knows', () => exits.length > 0)
  })
})

test('a guard that was stopped is woken, and its engine goes on', async () => {
  const made = spec(`let n = 0; setInterval(() => console.log('line ' + n++), 20)`)
  const { run, lines } = await start(made)
  const { guard } = await until('the record', () => readRecord(made.recordFile))
  kill(guard!.pid, 'SIGSTOP')
  const before = lines.length
  await until('it speaks again', () => lines.length > before + 20)
  expect(lines).toEqual(lines.map((_, i) => `line ${i}`))
  await run.end(0)
})

describe('a number that now belongs to somebody else', () => {
  test('is left alone', async () => {
    const innocent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
    children.push(innocent)
    const pid = innocent.pid!
    const made = spec(QUIET)
    const record = {
      ...made,
      bootId: 'of another boot',
      leader: { pid, startTime: '1' },
      members: [{ pid, startTime: '1' }],
      guard: { pid, startTime: '1' },
      startedAt: 0,
    }
    expect(livingFamily(familyOf(record), true)).toEqual([])
    expect(await EngineRun.unguarded(made.recordFile, record).end(100)).toEqual([])
    expect(innocent.exitCode).toBeNull()
    expect(readProcess(pid)?.isZombie).toBe(false)
  })
})

describe('the log of an engine', () => {
  test('stays within its bounds under a flood without an end of line', async () => {
    const program = `
      const flood = 'x'.repeat(1 << 20)
      let sent = 0
      const more = () => { if (sent++ < 64) process.stderr.write(flood, more); else { process.stderr.write('\\n'); console.log('done') } }
      more()
      setInterval(() => {}, 1000)
    `
    const made = spec(program, { log: { path: join(folder.path, 'engine.log'), maxBytes: 16_384, files: 2 } })
    const { run, lines } = await start(made)
    await until('all was taken', () => lines.includes('done'))
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(8192)
    await run.end(0)
    expect(logged().length).toBeLessThan(3 * 16_384)
  })

  test('turns over and keeps the newest', async () => {
    const program = `for (let i = 0; i < 2000; i++) console.log('line ' + i); setInterval(() => {}, 1000)`
    const made = spec(program, { log: { path: join(folder.path, 'engine.log'), maxBytes: 8192, files: 3 } })
    const { run, lines } = await start(made)
    await until('all lines', () => lines.includes('line 1999'))
    await run.end(1000)
    expect(logged().trimEnd().endsWith('line 1999')).toBe(true)
    expect(readdirSync(folder.path).filter((name) => name.startsWith('engine.log')).length).toBeLessThanOrEqual(3)
  })
})
