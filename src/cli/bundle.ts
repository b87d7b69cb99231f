import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join, resolve } from 'node:path'
import { type AdminTarget, adminClient } from '../app/admin-client.ts'
import { resolveBackends } from '../config/backends.ts'
import { formatIssue } from '../config/issues.ts'
import { loadConfig } from '../config/load.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'
import { maskSecrets } from '../config/secrets.ts'
import type { AppCommands } from '../protocol/commands.ts'
import type { DoctorReport } from '../protocol/doctor.ts'
import { Redactor } from '../telemetry/redact.ts'
import { type ZipEntry, zip } from './zip.ts'

/** How much of each log goes in. */
const LOG_LINES = 2000

/**
 * Writes what somebody who is to help needs: the doctor's report, the snapshot, the settings, the logs, versions. Never
 * prompts or answers, and no secret: settings are masked by the schema, and all of it passes the redactor once more.
 * `target` null: no Lexora runs, and what lies on the disk must do.
 */
export async function writeBundle(
  file: string,
  {
    target,
    configPath,
    machine,
    doctor,
  }: {
    target: AdminTarget | null
    configPath: string | undefined
    machine: Machine
    doctor: () => Promise<DoctorReport>
  },
): Promise<string> {
  const path = resolve(machine.cwd, file)
  const redactor = redactorFor(machine, configPath)
  const entries: ZipEntry[] = []
  const add = async (name: string, read: () => Promise<unknown> | unknown): Promise<void> => {
    const content = await Promise.resolve()
      .then(read)
      .catch((error: unknown) => `not to be had: ${String(error)}`)
    const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2)
    entries.push({ name, text: redactor.redact(`${text}\n`) })
  }
  await add('versions.json', () => ({
    node: process.versions,
    platform: machine.platform,
    arch: process.arch,
    system: release(),
    running: target !== null,
  }))
  await add('doctor.json', doctor)
  if (target === null) await addFromDisk(add, machine, configPath)
  else await addFromServer(add, adminClient(target))
  writeFileSync(path, zip(entries, new Date()), { mode: 0o600 })
  return path
}

type Add = (name: string, read: () => Promise<unknown> | unknown) => Promise<void>

async function addFromServer(add: Add, commands: AppCommands): Promise<void> {
  const snapshot = await commands.snapshot()
  await add('snapshot.json', () => snapshot)
  await add('config.json', async () => await commands.getConfig())
  await add('logs/lexora.json', async () => await commands.gatewayLog({ lines: LOG_LINES }))
  for (const { name } of snapshot.engines) {
    const read = async () => (await commands.engineLog({ engine: name, lines: LOG_LINES })).lines.join('\n')
    await add(`logs/engine-${name}.txt`, read)
  }
}

async function addFromDisk(add: Add, machine: Machine, configPath: string | undefined): Promise<void> {
  await add('config.json', () => {
    const loaded = loadConfig({ ...machine, configPath, flags: {} })
    return loaded.ok ? maskSecrets(loaded.config) : { path: loaded.path, issues: loaded.issues.map(formatIssue) }
  })
  const { logDir } = lexoraPaths(machine)
  await add('logs/service.txt', () =>
    readFileSync(join(logDir, 'service.txt'), 'utf8').split('\n').slice(-LOG_LINES).join('\n'),
  )
}

/** Knows every secret of the configuration of this machine, and every variable that is named like one. */
function redactorFor(machine: Machine, configPath: string | undefined): Redactor {
  const redactor = new Redactor()
  for (const [name, value] of Object.entries(machine.env)) {
    if (value !== undefined && SECRET_NAME.test(name)) redactor.add(value)
  }
  const loaded = loadConfig({ ...machine, configPath, flags: {} })
  if (!loaded.ok) return redactor
  collect(loaded.config, maskSecrets(loaded.config), redactor)
  for (const { apiKey } of resolveBackends(loaded, machine.env).backends) if (apiKey !== null) redactor.add(apiKey)
  return redactor
}

const SECRET_NAME = /KEY|TOKEN|SECRET|PASSWORD/

/** Whatever the mask took away is a secret. */
function collect(value: unknown, masked: unknown, redactor: Redactor): void {
  if (typeof value === 'object' && value !== null) {
    for (const [key, below] of Object.entries(value)) collect(below, (masked as Record<string, unknown>)[key], redactor)
  } else if (typeof value === 'string' && value !== masked) redactor.add(value)
}
