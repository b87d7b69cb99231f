import { nearestNames } from '../protocol/nearest-name.ts'
import type { Options } from './engine-command.ts'
import type { EngineConfig } from './launch.ts'

/** Where Lexora alone decides: an address beyond loopback or a key of somebody else's would break its promises. */
const RESERVED = [
  'host',
  'port',
  'uds',
  'api-key',
  'model',
  'served-model-name',
  'alias',
  'root-path',
  'ssl-keyfile',
  'ssl-certfile',
  'headless',
  'grpc',
]

/** Options of the configuration that Lexora sets itself. */
export function reservedOptions({ kind, args }: EngineConfig): string[] {
  if (kind === 'command') return []
  return Object.keys(args).filter((name) => RESERVED.includes(dashed(name)))
}

/** Options that the installed version does not have, each with the nearest one that it has. */
export function unknownOptions(args: Options, flags: ReadonlySet<string>): { name: string; nearest: string | null }[] {
  return (
    Object.keys(args)
      // Of options of one letter the list knows nothing.
      .filter((name) => name.length > 1 && args[name] !== null && !knows(flags, name))
      .map((name) => ({ name, nearest: nearestNames(dashed(name), flags, 1)[0] ?? null }))
  )
}

/** The long options that a help text lists, without dashes. */
export function optionsInHelp(help: string): Set<string> {
  const found = new Set<string>()
  for (const line of help.split('\n')) {
    // An option stands at the left edge; its description, which may name others, does not.
    const head = /^ {0,4}(-.*?)(?: {2,}(?![ -])|$)/.exec(line)?.[1]
    for (const [, name] of head?.matchAll(/(?:^|[\s,|])--([A-Za-z][\w.-]*)/g) ?? []) found.add(dashed(name!))
  }
  return found
}

/** Whether a version that has these options has this one, in any of its spellings. */
export function knows(flags: ReadonlySet<string>, name: string): boolean {
  const long = dashed(name)
  return flags.has(long) || flags.has(long.split('.')[0]!) || flags.has(`no-${long}`)
}

function dashed(name: string): string {
  return name.replaceAll('_', '-')
}

/** Names as the command line has them; null takes away what Lexora would add. */
export function ownOptions({ args }: EngineConfig): Options {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [dashed(name), value]))
}

/** `many`: the values of a list follow one option; `repeat`: each has its own. */
export function optionWords(options: Options, lists: 'many' | 'repeat'): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = name.length === 1 ? `-${name}` : `--${name}`
    if (value === null) return []
    if (value === true) return [flag]
    if (value === false) return lists === 'many' ? [`--no-${name}`] : []
    if (!Array.isArray(value)) return valued(flag, String(value))
    if (lists === 'many') return [flag, ...value.map(String)]
    return value.flatMap((one) => valued(flag, String(one)))
  })
}

/** Two words, since vLLM reads `--config=FILE` but does not load it; one where the value looks like an option. */
function valued(flag: string, value: string): string[] {
  return /^-(?!\d)/.test(value) ? [`${flag}=${value}`] : [flag, value]
}
