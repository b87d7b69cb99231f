/** The file of a Lexora that runs, read and written as a whole: by the commands, over HTTP and in a terminal. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { runConfig } from '../../src/cli/config.ts'
import { revisionOf } from '../../src/config/masked-text.ts'
import { aHome, startRun, type TestRun } from '../support/run.ts'

const FILE = `# kept by Ann
server: {port: 0}
metrics: {request_log: {enabled: false}}
auth:
  api_keys: [first-key-of-all]   # Ann's
routing:
  enabled: true
  backends:
    main: {url: "http://127.0.0.1:9", api_key: hush-hush}
`

const read = ({ file }: TestRun) => readFileSync(file, 'utf8')

describe('the text of the file', () => {
  test('holds no secret, and comes back with them', async () => {
    const lexora = await startRun(FILE)
    const shown = await lexora.commands.configText()
    expect(shown).toMatchObject({ path: lexora.file, exists: true, revision: revisionOf(FILE), canUndo: false })
    expect(shown.text).toBe(FILE.replace('first-key-of-all', '<secret-1>').replace('hush-hush', '<secret-2>'))
    const { revision } = shown
    const text = shown.text.replace('# kept by Ann', '# kept by Bob').replace('<secret-1>]', '<secret-1>, another-key]')
    const report = await lexora.commands.writeConfig({ text: `${text}queue: {max_size: 7}\n`, revision })
    expect(report.changed).toEqual([
      { path: 'auth.api_keys', effect: 'now' },
      { path: 'queue.max_size', effect: 'now' },
    ])
    const written = FILE.replace('by Ann', 'by Bob').replace('of-all]', 'of-all, another-key]')
    expect(read(lexora)).toBe(`${written}queue: {max_size: 7}\n`)
    const { entries } = await lexora.commands.getConfig()
    expect(entries.find(({ path }) => path === 'queue.max_size')?.value).toBe(7)
    const { rows } = await lexora.commands.auditLog()
    expect(JSON.stringify(rows)).not.toMatch(/hush|first-key|another-key/)
    expect(rows[0]).toMatchObject({ action: 'writeConfig', ok: true })
    const { events } = await lexora.commands.recentEvents()
    expect(events).toMatchObject([{ what: 'config', paths: ['auth.api_keys', 'queue.max_size'] }])
  })

  test('is refused where the file has changed since, and nothing is written', async () => {
    const lexora = await startRun(FILE)
    const { text, revision } = await lexora.commands.configText()
    const theirs = FILE.replace('Ann', 'Eve')
    writeFileSync(lexora.file, theirs)
    const headers = { authorization: `Bearer ${lexora.record.token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ text, revision })
    const answer = await fetch(`${lexora.url}/admin/config/text`, { method: 'POST', headers, body })
    const { error } = (await answer.json()) as { error: { code: string; param: string } }
    expect([answer.status, error.code, error.param]).toEqual([409, 'invalid_request', 'revision'])
    expect(read(lexora)).toBe(theirs)
  })

  test('is refused with every path, line and column as they were typed', async () => {
    const lexora = await startRun(FILE)
    const { text, revision } = await lexora.commands.configText()
    const typed = text.replace('<secret-2>}', '<secret-2>, modles: []}')
    const report = await lexora.commands.validateConfig({ text: typed, revision })
    const line = typed.split('\n').findIndex((one) => one.includes('modles')) + 1
    const column = typed.split('\n')[line - 1]!.indexOf('modles') + 1
    expect(report).toMatchObject({
      ok: false,
      issues: [{ path: 'routing.backends.main.modles', line, column, message: expect.stringContaining('models') }],
    })
    expect(report.diff).toContain('modles')
    expect(report.diff).not.toContain('hush')
    await expect(lexora.commands.writeConfig({ text: typed, revision })).rejects.toThrow(`:${line}:${column}  routing`)
    const moved = text.replace('enabled: true', 'default_backend: <secret-2>')
    await expect(lexora.commands.writeConfig({ text: moved, revision })).rejects.toThrow(
      /:7:20 {2}routing\.default_backend: <secret-2> stands where no secret belongs/,
    )
    await expect(lexora.commands.writeConfig({ text: '', revision })).rejects.toThrow('is empty')
    expect(read(lexora)).toBe(FILE)
  })

  test('says before it is written what would change and when', async () => {
    const lexora = await startRun(FILE)
    const { text, revision } = await lexora.commands.configText()
    const typed = `${text}logging: {format: json}\n`
    expect(await lexora.commands.validateConfig({ text: typed, revision })).toMatchObject({
      ok: true,
      changed: [{ path: 'logging.format', effect: 'restart' }],
      diff: expect.stringContaining('+logging: {format: json}'),
    })
    expect(read(lexora)).toBe(FILE)
  })

  test('of a file that was broken meanwhile is shown, and is mended by writing it', async () => {
    const lexora = await startRun(FILE)
    writeFileSync(lexora.file, `${FILE}queue: [\n`)
    const { text, revision } = await lexora.commands.configText()
    expect(text).not.toMatch(/hush|first-key/)
    await lexora.commands.writeConfig({ text: text.replace('queue: [\n', 'queue: {max_size: 3}\n'), revision })
    expect(read(lexora)).toBe(`${FILE}queue: {max_size: 3}\n`)
  })

  test('of a hundred kilobytes is taken, and one that is larger than a configuration is not', async () => {
    const lexora = await startRun(FILE)
    const { text, revision } = await lexora.commands.configText()
    const long = `${text}${'# a long remark\n'.repeat(8_000)}`
    expect(await lexora.commands.validateConfig({ text: long, revision })).toMatchObject({ ok: true })
    await expect(lexora.commands.writeConfig({ text: `#${'x'.repeat(1024 * 1024)}`, revision })).rejects.toThrow(
      'text: is larger than 1 MiB',
    )
  })
})

describe('the last change', () => {
  test('is taken back, what was before is in force, and that is a change, too', async () => {
    const lexora = await startRun(FILE)
    await lexora.commands.setConfig({ changes: [{ path: 'queue.max_size', value: 9 }] })
    expect(await lexora.commands.configText()).toMatchObject({ canUndo: true })
    expect((await lexora.commands.undoConfig()).changed).toEqual([{ path: 'queue.max_size', effect: 'now' }])
    expect(read(lexora)).toBe(FILE)
    expect((await lexora.commands.undoConfig()).changed).toEqual([{ path: 'queue.max_size', effect: 'now' }])
    expect(read(lexora)).toContain('max_size: 9')
  })

  test('is not taken back over a change that somebody made by hand', async () => {
    const lexora = await startRun(FILE)
    await expect(lexora.commands.undoConfig()).rejects.toThrow('Nothing was changed')
    await lexora.commands.setConfig({ changes: [{ path: 'queue.max_size', value: 9 }] })
    writeFileSync(lexora.file, FILE.replace('Ann', 'Eve'))
    expect(await lexora.commands.configText()).toMatchObject({ canUndo: false })
    await expect(lexora.commands.undoConfig()).rejects.toMatchObject({ problem: { param: 'revision' } })
    expect(read(lexora)).toContain('Eve')
  })
})

describe('a mask that comes back in a setting', () => {
  const WITH_ENGINE = `${FILE}engines:
  tiny:
    kind: vllm
    model: tiny
    autostart: false
    env: {HF_TOKEN: hf-very-own}
    args: {seed: 7, hf-token: hf-of-args}
`
  const MASK = '***'

  test.each<[path: string, value: unknown, named: string]>([
    ['engines.tiny.env.HF_TOKEN_OF_ANN', MASK, 'engines.tiny.env.HF_TOKEN_OF_ANN'],
    ['engines.tiny.args', { 'api-token': MASK }, 'engines.tiny.args.api-token'],
    ['auth.api_keys', [MASK, 'another-key-of-all'], 'auth.api_keys.0'],
  ])('is refused where nothing is hidden: %s', async (path, value, named) => {
    const lexora = await startRun(WITH_ENGINE)
    const change = lexora.commands.setConfig({ changes: [{ path, value }] })
    await expect(change).rejects.toThrow(`${named}: \`***\` only stands for a value that is not shown`)
    expect(read(lexora)).toBe(WITH_ENGINE)
  })

  test('keeps what it hides in a map that is given whole', async () => {
    const lexora = await startRun(WITH_ENGINE)
    await lexora.commands.setConfig({ changes: [{ path: 'engines.tiny.args', value: { seed: 8, 'hf-token': MASK } }] })
    expect(parse(read(lexora)).engines.tiny.args).toEqual({ seed: 8, 'hf-token': 'hf-of-args' })
  })

  test('is a value like any other where nothing is secret', async () => {
    const lexora = await startRun(WITH_ENGINE)
    await lexora.commands.setConfig({ changes: [{ path: 'engines.tiny.args.stop', value: MASK }] })
    expect(parse(read(lexora)).engines.tiny.args.stop).toBe(MASK)
  })
})

describe('lexora config', () => {
  const inTerminal = async (home: string, ...argv: string[]) => {
    const said = { out: '', err: '' }
    const code = await runConfig(argv, {
      env: { LEXORA_HOME: home },
      cwd: home,
      home,
      platform: process.platform,
      out: (text) => {
        said.out += text
      },
      err: (text) => {
        said.err += text
      },
    }).catch((error: Error) => {
      said.err += error.message
      return 1
    })
    return { code, ...said }
  }

  const roundTrip = async (home: string, file: string): Promise<void> => {
    const shown = await inTerminal(home, 'text')
    expect([shown.code, shown.out]).toEqual([0, expect.stringContaining('api_key: <secret-2>')])
    const revision = /^revision ([0-9a-f]+)/.exec(shown.err)![1]!
    const typed = join(home, 'typed.yaml')
    writeFileSync(typed, shown.out.replace('by Ann', 'by Bob'))
    expect(await inTerminal(home, 'write', 'typed.yaml')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--revision'),
    })
    expect(await inTerminal(home, 'write', 'typed.yaml', '--revision', revision)).toMatchObject({ code: 0, err: '' })
    expect(readFileSync(file, 'utf8')).toBe(FILE.replace('by Ann', 'by Bob'))
    const late = await inTerminal(home, 'write', 'typed.yaml', '--revision', revision)
    expect(late).toMatchObject({ code: 1, err: expect.stringContaining('has changed since') })
    writeFileSync(typed, 'server: {port: 0, prot: 1}\n')
    const bad = await inTerminal(home, 'write', 'typed.yaml')
    expect(bad.code).not.toBe(0)
    expect(bad.err).toMatch(/:1:19 {2}server\.prot: unknown key/)
    expect(readFileSync(file, 'utf8')).toBe(FILE.replace('by Ann', 'by Bob'))
  }

  test('text and write go through the Lexora that runs', async () => {
    const lexora = await startRun(FILE)
    await roundTrip(lexora.home, lexora.file)
    expect(await inTerminal(lexora.home, 'undo')).toMatchObject({ code: 0 })
    expect(read(lexora)).toBe(FILE)
  })

  test('text and write do it themselves where none runs', async () => {
    const home = aHome()
    const file = join(home, 'lexora_config.yaml')
    writeFileSync(file, FILE)
    await roundTrip(home, file)
    expect(await inTerminal(home, 'undo')).toMatchObject({ code: 3 })
    rmSync(file)
    expect(await inTerminal(home, 'text')).toMatchObject({ code: 0, out: '\n' })
    writeFileSync(join(home, 'typed.yaml'), 'server: {port: 0}\n')
    expect(await inTerminal(home, 'write', 'typed.yaml')).toMatchObject({ code: 0 })
    expect(existsSync(file)).toBe(true)
  })
})
