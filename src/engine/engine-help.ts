import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnvironment } from './engine-environment.ts'
import { optionsInHelp } from './engine-options.ts'
import { installedVersion, type Launch } from './launch.ts'

/** vLLM imports for half a minute before it prints its help (captures, 1). */
const HELP_WITHIN_MS = 180_000

type Env = Readonly<Record<string, string | undefined>>

/**
 * The options that an installed engine knows, by its own help: flags change with every release. Asked once for each
 * version and kept in a file. null: it could not be asked.
 */
export async function knownOptions(
  launch: Launch,
  kind: 'vllm' | 'llama-server',
  cacheDir: string,
  env: Env,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | null> {
  if (launch.via !== 'path' && launch.via !== 'venv') return null
  const path = keptAt(launch, cacheDir)
  const known = readKept(path)
  if (known !== null) return known
  const help = await helpOf(launch.argv, kind === 'vllm' ? ['serve', '--help=all'] : ['--help'], env, signal)
  const options = optionsInHelp(help)
  // A program that prints something else knows nothing of this.
  if (!options.has('port')) return null
  keep(path, cacheDir, options)
  return options
}

/** As `knownOptions`, without asking the program: null, too, where it was never asked. */
export function keptOptions(launch: Launch, cacheDir: string): ReadonlySet<string> | null {
  return launch.via === 'path' || launch.via === 'venv' ? readKept(keptAt(launch, cacheDir)) : null
}

function keptAt(launch: Launch, cacheDir: string): string {
  return join(cacheDir, `options-${keyOf(launch)}.json`)
}

/** Changes with the program and with the package behind it. */
function keyOf(launch: Launch): string {
  const path = realpathSync(launch.argv[0]!)
  const { size, mtimeMs } = statSync(path)
  const text = [path, size, mtimeMs, installedVersion(launch)].join(' ')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

async function helpOf(
  [program, ...first]: readonly string[],
  args: string[],
  env: Env,
  signal: AbortSignal,
): Promise<string> {
  return await new Promise((resolve) => {
    const options = {
      env: { ...cleanEnvironment(env), NO_COLOR: '1', COLUMNS: '200', VLLM_NO_USAGE_STATS: '1', DO_NOT_TRACK: '1' },
      signal,
      timeout: HELP_WITHIN_MS,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 16 * 1024 * 1024,
      windowsHide: true,
    }
    execFile(program!, [...first, ...args], options, (_, stdout, stderr) => resolve(`${stdout}\n${stderr}`))
  })
}

function readKept(path: string): ReadonlySet<string> | null {
  try {
    return new Set(JSON.parse(readFileSync(path, 'utf8')) as string[])
  } catch {
    return null
  }
}

function keep(path: string, cacheDir: string, options: ReadonlySet<string>): void {
  try {
    mkdirSync(cacheDir, { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, JSON.stringify([...options]), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch {
    // Then it is asked again the next time.
  }
}
