import { setTimeout as pause } from 'node:timers/promises'
import type { App } from '../../src/app/app.ts'
import { isServing } from '../../src/protocol/engine.ts'
import type { FakeHost, VllmRun } from '../support/fake-vllm/process/host.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, dataOf } from '../support/requests.ts'

/** A Lexora with one engine named `main`, which is the process double. */
export type Arena = { app: App; port: number; host: FakeHost; model: string }

export type Victim = 'engine core' | 'api server'

export type KillRound = {
  completed: number
  /** Had shown content, and ended in an error event. */
  broken: number
  /** From the kill to when Lexora knew. */
  knownMs: number
  /** From then to the end of the last broken stream; 0 where none broke. */
  toldMs: number
  /** From the kill to when it served again. */
  healedMs: number
  /** Whatever must not be. */
  wrong: string[]
}

/** A stream that had begun is told of the crash within this (issue 5). */
const TOLD_WITHIN_MS = 2000
const LONGEST_MS = 60_000

type Stream = { client: RawClient; endedAt: number | null }

/** Kills the engine under `streams` streams of which half have shown content, and looks at what becomes of everything. */
export async function killRound(arena: Arena, victim: Victim, streams: number): Promise<KillRound> {
  const { app, host } = arena
  const engine = app.engines!.get('main')!
  const before = await openStreams(arena, streams >> 1)
  await reached('content', () => before.every(({ client }) => client.text.includes('"content":"')))
  const late = await openStreams(arena, streams - before.length)
  const all = [...before, ...late]
  // On a busy machine some of the first are whole by now.
  const over = (): number => all.filter(({ endedAt }) => endedAt !== null).length
  await reached('all in flight', () => app.inFlight.requests + over() >= streams)

  const killedAt = performance.now()
  process.kill(pidOf(livingRun(host), victim), 'SIGKILL')
  await engine.until((state) => !isServing(state), AbortSignal.timeout(LONGEST_MS))
  const knownAt = performance.now()
  // Who waits for the back-off after the first crash sees it; after that somebody asks for another try.
  await engine.until((state) => state.is === 'backoff', AbortSignal.timeout(LONGEST_MS))
  if (engine.state.is === 'backoff' && engine.state.crashes > 1) await app.engines!.start(engine)
  await engine.until(isServing, AbortSignal.timeout(LONGEST_MS))
  const healedAt = performance.now()
  await reached('the end of all streams', () => all.every(({ endedAt }) => endedAt !== null))
  await reached('nothing in flight', () => Object.values(app.inFlight).every((count) => count === 0)).catch(() => {})

  const ends = all.map(({ client }) => endOf(client.text))
  const broken = all.filter((_, i) => ends[i] === 'broken')
  const toldMs = Math.max(0, ...broken.map(({ endedAt }) => endedAt! - knownAt))
  return {
    completed: ends.filter((end) => end === 'completed').length,
    broken: broken.length,
    knownMs: knownAt - killedAt,
    toldMs,
    healedMs: healedAt - killedAt,
    wrong: [
      ...ends.filter((end) => end !== 'completed' && end !== 'broken'),
      ...(toldMs > TOLD_WITHIN_MS ? [`a broken stream ended ${Math.round(toldMs)} ms after the crash was known`] : []),
      ...left(arena),
    ],
  }
}

/** A fresh count of crashes: five in ten minutes would stop the engine, as they should. */
export async function startAfresh({ app }: Arena): Promise<void> {
  const engines = app.engines!
  const engine = engines.get('main')!
  engines.stop(engine)
  await engine.until(({ is }) => is === 'stopped', AbortSignal.timeout(LONGEST_MS))
  await engines.start(engine)
  await engine.until(isServing, AbortSignal.timeout(LONGEST_MS))
}

async function openStreams({ port, model }: Arena, count: number): Promise<Stream[]> {
  const body = aChat({ model, stream: true, max_tokens: 100 })
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const client = await RawClient.open(port)
      const stream: Stream = { client, endedAt: null }
      client.socket.once('close', () => {
        stream.endedAt = performance.now()
      })
      client.post('/v1/chat/completions', body, { connection: 'close' })
      return stream
    }),
  )
}

/** How a stream ended; else what is wrong with it, in words. */
function endOf(text: string): string {
  const { status, body } = parseAnswer(text)
  const data = dataOf(body)
  const hasError = data.some((event) => event.startsWith('{"error"')) || body.startsWith('{"error"')
  const hasContent = body.includes('"content":"')
  const isDone = data.at(-1) === '[DONE]'
  if (status === 200 && isDone && !hasError && body.includes('"finish_reason":"length"')) return 'completed'
  if (hasError && hasContent && !isDone) return 'broken'
  if (hasError && !hasContent) return `a stream without content was given up: ${status} ${body.slice(-300)}`
  return `a stream ended in neither: ${status} ${body.slice(-300)}`
}

function left({ app, host }: Arena): string[] {
  const orphans = host.runs().flatMap((run) => run.alive())
  const own = livingRun(host).alive()
  const strangers = orphans.filter((pid) => !own.includes(pid))
  const held = Object.entries({ ...app.inFlight, ...app.limitsHeld }).filter(([, count]) => count > 0)
  return [
    ...(strangers.length > 0 ? [`${strangers.length} processes of earlier runs live`] : []),
    ...held.map(([what, count]) => `${count} ${what} are still held`),
  ]
}

function livingRun(host: FakeHost): VllmRun {
  return host.runs().findLast((run) => run.alive().length > 0)!
}

function pidOf(run: VllmRun, victim: Victim): number {
  return victim === 'engine core' ? run.engineCore! : run.pid
}

async function reached(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + LONGEST_MS
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not in ${LONGEST_MS / 1000} s: ${what}`)
    await pause(10)
  }
}
