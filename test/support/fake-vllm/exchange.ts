import type { Context } from './answer.ts'
import type { Plan } from './faults.ts'
import { aborted, pause } from './watchers.ts'
import type { Writer } from './writer.ts'

/** One request on its way: what its faults are, where its bytes go, and whether the client is still there. */
export type Exchange = {
  context: Context
  plan: Plan
  writer: Writer
  signal: AbortSignal
  requestId: string
  /** The connection is closed after this answer, because the client asked for it. */
  close: boolean
  onEvent: () => void
  /** Told when the head of the answer goes out. */
  onHead: (status: number) => void
}

/** A whole answer leaves the connection `open` or `closed`. Else a fault has `broken` it off, or the client has `left`. */
export type Ending = 'open' | 'closed' | 'broken' | 'left'

/** Waits as long as a fault holds the headers back. */
export async function holdHeaders({ plan, signal }: Exchange): Promise<void> {
  const delay = plan('delay')
  if (delay?.at === 'headers') await pause(delay.ms, signal)
}

/** Says nothing more until the client leaves. */
export async function hang(x: Exchange): Promise<Ending> {
  await aborted(x.signal)
  return 'left'
}

export async function reset(x: Exchange): Promise<Ending> {
  await x.writer.reset()
  return 'broken'
}

/** Ends the connection in the middle, as a server does that went away. */
export function breakOff(x: Exchange): Ending {
  x.writer.end()
  return 'broken'
}
