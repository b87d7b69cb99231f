import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArguments, type RunOptions, USAGE } from './app/args.ts'
import { EXIT } from './app/exit-codes.ts'
import { run, type World } from './app/run.ts'
import { endProcess } from './engine/end-process.ts'

/** Plain-Node entry: arguments → what they ask for. Sets the exit code; never starts Chromium. */
export async function main(
  argv: readonly string[],
  {
    version,
    demoEntry,
    guardEntry,
    historyEntry,
    uiDir,
  }: { version: string; demoEntry: URL; guardEntry: URL; historyEntry: URL; uiDir: URL },
): Promise<void> {
  const asked = parseArguments(argv)
  const out = (text: string): void => void process.stdout.write(text)
  const err = (text: string): void => void process.stderr.write(text)
  const base = { env: process.env, cwd: process.cwd(), home: homedir(), platform: process.platform, out, err }
  switch (asked.do) {
    case 'help':
      return out(`${USAGE}\n`)
    case 'version':
      return out(`${version}\n`)
    case 'usage-error':
      err(`lexora: ${asked.message}\n\n${USAGE}\n`)
      process.exitCode = 2
      return
    case 'run':
      return await serve(asked.options, {
        ...base,
        isTerminal: process.stdout.isTTY,
        demoEntry: fileURLToPath(demoEntry),
        guardEntry: fileURLToPath(guardEntry),
        historyEntry: fileURLToPath(historyEntry),
        uiDir: fileURLToPath(uiDir),
        version,
      })
  }
}

type Surroundings = Omit<World, 'stopped' | 'quit' | 'hurry' | 'onReload' | 'onFault'>

/**
 * Runs until it is asked to stop, and ends the process. An exception that nobody caught is logged and stops it too, since
 * nothing is known of what it left behind: what runs may finish, and whoever watches over the process sees code 1.
 */
async function serve(options: RunOptions, surroundings: Surroundings): Promise<void> {
  const { stop, stopped, hurry } = signals()
  let crashed = false
  const code = await run(options, {
    ...surroundings,
    stopped,
    quit: stop,
    hurry,
    onReload: (reload) => void process.on('SIGHUP', reload),
    onFault: (tell) => {
      // A promise that nobody waited for must not take everybody's requests with it.
      process.on('unhandledRejection', tell)
      process.on('uncaughtException', (error) => {
        tell(error)
        if (crashed) endProcess(EXIT.failure, 0)
        crashed = true
        stop()
      })
    },
  })
  // What may still be open (a client that does not hang up) must not hold up an exit that is due.
  endProcess(crashed && code === EXIT.ok ? EXIT.failure : code)
}

function signals(): Pick<World, 'stopped' | 'hurry'> & { stop: () => void } {
  const hurry = new AbortController()
  let stop = (): void => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
    let asks = 0
    const ask = (): void => {
      if (++asks === 1) resolve()
      else hurry.abort()
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
  return { stop, stopped, hurry: hurry.signal }
}
