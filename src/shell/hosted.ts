import { homedir } from 'node:os'
import type { App } from '../app/app.ts'
import type { RunOptions } from '../app/args.ts'
import { run } from '../app/run.ts'
import { findRunning } from '../app/run-file.ts'
import type { OutboundLedger } from '../telemetry/outbound.ts'
import type { Ended, Hosted } from './core.ts'
import type { Programs } from './places.ts'

export type HostOptions = {
  programs: Programs
  version: string
  cwd: string
  runFile: string
  tell: (text: string) => void
  outbound: OutboundLedger
  /** Ends the whole app, as its own Quit does. */
  quit: () => void
}

/** Enough of what it said to explain an end. */
const MOST_SAID = 8000

/**
 * The gateway and the supervisor in this process. Starts at once, since a cold start waits for no window; resolves when
 * it listens, or when it has refused to.
 */
export async function hostCore(
  options: RunOptions,
  { programs, version, cwd, runFile, tell, outbound, quit }: HostOptions,
): Promise<Hosted> {
  const stop = Promise.withResolvers<void>()
  const hurry = new AbortController()
  const up = Promise.withResolvers<App>()
  let said = ''
  let reload = (): void => {}
  const ended: Promise<Ended> = run(options, {
    env: process.env,
    cwd,
    home: homedir(),
    platform: process.platform,
    out: tell,
    err: (text) => {
      said = `${said}${text}`.slice(-MOST_SAID)
      tell(text)
    },
    isTerminal: false,
    stopped: stop.promise,
    quit,
    hurry: hurry.signal,
    onReload: (again) => {
      reload = again
    },
    onFault: (fault) => void process.on('unhandledRejection', fault),
    onListening: (app) => up.resolve(app),
    version,
    outbound,
    ...programs,
  }).then(
    (code) => ({ code, said }),
    (error: unknown) => ({ code: 1, said: `${said}${error instanceof Error ? error.stack : String(error)}\n` }),
  )
  const first = await Promise.race([up.promise, ended])
  if ('code' in first) return { is: 'refused', ...first }
  const app = first
  return {
    is: 'up',
    ended,
    core: {
      is: 'hosted',
      commands: app.commands,
      subscribe: (listener) => app.subscribe(listener),
      place: async () => {
        const found = app.localAddress.startsWith('https:') ? await findRunning(runFile) : null
        const certificate = found?.is === 'running' ? (found.record.certificate ?? null) : null
        return { address: app.localAddress, certificate }
      },
      owner: () => null,
      stop: async () => {
        stop.resolve()
        await ended
      },
      hurry: () => {
        stop.resolve()
        hurry.abort()
      },
      reload: () => reload(),
    },
  }
}
