import { parseArgs } from 'node:util'
import {
  COMMANDS,
  type CommandName,
  type CommandRow,
  optionNames,
  parseCommandArgs,
  pathArguments,
} from '../protocol/commands.ts'
import { nearestNames } from '../protocol/nearest-name.ts'

/** What was asked of the CLI. `host` and `key` null: the Lexora of this user on this machine. */
export type Asked = {
  name: CommandName
  args: Record<string, unknown>
  json: boolean
  watch: boolean
  host: string | null
  key: string | null
}

export type Parsed = { do: 'command'; asked: Asked } | { do: 'help' } | { do: 'usage-error'; message: string }

const ROWS = Object.entries(COMMANDS) as [CommandName, CommandRow][]

const COMMON = {
  json: { type: 'boolean' },
  watch: { type: 'boolean' },
  host: { type: 'string' },
  key: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Whether a command line that begins so is for a Lexora that runs, and not one to start. */
export function isCommand(word: string | undefined): boolean {
  return ROWS.some(([, { cli }]) => cli[0] === word)
}

/** argv, without node and script. The words choose the row of the table, the longest match wins. */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const own = new Set(ROWS.flatMap(([, row]) => optionNames(row)))
  const options = Object.fromEntries([...own].map((name) => [name, { type: 'string' }] as const))
  let parsed: ReturnType<typeof parseArgs<{ options: typeof COMMON; allowPositionals: true }>>
  try {
    parsed = parseArgs({ args: [...argv], options: { ...options, ...COMMON }, allowPositionals: true, strict: true })
  } catch (error) {
    return usageError((error as Error).message)
  }
  const { values, positionals } = parsed
  if (values.help) return { do: 'help' }
  const found = findRow(positionals)
  if (found === null) return usageError(unknownCommand(positionals))
  const [name, row] = found
  if (values.watch && !row.watch) return usageError(`${row.cli.join(' ')} has no --watch.`)
  const args = argsOf(row, positionals.slice(row.cli.length), values)
  if (typeof args === 'string') return usageError(args)
  const { json = false, watch = false, host = null, key = null } = values
  return { do: 'command', asked: { name, args, json, watch, host, key } }
}

function findRow(words: readonly string[]): [CommandName, CommandRow] | null {
  const matches = ROWS.filter(([, { cli }]) => cli.every((word, i) => words[i] === word))
  return matches.sort(([, a], [, b]) => b.cli.length - a.cli.length)[0] ?? null
}

function argsOf(
  row: CommandRow,
  places: readonly string[],
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> | string {
  const names = pathArguments(row)
  const called = row.cli.join(' ')
  if (places.length > names.length) return `${called} takes no '${places[names.length]}'.`
  const missing = names[places.length]
  if (missing !== undefined) return `${called} needs ${missing.toUpperCase()}.`
  const strange = Object.keys(values).find((name) => !Object.hasOwn(COMMON, name) && !optionNames(row).includes(name))
  if (strange !== undefined) return `${called} has no --${strange}.`
  const given = Object.fromEntries([
    ...names.map((name, i) => [name, places[i]] as const),
    ...optionNames(row).flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]] as const])),
  ])
  const parsed = parseCommandArgs(row, given)
  return parsed.ok ? parsed.args : parsed.problem.message
}

function unknownCommand(words: readonly string[]): string {
  const said = words.join(' ')
  const known = ROWS.map(([, { cli }]) => cli.join(' '))
  const near = nearestNames(said, known, 1)
  return `There is no command '${said}'.${near.length > 0 ? ` Did you mean '${near[0]}'?` : ''}`
}

function usageError(message: string): Parsed {
  return { do: 'usage-error', message }
}
