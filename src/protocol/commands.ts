import { z } from 'zod'
import { CAPTURE_COMMANDS } from './captures.ts'
import { type Answers, type CommandRow, flag, row } from './command-row.ts'
import { CONFIG_COMMANDS } from './config-commands.ts'
import { DATA_COMMANDS } from './data.ts'
import type { DoctorReport } from './doctor.ts'
import type { EngineCommandReport, EngineView, StopReceipt } from './engine.ts'
import { type ErrorCode, type Problem, problem } from './errors.ts'
import { MODEL_COMMANDS } from './model-commands.ts'
import { NETWORK_COMMANDS } from './network-commands.ts'
import { OUTBOUND_COMMANDS } from './outbound.ts'
import { say } from './sentence.ts'
import type { AppSnapshot, GpuHolderView, GpuReport, RequestView, ServerView } from './snapshot.ts'
import { UI_COMMANDS } from './ui-commands.ts'
import { USERS_COMMANDS } from './users-commands.ts'

/** One by name; it may be left out where there is only one. */
const engine = z.string().min(1, say('is empty')).max(128, say('is too long')).optional()

/**
 * Everything a face may ask for, one row each. HTTP routes, the CLI's words and AppCommands are made of this table, so
 * that they cannot drift. A new command is a row here, its handler in `app/admin-commands.ts` and its words for people in
 * `cli/printers.ts`; an area with many has a file of its own beside each of the three.
 */
export const COMMANDS = {
  snapshot: row<AppSnapshot>()({
    method: 'GET',
    path: '/admin/snapshot',
    cli: ['status'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'address, health, engines, backends, who waits and who runs',
    terminal: ['watch'],
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
    args: z.strictObject({ id: z.string().regex(/^[\w.:-]{1,128}$/, say('is not a request id')) }),
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
  quit: row<{ left: number }>()({
    method: 'POST',
    path: '/admin/quit',
    cli: ['quit'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'end this Lexora: what runs may finish, engines are stopped',
  }),
  resume: row<{ state: ServerView['state'] }>()({
    method: 'POST',
    path: '/admin/resume',
    cli: ['resume'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'take requests again',
  }),
  listEngines: row<{ engines: EngineView[] }>()({
    method: 'GET',
    path: '/admin/engines',
    cli: ['engines'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the engines that Lexora starts itself, and how each of them is',
  }),
  startEngine: row<EngineView>()({
    method: 'POST',
    path: '/admin/engines/start',
    cli: ['start'],
    places: ['engine'],
    scope: 'admin:write',
    args: z.strictObject({ engine }),
    about: 'start an engine; with --wait until it serves',
    terminal: ['wait', 'timeout'],
  }),
  stopEngine: row<EngineView>()({
    method: 'POST',
    path: '/admin/engines/stop',
    cli: ['stop'],
    places: ['engine'],
    scope: 'admin:write',
    args: z.strictObject({ engine }),
    about: 'let it finish what runs, and stop it; a second stop does not let it finish',
    terminal: ['wait', 'timeout'],
  }),
  restartEngine: row<EngineView>()({
    method: 'POST',
    path: '/admin/engines/restart',
    cli: ['restart'],
    places: ['engine'],
    scope: 'admin:write',
    args: z.strictObject({ engine }),
    about: 'let it finish what runs, and start it anew',
    terminal: ['wait', 'timeout'],
  }),
  engineCommand: row<EngineCommandReport>()({
    method: 'GET',
    path: '/admin/engines/command',
    cli: ['engine', 'command'],
    places: ['engine'],
    scope: 'admin:read',
    args: z.strictObject({ engine, args: z.string().max(8192, say('is longer than 8192 characters')).optional() }),
    about: 'what an engine runs with, and its next start; with --args, with these options changed',
  }),
  freeGpu: row<{ freed: { engine: string; receipt: StopReceipt | null }[] }>()({
    method: 'POST',
    path: '/admin/free-gpu',
    cli: ['free-gpu'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'stop all engines; requests do not start them again until you do',
    answersWithinMs: 180_000,
  }),
  gpu: row<{ gpu: GpuReport; holders: GpuHolderView[] | null }>()({
    method: 'GET',
    path: '/admin/gpu',
    cli: ['gpu'],
    scope: 'admin:read',
    args: z.strictObject({ who: flag }),
    switches: ['who'],
    about: 'memory, load and temperature of the GPUs; with --who, who holds the memory',
  }),
  engineLog: row<EngineLog>()({
    method: 'GET',
    path: '/admin/logs/engine',
    cli: ['logs', 'engine'],
    places: ['engine'],
    scope: 'admin:read',
    args: z.strictObject({
      engine,
      lines: z.coerce
        .number(say('is not a number'))
        .int(say('is not whole'))
        .min(1, say('is less than 1'))
        .max(2000)
        .optional(),
      after: z
        .string()
        .regex(/^\d{1,20}-\d{1,20}$/, say('is no place in a log'))
        .optional(),
    }),
    about: 'the last lines that an engine printed, also when it is gone; -f follows',
    terminal: ['follow'],
  }),
  doctor: row<DoctorReport>()({
    method: 'GET',
    path: '/admin/doctor',
    cli: ['doctor'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'check this machine and the configuration; works without a running Lexora, too',
    terminal: ['config', 'bundle'],
    answersWithinMs: 240_000,
  }),
  ...USERS_COMMANDS,
  ...MODEL_COMMANDS,
  ...UI_COMMANDS,
  ...CAPTURE_COMMANDS,
  ...NETWORK_COMMANDS,
  ...OUTBOUND_COMMANDS,
  ...DATA_COMMANDS,
  ...CONFIG_COMMANDS,
} as const

/** Where snapshots stream from, as server-sent events. */
export const EVENTS_PATH = '/admin/events'

export type CommandName = keyof typeof COMMANDS

/** Whole lines of an engine's log, oldest first. */
export type EngineLog = {
  engine: string
  lines: string[]
  /** Where they end: asked for `after` this, the next ones come. Null: nothing was printed yet. */
  cursor: string | null
  /** Lines between the last answer and this one are not in it: there were too many. */
  skipped: boolean
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

/** A command refused; `param`: the argument or setting at fault. */
export function refusal(code: ErrorCode, message: string, param: string | null): CommandError {
  return new CommandError(problem(code, message, { param }))
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
  const says = issue.code === 'unrecognized_keys' ? say('is not known here') : issue.message
  return { ok: false, problem: problem('invalid_request', `${field || 'The body'}: ${says}`, { param: field || null }) }
}
