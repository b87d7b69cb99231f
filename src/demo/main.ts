import { type AddressInfo, Socket } from 'node:net'
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
    'owner-fd': { type: 'string' },
  },
})

process.on('SIGTERM', () => process.exit(0))
// Nobody may be left to read the phases of a start that goes on.
process.stdout.on('error', () => {})
if (values['owner-fd'] !== undefined) endWithOwner(Number(values['owner-fd']))

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

/** The owner holds the other end of this pipe and never writes. However it ends, the system closes its end, and so we end. */
function endWithOwner(fd: number): void {
  const owner = new Socket({ fd, readable: true, writable: false })
  for (const event of ['end', 'error', 'close'] as const) owner.on(event, () => process.exit(0))
  owner.resume()
}
