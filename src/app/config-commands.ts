import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { resolveBackends } from '../config/backends.ts'
import { editYaml, meantBy } from '../config/edit.ts'
import type { Explanation, Said } from '../config/explain.ts'
import { displayName, readConfigFile } from '../config/find-file.ts'
import { didYouMean, formatIssue, type Issue } from '../config/issues.ts'
import { type LoadedConfig, type LoadInput, loadConfig } from '../config/load.ts'
import { maskIssue, maskText, mayHoldMasks, revisionOf, unmaskText } from '../config/masked-text.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'
import { maskSecrets } from '../config/secrets.ts'
import { schemaKeys } from '../config/shape.ts'
import { writeWhole } from '../config/write.ts'
import type { ConfigText } from '../protocol/config-view.ts'

/** What `lexora config …` may touch. `out` and `err` each take one line or block, without its last line break. */
export type ConfigIo = Machine & { out(text: string): void; err(text: string): void }

const OK = 0
const USAGE = 2
const BAD_CONFIGURATION = 78

const HELP = `usage: lexora config validate | explain KEY | get [KEY] | set KEY VALUE | set KEY --remove [--later] | text | write FILE | undo | path   [--config F] [--json]
  validate     check the whole configuration and say what is wrong, line by line
  explain KEY  say where a value comes from and what it overrides
  get [KEY]    print one value, or everything
  set KEY VALUE  write a setting into the file, whose comments stay; a running Lexora goes over to it
  set KEY --remove  take a setting out of the file, so that its default holds
  set … --later  an engine that runs goes over to it at its next start
  text         print the file with every secret masked, and its revision
  write FILE [--revision R]  put a text (- for standard input) in the place of the file; masked secrets are put back
  undo         take back the last change that a running Lexora made
  path         print the file in use`

type Asked = {
  verb: string
  key: string | undefined
  value: string | undefined
  remove: boolean
  configPath: string | undefined
  revision: string | undefined
  json: boolean
}

const VERBS = ['validate', 'explain', 'get', 'set', 'text', 'write', 'undo', 'path']

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
    case 'set':
      return set(asked, io)
    case 'text':
      return text(asked, io)
    case 'write':
      return write(asked, io)
    case 'undo':
      return say('lexora config undo: no Lexora runs that could have changed anything', 3, asked, io)
    case 'path':
      return path(asked, io)
    default:
      return usage(`unknown command "${asked.verb}"${didYouMean(asked.verb, VERBS)}`, io)
  }
}

const KEYLESS = ['validate', 'text', 'undo', 'path']

function parse(argv: readonly string[]): Asked | { problem: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        json: { type: 'boolean', default: false },
        remove: { type: 'boolean', default: false },
        later: { type: 'boolean', default: false },
        revision: { type: 'string' },
      },
    })
    const [verb, key, ...more] = positionals
    const [value, ...rest] = verb === 'set' ? more : [undefined, ...more]
    if (verb === undefined) return { problem: 'a command is missing' }
    if (rest.length > 0 || (key !== undefined && KEYLESS.includes(verb))) {
      return { problem: `too many words after "${verb}"` }
    }
    const { remove, revision, config: configPath, json } = values
    return { verb, key, value, remove, revision, configPath, json }
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

/** Writes one setting into the file where no Lexora does it. */
function set({ key, value, remove, ...asked }: Asked, io: ConfigIo): number {
  const change = changeOf(key, value, remove)
  if ('problem' in change) return usage(change.problem, io)
  const { cwd } = io
  const input = inputOf(asked, io)
  const before = loadConfig(input)
  const text = before.ok ? (before.text ?? '') : readText(before.path)
  const edited = editYaml(text, [change], before.ok ? before.config : {})
  if (!edited.ok) return say(`${edited.path}: ${edited.message}`, USAGE, asked, io)
  const after = put({ ...input, text: edited.text }, asked, io)
  if (typeof after === 'number') return after
  const found = after.explain(change.path)
  if (asked.json) io.out(JSON.stringify({ ok: true, path: after.target, key: change.path }, null, 2))
  else {
    io.out(`${change.path} is ${remove ? 'removed from' : 'written to'} ${displayName(after.target, cwd)}`)
    if (found !== undefined && (found.from === 'environment' || found.from === 'flag'))
      io.err(`note: ${found.from} ${found.detail} goes before the file`)
  }
  return OK
}

/** Prints the file as it may be shown, also where it is broken. */
function text(asked: Pick<Asked, 'configPath' | 'json'>, io: ConfigIo): number {
  const { path } = loadConfig(inputOf(asked, io))
  const read = path === null ? null : readConfigFile(path)
  if (read !== null && 'problem' in read) return say(`${path} ${read.problem}`, BAD_CONFIGURATION, asked, io)
  const whole = read?.text ?? ''
  const shown = { path: path ?? lexoraPaths(io).configFile, exists: path !== null, text: maskText(whole) }
  printText({ ...shown, revision: revisionOf(whole) }, asked.json, io)
  return OK
}

/** The text is what a program reads on; the revision goes beside it. */
export function printText(shown: Omit<ConfigText, 'canUndo'>, json: boolean, io: Pick<ConfigIo, 'out' | 'err'>): void {
  if (json) return io.out(JSON.stringify(shown, null, 2))
  io.out(shown.text.replace(/\n$/, ''))
  io.err(`revision ${shown.revision} of ${shown.path}`)
}

/** Writes the file as a whole where no Lexora does it. */
function write(asked: Omit<Asked, 'verb'>, io: ConfigIo): number {
  const typed = typedText(asked, io)
  if ('problem' in typed)
    return typed.code === USAGE ? usage(typed.problem, io) : say(typed.problem, typed.code, asked, io)
  const input = inputOf(asked, io)
  const found = loadConfig(input)
  const before = readText(found.path)
  if (typed.revision !== undefined && typed.revision !== revisionOf(before))
    return say('the file has changed since this text was read; nothing was written', 1, asked, io)
  const whole = unmaskText(typed.text, before)
  if (!whole.ok) {
    const file = found.path ?? 'the new file'
    return refuse(
      whole.faults.map((fault) => maskIssue(fault, file)),
      asked,
      io,
    )
  }
  const after = put({ ...input, text: whole.text, allowEmpty: false }, asked, io)
  if (typeof after === 'number') return after
  if (asked.json) io.out(JSON.stringify({ ok: true, path: after.target, revision: revisionOf(whole.text) }, null, 2))
  else io.out(`${displayName(after.target, io.cwd)} is written`)
  return OK
}

/** What `write` was given. Masks mean something only together with the revision that they were made of. */
export function typedText(
  { key: file, revision }: Pick<Asked, 'key' | 'revision'>,
  { cwd }: Pick<ConfigIo, 'cwd'>,
): { text: string; revision: string | undefined } | { problem: string; code: number } {
  if (file === undefined) return { problem: 'write needs a FILE, or - for standard input', code: USAGE }
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : resolve(cwd, file), 'utf8')
  } catch (error) {
    return { problem: `${file} cannot be read: ${(error as Error).message}`, code: 1 }
  }
  if (revision === undefined && mayHoldMasks(text))
    return { problem: 'a text with masked secrets needs --revision R, as "config text" printed it', code: USAGE }
  return { text, revision }
}

/** Writes a whole text, if it is valid, in the place of the file; else says why not and answers the exit code. */
function put(input: LoadInput & { text: string }, asked: Pick<Asked, 'json'>, io: ConfigIo): LoadedConfig | number {
  const after = loadConfig(input)
  const issues = after.ok ? resolveBackends(after, io.env).issues : after.issues
  if (!after.ok || issues.length > 0) return refuse(issues, asked, io)
  try {
    writeWhole(after.target, input.text)
    return after
  } catch (error) {
    return say(`${after.target} cannot be written: ${(error as Error).message}`, 1, asked, io)
  }
}

/** What `set` was asked for. */
export function changeOf(
  key: string | undefined,
  value: string | undefined,
  remove: boolean,
): { path: string; value: unknown } | { problem: string } {
  if (key === undefined) return { problem: 'set needs a KEY, as in "rate_limit.default_rate"' }
  if (remove) return value === undefined ? { path: key, value: null } : { problem: '--remove takes no value' }
  return value === undefined ? { problem: 'set needs a VALUE, or --remove' } : { path: key, value: meantBy(value) }
}

function readText(path: string | null): string {
  const read = path === null ? null : readConfigFile(path)
  return read !== null && 'text' in read ? read.text : ''
}

function say(message: string, code: number, { json }: Pick<Asked, 'json'>, io: ConfigIo): number {
  if (json) io.out(JSON.stringify({ error: message }, null, 2))
  else io.err(message)
  return code
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

function load(asked: Asked, io: ConfigIo) {
  return loadConfig(inputOf(asked, io))
}

function inputOf({ configPath }: Pick<Asked, 'configPath'>, { env, cwd, home, platform }: ConfigIo): LoadInput {
  return { flags: {}, configPath, env, cwd, home, platform }
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

function refuse(issues: Issue[], { json }: Pick<Asked, 'json'>, io: ConfigIo): number {
  if (json) io.out(JSON.stringify({ ok: false, issues }, null, 2))
  else for (const issue of issues) io.err(formatIssue(issue))
  return BAD_CONFIGURATION
}
