import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort, type LexoraProcess } from '../bench/lexora-process.ts'
import {
  baseOf,
  CHAT,
  chat,
  describeWithVllm,
  LONGEST,
  lexoraInFrontOf,
  openaiAt,
  post,
  showLogsOnFailure,
} from './suite.ts'
import { startVllm, type VllmProcess } from './vllm-process.ts'

const SERVED_WITHIN_MS = 1_000
const KNOCK_EVERY_MS = 100
const KILLED_AFTER_EVENTS = 20

/** A start of vLLM lies in each test. */
const PATIENCE_MS = 400_000

describeWithVllm('a real vLLM that dies', (shared) => {
  let port: number
  let lexora: LexoraProcess
  let vllm: VllmProcess | null = null

  beforeAll(async () => {
    port = await freePort()
    lexora = await lexoraInFrontOf(`http://127.0.0.1:${port}`)
  })
  afterAll(async () => {
    await lexora?.stop()
    await vllm?.stop()
  })
  showLogsOnFailure(() => ({ vllm: vllm?.log, lexora }))

  async function started(): Promise<VllmProcess> {
    vllm ??= await startVllm(shared.env, port)
    return vllm
  }
  async function ended(): Promise<void> {
    await vllm?.stop()
    vllm = null
  }

  test(
    'with its engine core killed mid-stream ends streams with an error and without [DONE]',
    async () => {
      const running = await started()
      await streamsEndWithAnError(lexora, running.engineCore())
      await ended()
    },
    PATIENCE_MS,
  )

  test(
    'and starts again on its port serves again within a second of listening',
    async () => {
      await ended()
      const knocking = new AbortController()
      const servedAt = firstServed(lexora, knocking.signal)
      try {
        await started()
        const listeningAt = performance.now()
        expect((await servedAt) - listeningAt).toBeLessThanOrEqual(SERVED_WITHIN_MS)
      } finally {
        knocking.abort()
      }
    },
    PATIENCE_MS,
  )

  test(
    'with its API server killed mid-stream ends streams with an error and without [DONE]',
    async () => {
      const running = await started()
      await streamsEndWithAnError(lexora, running.pid)
      await ended()
    },
    PATIENCE_MS,
  )
})

/** Two long streams, one read by the SDK and one as bytes, while a process of vLLM is killed. */
async function streamsEndWithAnError(lexora: LexoraProcess, pid: number): Promise<void> {
  await expect.poll(async () => (await asksOneToken(lexora)).status, { timeout: 30_000 }).toBe(200)
  const asked = chat(LONGEST, { stream: true as const })
  const thrown = readToTheEnd(await openaiAt(baseOf(lexora)).chat.completions.create(asked))
  const answer = await post(baseOf(lexora), CHAT, asked)
  expect(answer.status).toBe(200)
  const text = await textAfter(answer, () => process.kill(pid, 'SIGKILL'))
  expect(await thrown).toBeInstanceOf(OpenAI.APIError)

  expect(text).not.toContain('[DONE]')
  const events = text.split('\n\n').filter((event) => event.startsWith('data: '))
  const parsed = events.map((event) => JSON.parse(event.slice('data: '.length)))
  expect(parsed.length).toBeGreaterThan(KILLED_AFTER_EVENTS)
  expect(parsed.at(-1)).toMatchObject({ error: { type: expect.any(String), message: expect.any(String) } })
  expect(parsed.slice(0, -1).filter(({ error }) => error)).toEqual([])
  expect(parsed.flatMap(({ choices }) => choices ?? []).filter((choice) => choice.finish_reason)).toEqual([])
}

async function readToTheEnd(parts: AsyncIterable<unknown>): Promise<unknown> {
  try {
    for await (const _ of parts);
    return 'a clean end'
  } catch (error) {
    return error
  }
}

/** The whole text of a stream; `kill` is called once it is well under way. */
async function textAfter(answer: Response, kill: () => void): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let killed = false
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    if (killed || text.split('\n\n').length <= KILLED_AFTER_EVENTS) continue
    killed = true
    kill()
  }
  return text
}

const asksOneToken = (lexora: LexoraProcess) => post(baseOf(lexora), CHAT, chat(1, {}))

/** Asks at a steady beat, each time anew, until somebody is served; says when. */
async function firstServed(lexora: LexoraProcess, signal: AbortSignal): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let found = false
  const knock = async () => {
    const answer = await asksOneToken(lexora).catch(() => null)
    await answer?.arrayBuffer()
    if (answer?.status !== 200) return
    found = true
    resolve(performance.now())
  }
  while (!found && !signal.aborted) {
    void knock()
    await pause(KNOCK_EVERY_MS)
  }
  return promise
}
