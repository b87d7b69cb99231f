import { homedir } from 'node:os'
import { type AdminTarget, adminClient, UnreachableError } from '../app/admin-client.ts'
import { USAGE } from '../app/args.ts'
import type { Machine } from '../config/paths.ts'
import { CommandError, type CommandName } from '../protocol/commands.ts'
import { isComing } from '../protocol/engine.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { type Asked, parseCommandLine } from './arguments.ts'
import { findServer } from './find-server.ts'
import { PRINTERS } from './printers.ts'
import { asJson, painter, printed, redrawn, type Terminal } from './screen.ts'
import type { Look } from './status-view.ts'
import { type Screen, watch } from './watch.ts'

/** What a command needs of the world outside. `terminal` answers null where the output is not one. */
export type CliWorld = Machine & {
  out: (text: string) => void
  err: (text: string) => void
  terminal: () => Terminal | null
  colour: boolean
  /** Aborts on Ctrl-C, from this call on: what does not watch ends by it as every program does. */
  untilStopped: () => AbortSignal
}

/** Exit codes of DESIGN 2. */
const EXIT = { ok: 0, failure: 1, usage: 2, notRunning: 3, starting: 4, engineFailed: 5, auth: 9 } as const
const NO_ACCESS = new Set(['invalid_api_key', 'permission_denied', 'host_not_allowed', 'origin_not_allowed'])

const PIPE_COLUMNS = 120

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
    terminal: () => (stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : null),
    colour: stdout.isTTY && env['NO_COLOR'] === undefined,
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

/** Runs one command against a Lexora that runs; answers the exit code. Never starts one. */
export async function runCommand(argv: readonly string[], world: CliWorld): Promise<number> {
  const parsed = parseCommandLine(argv)
  if (parsed.do === 'help') {
    world.out(`${USAGE}\n`)
    return EXIT.ok
  }
  if (parsed.do === 'usage-error') return fail(parsed.message, EXIT.usage, world)
  const { asked } = parsed
  const found = await findServer(asked, world)
  if (!found.ok) {
    const codes = { 'not-running': EXIT.notRunning, refused: EXIT.auth, usage: EXIT.usage }
    return fail(found.message, codes[found.why], world)
  }
  try {
    return asked.watch ? await runWatch(asked, found.target, world) : await runOnce(asked, found.target, world)
  } catch (error) {
    if (error instanceof UnreachableError) return fail(error.message, EXIT.notRunning, world)
    if (!(error instanceof CommandError)) throw error
    const refused = NO_ACCESS.has(error.problem.code)
    const hint = refused && asked.key === null ? ' Give the admin key as --key or LEXORA_AUTH__ADMIN_KEY.' : ''
    return fail(`${error.message}${hint}`, refused ? EXIT.auth : EXIT.failure, world)
  }
}

async function runOnce({ name, args, json }: Asked, target: AdminTarget, world: CliWorld): Promise<number> {
  const run = adminClient(target)[name] as (given: unknown) => Promise<unknown>
  const result = await run(args)
  const print = PRINTERS[name] as (result: unknown, look: Look) => string[]
  const look = { width: world.terminal()?.columns ?? PIPE_COLUMNS, paint: painter(world.colour) }
  world.out(`${json ? JSON.stringify(result, null, 2) : print(result, look).join('\n')}\n`)
  return exitOf(name, result)
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

/** `status` tells by its exit code too: up, on its way, or of no use to anybody. */
function exitOf(name: CommandName, result: unknown): number {
  if (name !== 'snapshot') return EXIT.ok
  const { server, health, engines } = result as AppSnapshot
  if (server.state === 'starting') return EXIT.starting
  if (health.status !== 'unhealthy') return EXIT.ok
  if (engines.some(({ state }) => isComing(state))) return EXIT.starting
  return engines.some(({ state }) => state.is === 'failed') ? EXIT.engineFailed : EXIT.failure
}

function fail(message: string, code: number, { err }: CliWorld): number {
  err(`lexora: ${message}\n`)
  return code
}
