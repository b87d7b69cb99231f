import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ACCOUNTS_FILE, HISTORY_FILE } from '../app/records.ts'
import { beforeRestore } from '../app/users-commands.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'
import { CommandError } from '../protocol/commands.ts'
import { problem } from '../protocol/errors.ts'
import type { BackupReport, RestoreReport } from '../protocol/users.ts'
import { salvageAccounts } from '../store/accounts.ts'
import { prepareRestore, restoreAccounts, restoreHistory, writeBackup } from '../store/backup.ts'
import { Store } from '../store/database.ts'
import { HISTORY_MIGRATIONS } from '../store/migrations.ts'

/** A backup of a Lexora that does not run. Rejects with CommandError, as one that runs would. */
export function localBackup(file: string, machine: Machine, now: Date): BackupReport {
  const files = filesOf(machine)
  if (!existsSync(files.accounts)) throw refused(`There is nothing to back up: no ${files.accounts}.`)
  return inWords(() => {
    // Opened first: what an older Lexora has written is brought to today's form.
    const stores = [open(files.accounts, now), open(files.history, now)]
    try {
      return writeBackup(files, file, now)
    } finally {
      for (const store of stores) store.close()
    }
  })
}

/** What was there is kept as a backup, too. The next start serves with what was restored. */
export function localRestore(file: string, machine: Machine, now: Date): RestoreReport {
  const files = filesOf(machine)
  const folder = lexoraPaths(machine).stateDir
  return inWords(() => {
    const accounts = open(files.accounts, now)
    const history = open(files.history, now)
    const prepared = prepareRestore(file, folder)
    try {
      const before = join(folder, beforeRestore(now.getTime()))
      writeBackup(files, before, now)
      restoreAccounts(accounts, prepared)
      restoreHistory(history, prepared)
      return { ...prepared.report, before, madeAt: prepared.madeAt }
    } finally {
      rmSync(prepared.copy, { force: true })
      accounts.close()
      history.close()
    }
  })
}

function filesOf(machine: Machine): { accounts: string; history: string } {
  const { stateDir } = lexoraPaths(machine)
  return { accounts: join(stateDir, ACCOUNTS_FILE), history: join(stateDir, HISTORY_FILE) }
}

/** One that cannot be read is set aside here as at a start; a restore is what follows then. */
function open(path: string, now: Date): Store {
  const isHistory = path.endsWith(HISTORY_FILE)
  return new Store({
    path,
    ...(isHistory ? { migrations: HISTORY_MIGRATIONS } : { onCreated: salvageAccounts }),
    onSetAside: () => undefined,
    onFailing: () => undefined,
    now: () => now,
  })
}

function inWords<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw refused(`${(error as Error).message}.`)
  }
}

function refused(message: string): CommandError {
  return new CommandError(problem('invalid_request', message, { param: 'file' }))
}
