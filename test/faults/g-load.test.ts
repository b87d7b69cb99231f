/** Row G11 of the fault catalogue (reliability.md 2.G): the engine's parent is killed under load, seen from its callers. */
import { afterEach, describe, expect, test } from 'vitest'
import { killRound } from '../chaos/kill-round.ts'
import { Rig } from '../engine/rig.ts'
import { startApp } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'

const MODEL = 'qwen3-8b'

let rig: Rig
afterEach(async () => await rig.dispose())

describe('G: the engine', () => {
  test('G11 its parent is killed under a hundred streams: each ends whole or in one error event, who waits is served by the next run', async () => {
    rig = new Rig({ host: { vllm: { ttftMs: 150, tokenMs: 20 } } })
    const { app, port } = await startApp([], { engines: { configs: { main: rig.config }, world: rig.world } })
    expect(await ask(port, aChat({ model: MODEL }))).toMatchObject({ status: 200 })
    const { wrong, completed, broken } = await killRound({ app, port, host: rig.host, model: MODEL }, 'api server', 100)
    expect({ wrong, ended: completed + broken }).toEqual({ wrong: [], ended: 100 })
    expect(broken).toBeGreaterThan(0)
    expect(completed).toBeGreaterThan(0)
    expect(app.inFlight).toEqual({ requests: 0, attempts: 0, permits: 0, waiting: 0 })
  }, 60_000)
})
