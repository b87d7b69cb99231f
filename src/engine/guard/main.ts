/** The guard of one engine, a program of its own: reads its task from standard input, and stays until all is gone. */
import { text } from 'node:stream/consumers'
import { endProcess } from '../end-process.ts'
import { Guard } from './guard.ts'
import { guardSpec } from './protocol.ts'

const guard = new Guard(guardSpec.parse(JSON.parse(await text(process.stdin))), () => endProcess(0))
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => guard.desert())
// The terminal that Lexora was started from may go; the engine has its lease.
process.on('SIGHUP', () => {})
await guard.start()
