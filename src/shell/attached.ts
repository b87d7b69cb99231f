import { type AdminTarget, adminClient, watchSnapshots } from '../app/admin-client.ts'
import { findRunning, type RunRecord } from '../app/run-file.ts'
import { type AppCommands, COMMANDS, type CommandName } from '../protocol/commands.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { joinedLines, type OutboundLedger } from '../telemetry/outbound.ts'
import type { Core } from './core.ts'

/** How long between two looks for one that is gone; it may be on its way back. */
const AGAIN_MS = 1000

/**
 * A Lexora of this user that another program started, by its admin API. It is looked for again when it is gone, and
 * found also where it came back with another address or token. `stop` ends the watching alone. `outbound`: whom this
 * process has spoken to, which the other does not know.
 */
export function attachTo(record: RunRecord, runFile: string, outbound: OutboundLedger): Core {
  const ended = new AbortController()
  const listeners = new Set<(snapshot: AppSnapshot | null) => void>()
  let current = record
  let last: AppSnapshot | null = null
  let watching = false
  const tell = (snapshot: AppSnapshot | null): void => {
    last = snapshot
    for (const listener of listeners) listener(snapshot)
  }
  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await watchSnapshots(targetOf(current), tell, ended.signal).catch(() => {})
      if (ended.signal.aborted) return
      tell(null)
      await pause(AGAIN_MS, ended.signal)
      const found = await findRunning(runFile)
      if (found.is === 'running') current = found.record
    }
  }
  const commands = commandsOf(() => targetOf(current))
  return {
    is: 'attached',
    commands: {
      ...commands,
      listOutbound: async () => {
        const report = await commands.listOutbound()
        return { ...report, ...joinedLines(report, outbound.report()) }
      },
    },
    subscribe: (listener) => {
      const own = (snapshot: AppSnapshot | null): void => listener(snapshot)
      listeners.add(own)
      if (watching) own(last)
      else void watch()
      watching = true
      return () => void listeners.delete(own)
    },
    place: async () => ({ address: current.address, certificate: current.certificate ?? null }),
    owner: () => ({ pid: current.pid, address: current.address }),
    stop: async () => ended.abort(),
    hurry: () => ended.abort(),
    reload: () => {},
  }
}

function targetOf({ address, token, certificate }: RunRecord): AdminTarget {
  return { address, key: token, certificate: certificate ?? null }
}

/** The commands of whoever is there now. */
function commandsOf(target: () => AdminTarget): AppCommands {
  const names = Object.keys(COMMANDS) as CommandName[]
  const calls = names.map((name) => [
    name,
    async (args: Record<string, unknown> = {}) =>
      await (adminClient(target())[name] as (args: unknown) => Promise<unknown>)(args),
  ])
  return Object.fromEntries(calls) as AppCommands
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
  })
}
