/** Two real vLLMs that may not run at once: bound to one place that nobody can read, they take turns. */
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CHAT, chat, describeWithVllm, post } from './suite.ts'
import { Lexora, TINY_ARGS, tinyEnvironment } from './supervised.ts'

const TURN_MS = 280_000

describeWithVllm('two real vLLMs on one place', (vllm) => {
  let lexora: Lexora
  const engine = (served_name: string) => ({
    kind: 'vllm',
    model: vllm.env.model,
    served_name,
    port: 0,
    launch: 'venv',
    venv: dirname(dirname(vllm.env.vllm)),
    args: TINY_ARGS,
    env: tinyEnvironment(vllm.env.cacheRoot),
    gpus: [0],
  })

  beforeAll(async () => {
    lexora = new Lexora({ first: engine('one'), second: engine('two') })
    await lexora.start()
  })
  afterAll(async () => {
    await lexora.end('SIGTERM')
    lexora.remove()
  })

  test(
    'a request for one sends the idle other away, and never do both live',
    async () => {
      for (const model of ['one', 'two']) {
        const answer = await post(lexora.base, CHAT, { ...(chat(4, {}) as object), model })
        expect(answer.status, lexora.output).toBe(200)
        const alive = (await lexora.snapshot()).engines.filter(({ pid }) => pid !== null)
        expect(alive.map((view) => view.model)).toEqual([model])
      }
    },
    TURN_MS,
  )
})
