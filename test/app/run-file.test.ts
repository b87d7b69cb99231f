import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findRunning, RunFile, type RunRecord } from '../../src/app/run-file.ts'
import { beBusy } from '../support/be-busy.ts'

const onPosix = process.platform !== 'win32'

/** A run file's place in a home of its own. */
function aPath(): string {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return join(home, 'state', 'run.json')
}

/** Somebody who listens, as a running Lexora does. */
async function aListener(): Promise<string> {
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

const facts = (address: string) => ({ address, startedAt: '2026-11-21T00:00:00.000Z', version: '1.2.3' })
const read = (path: string): RunRecord => JSON.parse(readFileSync(path, 'utf8'))

/** A file that a Lexora left and that nobody stands behind any more, in the way that `changes` say. */
async function aStaleFile(changes: Partial<RunRecord>): Promise<string> {
  const path = aPath()
  const left = new RunFile(path)
  await left.claim(facts(await aListener()))
  writeFileSync(path, JSON.stringify({ ...read(path), ...changes }))
  return path
}

describe('the run file', () => {
  test('tells where this process serves, and is gone when it has stopped', async () => {
    const [path, address] = [aPath(), await aListener()]
    const runFile = new RunFile(path)
    expect(await runFile.claim(facts(address))).toBe(null)
    const record = read(path)
    expect(record).toEqual({
      ...facts(address),
      token: runFile.token,
      pid: process.pid,
      process: process.platform === 'linux' ? expect.stringMatching(/^[0-9a-f-]{36}:\d+$/) : null,
    })
    expect(await findRunning(path)).toEqual({ is: 'running', record })
    runFile.release()
    expect(await findRunning(path)).toEqual({ is: 'absent' })
    expect(statSync(path, { throwIfNoEntry: false })).toBe(undefined)
  })

  test.runIf(onPosix)('and its folder are for their owner alone, from the beginning', async () => {
    const path = aPath()
    const before = process.umask(0)
    onTestFinished(() => void process.umask(before))
    await new RunFile(path).claim(facts(await aListener()))
    expect([statSync(path).mode & 0o777, statSync(join(path, '..')).mode & 0o777]).toEqual([0o600, 0o700])
  })

  test('of who answers is believed by a program that was busy meanwhile', async () => {
    const path = aPath()
    await new RunFile(path).claim(facts(await aListener()))
    const looking = findRunning(path)
    beBusy(1500)
    expect(await looking).toMatchObject({ is: 'running' })
  })

  test('holds a token that is new with every start', () => {
    const [one, two] = [new RunFile(aPath()), new RunFile(aPath())]
    expect(one.token).toMatch(/^[\w-]{43}$/)
    expect(one.token).not.toBe(two.token)
  })

  test('of one Lexora is left alone by a second one, which is told of the first', async () => {
    const path = aPath()
    const [one, two] = [new RunFile(path), new RunFile(path)]
    await one.claim(facts(await aListener()))
    expect(await two.claim(facts(await aListener()))).toMatchObject({ token: one.token, pid: process.pid })
    two.release()
    expect(read(path).token).toBe(one.token)
    one.release()
    expect(await two.claim(facts(await aListener()))).toBe(null)
    expect(read(path).token).toBe(two.token)
  })

  test('that cannot be written is an error of its claim alone', async () => {
    const path = aPath()
    writeFileSync(join(path, '..'), 'a file where the folder should be')
    await expect(new RunFile(path).claim(facts(await aListener()))).rejects.toThrow()
    new RunFile(path).release()
    expect(await findRunning(path)).toEqual({ is: 'absent' })
  })

  test('that several claim at once goes to one of them', async () => {
    const path = aPath()
    const address = await aListener()
    const files = Array.from({ length: 5 }, () => new RunFile(path))
    const holders = await Promise.all(files.map((file) => file.claim(facts(address))))
    expect(holders.filter((holder) => holder === null)).toHaveLength(1)
    const winner = files[holders.indexOf(null)]!
    expect(read(path).token).toBe(winner.token)
    for (const file of files) if (file !== winner) file.release()
    expect(read(path).token).toBe(winner.token)
  })
})

describe('a run file is stale', () => {
  const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid

  test.each<[what: string, changes: () => Partial<RunRecord>, here: boolean]>([
    ['once its process is gone', () => ({ pid: deadPid() }), true],
    ['when its pid is another process by now', () => ({ process: 'another-boot:1' }), process.platform === 'linux'],
    ['when nobody listens at its address', () => ({ address: 'http://127.0.0.1:9' }), true],
    ['when it holds no address', () => ({ address: 'nowhere' }), true],
  ])('%s, and is replaced', async (_, changes, here) => {
    if (!here) return
    const path = await aStaleFile(changes())
    expect(await findRunning(path)).toEqual({ is: 'absent' })
    const next = new RunFile(path)
    expect(await next.claim(facts(await aListener()))).toBe(null)
    expect(read(path).token).toBe(next.token)
  })

  test.each(['', '{"address":"http://127.0.0.1:8001","tok', 'null', '[]', '{}'])('when it holds %j', async (text) => {
    const path = await aStaleFile({})
    writeFileSync(path, text)
    expect(await findRunning(path)).toEqual({ is: 'absent' })
    expect(await new RunFile(path).claim(facts(await aListener()))).toBe(null)
  })
})

describe.runIf(onPosix)('a run file that others can read or write', () => {
  test.each(['644', '660', '602'])('is not believed: mode %s', async (mode) => {
    const path = aPath()
    await new RunFile(path).claim(facts(await aListener()))
    chmodSync(path, Number.parseInt(mode, 8))
    expect(await findRunning(path)).toEqual({
      is: 'refused',
      reason: `${path} is open to other users; start Lexora again, which writes it anew`,
    })
  })

  test('is written anew at the next start', async () => {
    const path = aPath()
    const old = new RunFile(path)
    await old.claim(facts(await aListener()))
    chmodSync(path, 0o644)
    old.release()
    await new RunFile(path).claim(facts(await aListener()))
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
})
