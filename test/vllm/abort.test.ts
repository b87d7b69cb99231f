import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LexoraProcess } from '../bench/lexora-process.ts'
import { baseOf, CHAT, chat, describeWithVllm, LONGEST, lexoraInFrontOf, post, showLogsOnFailure } from './suite.ts'

const SEEN_WITHIN_MS = 100
/** vLLM needs 19-41 ms by itself, and the machine is shared: the middle of five tries is what counts. */
const TRIES = 5
const WATCHED_MS = 20_000

describeWithVllm('a client that leaves a real vLLM', (vllm) => {
  let lexora: LexoraProcess

  beforeAll(async () => {
    lexora = await lexoraInFrontOf(vllm.url)
  })
  afterAll(() => lexora?.stop())
  showLogsOnFailure(() => ({ vllm: vllm.log, lexora }))

  test.each([
    { what: 'stream', stream: true },
    { what: 'whole answer', stream: false },
  ])('stops its $what in the engine at once', async ({ stream }) => {
    const tookMs: number[] = []
    for (let round = 0; round < TRIES; round++) {
      const leaving = new AbortController()
      const asked = post(baseOf(lexora), CHAT, chat(LONGEST, { stream }), leaving.signal)
      const reading = asked.then((answer) => answer.text()).catch(() => 'left')
      await runningBecomes(vllm.url, 1)
      const leftAt = performance.now()
      leaving.abort()
      tookMs.push((await runningBecomes(vllm.url, 0)) - leftAt)
      expect(await reading).toBe('left')
    }
    const median = tookMs.toSorted((one, other) => one - other)[Math.floor(TRIES / 2)]
    expect(median, `all: ${tookMs.map((ms) => ms.toFixed(0))} ms`).toBeLessThanOrEqual(SEEN_WITHIN_MS)
  })
})

/** When vLLM's own gauge first showed so many running requests, read as often as it answers. */
async function runningBecomes(vllmUrl: string, wanted: number): Promise<number> {
  const deadline = performance.now() + WATCHED_MS
  for (;;) {
    // An idle connection may be closed by vLLM just as it is used again.
    const metrics = await fetch(`${vllmUrl}/metrics`)
      .then((answer) => answer.text())
      .catch(() => '')
    const running = /^vllm:num_requests_running\{.*\} (\S+)$/m.exec(metrics)?.[1]
    if (Number(running) === wanted) return performance.now()
    if (performance.now() > deadline) throw new Error(`vLLM still runs ${running} requests, not ${wanted}`)
  }
}
