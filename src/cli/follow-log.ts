import { setTimeout as pause } from 'node:timers/promises'
import type { AppCommands } from '../protocol/commands.ts'
import type { Asked } from './arguments.ts'
import { plain } from './format.ts'

const LOOK_MS = 400

/** Prints what an engine printed last, then what it prints, until `signal`. An engine that ends does not end it. */
export async function followLog(
  commands: Pick<AppCommands, 'engineLog'>,
  { args, json }: Pick<Asked, 'args' | 'json'>,
  out: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const print = (line: string): void => out(`${json ? JSON.stringify({ line }) : plain(line)}\n`)
  let cursor: string | null = null
  while (!signal.aborted) {
    const found = await commands.engineLog({ ...args, ...(cursor === null ? {} : { after: cursor }) })
    if (found.skipped) print('… some lines are left out here')
    for (const line of found.lines) print(line)
    cursor = found.cursor
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}
