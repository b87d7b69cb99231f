import { rmSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { basename, join } from 'node:path'
import { describeConfig } from '../config/describe.ts'
import { editYaml } from '../config/edit.ts'
import { readConfigFile } from '../config/find-file.ts'
import { formatIssue, type Issue } from '../config/issues.ts'
import { keepLastGood } from '../config/last-good.ts'
import type { Loaded, LoadedConfig } from '../config/load.ts'
import { asTyped, maskIssue, maskText, revisionOf, unmaskText, type Whole } from '../config/masked-text.ts'
import { FileWatch } from '../config/watch.ts'
import { tryWriting, writeWhole } from '../config/write.ts'
import { planReload } from '../policy/reload-plan.ts'
import { unifiedDiff } from '../policy/unified-diff.ts'
import { isBlocked } from '../protocol/blocked.ts'
import { CommandError, refusal } from '../protocol/commands.ts'
import type { Config } from '../protocol/config.ts'
import type {
  ConfigChange,
  ConfigIssue,
  ConfigText,
  ConfigView,
  ReloadReport,
  ValidationReport,
} from '../protocol/config-view.ts'
import { problem } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import type { ConfigFault } from '../protocol/snapshot.ts'
import type { TlsReport } from '../protocol/tls.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { AppSettings } from './app-settings.ts'
import { certificateNames, describeCertificate, makeCertificate } from './certificate.ts'
import type { ConfigDesk } from './config-desk.ts'
import type { Settings } from './settings.ts'

export type ReloaderOptions = {
  loaded: LoadedConfig
  settings: AppSettings
  /** Reads the configuration again; `text` in place of what the file holds. */
  load: (text?: string) => Loaded
  resolve: (loaded: LoadedConfig) => Settings
  /** `later`: engines that run go over to it at their next start. */
  apply: (settings: AppSettings, later: boolean) => Promise<void>
  /** Of what runs. */
  pendingRestart: () => string[]
  /** The configuration was read again; null: nothing is wrong with it. */
  onRead: (fault: ConfigFault | null) => void
  /** It went over to these. */
  onApplied: (settings: AppSettings) => void
  stateDir: string
  log: Logger
}

type Cause = 'file' | 'signal' | 'command' | 'edit'
type Checked =
  | { ok: true; loaded: LoadedConfig; settings: AppSettings; notes: string[] }
  | { ok: false; issues: Issue[] }

/** The configuration of a Lexora that runs: reads it again, goes over to it or says why not, edits its file. One at a time. */
export class Reloader {
  private readonly options: ReloaderOptions
  private loaded: LoadedConfig
  private settings: AppSettings
  private last: Promise<unknown> = Promise.resolve()
  private watch: FileWatch | null = null
  /** What was there before the last change through here; null: no file. */
  private before: { text: string | null; revision: string } | null = null

  constructor(options: ReloaderOptions) {
    this.options = options
    this.loaded = options.loaded
    this.settings = options.settings
    this.keep()
  }

  /** From now on a changed file is read by itself. */
  start(): void {
    this.watchFiles()
  }

  close(): void {
    this.watch?.close()
    this.watch = null
  }

  /** Goes over to what the file says now. Rejects with a CommandError that lists every issue, and then nothing has changed. */
  async reload(cause: Cause): Promise<ReloadReport> {
    return await this.inTurn(async () => await this.goOver(this.check(), cause))
  }

  /**
   * Changes settings in the file and goes over to them; comments and order stay. Nothing is written that is not valid.
   * `later`: engines that run do so at their next start.
   */
  async edit(
    wanted: readonly ConfigChange[] | ((config: Config) => ConfigChange[]),
    later = false,
  ): Promise<ReloadReport> {
    return await this.inTurn(async () => {
      const { config } = this.loaded
      const now = this.readable()
      const changes = typeof wanted === 'function' ? wanted(now.ok ? now.config : config) : wanted
      for (const { path } of changes) {
        this.mustBeOfFile(path)
        if (later) mayWait(path)
      }
      if (changes.length === 0) return await this.goOver(this.check(), 'edit')
      const before = now.ok ? now.text : null
      const edited = editYaml(before ?? '', changes, config)
      if (!edited.ok) throw refusal('invalid_request', `${edited.path}: ${edited.message}`, edited.path)
      return await this.put(edited.text, before, undefined, later)
    })
  }

  /** What the file says now, also that there is none; throws its issues where it is broken. */
  private readable(): Loaded {
    const now = this.options.load()
    if (!now.ok && now.path !== null) throw refused(now.issues)
    return now
  }

  /** Throws where the file has no say in this setting. */
  private mustBeOfFile(path: string): void {
    const said = this.loaded.explain(path)
    if (said?.from === 'environment' || said?.from === 'flag')
      throw refusal('invalid_request', say`${path} is set by ${said.detail}, which goes before the file.`, path)
  }

  /** The file as it may be shown, also where it is broken. */
  text(): ConfigText {
    const { path, text } = this.read()
    const revision = revisionOf(text ?? '')
    return {
      path,
      exists: text !== null,
      text: maskText(text ?? ''),
      revision,
      canUndo: this.before?.revision === revision,
    }
  }

  /** Writes what was made of `text()`, its secrets put back, and goes over to it. Nothing is written that is not valid. */
  async write(typed: string, revision: string): Promise<ReloadReport> {
    return await this.inTurn(async () => {
      const { path, text } = this.read()
      if (revision !== revisionOf(text ?? '')) throw outdated()
      const whole = unmaskText(typed, text ?? '')
      if (!whole.ok) throw refused(whole.faults.map((fault) => maskIssue(fault, path)))
      return await this.put(whole.text, text, (issue) => placedIn(issue, path, whole))
    })
  }

  /** Back to what was before the last change that was made through here. */
  async undo(): Promise<ReloadReport> {
    return await this.inTurn(async () => {
      const { path, text } = this.read()
      if (this.before === null) throw refusal('invalid_request', say('Nothing was changed since Lexora started.'), null)
      if (this.before.revision !== revisionOf(text ?? '')) throw outdated()
      const { text: wanted } = this.before
      if (wanted !== null) return await this.put(wanted, text)
      rmSync(path, { force: true })
      try {
        const report = await this.goOver(this.check(undefined, true), 'edit')
        this.before = null
        return report
      } catch (error) {
        writeWhole(path, text ?? '')
        throw error
      }
    })
  }

  /** Writes a text that is valid, and goes over to it; where that fails, the file is as it was. */
  private async put(
    text: string,
    before: string | null,
    placed = (issue: Issue) => issue,
    later = false,
  ): Promise<ReloadReport> {
    const checked = this.check(text)
    if (!checked.ok) throw refused(checked.issues.map(placed))
    const { target } = checked.loaded
    try {
      writeWhole(target, text)
    } catch (error) {
      throw unwritable(target, error)
    }
    try {
      // What was written is read again, so that it and nothing else is in force.
      const report = await this.goOver(this.check(), 'edit', later)
      this.before = { text: before, revision: revisionOf(text) }
      return report
    } catch (error) {
      if (before === null) rmSync(target, { force: true })
      else writeWhole(target, before)
      throw error
    }
  }

  private read(): { path: string; text: string | null } {
    const now = this.options.load()
    const path = now.path ?? this.loaded.target
    if (now.ok || now.path === null) return { path, text: now.ok ? now.text : null }
    const read = readConfigFile(path)
    if ('problem' in read) throw refusal('invalid_request', `${path} ${read.problem}.`, null)
    return { path, text: read.text }
  }

  /** With a revision: a text that was made of `text()`, with its masks. */
  validate(typed: string, revision?: string): ValidationReport {
    const { path, text } = revision === undefined ? { path: this.loaded.target, text: null } : this.read()
    if (revision !== undefined && revision !== revisionOf(text ?? '')) throw outdated()
    const whole = revision === undefined ? asTyped(typed) : unmaskText(typed, text ?? '')
    const diff = revision === undefined ? null : unifiedDiff(maskText(text ?? ''), typed, basename(path))
    const bad = (issues: Issue[]): ValidationReport => ({
      ok: false,
      issues: issues.map(told),
      notes: [],
      changed: [],
      diff,
    })
    if (!whole.ok) return bad(whole.faults.map((fault) => maskIssue(fault, path)))
    const checked = this.check(whole.text)
    if (!checked.ok) return bad(checked.issues.map((issue) => placedIn(issue, path, whole)))
    const changed = planReload(this.settings.config, checked.settings.config)
    return { ok: true, issues: [], notes: checked.notes, changed, diff }
  }

  view(): ConfigView {
    const { path, target } = this.loaded
    const pendingRestart = this.options.pendingRestart()
    return { path: target, exists: path !== null, entries: describeConfig(this.loaded), pendingRestart }
  }

  /** For the table of commands. */
  get commands(): ConfigDesk {
    return {
      reload: async () => await this.reload('command'),
      getConfig: async () => this.view(),
      setConfig: async ({ changes, later }) => await this.edit(changes as ConfigChange[], later === true),
      validateConfig: async ({ text, revision }) => this.validate(text, revision),
      configText: async () => this.text(),
      writeConfig: async ({ text, revision }) => await this.write(text, revision),
      undoConfig: async () => await this.undo(),
      readTls: async () => this.tls(),
      createCertificate: async ({ names } = {}) => await this.certify(names ?? ''),
      allowOrigin: async (origin) => await this.edit(({ server }) => alsoFrom(origin, server.cors_origins)),
      blockPlace: async (host) => await this.edit(({ privacy }) => withBlock(host, privacy.blocked)),
      allowPlace: async (host) => await this.edit(({ privacy }) => withoutBlock(host, privacy.blocked)),
    }
  }

  private tls(): TlsReport {
    const { certificate, config } = this.settings
    const { tls } = config.server
    return {
      certificate: certificate === null || tls === null ? null : describeCertificate(certificate.cert, tls),
      pendingRestart: this.options.pendingRestart().includes('server.tls'),
    }
  }

  /** Makes a certificate and goes over to it. Asks first whether it may: what is made takes the place of the last one. */
  private async certify(asked: string): Promise<TlsReport> {
    const names = certificateNames(asked, { hostname: hostname(), interfaces: networkInterfaces() })
    if (typeof names === 'string') throw refusal('invalid_request', `names: ${names}.`, 'names')
    this.mustBeOfFile('server.tls')
    this.readable()
    const { target } = this.loaded
    try {
      tryWriting(target)
    } catch (error) {
      throw unwritable(target, error)
    }
    const files = await makeCertificate(join(this.options.stateDir, 'tls'), names, process.env).catch(
      (error: Error) => {
        throw refusal('overloaded', say`${error.message}; nothing was changed.`, null)
      },
    )
    await this.edit([{ path: 'server.tls', value: files }])
    return this.tls()
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work)
    this.last = turn.catch(() => {})
    return await turn
  }

  private check(text?: string, mayBeGone = false): Checked {
    const loaded = this.options.load(text)
    if (!loaded.ok) return loaded
    if (this.loaded.path !== null && loaded.path === null && text === undefined && !mayBeGone) {
      return { ok: false, issues: [aboutFile(this.loaded.path, 'is gone; the settings in force are kept')] }
    }
    const resolved = this.options.resolve(loaded)
    if (!resolved.ok) return resolved
    return { ok: true, loaded, settings: resolved.settings, notes: [...loaded.notes, ...resolved.notes] }
  }

  private async goOver(checked: Checked, cause: Cause, later = false): Promise<ReloadReport> {
    const { log, apply, onApplied, onRead, pendingRestart } = this.options
    if (!checked.ok) {
      for (const issue of checked.issues) log.error('reload refused', { cause, issue: formatIssue(issue) })
      const [first] = checked.issues
      onRead(first === undefined ? null : { place: first.place, path: first.path, count: checked.issues.length })
      throw refused(checked.issues)
    }
    onRead(null)
    const { loaded, settings, notes } = checked
    const changed = planReload(this.settings.config, settings.config)
    const renewed = JSON.stringify(this.settings.certificate) !== JSON.stringify(settings.certificate)
    if (changed.length > 0 || renewed || pendingRestart().length > 0) {
      try {
        await apply(settings, later)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        log.error('reload failed; the settings in force are kept', { cause, reason: why })
        throw refusal('invalid_request', `The configuration is valid but could not be put in force: ${why}`, null)
      }
      onApplied(settings)
    }
    this.loaded = loaded
    this.settings = settings
    this.keep()
    if (this.watch !== null) this.watchFiles()
    for (const note of changed.length > 0 ? notes : []) log.warn(note)
    const report = { path: loaded.path, changed, pendingRestart: pendingRestart(), notes }
    log.info('configuration read again', {
      cause,
      changed: changed.map(({ path }) => path).join(',') || 'nothing',
      ...(report.pendingRestart.length === 0 ? {} : { needs_restart: report.pendingRestart.join(',') }),
    })
    return report
  }

  private keep(): void {
    const { stateDir, log } = this.options
    const { text } = this.loaded
    const why = text === null ? null : keepLastGood(stateDir, text)
    if (why !== null) log.warn('the copy of the configuration that works cannot be kept', { reason: why })
  }

  /** The file, and the certificates that it names. */
  private watchFiles(): void {
    this.watch?.close()
    const { tls } = this.settings.config.server
    const paths = [this.loaded.target, ...(tls === null ? [] : [tls.cert, tls.key])]
    this.watch = new FileWatch(paths, () => void this.reload('file').catch(() => {}))
  }
}

/** Only what an engine is started with: by its name, its model and its adapters callers find it at once. */
function mayWait(path: string): void {
  if (
    /^engines\..+\.(args\.(?!lora[-_]modules)|env\.|(gpus|gpu_reserve_mb|sleep|launch|executable|venv|image)$)/.test(
      path,
    )
  )
    return
  throw refusal('invalid_request', say`${path} cannot wait for the next start of an engine.`, path)
}

/** Nothing to change where it may call already. */
function alsoFrom(origin: string, allowed: readonly string[]): ConfigChange[] {
  return allowed.includes(origin) ? [] : [{ path: 'server.cors_origins', value: [...allowed, origin] }]
}

function withBlock(host: string, blocked: readonly string[]): ConfigChange[] {
  return isBlocked(host, blocked) ? [] : [{ path: 'privacy.blocked', value: [...blocked, host.toLowerCase()] }]
}

/** Whatever of them blocks this place goes. Throws where only one of its ports is blocked, which is another place. */
function withoutBlock(host: string, blocked: readonly string[]): ConfigChange[] {
  const left = blocked.filter((entry) => !isBlocked(host.toLowerCase(), [entry]))
  const port = blocked.find((entry) => entry.toLowerCase().startsWith(`${host.toLowerCase()}:`))
  if (left.length === blocked.length && port !== undefined)
    throw refusal('invalid_request', say`${host} is not blocked as a whole, only ${port} is.`, 'host')
  if (left.length === blocked.length) return []
  return [{ path: 'privacy.blocked', value: left.length === 0 ? null : left }]
}

/** What was found in the whole text, at its place in the one that was typed. */
function placedIn(issue: Issue, path: string, { typedPlace }: Whole): Issue {
  if (issue.line === undefined || issue.column === undefined) return issue
  const { line, column } = typedPlace(issue.line, issue.column)
  return { ...issue, line, column, place: `${issue.file ?? path}:${line}:${column}` }
}

function told({ path, message, place, line, column }: Issue): ConfigIssue {
  return { path, message, place, line: line ?? null, column: column ?? null }
}

function unwritable(path: string, error: unknown): CommandError {
  const why = (error as NodeJS.ErrnoException).code ?? String(error)
  return refusal('overloaded', say`${path} cannot be written (${why}); nothing was changed.`, null)
}

/** Someone else has changed the file. */
function outdated(): CommandError {
  const message = say(
    'The file has changed since this text was read; nothing was written. Read it again and repeat the change.',
  )
  return new CommandError(problem('invalid_request', message, { param: 'revision', status: 409 }))
}

function aboutFile(path: string, message: string): Issue {
  return { path: '', message, source: 'file', place: path, file: path }
}

function refused(issues: readonly Issue[]): CommandError {
  const lines = issues.map(formatIssue)
  const count = lines.length === 1 ? 'one error' : `${lines.length} errors`
  const message = `Nothing was changed: the configuration has ${count}.\n${lines.join('\n')}`
  return refusal('invalid_request', message, issues[0]?.path || null)
}
