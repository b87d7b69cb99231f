import { type Answer, doneEvent, eventStream, type Step, type Work } from './answer.ts'
import { ENGINE_DEAD, errorEventText, openAiError } from './errors.ts'
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
    const tokens = tokensFor(x, place.entered)
    if (x.plan('stall')?.afterEvents === -1) return await hang(x)
    if (stream) return await sendAnswer(x, streamOf(x, work, tokens))
    await tokens.first()
    await tokens.rest(work.completionTokens - 1)
    if (x.signal.aborted) return 'left'
    counters.add('generation_tokens', work.completionTokens)
    place.leave()
    return await sendWhole(x, work)
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

/** The waits of one request: for its place and first token, then for each further one. They end early with the client or the core. */
function tokensFor({ context, signal }: Exchange, entered: Promise<void>) {
  const { core, ttftMs, tokenMs } = context.settings
  const over = core ? AbortSignal.any([signal, core.end]) : signal

  async function made(ms: number): Promise<void> {
    await pause(ms, over)
    if (!over.aborted) await core?.step(over)
  }

  return {
    first: async () => {
      await Promise.race([entered, aborted(over)])
      await made(ttftMs)
    },
    next: () => made(tokenMs),
    rest: async (count: number) => {
      if (!core) return pause(Math.max(count, 0) * tokenMs, over)
      for (let token = 0; token < count && !over.aborted; token += 1) await made(tokenMs)
    },
    over: () => over.aborted,
  }
}

/** A whole answer, or what becomes of it when the core ended meanwhile. */
async function sendWhole(x: Exchange, work: Work): Promise<Ending> {
  switch (x.context.settings.core?.how() ?? 'serving') {
    case 'serving':
      return sendAnswer(x, work.whole())
    case 'dead':
      return sendAnswer(x, openAiError(500, ENGINE_DEAD))
    case 'aborted': {
      const answer = work.whole()
      return sendAnswer(x, { ...answer, body: withAbort(String(answer.body)) })
    }
    case 'hanging':
      return hang(x)
  }
}

/** What becomes of a stream when the core ended: an error, the reason `abort` on its next chunk, or nothing more for ever. */
function restOf(x: Exchange, next: Step & { do: 'send' }): Step[] | null {
  switch (x.context.settings.core?.how() ?? 'serving') {
    case 'serving':
      return null
    case 'dead':
      return [{ do: 'send', text: errorEventText(500, ENGINE_DEAD) }, doneEvent]
    case 'aborted':
      return [{ ...next, text: withAbort(String(next.text)) }, doneEvent]
    case 'hanging':
      return [{ do: 'hang' }]
  }
}

function withAbort(text: string): string {
  return text.replace(/"finish_reason":(null|"[a-z_]+")/g, '"finish_reason":"abort"')
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
function streamOf(x: Exchange, work: Work, wait: ReturnType<typeof tokensFor>): Answer & { gate: Gate } {
  const { counters } = x.context.state
  let tokens = 0
  const gate: Gate = async (step, first) => {
    if (first) await keptAlive(x, wait.first())
    if (step.token) {
      if (tokens > 0) await keptAlive(x, wait.next())
      tokens += 1
      counters.add('generation_tokens')
      counters.observe('iteration_tokens_total', 1)
    }
    return wait.over() ? restOf(x, step) : null
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
