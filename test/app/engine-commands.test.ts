/** The commands for engines, as a face calls them: which engine is meant, and what its log says. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { readEngineLog } from '../../src/app/engine-log.ts'
import { EXIT, exitOfFailure } from '../../src/app/exit-codes.ts'
import { type Config, configSchema } from '../../src/protocol/config.ts'
import { aFolder, type Folder } from '../engine/given.ts'
import { Rig } from '../engine/rig.ts'
import { startApp } from '../support/app.ts'

let rig: Rig | null = null
let folder: Folder | null = null
afterEach(async () => {
  await rig?.dispose()
  folder?.remove()
  rig = null
  folder = null
})

async function commandsWith(names: readonly string[]) {
  rig = new Rig()
  const given = Object.fromEntries(names.map((name, i) => [name, { model: `m${i}`, port: 9000 + i }]))
  const configs: Config['engines'] = configSchema.parse({ engines: given }).engines
  const engines = names.length === 0 ? {} : { engines: { configs, world: rig.world } }
  return (await startApp([{ name: 'other' }], engines)).app.commands
}

describe('which engine is meant', () => {
  test('need not be said of the only one', async () => {
    const commands = await commandsWith(['qwen'])
    expect((await commands.stopEngine()).name).toBe('qwen')
    expect((await commands.listEngines()).engines.map(({ name, state }) => [name, state.is])).toEqual([
      ['qwen', 'stopped'],
    ])
  })

  test('is said by its name, or by that of its model', async () => {
    const commands = await commandsWith(['qwen', 'embed'])
    expect((await commands.stopEngine({ engine: 'embed' })).name).toBe('embed')
    expect((await commands.stopEngine({ engine: 'm0' })).name).toBe('qwen')
  })

  test.each<[names: string[], engine: string | undefined, code: string, message: string]>([
    [[], undefined, 'not_found', 'No engine is configured. Name one below `engines:` in the configuration file.'],
    [['a', 'b'], undefined, 'invalid_request', 'There are several engines: a, b. Say which one.'],
    [['qwen', 'embed'], 'qwne', 'not_found', "There is no engine 'qwne'. Did you mean qwen?"],
    [['qwen', 'embed'], 'zzz', 'not_found', "There is no engine 'zzz'. There is qwen, embed."],
  ])('of %j: %s is refused', async (names, engine, code, message) => {
    const commands = await commandsWith(names)
    const asked = commands.startEngine(engine === undefined ? {} : { engine })
    await expect(asked).rejects.toMatchObject({ problem: { code, message, param: 'engine' } })
  })

  test('matters to nobody where none is configured and all are meant', async () => {
    const commands = await commandsWith([])
    expect([await commands.listEngines(), await commands.freeGpu()]).toEqual([{ engines: [] }, { freed: [] }])
  })
})

describe('the command of an engine', () => {
  test('is told of one that was never started', async () => {
    const commands = await commandsWith(['qwen'])
    const told = await commands.engineCommand({ args: '{"max-model-len": 4096}' })
    expect(told).toMatchObject({ engine: 'qwen', running: null, differs: false, diff: [], problems: [] })
    expect(told.next).toContain('--max-model-len 4096')
  })

  test.each([
    ['max-model-len=1', 'is no JSON'],
    ['[1]', 'Invalid input: expected record, received array'],
    ['{"--x": 1}', '--x must be an option name without leading dashes'],
  ])('with %s is refused', async (args, why) => {
    const commands = await commandsWith(['qwen'])
    const message = `args: ${why}; give a JSON object, as {"max-model-len": 8192}`
    await expect(commands.engineCommand({ args })).rejects.toMatchObject({
      problem: { code: 'invalid_request', param: 'args', message },
    })
  })
})

describe('the log of an engine', () => {
  const aLog = (): string => {
    folder = aFolder()
    const path = join(folder.path, 'engine-qwen.log')
    mkdirSync(dirname(path), { recursive: true })
    return path
  }
  const read = (after: string | null, lines = 200) => readEngineLog(folder!.path, 'qwen', { lines, after })

  test('gives its last whole lines, and from there on what comes', async () => {
    const path = aLog()
    writeFileSync(path, 'one\ntwo\nthr')
    const first = await read(null, 1)
    expect([first.lines, first.skipped]).toEqual([['two'], false])
    appendFileSync(path, 'ee\nfour\n')
    const next = await read(first.cursor)
    expect([next.lines, next.skipped]).toEqual([['three', 'four'], false])
    expect((await read(next.cursor)).lines).toEqual([])
  })

  test('is read on in the next file where it was turned', async () => {
    const path = aLog()
    writeFileSync(path, 'one\n')
    const { cursor } = await read(null)
    appendFileSync(path, 'two\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'three\n')
    const next = await read(cursor)
    expect([next.lines, next.skipped]).toEqual([['two', 'three'], false])
  })

  test('that was turned twice says that something is missing', async () => {
    const path = aLog()
    writeFileSync(path, 'one\n')
    const { cursor } = await read(null)
    renameSync(path, `${path}.2`)
    writeFileSync(`${path}.1`, 'two\n')
    writeFileSync(path, 'three\n')
    expect(await read(cursor)).toMatchObject({ lines: ['three'], skipped: true })
  })

  test('is bounded, however much was printed', async () => {
    const path = aLog()
    writeFileSync(path, 'one\n')
    const { cursor } = await read(null)
    appendFileSync(path, `${'x'.repeat(999)}\n`.repeat(3000))
    const { lines, skipped } = await read(cursor)
    expect([lines.length, skipped, new Set(lines).size]).toEqual([524, true, 1])
  })

  test('is empty before its first start', async () => {
    aLog()
    expect(await read(null)).toEqual({ engine: 'qwen', lines: [], cursor: null, skipped: false })
  })
})

/** All that the rules and the owner of an engine are written in. */
const SOURCES = ['../../src/policy/failures', '../../src/policy', '../../src/engine']
  .map((path) => join(import.meta.dirname, path))
  .flatMap((dir) =>
    readdirSync(dir).flatMap((name) => (name.endsWith('.ts') ? readFileSync(join(dir, name), 'utf8') : [])),
  )
  .join('\n')

test.each<[failure: string, exit: number]>([
  ['vram_busy', EXIT.noMemory],
  ['vram_peak', EXIT.noMemory],
  ['weights_too_big', EXIT.noMemory],
  ['ctx_too_big', EXIT.noMemory],
  ['oom_gpu', EXIT.noMemory],
  ['model_missing', EXIT.badModel],
  ['model_bad', EXIT.badModel],
  ['wrong_model', EXIT.badModel],
  ['auth', EXIT.badModel],
  ['offline', EXIT.badModel],
  ['port_busy', EXIT.portInUse],
  ['driver', EXIT.engineFailed],
  ['unknown', EXIT.engineFailed],
])('an engine that failed by %s, which some rule says, ends a command with %i', (failure, exit) => {
  expect(exitOfFailure(failure)).toBe(exit)
  expect(SOURCES).toContain(`'${failure}'`)
})
