import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { EXIT } from '../app/exit-codes.ts'
import {
  installService,
  runProgram,
  type ServiceAsked,
  type ServiceResult,
  type ServiceWorld,
  servicePlan,
  serviceStatus,
  uninstallService,
} from '../app/service/manage.ts'
import type { Machine } from '../config/paths.ts'

const USAGE =
  'usage: lexora service install | uninstall | status  [--user | --system --run-as USER] [--config FILE] [--wants UNIT] [--print] [--json]'

type Io = Machine & { out: (text: string) => void; err: (text: string) => void }
type Verb = (asked: ServiceAsked, world: ServiceWorld) => ServiceResult

const VERBS: Record<string, Verb> = { install: installService, uninstall: uninstallService, status: serviceStatus }

/** `lexora service …`: Lexora by the hand of what starts services here. Answers the exit code. */
export function runService(argv: readonly string[], io: Io, run = runProgram): number {
  const parsed = parse(argv)
  if (typeof parsed === 'string') {
    io.err(`lexora service: ${parsed}\n${USAGE}\n`)
    return EXIT.usage
  }
  const { verb, print, json, asked } = parsed
  const world = { ...io, node: process.execPath, entry: entryOf(process.argv[1]), uid: process.getuid?.() ?? 0, run }
  if (print) {
    const plan = servicePlan(asked, world)
    if (typeof plan === 'string') {
      io.err(`${plan}\n`)
      return EXIT.usage
    }
    const { path, text } = plan
    io.out(json ? `${JSON.stringify({ path, text }, null, 2)}\n` : `# ${path}\n${text}`)
    return EXIT.ok
  }
  const result = VERBS[verb]!(asked, world)
  const { ok, lines } = result
  const say = ok ? io.out : io.err
  if (json) io.out(`${JSON.stringify(result, null, 2)}\n`)
  else for (const line of lines) say(`${line}\n`)
  return ok ? EXIT.ok : verb === 'status' ? EXIT.notRunning : EXIT.failure
}

function parse(argv: readonly string[]): { verb: string; print: boolean; json: boolean; asked: ServiceAsked } | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        user: { type: 'boolean', default: false },
        system: { type: 'boolean', default: false },
        'run-as': { type: 'string' },
        config: { type: 'string' },
        wants: { type: 'string', multiple: true, default: [] },
        print: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    })
    const [verb, ...rest] = positionals
    if (verb === undefined || !Object.hasOwn(VERBS, verb))
      return `say install, uninstall or status, not '${verb ?? ''}'`
    if (rest.length > 0) return `${verb} takes no '${rest[0]}'`
    if (values.user && values.system) return '--user and --system exclude each other'
    const odd = values.wants.find((unit) => !/^[\w@.:-]+\.(service|target|socket)$/.test(unit))
    if (odd !== undefined) return `--wants takes the name of a unit, as in vllm.service, not '${odd}'`
    const runAs = values['run-as'] ?? null
    if (runAs !== null && !/^[a-z_][a-z0-9_-]{0,31}$/i.test(runAs))
      return `--run-as takes the name of a user, not '${runAs}'`
    const configPath = values.config === undefined ? null : resolve(values.config)
    const asked = {
      scope: values.system ? ('system' as const) : ('user' as const),
      configPath,
      runAs,
      wants: values.wants,
    }
    return { verb, print: values.print, json: values.json, asked }
  } catch (error) {
    return (error as Error).message
  }
}

/** A link in a folder of commands may go away with an update; what it leads to is what runs. */
function entryOf(script: string | undefined): string {
  return script === undefined ? '' : realpathSync(script)
}
