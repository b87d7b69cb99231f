/** Users, keys and backups in a terminal: what is typed, what is printed, and what works without a running Lexora. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { localUrl } from '../../src/app/address.ts'
import { RunFile } from '../../src/app/run-file.ts'
import { parseCommandLine } from '../../src/cli/arguments.ts'
import { startApp, startFake } from '../support/app.ts'
import { aFolder, someRecords } from '../support/records.ts'
import { aChat, ask } from '../support/requests.ts'
import { inTerminal as run } from '../support/terminal.ts'

/** A Lexora whose files and run file lie in `home`. */
async function serve(home: string) {
  const runFile = new RunFile(join(home, 'run.json'))
  const records = someRecords(home)
  const { url } = await startFake()
  const lexora = await startApp([{ name: 'main', url }], {
    session: runFile.token,
    records,
    onListening: async (first) => {
      await runFile.claim({ address: localUrl(first), startedAt: new Date().toISOString(), version: '1' })
    },
  })
  const leave = async (): Promise<void> => {
    await lexora.app.stop(0)
    await records.close()
    runFile.release()
  }
  return { lexora, leave }
}

describe('the words', () => {
  const argsOf = (...argv: string[]): unknown => {
    const parsed = parseCommandLine(argv)
    return parsed.do === 'command' ? parsed.asked.args : parsed
  }

  test.each<[argv: string[], args: object]>([
    [
      ['users', 'add', 'ann', '--requests-per-minute', '30', '--models', 'a, b'],
      { name: 'ann', requests_per_minute: 30, models: ['a', 'b'] },
    ],
    [['users', 'set', 'ann', '--rate', 'none', '--disabled', 'true'], { name: 'ann', rate: null, disabled: true }],
    [['keys', 'add', 'ann', '--scopes', 'admin:read,inference'], { user: 'ann', scopes: ['admin:read', 'inference'] }],
    [['keys', 'rotate', 'abc', '--overlap-minutes', '0'], { id: 'abc', overlap_minutes: 0 }],
    [['usage', '--since', '7d', '--by', 'user,model'], { since: '7d', by: ['user', 'model'] }],
  ])('%j', (argv, args) => {
    expect(argsOf(...argv)).toEqual(args)
  })

  test.each<[argv: string[], says: RegExp]>([
    [['users', 'add'], /users add needs NAME/],
    [['backup'], /backup needs FILE/],
    [['users', 'add', 'ann', '--rate', 'much'], /^rate: must be a number/],
    [['users', 'set', 'ann', '--requests_per_minute', '3'], /Unknown option/],
    [['usage', '--since', 'yesterday'], /^since: must be a date/],
    [['requests', 'history', '--status', 'good'], /^status: must be a status or a class/],
    [['requests', 'history', '--ttft', '2s'], /^ttft: must be a bound as in >2s/],
    [['keys', 'add', 'ann', '--scopes', 'root'], /^scopes.*: must be of inference/],
  ])('%j is refused', (argv, says) => {
    expect(argsOf(...argv)).toMatchObject({ do: 'usage-error', message: expect.stringMatching(says) })
  })
})

describe('a user’s life in a terminal', () => {
  test('add, mint, look, disable, remove, and who did it', async () => {
    const home = aFolder()
    const { lexora } = await serve(home)
    expect((await run(home, 'users')).out).toContain('lexora users add NAME')
    expect((await run(home, 'users', 'add', 'ann', '--tokens-per-minute', '5000')).out).toContain('5,000 tok/min')
    const minted = await run(home, 'keys', 'add', 'ann', '--label', 'laptop')
    const secret = /^lx-\S+$/m.exec(minted.out)![0]
    expect(minted.out).toContain('shown once')
    expect((await ask(lexora.port, aChat(), { authorization: `Bearer ${secret}` })).status).toBe(200)
    const keys = await run(home, 'keys')
    expect(keys.out).toContain('laptop')
    expect(keys.out).not.toContain(secret)
    expect((await run(home, 'requests', 'history')).out).toMatch(/ann +tiny +200/)
    const found = async (...options: string[]) =>
      JSON.parse((await run(home, 'requests', 'history', '--json', ...options)).out).rows.length
    expect([await found('--status', '2XX', '--total', '>0ms'), await found('--status', '5xx')]).toEqual([1, 0])
    expect([await found('--queue', '<1m'), await found('--total', '>10m')]).toEqual([1, 0])
    expect((await run(home, 'usage', '--by', 'user')).out).toMatch(/^ann +1 +0/m)
    const unknown = aChat({ model: 'nobody-has-this' })
    expect((await ask(lexora.port, unknown, { authorization: `Bearer ${secret}` })).status).toBe(404)
    const reasons = async (user: string) =>
      (await run(home, 'requests', 'reasons', '--user', user, '--since', '1d')).out
    expect(await reasons('ann')).toMatch(/^REASON +REQUESTS\nmodel_not_found +1$/m)
    expect(await reasons('bob')).toContain('No request was refused')
    expect((await run(home, 'users', 'set', 'ann', '--disabled', 'true')).out).toContain('disabled')
    expect((await run(home, 'users', 'rm', 'ann')).out).toBe('Deleted ann and his key.\n')
    expect((await run(home, 'audit')).out).toMatch(/cli +deleteUser +ann +yes/)
    const json = JSON.parse((await run(home, 'audit', '--json', '--limit', '1')).out)
    expect(json).toMatchObject({
      rows: [{ who: 'cli', face: 'cli', action: 'deleteUser', target: 'ann', ok: true }],
      next: expect.any(String),
    })
    expect(await run(home, 'users', 'rm', 'ann')).toMatchObject({
      code: 1,
      err: expect.stringContaining("no user 'ann'"),
    })
  })
})

describe('a backup', () => {
  test('is written and put back with Lexora running, and without', async () => {
    const home = aFolder()
    const { lexora, leave } = await serve(home)
    await lexora.app.commands.createUser({ name: 'ann' })
    expect(await run(home, 'backup', 'while-running.db')).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 users'),
    })
    await leave()
    expect(await run(home, 'backup', 'stopped.db')).toMatchObject({ code: 0, out: expect.stringContaining('1 users') })
    writeFileSync(join(home, 'lexora.db'), 'no database '.repeat(500))
    expect(await run(home, 'restore', 'while-running.db')).toMatchObject({
      code: 0,
      out: expect.stringContaining('Restored'),
    })
    const again = await serve(home)
    expect((await again.lexora.app.commands.listUsers()).users.map(({ name }) => name)).toEqual(['ann'])
    expect((await ask(again.lexora.port, aChat())).status).toBe(200)
    await again.leave()
    expect(await run(home, 'restore', 'none.db')).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot be read'),
    })
    expect(await run(home, 'backup', 'stopped.db')).toMatchObject({
      code: 2,
      err: expect.stringContaining('there already'),
    })
    expect(readFileSync(join(home, 'stopped.db')).subarray(0, 15).toString()).toBe('SQLite format 3')
  })

  test('of nothing is none', async () => {
    expect(await run(aFolder(), 'backup', 'b.db')).toMatchObject({
      code: 2,
      err: expect.stringContaining('nothing to back up'),
    })
  })
})
