import { doneEvent, type Step } from './answer.ts'
import { ENGINE_DEAD, errorEventText } from './errors.ts'
import type { FaultOf, Plan } from './faults.ts'

type Steps = Iterable<Step>

const BROKEN_EVENT: Step = { do: 'send', text: 'data: {"id":"chatcmpl-broken","choices":[{\n\n' }

/** Lays over a whole body the faults that change what is said. */
export function bendWhole(body: Steps, plan: Plan): Steps {
  let bent = body
  const usage = plan('usage')
  if (usage) bent = bendUsage(bent, usage.kind)
  if (plan('abort-finish')) bent = abortAfter(bent, 0)
  return delayFirst(bent, plan)
}

/** Lays over the events of a stream the faults that change what is said. */
export function bendStream(events: Steps, plan: Plan): Steps {
  let bent = events
  const usage = plan('usage')
  if (usage) bent = bendUsage(bent, usage.kind)
  const giant = plan('giant-event')
  if (giant) bent = insertAfter(bent, 1, [{ do: 'send', text: giantEvent(giant.bytes) }])
  const bad = plan('bad-event')
  if (bad) bent = insertAfter(bent, bad.afterEvents, [BROKEN_EVENT])
  const error = plan('error-event')
  if (error) bent = endAfter(bent, error.afterEvents, errorEnding(error))
  const abort = plan('abort-finish')
  if (abort) bent = abortAfter(bent, abort.afterEvents)
  if (plan('no-done')) bent = dropLast(bent)
  if (plan('no-finish')) bent = dropWhere(bent, isFinish)
  const style = plan('line-ends')
  if (style) bent = restyle(bent, style.style)
  const comments = plan('comments')
  if (comments) bent = prepend(bent, commentSteps(comments))
  return delayFirst(bent, plan)
}

function delayFirst(steps: Steps, plan: Plan): Steps {
  const delay = plan('delay')
  return delay?.at === 'first-event' ? prepend(steps, [{ do: 'wait', ms: delay.ms }]) : steps
}

/** Lays over a body the faults that break it off. */
export function interrupt(steps: Steps, plan: Plan): Steps {
  const stall = plan('stall')
  if (stall) return endAfter(steps, Math.max(stall.afterEvents, 0), () => [{ do: 'hang' }])
  const reset = plan('reset')
  if (reset?.when === 'after-events') return endAfter(steps, reset.events ?? 1, () => [{ do: 'rst' }])
  if (reset?.when === 'after-headers') return [{ do: 'rst' }]
  const cut = plan('cut')
  if (cut) return endAfter(steps, cut.afterEvents, (next) => [...(cut.midEvent ? tear(next) : []), { do: cut.how }])
  const open = plan('close-delimited')
  if (open?.cutAfterEvents !== undefined) return endAfter(steps, open.cutAfterEvents, () => [{ do: open.how ?? 'fin' }])
  return steps
}

function tear(step: Step | undefined): Step[] {
  return step?.do === 'send' ? [{ ...step, do: 'tear' }] : []
}

/** Comments are no events. */
function counts(step: Step): boolean {
  return step.do === 'send' && !String(step.text).startsWith(': ')
}

/** Lets `count` events pass and puts `ending` in the place of the rest; `ending` is told the first that is left out. */
function* endAfter(steps: Steps, count: number, ending: (next: Step | undefined) => Step[]): Steps {
  let sent = 0
  for (const step of steps) {
    if (counts(step) && sent >= count) return yield* ending(step)
    yield step
    if (counts(step)) sent += 1
  }
  yield* ending(undefined)
}

function* insertAfter(steps: Steps, count: number, extra: Step[]): Steps {
  let sent = 0
  for (const step of steps) {
    if (counts(step) && sent === count) yield* extra
    yield step
    if (counts(step)) sent += 1
  }
}

function* prepend(steps: Steps, extra: Step[]): Steps {
  yield* extra
  yield* steps
}

function* dropLast(steps: Steps): Steps {
  let last: Step | undefined
  for (const step of steps) {
    if (last) yield last
    last = step
  }
}

function* dropWhere(steps: Steps, drop: (text: string) => boolean): Steps {
  for (const step of steps) if (step.do !== 'send' || !drop(String(step.text))) yield step
}

function isFinish(text: string): boolean {
  return /"finish_reason":"|"type":"message_delta"|event: response\.completed/.test(text)
}

function errorEnding({ code, message, thenDone }: FaultOf<'error-event'>): () => Step[] {
  const event: Step = { do: 'send', text: errorEventText(code, message ?? ENGINE_DEAD) }
  return () => (thenDone === false ? [event] : [event, doneEvent])
}

/** The chunk of an engine that stops: its reason is `abort`, and [DONE] follows as if all were well. */
function* abortAfter(steps: Steps, count: number): Steps {
  let sent = 0
  for (const step of steps) {
    if (step.do !== 'send' || (isEvent(step) && sent < count)) {
      yield step
      sent += 1
      continue
    }
    const text = String(step.text).replace(/"finish_reason":(null|"[a-z_]+")/g, '"finish_reason":"abort"')
    yield { ...step, text }
    if (isEvent(step)) yield doneEvent
    return
  }
}

function isEvent(step: Step): boolean {
  return step.do === 'send' && String(step.text).startsWith('data: ')
}

function* bendUsage(steps: Steps, kind: FaultOf<'usage'>['kind']): Steps {
  if (kind === 'early') return yield* usageFirst([...steps])
  for (const step of steps) {
    if (step.do !== 'send' || !String(step.text).includes('"usage":{')) yield step
    else if (kind === 'zero') yield { ...step, text: String(step.text).replace(/_tokens":\d+/g, '_tokens":0') }
    else if (kind === 'twice') yield* isEvent(step) ? [step, step] : [step]
    else if (!isUsageEvent(step))
      yield { ...step, text: String(step.text).replace(/,"usage":\{[^{}]*(\{[^{}]*\}[^{}]*)*\}/, '') }
  }
}

function usageFirst(steps: Step[]): Step[] {
  return [...steps.filter(isUsageEvent), ...steps.filter((step) => !isUsageEvent(step))]
}

function isUsageEvent(step: Step): boolean {
  return step.do === 'send' && String(step.text).includes('"choices":[],"usage"')
}

function* restyle(steps: Steps, style: FaultOf<'line-ends'>['style']): Steps {
  let first = true
  for (const step of steps) {
    yield step.do === 'send' ? { ...step, text: restyled(String(step.text), style, first) } : step
    first = false
  }
}

function restyled(text: string, style: FaultOf<'line-ends'>['style'], first: boolean): string {
  if (style === 'crlf') return text.replaceAll('\n', '\r\n')
  if (style === 'cr') return text.replaceAll('\n', '\r')
  if (style === 'no-space') return text.replace(/^(data|event): /gm, '$1:')
  return first ? `\ufeff${text}` : text
}

function commentSteps({ count, everyMs }: FaultOf<'comments'>): Step[] {
  return Array.from({ length: count }, (): Step[] => [
    { do: 'send', text: ': keep-alive\n\n' },
    { do: 'wait', ms: everyMs },
  ]).flat()
}

/** One chat chunk of about that many bytes. */
export function giantEvent(bytes: number): string {
  const content = 'x'.repeat(bytes)
  const choice = `{"index":0,"delta":{"content":"${content}"},"logprobs":null,"finish_reason":null,"token_ids":null}`
  return `data: {"id":"chatcmpl-giant","object":"chat.completion.chunk","created":0,"model":"giant","choices":[${choice}]}\n\n`
}
