import { parseArgs } from 'node:util'
import { type AdminTarget, adminClient } from '../app/admin-client.ts'
import { changeOf, configCommand } from '../app/config-commands.ts'
import { EXIT } from '../app/exit-codes.ts'
import type { Machine } from '../config/paths.ts'
import { CONFIG_PRINTERS } from './config-printers.ts'
import { findServer } from './find-server.ts'

type ConfigWorld = Machine & { out: (text: string) => void; err: (text: string) => void }

const OPTIONS = {
  host: { type: 'string' },
  key: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean' },
  remove: { type: 'boolean' },
} as const

/**
 * `lexora config …`: on the files of this machine, or with `--host` on a Lexora elsewhere. A `set` goes through the
 * Lexora of this user where one runs, so that it is in force at once. Answers the exit code; rejects as commands do.
 */
export async function runConfig(argv: readonly string[], world: ConfigWorld): Promise<number> {
  const io = { ...world, out: (text: string) => world.out(`${text}\n`), err: (text: string) => world.err(`${text}\n`) }
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
  })
  const { host = null, key = null, json = false } = values as { host?: string; key?: string; json?: boolean }
  const [verb, name, value] = positionals
  const isOwn = host === null && (verb !== 'set' || values.config !== undefined)
  if (isOwn) return configCommand(argv, io)
  const found = await findServer({ host, key }, world)
  if (!found.ok) {
    if (host === null && found.why === 'not-running') return configCommand(argv, io)
    io.err(found.message)
    return found.why === 'refused' ? EXIT.auth : found.why === 'usage' ? EXIT.usage : EXIT.notRunning
  }
  if (verb === 'set') return await remoteSet(found.target, { name, value, remove: values.remove === true, json }, io)
  if (verb === 'get') return await remoteGet(found.target, name, json, io)
  io.err(`lexora config ${verb ?? ''}: works on the files of this machine; leave --host out.`)
  return EXIT.usage
}

async function remoteSet(
  target: AdminTarget,
  { name, value, remove, json }: { name?: string; value?: string; remove: boolean; json: boolean },
  io: ConfigWorld,
): Promise<number> {
  const change = changeOf(name, value, remove)
  if ('problem' in change) {
    io.err(`lexora config: ${change.problem}`)
    return EXIT.usage
  }
  const report = await adminClient(target).setConfig({ changes: [change] })
  io.out(json ? JSON.stringify(report, null, 2) : CONFIG_PRINTERS.setConfig(report).join('\n'))
  return EXIT.ok
}

async function remoteGet(
  target: AdminTarget,
  name: string | undefined,
  json: boolean,
  io: ConfigWorld,
): Promise<number> {
  const view = await adminClient(target).getConfig()
  const entries = view.entries.filter(({ path }) => name === undefined || path === name || path.startsWith(`${name}.`))
  if (entries.length === 0) {
    io.err(`no such key: ${name}`)
    return EXIT.usage
  }
  const shown = { ...view, entries }
  io.out(json ? JSON.stringify(shown, null, 2) : CONFIG_PRINTERS.getConfig(shown).join('\n'))
  return EXIT.ok
}
