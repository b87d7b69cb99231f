/** The CLI against a Lexora that runs: how it finds it, what it prints, and the code it ends with. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { localUrl } from '../../src/app/address.ts'
import { RunFile } from '../../src/app/run-file.ts'
import { runCommand } from '../../src/cli/main.ts'
import type { DoctorCheck, DoctorReport } from '../../src/protocol/doctor.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { type Patch, startApp, startFake, type TestApp, until } from '../support/app.ts'
import { RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf } from '../support/requests.ts'

const ADMIN = 'admin-secret-0123456789'

function aHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return home
}

/** A Lexora that left its run file in `home`, as `lexora` itself does. `leave` stops it. */
async function serve(
  home: string,
  given: {
    url?: string
    config?: Patch
    beforeReady?: () => Promise<void>
    doctor?: () => Promise<DoctorReport>
  } = {},
) {
  const runFile = new RunFile(join(home, 'run.json'))
  const url = given.url ?? (await startFake()).url
  const lexora = await startApp([{ name: 'main', url }], {
    config: given.config ?? {},
    session: runFile.token,
    ...(given.doctor === undefined ? {} : { doctor: given.doctor }),
    onListening: async (first) => {
      await runFile.claim({ address: localUrl(first), startedAt: new Date().toISOString(), version: '1' })
      await given.beforeReady?.()
    },
  })
  const leave = async () => {
    await lexora.app.stop(0)
    runFile.release()
  }
  return { lexora, leave }
}

type Run = { code: Promise<number>; out: () => string; err: () => string; stop: () => void }

function start(
  home: string,
  argv: string[],
  given: { terminal?: { columns: number; rows: number }; env?: object } = {},
): Run {
  const stopped = new AbortController()
  let [out, err] = ['', '']
  const code = runCommand(argv, {
    env: { LEXORA_HOME: home, ...given.env },
    cwd: home,
    home,
    platform: process.platform,
    out: (text) => (out += text),
    err: (text) => (err += text),
    terminal: () => given.terminal ?? null,
    colour: false,
    errColumns: () => null,
    untilStopped: () => stopped.signal,
  })
  return { code, out: () => out, err: () => err, stop: () => stopped.abort() }
}

async function run(home: string, argv: string[], env: object = {}) {
  const { code, out, err } = start(home, argv, { env })
  return { code: await code, out: out(), err: err() }
}

describe('lexora status', () => {
  test('finds the Lexora of its user by the run file, and prints how it is', async () => {
    const home = aHome()
    const { lexora } = await serve(home)
    const { code, out, err } = await run(home, ['status'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(`Lexora 0.0.0-test · serving · http://localhost:${lexora.port}/v1\nhealthy · up `)
    expect(out).toMatch(/^main {5}up +0 {6}- {8}0 +\d+ ms {2}tiny$/m)
  })

  test('--json prints the snapshot', async () => {
    const home = aHome()
    const { lexora } = await serve(home)
    const { code, out } = await run(home, ['status', '--json'])
    const { revision, ...snapshot } = JSON.parse(out) as AppSnapshot
    expect([code, snapshot.server.pid, typeof revision]).toEqual([0, process.pid, 'number'])
    expect(Object.keys(snapshot)).toEqual(
      Object.keys(await lexora.app.commands.snapshot()).filter((key) => key !== 'revision'),
    )
  })
})

describe('the exit code', () => {
  test('is 3 while none runs, and nothing is started or written', async () => {
    const home = aHome()
    expect(await run(home, ['status'])).toEqual({
      code: 3,
      out: '',
      err: `lexora: Lexora is not running (no live run file at ${join(home, 'run.json')}).\n`,
    })
    const { leave } = await serve(home)
    await leave()
    expect((await run(home, ['status'])).code).toBe(3)
  })

  test('is 4 while it still starts', async () => {
    const home = aHome()
    let begun = false
    const wait = Promise.withResolvers<void>()
    const serving = serve(home, {
      beforeReady: () => {
        begun = true
        return wait.promise
      },
    })
    await until(() => begun)
    const { code, out } = await run(home, ['status'])
    wait.resolve()
    await serving
    expect([code, out.split('\n')[0]]).toEqual([4, expect.stringContaining(' · starting · ')])
    expect((await run(home, ['status'])).code).toBe(0)
  })

  test('is 1 while no backend can serve', async () => {
    const home = aHome()
    await serve(home, { url: 'http://127.0.0.1:9' })
    const { code, out } = await run(home, ['status'])
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(/^unhealthy · .*\n {2}backend main is down \(.*ECONNREFUSED/m),
    ])
  })

  test('is 2 for what nobody understands', async () => {
    const home = aHome()
    expect(await run(home, ['requests', 'cancel'])).toEqual({
      code: 2,
      out: '',
      err: 'lexora: requests cancel needs ID.\n',
    })
    expect((await run(home, ['status', '--host', 'http://a b'])).code).toBe(2)
    expect((await run(home, ['status', '--help'])).code).toBe(0)
  })

  test('is 1 for a command that could not be done', async () => {
    const home = aHome()
    await serve(home)
    expect(await run(home, ['requests', 'cancel', 'nobody-knows-it'])).toEqual({
      code: 1,
      out: '',
      err: 'lexora: No request of this id is in flight.\n',
    })
  })

  test.runIf(process.platform !== 'win32')('is 9 for a run file that others can read', async () => {
    const home = aHome()
    await serve(home)
    chmodSync(join(home, 'run.json'), 0o644)
    const { code, err } = await run(home, ['status'])
    expect([code, err]).toEqual([9, expect.stringContaining('is open to other users')])
  })
})

describe('a Lexora elsewhere', () => {
  const elsewhere = async () => (await serve(aHome(), { config: { auth: { admin_key: ADMIN } } })).lexora.port

  test.each<[what: string, argv: string[], env: object, code: number]>([
    ['without a key', [], {}, 9],
    ['with a wrong key', ['--key', 'wrong'], {}, 9],
    ['with its admin key', ['--key', ADMIN], {}, 0],
    ['with its admin key in the environment', [], { LEXORA_AUTH__ADMIN_KEY: ADMIN }, 0],
  ])('%s', async (_, argv, env, code) => {
    const port = await elsewhere()
    const got = await run(aHome(), ['status', '--host', `127.0.0.1:${port}`, ...argv], env)
    expect([got.code, got.err.includes('admin key')]).toEqual([code, code === 9])
    expect(got.err).not.toContain(ADMIN)
  })

  test('is named as a URL, too', async () => {
    const port = await elsewhere()
    for (const host of [`http://localhost:${port}`, `http://localhost:${port}/`, `[::1]:${port}`]) {
      expect([host, (await run(aHome(), ['status', '--host', host, '--key', ADMIN])).code]).toEqual([host, 0])
    }
  })

  test('that does not answer is not running: 3', async () => {
    const { code, err } = await run(aHome(), ['status', '--host', '127.0.0.1:9'])
    expect([code, err]).toEqual([3, 'lexora: Nothing answers at http://127.0.0.1:9 (ECONNREFUSED).\n'])
  })

  test('that is another program is not running: 3', async () => {
    const other = createServer((_, res) => res.writeHead(404).end('<html>')).listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as { port: number }
    const { code, err } = await run(aHome(), ['status', '--host', `127.0.0.1:${port}`])
    expect([code, err]).toEqual([3, `lexora: What answers at http://127.0.0.1:${port} is not a Lexora (HTTP 404).\n`])
  })
})

describe('lexora requests', () => {
  test('lists what runs, and cancels it', async () => {
    const home = aHome()
    const fake = await startFake({ tokenMs: 5 })
    const { lexora } = await serve(home, { url: fake.url })
    expect((await run(home, ['requests'])).out).toBe('No request is in flight.\n')
    const client = await RawClient.open(lexora.port)
    client.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 400, user: 'ann' }), {
      'x-request-id': 'mine',
      'x-lexora-app': 'notes',
    })
    await client.until((text) => dataOf(text).length > 2)
    expect((await run(home, ['requests'])).out).toMatch(
      /^ +AGE {2}PHASE {3}USER {2}CLIENT {2}MODEL {2}BACKEND {2}ENDPOINT +ID\n *0\.\d+ s {2}decode {2}ann {3}notes {3}tiny {3}main {5}\/v1\/chat\/completions stream {2}mine\n$/,
    )
    expect(await run(home, ['requests', 'cancel', 'mine'])).toEqual({ code: 0, out: 'Cancelled mine.\n', err: '' })
    await lexora.outcomesReach(1)
  })
})

describe('lexora pause', () => {
  test('and resume say what they did', async () => {
    const home = aHome()
    const { lexora } = await serve(home)
    expect((await run(home, ['pause'])).out).toMatch(/^Paused: /)
    expect((await ask(lexora.port, aChat())).status).toBe(503)
    expect(JSON.parse((await run(home, ['resume', '--json'])).out)).toEqual({ state: 'serving' })
    expect((await ask(lexora.port, aChat())).status).toBe(200)
  })
})

describe('lexora status --watch', () => {
  const snapshots = (text: string) =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AppSnapshot)

  test('redraws in place until Ctrl-C, and leaves the last view and the cursor', async () => {
    const home = aHome()
    const { lexora } = await serve(home)
    const watching = start(home, ['status', '--watch'], { terminal: { columns: 80, rows: 40 } })
    await until(() => watching.out().includes('main'))
    await ask(lexora.port, aChat({ user: 'ann' }))
    await until(() => watching.out().includes('ann'))
    watching.stop()
    expect(await watching.code).toBe(0)
    const [hide, ...views] = watching.out().split('\x1b[J')
    expect(hide?.startsWith('\x1b[?25l\rLexora ')).toBe(true)
    expect(views.at(-1)).toBe('\x1b[?25h')
    expect(views[0]?.startsWith('\x1b[6A\rLexora ')).toBe(true)
    expect(
      views[0]
        ?.split('\n')
        .slice(0, -1)
        .every((line) => line.endsWith('\x1b[K')),
    ).toBe(true)
    expect(watching.err()).toBe('')
  })

  test('never draws more than the terminal holds', async () => {
    const home = aHome()
    await serve(home)
    const watching = start(home, ['status', '--watch'], { terminal: { columns: 80, rows: 4 } })
    await until(() => watching.out().includes('\x1b[J'))
    watching.stop()
    await watching.code
    expect(watching.out().split('\x1b[J')[0]!.split('\n')).toHaveLength(4)
  })

  test('prints a line where nobody sees a screen, without escapes', async () => {
    const home = aHome()
    await serve(home)
    const watching = start(home, ['status', '--watch'])
    await until(() => watching.out().includes('\n'))
    watching.stop()
    expect(await watching.code).toBe(0)
    expect(watching.out()).toMatch(/^\S+Z serving healthy running=0 waiting=0 /)
    expect(watching.out()).not.toContain('\x1b')
  })

  test('outlives its server: says that it went, and that another came', async () => {
    const home = aHome()
    const first = await serve(home)
    const watching = start(home, ['status', '--watch', '--json'])
    await until(() => watching.out().includes('\n'))
    await first.leave()
    await until(() => watching.err() !== '')
    expect(watching.err()).toBe('The connection to Lexora was lost; waiting for it to come back.\n')
    const seen = snapshots(watching.out()).length
    const second = await serve(home)
    await until(() => snapshots(watching.out()).length > seen)
    expect(watching.err().split('\n')[1]).toBe(`Lexora was restarted (pid ${process.pid}).`)
    expect(snapshots(watching.out()).at(-1)?.server.address).toBe(`http://localhost:${second.lexora.port}/v1`)
    watching.stop()
    expect(await watching.code).toBe(0)
  })

  test('shows on the screen that the connection is lost, above the last view', async () => {
    const home = aHome()
    const { leave } = await serve(home)
    const watching = start(home, ['status', '--watch'], { terminal: { columns: 80, rows: 40 } })
    await until(() => watching.out().includes('main'))
    await leave()
    await until(() => watching.out().includes('lost'))
    watching.stop()
    expect(await watching.code).toBe(0)
    const last = watching.out().split('\x1b[J').at(-2)!
    expect(last).toMatch(/\rThe connection to Lexora was lost; .*\nLexora 0\.0\.0-test/)
  })

  test('of none that runs ends with 3, of one that refuses with 9', async () => {
    expect((await run(aHome(), ['status', '--watch'])).code).toBe(3)
    const { lexora }: { lexora: TestApp } = await serve(aHome())
    expect((await run(aHome(), ['status', '--watch', '--host', `127.0.0.1:${lexora.port}`])).code).toBe(9)
  })
})

describe('lexora doctor', () => {
  test('looks at the machine by itself where none runs, and fails where something does', async () => {
    const home = aHome()
    writeFileSync(join(home, 'lexora_config.yaml'), 'server: {port: 0}\n')
    const well = await run(home, ['doctor'], { PATH: home })
    expect([well.code, well.out]).toEqual([0, expect.stringMatching(/^warn {2}lexora +It does not run\.$/m)])
    writeFileSync(join(home, 'other.yaml'), 'sever: {port: 0}\n')
    const bad = await run(home, ['doctor', '--config', 'other.yaml', '--json'], { PATH: home })
    const { running, checks } = JSON.parse(bad.out) as DoctorReport
    expect([bad.code, running]).toEqual([1, false])
    expect(checks.find(({ about }) => about === 'config')?.says).toMatch(/sever.*server/)
  })

  test('asks the Lexora that runs', async () => {
    const home = aHome()
    const checks: DoctorCheck[] = [{ about: 'node', level: 'fail', says: 'Too old.', fix: 'Another.' }]
    await serve(home, { doctor: async () => ({ running: true, checks }) })
    const { code, out } = await run(home, ['doctor'])
    expect([code, out]).toEqual([1, 'FAIL  node  Too old.\n            Another.\n\n1 of 1 checks failed.\n'])
  })
})

test('commands for engines say where none is configured, and where none runs', async () => {
  const home = aHome()
  expect(await run(home, ['start'])).toMatchObject({ code: 3, err: expect.stringContaining('Start it first: lexora') })
  await serve(home)
  const none = 'lexora: No engine is configured. Name one below `engines:` in the configuration file.\n'
  for (const words of [['start'], ['stop', '--wait'], ['logs', 'engine', '-f']]) {
    expect(await run(home, words)).toEqual({ code: 1, out: '', err: none })
  }
  expect((await run(home, ['free-gpu'])).out).toBe('No engine ran; nothing of ours holds memory.\n')
  expect((await run(home, ['gpu', '--who'])).code).toBe(0)
})
