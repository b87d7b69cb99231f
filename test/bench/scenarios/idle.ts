import { readFileSync } from 'node:fs'
import { createFakeHost } from '../../support/fake-vllm/process/host.ts'
import { freePort, lexoraIsBuilt, startLexora } from '../lexora-process.ts'
import { type Bench, type Measured, pause, until } from '../measure.ts'
import { childrenOf, ownMicroseconds } from '../procfs.ts'

const WINDOW_MS = 20_000
/** An engine that has just come up is looked at more often. */
const SETTLE_MS = 20_000

/** What an engine that nobody asks anything costs its supervisor and its guard, with the GPU read every second. */
export async function idle({ settings }: Bench): Promise<Measured> {
  if (!lexoraIsBuilt()) return { rows: [], notes: [] }
  const host = createFakeHost()
  const engine = { kind: 'vllm', model: 'demo/idle', served_name: 'idle', port: await freePort(), autostart: true }
  const lexora = await startLexora({
    config: { engines: { main: engine } },
    env: { PATH: `${host.bin}:${process.env['PATH']}` },
  })
  try {
    const isReady = async () => (await fetch(`http://127.0.0.1:${lexora.port}/readyz`)).status === 200
    await until('the engine', isReady, (ready) => ready, 30_000)
    await pause(SETTLE_MS)
    const guards = childrenOf(lexora.pid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('guard'),
    )
    const ours = [lexora.pid, ...guards]
    const windowMs = settings.rounds > 2 ? WINDOW_MS : WINDOW_MS / 4
    const before = ownMicroseconds(ours)
    await pause(windowMs)
    const corePercent = (ownMicroseconds(ours) - before) / (windowMs * 10)
    return {
      rows: [{ target: 'lexora', figures: { corePercent } }],
      notes: [`Lexora and ${guards.length} guard; the engine and the tool that reads the GPU are not counted`],
    }
  } finally {
    await lexora.stop()
    host.dispose()
  }
}
