/** `node test/chaos/kills.ts [KILLS]`: a thousand kills of a writer, or so many. Ends with 1 where anything was lost. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killWriters } from './kill-writers.ts'

const kills = Number(process.argv[2] ?? 1000)
if (!(kills >= 1)) throw new Error('name a number of kills')
const folder = mkdtempSync(join(tmpdir(), 'lexora-kills-'))
try {
  const report = await killWriters(folder, kills, Math.random)
  process.stdout.write(`${JSON.stringify(report)}\n`)
  if (report.lostKeys + report.lostUsers + report.unreadable > 0) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
