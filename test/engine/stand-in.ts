/** A Lexora that only owns one engine: `node stand-in.ts SPEC_FILE`. To be killed by a test. */
import { readFileSync } from 'node:fs'
import { EngineRun } from '../../src/engine/engine-run.ts'
import { GUARD } from './given.ts'

const run = await EngineRun.start(GUARD, JSON.parse(readFileSync(process.argv[2]!, 'utf8')), {
  pingMs: 2000,
  onLines: () => {},
  onExited: () => {},
})
process.stdout.write(`${JSON.stringify({ engine: run.leader!.pid })}\n`)
