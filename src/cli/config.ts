import { parseArgs } from 'node:util'
import { type AdminTarget, adminClient } from '../app/admin-client.ts'
import { changeOf, configCommand, printText, typedText } from '../app/config-commands.ts'
import { EXIT } from '../app/exit-codes.ts'
import type { Machine } from '../config/paths.ts'
import type { ReloadReport } from '../protocol/config-view.ts'
import { CONFIG_PRINTERS } from './config-printers.ts'
import { findServer } from './find-server.ts'

type ConfigWorld = Machine & { out: (text: string) => void; err: (text: string) => void }

const OPTIONS = {
  host: { type: 'string' },
  key: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean' },
  remove: { type: 'boolean' },
  later: { type: 'boolean' },
  revision: { type: 'string' },
} as const

/** What a Lexora that runs does itself, so that it is in force at once. */
const THROUGH_SERVER = ['set', 'text', 'write', 'undo']

/**
 * `lexora config …`: on the files of this machine, or with `--host` on a Lexora elsewhere. What writes the file
 * goes through the Lexora of this user where one runs. Answers the exit code; rejects as commands do.
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
  const isOwn = host === null && (!THROUGH_SERVER.includes(verb ?? '') || values.config !== undefined)
  if (isOwn) return configCommand(argv, io)
  const found = await findServer({ host, key }, world)
  if (!found.ok) {
    if (host === null && found.why === 'not-running') return configCommand(argv, io)
    io.err(found.message)
    return found.why === 'refused' ? EXIT.auth : found.why === 'usage' ? EXIT.usage : EXIT.notRunning
  }
  if (verb === 'set')
    return await remoteSet(
      found.target,
      { name, value, remove: values.remove === true, later: values.later === true, json },
      io,
    )
  if (verb === 'text') {
    printText(await adminClient(found.target).configText(), json, io)
    return EXIT.ok
  }
  if (verb === 'write') {
    const { revision } = values as { revision?: string }
    return await remoteWrite(found.target, { file: name, revision, json }, io)
  }
  if (verb === 'undo') return report(await adminClient(found.target).undoConfig(), json, io)
  if (verb === 'get') return await remoteGet(found.target, name, json, io)
  io.err(`lexora config ${verb ?? ''}: works on the files of this machine; leave --host out.`)
  return EXIT.usage
}

async function remoteSet(
  target: AdminTarget,
  {
    name,
    value,
    remove,
    later,
    json,
  }: { name?: string; value?: string; remove: boolean; later: boolean; json: boolean },
  io: ConfigWorld,
): Promise<number> {
  const change = changeOf(name, value, remove)
  if ('problem' in change) {
    io.err(`lexora config: ${change.problem}`)
    return EXIT.usage
  }
  return report(await adminClient(target).setConfig({ changes: [change], later }), json, io)
}

async function remoteWrite(
  target: AdminTarget,
  { file, revision, json }: { file: string | undefined; revision: string | undefined; json: boolean },
  io: ConfigWorld,
): Promise<number> {
  const typed = typedText({ key: file, revision }, io)
  if ('problem' in typed) {
    io.err(`lexora config: ${typed.problem}`)
    return typed.code
  }
  const client = adminClient(target)
  const now = typed.revision ?? (await client.configText()).revision
  return report(await client.writeConfig({ text: typed.text, revision: now }), json, io)
}

function report(done: ReloadReport, json: boolean, io: ConfigWorld): number {
  io.out(json ? JSON.stringify(done, null, 2) : CONFIG_PRINTERS.setConfig(done).join('\n'))
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
