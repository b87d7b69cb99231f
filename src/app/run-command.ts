import type { RunCommand } from '../gateway/admin-routes.ts'
import { type CommandRow, placeNames } from '../protocol/command-row.ts'
import { type AppCommands, COMMANDS, CommandError, type CommandName, parseCommandArgs } from '../protocol/commands.ts'
import { problem } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import { type AuditRow, type Caller, WINDOW } from '../protocol/users.ts'

const MAX_CHANGE = 1000
const MAX_TARGET = 200

/** One door to all commands, whoever comes: arguments are checked, and what is to change something is written down. */
export function commandRunner(commands: AppCommands, audit: (row: AuditRow) => void, now: () => Date): RunCommand {
  const call = async (name: CommandName, row: CommandRow, args: Record<string, unknown>, caller: Caller) => {
    if (row.onlyHere === true && !caller.here)
      throw new CommandError(
        problem('permission_denied', say('This can only be done on the machine that Lexora runs on.')),
      )
    return await (commands[name] as (args: unknown) => Promise<unknown>)(args)
  }
  return async (name, given, caller) => {
    const row: CommandRow = COMMANDS[name]
    const parsed = parseCommandArgs(row, given)
    const note = (ok: boolean): void => {
      if (row.method === 'GET') return
      const { who, face } = caller
      // What was refused by its form may hold anything, a secret in the wrong place too.
      const about = parsed.ok ? described(row, parsed.args) : { target: null, change: null }
      audit({ at: now().toISOString(), who, face, action: name, ...about, ok })
    }
    if (!parsed.ok) {
      note(false)
      throw new CommandError(parsed.problem)
    }
    let ok = false
    try {
      const result = await call(name, row, parsed.args, caller)
      ok = true
      return result
    } finally {
      note(ok)
    }
  }
}

/** The commands as the window of this process gives them. */
export function windowCommands(run: RunCommand): AppCommands {
  const names = Object.keys(COMMANDS) as CommandName[]
  const calls = names.map((name) => [name, (given: Record<string, unknown> = {}) => run(name, given, WINDOW)])
  return Object.fromEntries(calls) as AppCommands
}

/** On what it was done, and what was asked for besides. */
function described(row: CommandRow, given: Record<string, unknown>): Pick<AuditRow, 'target' | 'change'> {
  const place = placeNames(row)[0]
  const target = place === undefined || typeof given[place] !== 'string' ? null : given[place].slice(0, MAX_TARGET)
  const entries = Object.keys(row.args.shape)
    .filter((name) => name !== place && given[name] !== undefined)
    .map((name) => [name, row.secrets?.includes(name) ? '***' : given[name]])
  const change = entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries)).slice(0, MAX_CHANGE)
  return { target, change }
}
