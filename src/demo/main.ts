import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MODELS } from './models.ts'
import { createDemoServer } from './server.ts'

/** The phases of a start, each with the time that it lasts: long enough to be seen, a second in all. */
const PHASES: [phase: string, percent: number, ms: number][] = [
  ['starting', 0, 150],
  ['loading', 20, 200],
  ['loading', 40, 200],
  ['loading', 70, 200],
  ['warming-up', 90, 150],
]

const LAST_WAY_MS = 1000

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
  },
})

const stopped = new AbortController()
process.on('SIGTERM', () => stopped.abort())
// Nobody may be left to read the phases of a start that goes on.
process.stdout.on('error', () => {})

const isWhole = await load().catch(() => false)
if (isWhole) serve()

/** False: it was stopped before it was done. */
async function load(): Promise<boolean> {
  for (const [phase, percent, ms] of PHASES) {
    tell({ phase, percent })
    await pause(ms, null, { signal: stopped.signal })
  }
  return true
}

function serve(): void {
  const server = createDemoServer()
  server.on('error', (error) => {
    process.stderr.write(`demo engine: ${error.message}\n`)
    process.exitCode = 1
  })
  server.listen(Number(values.port), values.host, () => {
    tell({ phase: 'ready', percent: 100, port: (server.address() as AddressInfo).port, models: MODELS })
  })
  stopped.signal.addEventListener('abort', () => {
    server.close()
    server.closeAllConnections()
    // What still runs in it is a demo's: nobody waits for it.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_WAY_MS).unref()
  })
}

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
