/** Kills a process that writes users, keys and history at random moments, and looks at what the next one finds. */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'

export type KillReport = {
  kills: number
  /** Users and keys that were told to be there. */
  told: number
  lostUsers: number
  lostKeys: number
  unreadable: number
  /** Rows of the history that were there at the end. */
  requests: number
}

const WRITER = fileURLToPath(new URL('account-writer.ts', import.meta.url))
const LONGEST_ROUND_MS = 20_000

/** `chance`: 0 to 1, for when to kill. Each round goes on in the files that the one before has left. */
export async function killWriters(folder: string, kills: number, chance: () => number): Promise<KillReport> {
  const report: KillReport = { kills, told: 0, lostUsers: 0, lostKeys: 0, unreadable: 0, requests: 0 }
  const told = new Map<string, string>()
  for (let round = 0; round < kills; round++) {
    // Every eighth lives long enough for the history to be written too.
    const moment = { after: Math.floor(chance() * 12), laterMs: Math.floor(chance() * (round % 8 === 0 ? 1500 : 5)) }
    await oneRound(folder, told.size + round, moment, told)
  }
  report.told = told.size
  report.unreadable = readdirSync(folder).filter((name) => name.includes('unreadable')).length
  const accounts = new DatabaseSync(join(folder, 'lexora.db'))
  const users = new Set(
    accounts
      .prepare('SELECT name FROM users')
      .all()
      .map((row) => String(row['name'])),
  )
  const keys = new Set(
    accounts
      .prepare('SELECT digest FROM keys')
      .all()
      .map((row) => String(row['digest'])),
  )
  if (accounts.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'] !== 'ok') report.unreadable++
  accounts.close()
  for (const [user, digest] of told) {
    if (!users.has(user)) report.lostUsers++
    if (!keys.has(digest)) report.lostKeys++
  }
  const history = new DatabaseSync(join(folder, 'history.db'))
  if (history.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'] !== 'ok') report.unreadable++
  report.requests = Number(history.prepare('SELECT sum(requests) AS sum FROM usage').get()?.['sum'])
  history.close()
  return report
}

/** Kills after so many users were told, and a moment later; in the very first moments too. */
async function oneRound(
  folder: string,
  from: number,
  { after, laterMs }: { after: number; laterMs: number },
  told: Map<string, string>,
): Promise<void> {
  const child = spawn(process.execPath, ['--no-warnings', WRITER, folder, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const late = setTimeout(() => child.kill('SIGKILL'), LONGEST_ROUND_MS)
  const killIn = (ms: number) => setTimeout(() => child.kill('SIGKILL'), ms)
  let seen = 0
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [name = '', digest = ''] = line.split(' ')
    // A line that the kill has cut is none.
    if (digest.length === 64) told.set(name, digest)
    if (++seen === after) killIn(laterMs)
  })
  // At the start it opens, checks and migrates: whatever it is at.
  if (after === 0) killIn(40 + (laterMs % 5) * 40)
  await ended
  clearTimeout(late)
}
