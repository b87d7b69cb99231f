import { parseArgs } from 'node:util'
import {
  type CommandRow,
  isNeeded,
  optionNames,
  optionWord,
  placeNames,
  type TerminalOption,
} from '../protocol/command-row.ts'
import { COMMANDS } from '../protocol/commands.ts'
import { nearestNames } from '../protocol/nearest-name.ts'

export type RunOptions = {
  configPath: string | undefined
  /** Settings by dotted key, as `loadConfig` takes them. */
  flags: Record<string, unknown>
  /** `none`: serve without any engine; else one of the configuration's to start at once, or the demo engine. */
  engine: string | null
}

export type Arguments =
  | { do: 'run'; options: RunOptions }
  | { do: 'help' }
  | { do: 'version' }
  | { do: 'usage-error'; message: string }

const OPTIONS = {
  'no-ui': { type: 'boolean' },
  config: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  engine: { type: 'string' },
  'log-format': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

/** More of them are told by the command itself: `lexora users add --help`. */
const MANY_OPTIONS = 4

/** How the options that the CLI adds are written. */
const TERMINAL_OPTIONS: Record<TerminalOption, string> = {
  watch: '[--watch]',
  wait: '[--wait]',
  timeout: '[--timeout SECONDS]',
  follow: '[-f]',
  config: '[--config FILE]',
  yes: '[--yes]',
  detach: '[--detach]',
  bundle: '[--bundle FILE.zip]',
}

export const USAGE = `Usage: lexora [--no-ui] [--config FILE] [--host HOST] [--port PORT] [--engine none|demo|NAME]
              [--log-format console|json]
       lexora config get [KEY] | set KEY VALUE | set KEY --remove | explain KEY | validate | path
              [--config FILE] [--json] [--host HOST[:PORT]] [--key KEY]
       lexora service install | uninstall | status  [--user | --system --run-as USER] [--wants UNIT] [--print] [--json]
       lexora setup  [--model NAME] [--install] [--autostart] [--json]
       lexora lan check  [--key KEY] [--json]
       lexora completion bash | zsh | fish
       lexora COMMAND  [--json] [--host HOST[:PORT]] [--key KEY]
       lexora --help | --version

Serves one OpenAI-compatible address in front of the backends of its configuration,
or of a small demo engine where none is configured.

Commands for a Lexora that runs:
${commandLines().join('\n')}`

function commandLines(): string[] {
  const own = Object.values(COMMANDS).filter(({ ownWords }: CommandRow) => !ownWords)
  const rows = own.map((row: CommandRow): [string, string] => {
    const places = placeNames(row).map((name) => (isNeeded(row, name) ? name.toUpperCase() : `[${name.toUpperCase()}]`))
    const names = optionNames(row)
    const options =
      names.length > MANY_OPTIONS
        ? [`[--${optionWord(names[0]!)} …]`]
        : names.map((name) =>
            row.switches?.includes(name) ? `[--${optionWord(name)}]` : `[--${optionWord(name)} ${name.toUpperCase()}]`,
          )
    const added = (row.terminal ?? []).map((name) => TERMINAL_OPTIONS[name])
    return [[...row.cli, ...places, ...options, ...added].join(' '), row.about]
  })
  const width = Math.max(...rows.map(([words]) => words.length))
  return rows.map(([words, about]) => `  ${words.padEnd(width)}  ${about}`)
}

/** For a first word that nobody knows. */
function noCommand(word: string): string {
  const known = ['config', ...Object.values(COMMANDS).map(({ cli }) => cli[0])]
  const near = nearestNames(word, known, 1)
  return `There is no command '${word}'.${near.length > 0 ? ` Did you mean '${near[0]}'?` : ''}`
}

/** argv (without node and script) → what to do. */
export function parseArguments(argv: readonly string[]): Arguments {
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>
  try {
    values = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true })
  } catch (error) {
    return { do: 'usage-error', message: (error as Error).message }
  }
  const given = values.values
  if (given.help) return { do: 'help' }
  if (given.version) return { do: 'version' }
  const [command] = values.positionals
  if (command !== undefined) return { do: 'usage-error', message: noCommand(command) }
  const port = given.port === undefined ? undefined : Number(given.port)
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    return { do: 'usage-error', message: `--port must be a number from 0 to 65535, not '${given.port}'.` }
  }
  const flags = { 'server.host': given.host, 'server.port': port, 'logging.format': given['log-format'] }
  return { do: 'run', options: { configPath: given.config, flags, engine: given.engine ?? null } }
}
