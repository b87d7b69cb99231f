import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { resolveBackends } from '../config/backends.ts'
import type { Explanation, Said } from '../config/explain.ts'
import { displayName } from '../config/find-file.ts'
import { didYouMean, formatIssue, type Issue } from '../config/issues.ts'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'
import { maskSecrets } from '../config/secrets.ts'
import { schemaKeys } from '../config/shape.ts'

/** What `lexora config …` may touch. `out` and `err` each take one line or block, without its last line break. */
export type ConfigIo = Machine & { out(text: string): void; err(text: string): void }

const OK = 0
const USAGE = 2
const BAD_CONFIGURATION = 78

const HELP = `usage: lexora config validate | explain KEY | get [KEY] | path   [--config F] [--json]
  validate     check the whole configuration and say what is wrong, line by line
  explain KEY  say where a value comes from and what it overrides
  get [KEY]    print one value, or everything
  path         print the file in use`

type Asked = { verb: string; key: string | undefined; configPath: string | undefined; json: boolean }

/** Runs `lexora config` with what follows that word; answers the exit code. Secrets are masked in all it prints. */
export function configCommand(argv: readonly string[], io: ConfigIo): number {
  const asked = parse(argv)
  if ('problem' in asked) return usage(asked.problem, io)
  switch (asked.verb) {
    case 'validate':
      return validate(asked, io)
    case 'explain':
      return asked.key === undefined
        ? usage('explain needs a KEY, as in "server.port"', io)
        : explain(asked.key, asked, io)
    case 'get':
      return get(asked, io)
    case 'path':
      return path(asked, io)
    default:
      return usage(
        `unknown command "${asked.verb}"${didYouMean(asked.verb, ['validate', 'explain', 'get', 'path'])}`,
        io,
      )
  }
}

function parse(argv: readonly string[]): Asked | { problem: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { config: { type: 'string' }, json: { type: 'boolean', default: false } },
    })
    const [verb, key, ...rest] = positionals
    if (verb === undefined) return { problem: 'a command is missing' }
    if (rest.length > 0 || (key !== undefined && (verb === 'validate' || verb === 'path'))) {
      return { problem: `too many words after "${verb}"` }
    }
    return { verb, key, configPath: values.config, json: values.json }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

function usage(problem: string, io: ConfigIo): number {
  io.err(`lexora config: ${problem}\n${HELP}`)
  return USAGE
}

function validate(asked: Asked, io: ConfigIo): number {
  const loaded = load(asked, io)
  const backends = loaded.ok ? resolveBackends(loaded, io.env) : undefined
  const issues = loaded.ok ? backends!.issues : loaded.issues
  const notes = loaded.ok ? [...loaded.notes, ...backends!.notes] : []
  const ok = issues.length === 0
  if (asked.json) io.out(JSON.stringify({ ok, path: loaded.path, issues, notes }, null, 2))
  else {
    for (const note of notes) io.out(`note: ${note}`)
    for (const issue of issues) io.err(formatIssue(issue))
    const subject = loaded.path === null ? 'the configuration (no file: defaults)' : displayName(loaded.path, io.cwd)
    if (ok) io.out(`${subject} is valid`)
    else io.err(`${subject}: ${issues.length} ${issues.length === 1 ? 'error' : 'errors'}; nothing would start`)
  }
  return ok ? OK : BAD_CONFIGURATION
}

function explain(key: string, asked: Asked, io: ConfigIo): number {
  const loaded = load(asked, io)
  if (!loaded.ok) return refuse(loaded.issues, asked, io)
  const explanation = masked(loaded, key)
  if (!explanation) return unknownKey(key, asked, io)
  if (asked.json) io.out(JSON.stringify({ key, ...explanation }, null, 2))
  else {
    io.out(`${key} = ${JSON.stringify(explanation.value)}`)
    io.out(`  from ${source(explanation)}`)
    for (const said of explanation.overridden) io.out(`  overrides ${JSON.stringify(said.value)} from ${source(said)}`)
  }
  return OK
}

function get(asked: Asked, io: ConfigIo): number {
  const loaded = load(asked, io)
  if (!loaded.ok) return refuse(loaded.issues, asked, io)
  const explanation = asked.key === undefined ? { value: maskSecrets(loaded.config) } : masked(loaded, asked.key)
  if (!explanation) return unknownKey(asked.key!, asked, io)
  const { value } = explanation
  if (asked.json) io.out(JSON.stringify(value, null, 2))
  else io.out(typeof value === 'object' && value !== null ? stringify(value).trimEnd() : String(value))
  return OK
}

/** Answers even if the file is broken: its path is what one needs to mend it. */
function path(asked: Asked, io: ConfigIo): number {
  const { path } = load(asked, io)
  const home = lexoraPaths(io).configFile
  if (asked.json) io.out(JSON.stringify({ path, default: home }, null, 2))
  else {
    io.out(path ?? home)
    if (path === null) io.err('this file does not exist yet: defaults hold')
  }
  return OK
}

function load({ configPath }: Asked, { env, cwd, home, platform }: ConfigIo) {
  return loadConfig({ flags: {}, configPath, env, cwd, home, platform })
}

function masked(loaded: LoadedConfig, key: string): Explanation | undefined {
  const found = loaded.explain(key)
  if (!found) return undefined
  const mask = <T extends Said>(said: T): T => ({ ...said, value: maskSecrets(said.value, found.path) })
  return { ...mask(found), overridden: found.overridden.map(mask) }
}

function source({ from, detail }: Said): string {
  return from === 'default' ? 'the default' : `${from} ${detail}`
}

function unknownKey(key: string, { json }: Asked, io: ConfigIo): number {
  const message = `no such key: ${key}${didYouMean(key, schemaKeys())}`
  if (json) io.out(JSON.stringify({ error: message }, null, 2))
  else io.err(message)
  return USAGE
}

function refuse(issues: Issue[], { json }: Asked, io: ConfigIo): number {
  if (json) io.out(JSON.stringify({ ok: false, issues }, null, 2))
  else for (const issue of issues) io.err(formatIssue(issue))
  return BAD_CONFIGURATION
}
