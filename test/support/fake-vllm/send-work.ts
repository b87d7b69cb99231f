import { type Answer, eventStream, type Work } from './answer.ts'
import { type Ending, type Exchange, hang, holdHeaders } from './exchange.ts'
import { chunk } from './framing.ts'
import { type Gate, sendAnswer } from './send-answer.ts'
import { aborted, pause } from './watchers.ts'

/** Runs work in the engine and sends its answer. The place is left when the tokens are made or the client is gone. */
export async function sendWork(x: Exchange, work: Work): Promise<Ending> {
  const { engine, counters } = x.context.state
  const place = engine.place(work.sequences)
  const arrived = performance.now()
  const leave = () => leavePlace(x, place.leave)
  x.signal.addEventListener('abort', leave)
  if (x.signal.aborted) leave()
  try {
    await holdHeaders(x)
    const stream = x.plan('json-for-stream') ? false : x.plan('sse-for-json') ? true : work.stream
    const entered = Promise.race([place.entered, aborted(x.signal)])
    if (x.plan('stall')?.afterEvents === -1) return await hang(x)
    if (stream) return await sendAnswer(x, streamOf(x, work, entered))
    await entered
    await pause(totalMs(x.context.settings, work), x.signal)
    if (x.signal.aborted) return 'left'
    counters.add('generation_tokens', work.completionTokens)
    place.leave()
    return await sendAnswer(x, work.whole())
  } finally {
    x.signal.removeEventListener('abort', leave)
    if (!x.signal.aborted) {
      place.leave()
      settle(x, work, performance.now() - arrived)
    }
  }
}

function leavePlace(x: Exchange, leave: () => void): void {
  const ignored = x.plan('ignore-abort')
  if (!ignored) return leave()
  setTimeout(leave, ignored.ms).unref()
}

function totalMs({ ttftMs, tokenMs }: { ttftMs: number; tokenMs: number }, work: Work): number {
  return ttftMs + Math.max(work.completionTokens - 1, 0) * tokenMs
}

function settle(x: Exchange, work: Work, ms: number): void {
  const { counters } = x.context.state
  counters.add('prompt_tokens', work.promptTokens)
  counters.add(`success:${work.finish}`)
  counters.observe('request_prompt_tokens', work.promptTokens)
  counters.observe('request_generation_tokens', work.completionTokens)
  counters.observe('time_to_first_token_seconds', x.context.settings.ttftMs / 1000)
  counters.observe('e2e_request_latency_seconds', ms / 1000)
  counters.observe('request_params_n', work.sequences)
}

/** The events of a work as steps that wait for the engine: first for a place, then for each token. */
function streamOf(x: Exchange, work: Work, entered: Promise<void>): Answer & { gate: Gate } {
  const { ttftMs, tokenMs } = x.context.settings
  const { counters } = x.context.state
  let tokens = 0
  const gate: Gate = async (step, first) => {
    if (first) {
      await keptAlive(x, entered)
      await keptAlive(x, pause(ttftMs, x.signal))
    }
    if (!step.token) return
    if (tokens > 0) await keptAlive(x, pause(tokenMs, x.signal))
    tokens += 1
    counters.add('generation_tokens')
    counters.observe('iteration_tokens_total', 1)
  }
  return { ...eventStream(work.events()), gate }
}

/** Waits, and writes a comment whenever the wait has lasted the keep-alive interval. */
async function keptAlive(x: Exchange, wait: Promise<void>): Promise<void> {
  const everyMs = x.context.settings.sseKeepAliveMs
  if (everyMs <= 0) return wait
  let over = false
  const done = wait.then(() => {
    over = true
  })
  for (;;) {
    await Promise.race([done, pause(everyMs, x.signal)])
    if (over || x.signal.aborted) return
    await x.writer.write(chunk(': keep-alive\n\n'))
  }
}
