import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { type AdminTarget, adminClient, UnreachableError } from '../app/admin-client.ts'
import { EXIT, exitOfFailure } from '../app/exit-codes.ts'
import { type AppCommands, CommandError, type CommandName } from '../protocol/commands.ts'
import type { DoctorReport } from '../protocol/doctor.ts'
import { type EngineView, isComing } from '../protocol/engine.ts'
import {
  type BenchReport,
  type FitReport,
  type InstallView,
  isPullFull,
  isPullOpen,
  type PullView,
  type VerifyReport,
} from '../protocol/models.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { type Asked, type OWN_WORDS, parseCommandLine } from './arguments.ts'
import { runCompletion } from './completion.ts'
import { runConfig } from './config.ts'
import { exitOfWait, followEngine, WAITED_FOR } from './engine-wait.ts'
import { type FoundServer, findServer } from './find-server.ts'
import { followInstall, followPull } from './follow-job.ts'
import { followLog } from './follow-log.ts'
import { runLan } from './lan.ts'
import { engineLine, PRINTERS, stoppedLines } from './printers.ts'
import { asJson, painter, printed, redrawn } from './screen.ts'
import { runService } from './service.ts'
import { runSetup } from './setup.ts'
import type { Look } from './status-view.ts'
import { type Screen, watch } from './watch.ts'
import type { CliWorld } from './world.ts'

const EXITS: Partial<Record<string, number>> = { invalid_request: EXIT.usage, model_not_found: EXIT.badModel }

const NO_ACCESS = new Set(['invalid_api_key', 'permission_denied', 'host_not_allowed', 'origin_not_allowed'])

const PIPE_COLUMNS = 120

/** What needs no Lexora that runs: the disk, the hub and the installed engines are there without one. */
const LOCAL: ReadonlySet<CommandName> = new Set([
  'listModels',
  'scanModels',
  'modelFiles',
  'verifyModel',
  'removeModel',
  'pullModel',
  'hub',
  'setHubToken',
  'forgetHubToken',
  'fitModel',
  'presets',
  'engineVersions',
  'offeredEngines',
  'installEngine',
  'useEngine',
  'rollbackEngine',
])

/** The `lexora` command with a word. Sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr, env } = process
  process.exitCode = await runCommand(argv, {
    env,
    cwd: process.cwd(),
    home: homedir(),
    platform: process.platform,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    // A pseudo-terminal that nobody gave a size has none, and says 0.
    terminal: () => (stdout.isTTY ? { columns: stdout.columns || 80, rows: stdout.rows || 24 } : null),
    colour: stdout.isTTY && env['NO_COLOR'] === undefined,
    errColumns: () => (stderr.isTTY ? stderr.columns || 80 : null),
    ...(process.stdin.isTTY ? { ask: askTerminal, prompt: promptTerminal } : {}),
    untilStopped: () => {
      const stopped = new AbortController()
      const stop = (): void => stopped.abort()
      process.once('SIGINT', stop)
      process.once('SIGTERM', stop)
      // Whoever read us (`head`, a pager) has seen enough.
      stdout.on('error', stop)
      return stopped.signal
    },
  })
}

async function askTerminal(question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await promptTerminal(`${question} [y/N] `)).trim())
}

async function promptTerminal(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await asking.question(question)
  } finally {
    asking.close()
  }
}

/** What the words outside of the table do. */
const OWN: Record<(typeof OWN_WORDS)[number], (argv: readonly string[], world: CliWorld) => Promise<number> | number> =
  {
    config: runConfig,
    service: runService,
    completion: runCompletion,
    lan: runLan,
    setup: runSetup,
  }

/** Runs one command against a Lexora that runs; answers the exit code. Never starts one. */
export async function runCommand(argv: readonly string[], world: CliWorld): Promise<number> {
  const own = OWN[argv[0] as keyof typeof OWN]
  if (own !== undefined) {
    const asked = { key: argv.includes('--key') ? '' : null }
    return await answered(async () => await own(argv.slice(1), world), asked, world)
  }
  const parsed = parseCommandLine(argv)
  if (parsed.do === 'help') {
    world.out(`${parsed.text}\n`)
    return EXIT.ok
  }
  if (parsed.do === 'usage-error') return fail(parsed.message, EXIT.usage, world)
  const asked = onThisDisk(parsed.asked, world.cwd)
  const found = await findServer(asked, world)
  const work = async (): Promise<number> => {
    if (asked.bundle !== undefined) return await runBundle(asked, asked.bundle, found, world)
    if (asked.name === 'doctor' && isOwnMatter(asked, found)) return await runDoctor(asked, found, world)
    if (isOfFiles(asked) && !found.ok && found.why === 'not-running') return await runOnFiles(asked, world)
    if (!found.ok && asked.host === null && found.why === 'not-running' && LOCAL.has(asked.name)) {
      return await runLocally(asked, world)
    }
    if (!found.ok) return notFound(asked, found, world)
    return await runFor(asked, found.target, world)
  }
  return await answered(work, asked, world)
}

/** What a command ends with, also where it is refused or nobody answers. */
async function answered(work: () => Promise<number>, asked: { key: string | null }, world: CliWorld): Promise<number> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UnreachableError) return fail(error.message, EXIT.notRunning, world)
    if (!(error instanceof CommandError)) throw error
    const { code } = error.problem
    const refused = NO_ACCESS.has(code)
    const hint = refused && asked.key === null ? ' Give the admin key as --key or LEXORA_AUTH__ADMIN_KEY.' : ''
    const exit = refused ? EXIT.auth : (EXITS[code] ?? EXIT.failure)
    return fail(`${error.message}${hint}`, exit, world)
  }
}

/** What names a file means one of where it was typed. */
function onThisDisk(asked: Asked, cwd: string): Asked {
  return isOfFiles(asked)
    ? { ...asked, args: { ...asked.args, file: resolve(cwd, String(asked.args['file'])) } }
    : asked
}

function isOfFiles({ name }: Asked): boolean {
  return name === 'backup' || name === 'restore'
}

/** Where no Lexora runs, its files are worked on from here. */
async function runOnFiles({ name, args, json }: Asked, world: CliWorld): Promise<number> {
  const { localBackup, localRestore } = await import('./local-records.ts')
  const work = name === 'backup' ? localBackup : localRestore
  show(name, work(String(args['file']), world, new Date()), json, world)
  return EXIT.ok
}

function notFound({ name }: Asked, { why, message }: FoundServer & { ok: false }, world: CliWorld): number {
  const codes = { 'not-running': EXIT.notRunning, refused: EXIT.auth, usage: EXIT.usage }
  const wantsOne = why === 'not-running' && (name === 'startEngine' || name === 'restartEngine')
  return fail(wantsOne ? `${message} Start it first: lexora` : message, codes[why], world)
}

async function runFor(asked: Asked, target: AdminTarget, world: CliWorld): Promise<number> {
  if (asked.watch) return await runWatch(asked, target, world)
  if (asked.follow) {
    await followLog(adminClient(target), asked, world.out, world.untilStopped())
    return EXIT.ok
  }
  if (asked.wait !== null) return await runWait(asked, target, world)
  return await runOnce(asked, adminClient(target), true, world)
}

/** In this process: it brings half of the server along, which no other command should have to read. */
async function runLocally(asked: Asked, world: CliWorld): Promise<number> {
  const { withLocalModels } = await import('./local-models.ts')
  return await withLocalModels(world, async (commands) => await runOnce(asked, commands, false, world))
}

/** `lives`: what was begun goes on when this command ends. */
async function runOnce(asked: Asked, commands: Partial<AppCommands>, lives: boolean, world: CliWorld): Promise<number> {
  const { name, args, json } = asked
  const question = questionFor(name, args)
  if (question !== null && !asked.yes) {
    const refusal = await askFirst(question, world)
    if (refusal !== null) return fail(refusal, EXIT.usage, world)
  }
  const run = commands[name] as (given: unknown) => Promise<unknown>
  const first = await run(args)
  const result = asked.detach && lives ? first : await followed(name, first, commands, asked, world)
  if (!lives && isUnderWay(name, result)) {
    return fail('It was interrupted. Ask again: it goes on where it was.', EXIT.failure, world)
  }
  show(name, result, json, world)
  return exitOf(name, result)
}

/** What is asked before anything goes; null: nothing goes. */
function questionFor(name: CommandName, args: Asked['args']): string | null {
  if (name === 'removeModel') return `Remove ${String(args['model'])} from the disk?`
  return name === 'clearData' ? `Clear ${String(args['place'])} on the disk?` : null
}

/** It would go on in a Lexora that runs; in this process it ends with it. */
function isUnderWay(name: CommandName, result: unknown): boolean {
  if (name === 'pullModel') return isPullOpen(result as PullView) && !isPullFull(result as PullView)
  return name === 'installEngine' && !['done', 'failed'].includes((result as InstallView).phase)
}

/** Null: go on. */
async function askFirst(question: string, { ask }: CliWorld): Promise<string | null> {
  if (ask === undefined) return 'This removes files: say --yes.'
  return (await ask(question)) ? null : 'Nothing was removed.'
}

/** What takes its time is seen through, with the way there on the error output. */
async function followed(
  name: CommandName,
  first: unknown,
  commands: Partial<AppCommands>,
  { json }: Asked,
  { err, errColumns, untilStopped }: CliWorld,
): Promise<unknown> {
  if (name !== 'pullModel' && name !== 'installEngine') return first
  const watcher = { err, errColumns, stopped: untilStopped(), quiet: json }
  return name === 'pullModel'
    ? await followPull(commands as AppCommands, first as PullView, watcher)
    : await followInstall(commands as AppCommands, first as InstallView, watcher)
}

function show(name: CommandName, result: unknown, json: boolean, world: CliWorld): void {
  const print = PRINTERS[name] as (result: unknown, look: Look) => string[]
  const text = json ? JSON.stringify(result, null, 2) : print(result, lookOf(world)).join('\n')
  if (text !== '') world.out(`${text}\n`)
}

function lookOf({ terminal, colour }: CliWorld): Look {
  return { width: terminal()?.columns ?? PIPE_COLUMNS, paint: painter(colour) }
}

/** Start, stop or restart until its end, with the way there on the error output. */
async function runWait({ name, args, json, wait }: Asked, target: AdminTarget, world: CliWorld): Promise<number> {
  const goal = WAITED_FOR[name]!
  const first = await (adminClient(target)[name] as (given: unknown) => Promise<EngineView>)(args)
  const end = await followEngine(target, { goal, first, timeoutMs: wait!.timeoutMs }, world, json)
  if (end.is === 'gone') return fail('Lexora went away meanwhile.', EXIT.notRunning, world)
  const { view } = end
  const look = lookOf(world)
  const stopped = goal === 'stop' && view.state.is === 'stopped'
  const lines = stopped ? stoppedLines(view, end.ran, look) : engineLine(view, look)
  world.out(`${json ? JSON.stringify(view, null, 2) : lines.join('\n')}\n`)
  if (end.is === 'late') world.err('lexora: It still goes on; this was only how long to wait for it.\n')
  return exitOfWait(goal, end)
}

/** Where none runs the machine is looked at from here; so it is for a file that the one that runs does not use. */
function isOwnMatter({ host, config }: Asked, found: FoundServer): boolean {
  return host === null && (config !== undefined || (!found.ok && found.why === 'not-running'))
}

async function runBundle(asked: Asked, file: string, found: FoundServer, world: CliWorld): Promise<number> {
  if (!found.ok && (asked.host !== null || found.why !== 'not-running')) return notFound(asked, found, world)
  const { writeBundle } = await import('./bundle.ts')
  const target = found.ok ? found.target : null
  const doctor = async (): Promise<DoctorReport> => {
    if (target !== null && asked.config === undefined) return await adminClient(target).doctor()
    const { localDoctor } = await import('./local-doctor.ts')
    return await localDoctor(world, asked.config, target)
  }
  try {
    const path = await writeBundle(file, { target, configPath: asked.config, machine: world, doctor })
    world.out(
      asked.json
        ? `${JSON.stringify({ path })}\n`
        : `Written: ${path}\nIt holds no keys, no prompts and no answers. Look through it before you send it.\n`,
    )
    return EXIT.ok
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined || error instanceof UnreachableError || error instanceof CommandError) throw error
    return fail(`${file} cannot be written: ${message}`, EXIT.failure, world)
  }
}

async function runDoctor({ json, config }: Asked, found: FoundServer, world: CliWorld): Promise<number> {
  // It brings half of the server along, which no other command should have to read.
  const { localDoctor } = await import('./local-doctor.ts')
  const report = await localDoctor(world, config, found.ok ? found.target : null)
  show('doctor', report, json, world)
  return exitOf('doctor', report)
}

async function runWatch(asked: Asked, target: AdminTarget, world: CliWorld): Promise<number> {
  const locate = async (): Promise<AdminTarget | null> => {
    const found = await findServer(asked, world)
    return found.ok ? found.target : null
  }
  await watch(target, locate, screenFor(asked, world), world.untilStopped())
  return EXIT.ok
}

function screenFor({ json }: Asked, { out, err, terminal, colour }: CliWorld): Screen {
  if (json) return asJson(out, err)
  const first = terminal()
  return first === null ? printed(out, err, () => performance.now()) : redrawn(out, () => terminal() ?? first, colour)
}

/** `status` tells by its exit code too: up, on its way, or of no use to anybody. `doctor`: whether anything fails. */
function exitOf(name: CommandName, result: unknown): number {
  if (name === 'doctor') {
    return (result as DoctorReport).checks.some(({ level }) => level === 'fail') ? EXIT.failure : EXIT.ok
  }
  const exit = exitOfModel(name, result)
  if (exit !== null) return exit
  if (name !== 'snapshot') return EXIT.ok
  const { server, health, engines } = result as AppSnapshot
  if (server.state === 'starting') return EXIT.starting
  if (health.status !== 'unhealthy') return EXIT.ok
  if (engines.some(({ state }) => isComing(state))) return EXIT.starting
  const failed = engines.find(({ state }) => state.is === 'failed' || state.is === 'not-installed')?.state
  return failed !== undefined && 'failure' in failed ? exitOfFailure(failed.failure.class) : EXIT.failure
}

/** Null: it is no command for models, or all is well. */
function exitOfModel(name: CommandName, result: unknown): number | null {
  switch (name) {
    case 'fitModel':
      return (result as FitReport).fits ? null : EXIT.noMemory
    case 'verifyModel':
      return (result as VerifyReport).problems.length === 0 ? null : EXIT.badModel
    case 'pullModel':
      return (result as PullView).state === 'failed' || isPullFull(result as PullView) ? EXIT.failure : null
    case 'installEngine':
      return (result as InstallView).phase === 'failed' ? EXIT.failure : null
    case 'bench':
      return (result as BenchReport).ttftMs === null ? EXIT.failure : null
    default:
      return null
  }
}

function fail(message: string, code: number, { err }: CliWorld): number {
  err(`lexora: ${message}\n`)
  return code
}
