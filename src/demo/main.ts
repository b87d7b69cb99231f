import type { AddressInfo } from 'node:net'
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

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
  },
})

process.on('SIGTERM', () => process.exit(0))
// Nobody may be left to read the phases of a start that goes on.
process.stdout.on('error', () => {})

for (const [phase, percent, ms] of PHASES) {
  tell({ phase, percent })
  await new Promise((resolve) => setTimeout(resolve, ms))
}
const server = createDemoServer()
server.on('error', (error) => {
  process.stderr.write(`demo engine: ${error.message}\n`)
  process.exit(1)
})
server.listen(Number(values.port), values.host, () => {
  tell({ phase: 'ready', percent: 100, port: (server.address() as AddressInfo).port, models: MODELS })
})

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
