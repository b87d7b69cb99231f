import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArguments, USAGE } from './app/args.ts'
import { run, type World } from './app/run.ts'

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
      // What may still be open (a client that does not hang up) must not hold up an exit that is due.
      process.exit(
        await run(asked.options, {
          ...base,
          ...signals(),
          onReload: (reload) => void process.on('SIGHUP', reload),
          // A promise that nobody waited for must not take everybody's requests with it.
          onFault: (tell) => void process.on('unhandledRejection', tell),
          isTerminal: process.stdout.isTTY,
          demoEntry: fileURLToPath(demoEntry),
          guardEntry: fileURLToPath(guardEntry),
          historyEntry: fileURLToPath(historyEntry),
          uiDir: fileURLToPath(uiDir),
          version,
        }),
      )
  }
}

function signals(): Pick<World, 'stopped' | 'hurry'> {
  const hurry = new AbortController()
  const stopped = new Promise<void>((resolve) => {
    let asks = 0
    const ask = (): void => {
      if (++asks === 1) resolve()
      else hurry.abort()
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
  return { stopped, hurry: hurry.signal }
}
