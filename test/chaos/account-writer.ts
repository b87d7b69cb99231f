/**
 * A process to be killed: `node account-writer.ts FOLDER FROM`. Adds users with a key each, FROM on, and says a name only
 * when it has been told that it is done. In between it records requests, so that both files are being written.
 */
import { openRecords } from '../../src/app/records.ts'
import { NO_LIMITS } from '../../src/protocol/users.ts'
import { mintSecret } from '../../src/users/api-key.ts'
import { anOutcome } from '../telemetry/given.ts'
import { HISTORY_ENTRY } from './entries.ts'

const [folder = '', from = '0'] = process.argv.slice(2)
const MOST = 100_000
const silent = (): void => undefined
const log = { debug: silent, info: silent, warn: silent, error: silent }
const records = openRecords(folder, { log, historyEntry: HISTORY_ENTRY, keepDays: 14, keepRequests: true })
const { accounts, history } = records

function addOne(number: number): void {
  const name = `u${number}`
  const { digest, id, hint } = mintSecret()
  const createdMs = Date.now()
  const limits = { ...NO_LIMITS, tokens_per_minute: number + 1 }
  accounts.putUser({ name, limits, disabled: false, expiresMs: null, note: 'x'.repeat(number % 700), createdMs })
  const key = { id, digest, user: name, label: null, scopes: ['inference' as const], hint, createdMs }
  accounts.putKeys({ ...key, expiresMs: null, revokedMs: null })
  process.stdout.write(`${name} ${digest}\n`)
  for (let i = 0; i < 20; i++)
    history!.record(anOutcome({ reqId: `${name}-${i}`, user: name, keyId: id }), createdMs, true)
  if (number < MOST) setImmediate(() => addOne(number + 1))
}

addOne(Number(from))
