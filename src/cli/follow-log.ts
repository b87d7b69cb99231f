import { setTimeout as pause } from 'node:timers/promises'
import type { AppCommands } from '../protocol/commands.ts'
import type { LogEntry } from '../protocol/gateway-log.ts'
import type { Asked } from './arguments.ts'
import { plain } from './format.ts'
import { entryLine } from './ui-printers.ts'

const LOOK_MS = 400

type Out = (text: string) => void
type Followed = Pick<Asked, 'name' | 'args' | 'json'>

/** Prints the last lines of a log, then what comes, until `signal`: an engine's, or that of Lexora itself. */
export async function followLog(
  commands: Pick<AppCommands, 'engineLog' | 'gatewayLog'>,
  asked: Followed,
  out: Out,
  signal: AbortSignal,
): Promise<void> {
  const look = asked.name === 'gatewayLog' ? gatewayLook(commands, asked, out) : engineLook(commands, asked, out)
  while (!signal.aborted) {
    await look()
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** An engine that ends does not end it. */
function engineLook(commands: Pick<AppCommands, 'engineLog'>, { args, json }: Followed, out: Out) {
  const print = (line: string): void => out(`${json ? JSON.stringify({ line }) : plain(line)}\n`)
  let cursor: string | null = null
  return async (): Promise<void> => {
    const found = await commands.engineLog({ ...args, ...(cursor === null ? {} : { after: cursor }) })
    if (found.skipped) print('… some lines are left out here')
    for (const line of found.lines) print(line)
    cursor = found.cursor
  }
}

function gatewayLook(commands: Pick<AppCommands, 'gatewayLog'>, { args, json }: Followed, out: Out) {
  const print = (entry: LogEntry): void => out(`${json ? JSON.stringify(entry) : entryLine(entry)}\n`)
  let after: number | null = null
  return async (): Promise<void> => {
    const found = await commands.gatewayLog({ ...args, ...(after === null ? {} : { after }) })
    if (found.missed > 0 && !json) out(`… ${found.missed} lines are not kept any more\n`)
    for (const entry of found.entries) print(entry)
    after = found.next
  }
}
