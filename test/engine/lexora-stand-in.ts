/** A Lexora with one engine and nothing else: `node lexora-stand-in.ts TASK_FILE`. To be killed by a test. */
import { readFileSync } from 'node:fs'
import { EngineSet } from '../../src/engine/engine-set.ts'
import { configSchema } from '../../src/protocol/config.ts'
import { aWorld } from './world.ts'

export type StandInTask = {
  folder: string
  env: Record<string, string>
  engine: Record<string, unknown>
  leaseMs: number
}
export type StandInSays = { state: string; key: string | null }

const task = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as StandInTask
const { world, close } = aWorld(task.folder, task.env, { leaseMs: task.leaseMs })
let key: string | null = null
let said = ''
const engines: EngineSet = new EngineSet({
  engines: configSchema.parse({ engines: { main: { ...task.engine, autostart: true } } }).engines,
  world,
  host: () => ({
    work: () => ({ inFlight: 0, sent: 0, lastTokenAt: 0, prefillTokens: 0, limit: null, lateAt: null, debtMs: 0 }),
    onServing: (serving) => {
      key = serving?.key ?? null
    },
    release: () => {},
    onChange: () => {
      const says: StandInSays = { state: engines.get('main')!.state.is, key }
      const line = JSON.stringify(says)
      if (line !== said) process.stdout.write(`${line}\n`)
      said = line
    },
  }),
})
process.on('SIGTERM', async () => {
  await engines.close()
  await close()
  process.exit(0)
})
await engines.open()
