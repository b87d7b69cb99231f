import { describe, expect, test } from 'vitest'
import {
  isHeadless,
  linkedScreen,
  restartArguments,
  shellArguments,
  unappliedOptions,
} from '../../src/shell/request.ts'

const NOTHING = { screen: null, start: null, stop: null, model: null, hidden: false }

test.each<[argv: string[], kept: string[]]>([
  [
    ['/opt/app', '--no-sandbox', '--port', '8100'],
    ['--no-sandbox', '--port', '8100'],
  ],
  [['--config=/x.yaml', '--hidden', '--start=big', '--stop'], ['--config=/x.yaml']],
  [
    ['--model', 'a/b', 'lexora://models', '--engine', 'demo'],
    ['--engine', 'demo'],
  ],
  [['--model=a/b', '--log-format=json'], ['--log-format=json']],
])('a restart after %j keeps its options, and asks for nothing a second time', (argv, kept) => {
  expect(restartArguments(argv)).toEqual(kept)
})

test.each<[argv: string[], names: string[]]>([
  [[], []],
  [['--hidden', '--start', 'lexora://models'], []],
  [
    ['--port', '8100', '--config=/x.yaml'],
    ['--config', '--port'],
  ],
  [
    ['--host=::1', '--engine', 'demo', '--log-format', 'json'],
    ['--host', '--log-format', '--engine'],
  ],
])('a second start with %j says what was not applied', (argv, names) => {
  const asked = shellArguments(argv)
  expect(asked.ok && unappliedOptions(asked.run)).toEqual(names)
})

test.each<[argv: string[], isPlain: boolean]>([
  [[], false],
  [['--hidden'], false],
  [['lexora://models'], false],
  [['--port', '8100'], false],
  [['--port', '8100', '--no-ui'], true],
  [['status', '--json'], true],
  [['engine', 'install'], true],
  [['--version'], true],
  [['-h'], true],
])('installed, %j needs no window: %s', (argv, isPlain) => {
  expect(isHeadless(argv)).toBe(isPlain)
})

describe('the command line', () => {
  test.each<[argv: string[], request: object, core: object, unknown: string[]]>([
    [[], NOTHING, { configPath: undefined, engine: null }, []],
    [['--hidden'], { ...NOTHING, hidden: true }, {}, []],
    [['--start'], { ...NOTHING, start: '' }, {}, []],
    [['--start=big', '--stop=small'], { ...NOTHING, start: 'big', stop: 'small' }, {}, []],
    [['--model', 'Qwen/Qwen3-8B'], { ...NOTHING, model: 'Qwen/Qwen3-8B' }, {}, []],
    [['--model=tiny', 'lexora://models'], { ...NOTHING, model: 'tiny', screen: '/models' }, {}, []],
    [['--config', '/etc/x.yaml', '--port=8100'], NOTHING, { configPath: '/etc/x.yaml' }, []],
    [['--engine', 'demo', '--hidden'], { ...NOTHING, hidden: true }, { engine: 'demo' }, []],
    [['--ozone-platform=x11', '--no-sandbox'], NOTHING, {}, ['--ozone-platform=x11', '--no-sandbox']],
    [['.', '/opt/app'], NOTHING, {}, []],
  ])('%j', (argv, request, core, unknown) => {
    const asked = shellArguments(argv)
    expect(asked).toMatchObject({ ok: true, request, run: core, unknown })
  })

  test.each<[argv: string[], says: RegExp]>([
    [['--port', 'many'], /--port must be a number/],
    [['--model'], /--model needs/],
    [['--model', '--hidden'], /--model needs/],
  ])('%j is refused', (argv, says) => {
    expect(shellArguments(argv)).toEqual({ ok: false, message: expect.stringMatching(says) })
  })
})

describe('a link', () => {
  test.each<[link: string, screen: string | null]>([
    ['lexora://models', '/models'],
    ['lexora://requests/history', '/requests/history'],
    ['lexora://settings/network/', '/settings/network'],
    ['lexora://', '/dashboard'],
    ['lexora://dashboard?start=big', '/dashboard'],
    ['lexora://stop', null],
    ['lexora://start/big', null],
    ['lexora://models/%2e%2e', '/models'],
    ['lexora://models/<b>', null],
    [`lexora://models/${'a'.repeat(300)}`, null],
    ['https://models', null],
    ['lexora:', '/dashboard'],
    ['nonsense', null],
  ])('%s opens %s', (link, screen) => {
    expect(linkedScreen(link)).toBe(screen)
  })
})
