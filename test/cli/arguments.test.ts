import { describe, expect, test } from 'vitest'
import { USAGE } from '../../src/app/args.ts'
import { isCommand, parseCommandLine } from '../../src/cli/arguments.ts'
import { type CommandRow, placeNames } from '../../src/protocol/command-row.ts'
import { COMMANDS } from '../../src/protocol/commands.ts'

const rows = (Object.entries(COMMANDS) as [string, CommandRow][]).filter(([, { ownWords }]) => !ownWords)
const plain = {
  json: false,
  watch: false,
  wait: null,
  follow: false,
  yes: false,
  detach: false,
  config: undefined,
  host: null,
  key: null,
}

describe('every command', () => {
  test.each(rows)('%s is called by its words', (name, row) => {
    const places = placeNames(row).map((_, i) => `value-${i}`)
    const args = Object.fromEntries(placeNames(row).map((argument, i) => [argument, places[i]]))
    expect(parseCommandLine([...row.cli, ...places])).toEqual({ do: 'command', asked: { name, args, ...plain } })
    expect(isCommand(row.cli[0])).toBe(true)
  })

  test.each(rows)('%s is in the usage', (_, row) => {
    expect(USAGE).toMatch(new RegExp(`^  ${row.cli.join(' ')}\\b.*  ${row.about}$`, 'm'))
  })
})

test.each([undefined, '--no-ui', '--help', 'nothing'])('%s starts no command', (word) => {
  expect(isCommand(word)).toBe(false)
})

test('options may stand anywhere', () => {
  const asked = { ...plain, name: 'cancelRequest', args: { id: 'r-1' }, json: true, host: 'gpu:9', key: 'k' }
  expect(parseCommandLine(['requests', '--json', 'cancel', '--host', 'gpu:9', 'r-1', '--key=k'])).toEqual({
    do: 'command',
    asked,
  })
})

test('what may be left out may be left out, and switches take no value', () => {
  expect(parseCommandLine(['start', '--wait', '--timeout', '5'])).toEqual({
    do: 'command',
    asked: { ...plain, name: 'startEngine', args: {}, wait: { timeoutMs: 5000 } },
  })
  expect(parseCommandLine(['gpu', '--who'])).toEqual({
    do: 'command',
    asked: { ...plain, name: 'gpu', args: { who: true } },
  })
  expect(parseCommandLine(['logs', 'engine', 'main', '-f', '--lines', '20'])).toEqual({
    do: 'command',
    asked: { ...plain, name: 'engineLog', args: { engine: 'main', lines: 20 }, follow: true },
  })
})

test('--help explains instead', () => {
  expect(parseCommandLine(['requests', 'cancel', '-h'])).toMatchObject({
    do: 'help',
    text: expect.stringContaining('requests cancel ID'),
  })
})

test.each<[argv: string[], message: string]>([
  [['requests', 'cancel'], 'requests cancel needs ID.'],
  [['requests', 'cancle', 'x'], "requests takes no 'cancle'."],
  [['pause', 'now'], "pause takes no 'now'."],
  [['pause', '--watch'], 'pause has no --watch.'],
  [['pause', '--wait'], 'pause has no --wait.'],
  [['start', 'a', 'b'], "start takes no 'b'."],
  [['start', '--timeout', '5'], '--timeout is for --wait.'],
  [['start', '--wait', '--timeout', 'long'], "--timeout must be a number of seconds, not 'long'."],
  [['logs', 'engine', '--lines', '0'], 'lines: is less than 1'],
  [['requests', 'cancel', 'a b'], 'id: is not a request id'],
  [['stauts'], "There is no command 'stauts'. Did you mean 'status'?"],
])('%j is refused', (argv, message) => {
  expect(parseCommandLine(argv)).toEqual({ do: 'usage-error', message })
})

test('an option that nobody knows is named', () => {
  expect(parseCommandLine(['status', '--wach'])).toMatchObject({
    do: 'usage-error',
    message: expect.stringContaining('--wach'),
  })
})
