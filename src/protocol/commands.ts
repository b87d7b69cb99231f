import { z } from 'zod'
import { type Problem, problem } from './errors.ts'
import type { AppSnapshot, RequestView, ServerView } from './snapshot.ts'

/**
 * Everything a face may ask for, one row each. HTTP routes, the CLI's words and AppCommands are made of this table, so
 * that they cannot drift. A new command is a row here and its handler in `app/admin-commands.ts`.
 */
export const COMMANDS = {
  snapshot: row<AppSnapshot>()({
    method: 'GET',
    path: '/admin/snapshot',
    cli: ['status'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'address, health, backends, who waits and who runs',
    watch: true,
  }),
  listRequests: row<{ requests: RequestView[] }>()({
    method: 'GET',
    path: '/admin/requests',
    cli: ['requests'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'what waits and what runs, request by request',
  }),
  cancelRequest: row<{ cancelled: string }>()({
    method: 'POST',
    path: '/admin/requests/{id}/cancel',
    cli: ['requests', 'cancel'],
    scope: 'admin:write',
    args: z.strictObject({ id: z.string().regex(/^[\w.:-]{1,128}$/, 'is not a request id') }),
    about: 'end one request; its client is told by whom',
  }),
  pause: row<{ state: ServerView['state'] }>()({
    method: 'POST',
    path: '/admin/pause',
    cli: ['pause'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'turn new requests away with 503; what waits and runs goes on',
  }),
  resume: row<{ state: ServerView['state'] }>()({
    method: 'POST',
    path: '/admin/resume',
    cli: ['resume'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'take requests again',
  }),
} as const

/** Where snapshots stream from, as server-sent events. */
export const EVENTS_PATH = '/admin/events'

export type CommandName = keyof typeof COMMANDS

type Argument = z.ZodObject<Record<string, z.ZodType>, z.core.$strict>

export type CommandRow = {
  /** A GET changes nothing; every command that does is a POST. */
  method: 'GET' | 'POST'
  /** A name in braces is an argument; the CLI takes those by position, the others as options. */
  path: `/admin/${string}`
  cli: readonly [string, ...string[]]
  scope: 'admin:read' | 'admin:write'
  /** On GET they come from the query, so their schemas must accept text. */
  args: Argument
  about: string
  /** What it answers can also be watched, at EVENTS_PATH. */
  watch?: boolean
}

/** The type of what a command answers; no such value exists. */
declare const ANSWERS: unique symbol
type Answers<Result> = { [ANSWERS]?: Result }

function row<Result>(): <Row extends CommandRow>(given: Row) => Row & Answers<Result> {
  return (given) => given
}

type ArgsOf<Name extends CommandName> = z.input<(typeof COMMANDS)[Name]['args']>
type ResultOf<Name extends CommandName> = (typeof COMMANDS)[Name] extends Answers<infer Result> ? Result : never

/** The commands as calls. The core of this process implements them, and so does a client of the admin API. */
export type AppCommands = {
  [Name in CommandName]: (
    ...args: Record<string, never> extends ArgsOf<Name> ? [args?: ArgsOf<Name>] : [args: ArgsOf<Name>]
  ) => Promise<ResultOf<Name>>
}

/** A command that could not be done, with the same error for every face. */
export class CommandError extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

/** What a face was given for a command → its arguments, or a problem that names the field at fault. */
export function parseCommandArgs(
  { args }: CommandRow,
  given: unknown,
): { ok: true; args: Record<string, unknown> } | { ok: false; problem: Problem } {
  const parsed = args.safeParse(given)
  if (parsed.success) return { ok: true, args: parsed.data }
  const issue = parsed.error.issues[0]!
  const field = issue.code === 'unrecognized_keys' ? issue.keys[0]! : issue.path.join('.')
  const says = issue.code === 'unrecognized_keys' ? 'is not known here' : issue.message
  return { ok: false, problem: problem('invalid_request', `${field || 'The body'}: ${says}`, { param: field || null }) }
}

/** The names in braces of a command's path, in order. */
export function pathArguments({ path }: CommandRow): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
}

/** The names of the other arguments. */
export function optionNames(row: CommandRow): string[] {
  const inPath = pathArguments(row)
  return Object.keys(row.args.shape).filter((name) => !inPath.includes(name))
}
