import { parseArgs } from 'node:util'
import { USAGE } from '../app/args.ts'
import {
  type CommandRow,
  isNeeded,
  optionNames,
  optionWord,
  placeNames,
  type TerminalOption,
} from '../protocol/command-row.ts'
import { COMMANDS, type CommandName, parseCommandArgs } from '../protocol/commands.ts'
import { nearestNames } from '../protocol/nearest-name.ts'

/** What was asked of the CLI. `host` and `key` null: the Lexora of this user on this machine. */
export type Asked = {
  name: CommandName
  args: Record<string, unknown>
  json: boolean
  watch: boolean
  /** Until the end state, at most so long. */
  wait: { timeoutMs: number | null } | null
  follow: boolean
  /** No question is asked first. */
  yes: boolean
  /** What goes on by itself is not watched. */
  detach: boolean
  /** The configuration file, where no Lexora runs that has one. */
  config: string | undefined
  /** Where a zip for who is to help is written. */
  bundle: string | undefined
  host: string | null
  key: string | null
}

export type Parsed =
  | { do: 'command'; asked: Asked }
  | { do: 'help'; text: string }
  | { do: 'usage-error'; message: string }

/** `config` has words of its own, in `cli/config.ts`. */
const ROWS = (Object.entries(COMMANDS) as [CommandName, CommandRow][]).filter(([, { ownWords }]) => !ownWords)

const COMMON = {
  json: { type: 'boolean' },
  host: { type: 'string' },
  key: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const TERMINAL = {
  watch: { type: 'boolean' },
  wait: { type: 'boolean' },
  timeout: { type: 'string' },
  follow: { type: 'boolean', short: 'f' },
  config: { type: 'string' },
  yes: { type: 'boolean', short: 'y' },
  detach: { type: 'boolean', short: 'd' },
  bundle: { type: 'string' },
} as const satisfies Record<TerminalOption, object>

const OPTIONS = { ...COMMON, ...TERMINAL }

/** First words that are not of the table: what they do is done on this machine, without a Lexora that runs. */
export const OWN_WORDS = ['config', 'service', 'completion', 'lan', 'setup'] as const

/** Whether a command line that begins so is for a Lexora that runs, and not one to start. */
export function isCommand(word: string | undefined): boolean {
  return (OWN_WORDS as readonly (string | undefined)[]).includes(word) || ROWS.some(([, { cli }]) => cli[0] === word)
}

/** argv, without node and script. The words choose the row of the table, the longest match wins. */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const own = ROWS.flatMap(([, row]) =>
    optionNames(row).map(
      (name) => [optionWord(name), { type: row.switches?.includes(name) ? 'boolean' : 'string' }] as const,
    ),
  )
  let parsed: ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>
  try {
    const options = { ...Object.fromEntries(own), ...OPTIONS }
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (error) {
    return usageError((error as Error).message)
  }
  const { values, positionals } = parsed
  const found = findRow(positionals)
  if (values.help) return { do: 'help', text: found === null ? USAGE : helpOf(found.row) }
  if (found === null) return usageError(unknownCommand(positionals))
  const { name, row, words } = found
  const strange = (Object.keys(TERMINAL) as TerminalOption[]).find(
    (option) => values[option] !== undefined && !row.terminal?.includes(option),
  )
  if (strange !== undefined) return usageError(`${row.cli.join(' ')} has no --${strange}.`)
  const args = argsOf(row, positionals.slice(words), values)
  if (typeof args === 'string') return usageError(args)
  const { json = false, watch = false, follow = false, yes = false, detach = false } = values
  const { config, bundle, host = null, key = null } = values
  const wait = waitOf(values)
  if (typeof wait === 'string') return usageError(wait)
  return { do: 'command', asked: { name, args, json, watch, wait, follow, yes, detach, config, bundle, host, key } }
}

/** One command with all its options. */
function helpOf(row: CommandRow): string {
  const places = placeNames(row).map((name) => (isNeeded(row, name) ? name : `[${name}]`).toUpperCase())
  const own = optionNames(row).map(optionWord)
  const options = [...own, ...(row.terminal ?? []), ...Object.keys(COMMON)].map((word) => `  --${word}`)
  return [
    `Usage: ${['lexora', ...row.cli, ...places].join(' ')} [OPTIONS]`,
    `  ${row.about}`,
    '',
    'Options:',
    ...options,
  ].join('\n')
}

function waitOf({ wait, timeout }: { wait?: boolean; timeout?: string }): Asked['wait'] | string {
  if (timeout === undefined) return wait ? { timeoutMs: null } : null
  if (!wait) return '--timeout is for --wait.'
  const seconds = Number(timeout)
  return seconds > 0 && seconds <= 86_400
    ? { timeoutMs: seconds * 1000 }
    : `--timeout must be a number of seconds, not '${timeout}'.`
}

/** How many words of the line named it, too. */
function findRow(given: readonly string[]): { name: CommandName; row: CommandRow; words: number } | null {
  const matches = ROWS.flatMap(([name, row]) =>
    [row.cli, ...(row.also ?? []).map((one) => one.split(' '))]
      .filter((words) => words.every((word, i) => given[i] === word))
      .map((words) => ({ name, row, words: words.length })),
  )
  return matches.sort((a, b) => b.words - a.words)[0] ?? null
}

function argsOf(
  row: CommandRow,
  places: readonly string[],
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> | string {
  const names = placeNames(row)
  const called = row.cli.join(' ')
  if (places.length > names.length) return `${called} takes no '${places[names.length]}'.`
  const missing = names[places.length]
  if (missing !== undefined && isNeeded(row, missing)) return `${called} needs ${missing.toUpperCase()}.`
  const options = optionNames(row).map((name) => [name, optionWord(name)] as const)
  const strange = Object.keys(values).find(
    (word) => !Object.hasOwn(OPTIONS, word) && !options.some(([, known]) => known === word),
  )
  if (strange !== undefined) return `${called} has no --${strange}.`
  const given = Object.fromEntries([
    ...places.map((place, i) => [names[i]!, place] as const),
    ...options.flatMap(([name, word]) => (values[word] === undefined ? [] : [[name, values[word]] as const])),
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
