import type { RunCommand } from '../gateway/admin-routes.ts'
import { type CommandRow, placeNames } from '../protocol/command-row.ts'
import { type AppCommands, COMMANDS, CommandError, type CommandName, parseCommandArgs } from '../protocol/commands.ts'
import { problem } from '../protocol/errors.ts'
import { type AuditRow, type Caller, WINDOW } from '../protocol/users.ts'

const MAX_CHANGE = 1000
const MAX_TARGET = 200

/** One door to all commands, whoever comes: arguments are checked, and what is to change something is written down. */
export function commandRunner(commands: AppCommands, audit: (row: AuditRow) => void, now: () => Date): RunCommand {
  const call = async (name: CommandName, row: CommandRow, given: Record<string, unknown>, caller: Caller) => {
    const parsed = parseCommandArgs(row, given)
    if (!parsed.ok) throw new CommandError(parsed.problem)
    if (row.onlyHere === true && !caller.here)
      throw new CommandError(problem('permission_denied', 'This can only be done on the machine that Lexora runs on.'))
    return await (commands[name] as (args: unknown) => Promise<unknown>)(parsed.args)
  }
  return async (name, given, caller) => {
    const row: CommandRow = COMMANDS[name]
    if (row.method === 'GET') return await call(name, row, given, caller)
    let ok = false
    try {
      const result = await call(name, row, given, caller)
      ok = true
      return result
    } finally {
      const { who, face } = caller
      audit({ at: now().toISOString(), who, face, action: name, ...described(row, given), ok })
    }
  }
}

/** The commands as the window of this process gives them. */
export function windowCommands(run: RunCommand): AppCommands {
  const names = Object.keys(COMMANDS) as CommandName[]
  const calls = names.map((name) => [name, (given: Record<string, unknown> = {}) => run(name, given, WINDOW)])
  return Object.fromEntries(calls) as AppCommands
}

/** On what it was done, and what was asked for besides; fields that are not known stay out, they may hold anything. */
function described(row: CommandRow, given: Record<string, unknown>): Pick<AuditRow, 'target' | 'change'> {
  const place = placeNames(row)[0]
  const target = place === undefined || typeof given[place] !== 'string' ? null : given[place].slice(0, MAX_TARGET)
  const entries = Object.keys(row.args.shape)
    .filter((name) => name !== place && given[name] !== undefined)
    .map((name) => [name, row.secrets?.includes(name) ? '***' : given[name]])
  const change = entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries)).slice(0, MAX_CHANGE)
  return { target, change }
}
