import { z } from 'zod'
import { say } from './sentence.ts'

/** As JSON has it, or as text in a query. */
export const flag = z.union([z.boolean(), z.stringbool()], say('is neither true nor false')).optional()

type Argument = z.ZodObject<Record<string, z.ZodType>, z.core.$strict>

export type CommandRow = {
  /** A GET changes nothing; every command that does is a POST. */
  method: 'GET' | 'POST'
  /** A name in braces is an argument; the CLI takes those by position, the others as options. */
  path: `/admin/${string}`
  cli: readonly [string, ...string[]]
  /** Other words for the same, as `models ls`. */
  also?: readonly string[]
  scope: 'admin:read' | 'admin:write'
  /** On GET they come from the query, so their schemas must accept text. */
  args: Argument
  about: string
  /** Only for callers on this machine, since it names a place there. */
  onlyHere?: boolean
  /** Arguments whose values the audit log must not hold. */
  secrets?: readonly string[]
  /** Arguments beside those of the path that the CLI takes by position. */
  places?: readonly string[]
  /** Arguments that are true or false: options without a value. */
  switches?: readonly string[]
  /** What the CLI adds by itself. `watch`: the same at EVENTS_PATH, as it changes. `wait`: until the end state. `detach`: not until then. */
  terminal?: readonly TerminalOption[]
  /** The CLI does not take its words from this table: `cli/config.ts` has them. */
  ownWords?: true
  /** Where a body may be larger than most. */
  mostBytes?: number
  /** Where an answer may take longer than most. */
  answersWithinMs?: number
}

export type TerminalOption = 'watch' | 'wait' | 'timeout' | 'follow' | 'config' | 'yes' | 'detach' | 'bundle'

/** The type of what a command answers; no such value exists. */
declare const ANSWERS: unique symbol
export type Answers<Result> = { [ANSWERS]?: Result }

/** A row as it is written, with the type of what it answers. */
export function row<Result>(): <Row extends CommandRow>(given: Row) => Row & Answers<Result> {
  return (given) => given
}

/** The names in braces of a command's path, in order. */
export function pathArguments({ path }: Pick<CommandRow, 'path'>): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
}

/** What the CLI takes by position: first what must be there, then what may. */
export function placeNames(row: CommandRow): string[] {
  return [...pathArguments(row), ...(row.places ?? [])]
}

/** Whether a command cannot do without this argument. */
export function isNeeded({ args }: CommandRow, name: string): boolean {
  return !args.shape[name]!.safeParse(undefined).success
}

/** How an argument is written as an option, without its dashes. */
export function optionWord(name: string): string {
  return name.replaceAll('_', '-')
}

/** The names of the other arguments. */
export function optionNames(row: CommandRow): string[] {
  const places = placeNames(row)
  return Object.keys(row.args.shape).filter((name) => !places.includes(name))
}
