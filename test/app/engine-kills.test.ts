/** A slice of `npm run chaos`: an engine killed again and again under load. Real children, the process double. */
import { expect, test } from 'vitest'
import { killRound, startAfresh } from '../chaos/kill-round.ts'
import { Rig } from '../engine/rig.ts'
import { startApp } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'

const MODEL = 'qwen3-8b'

test('an engine killed twenty times under fifty streams each heals each time, and neither process, permit nor stream is lost', async () => {
  const rig = new Rig({ host: { vllm: { ttftMs: 150, tokenMs: 20 } } })
  try {
    const { app, port } = await startApp([], { engines: { configs: { main: rig.config }, world: rig.world } })
    const arena = { app, port, host: rig.host, model: MODEL }
    await ask(port, aChat({ model: MODEL }))
    for (let kill = 0; kill < 20; kill++) {
      // The fifth crash in ten minutes would stop it.
      if (kill > 0 && kill % 4 === 0) await startAfresh(arena)
      const { wrong, completed, broken } = await killRound(arena, kill % 2 === 0 ? 'engine core' : 'api server', 50)
      expect({ wrong, ended: completed + broken }).toEqual({ wrong: [], ended: 50 })
      expect(completed).toBeGreaterThan(0)
    }
    await app.stop(1000)
    expect(rig.alive()).toEqual([])
  } finally {
    await rig.dispose()
  }
}, 240_000)
