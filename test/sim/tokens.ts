import { LimitLedger, type Receipt, type UserLimits } from '../../src/policy/limits.ts'
import { expectedAnswer, learnAnswer, newAnswerLengths } from '../../src/policy/token-estimate.ts'
import { Chance } from './chance.ts'
import { CONSTANTS } from './constants.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'

const LIMIT = 50_000
const LIMITS: UserLimits = { requests: null, tokensPerMinute: LIMIT, maxConcurrent: null }
const ACCOUNTS = [{ id: 'key', limits: LIMITS }]

/**
 * How long a reservation stands: about 40 tokens a second, and a wait in the queue before. scheduling.md 2.3 does not say
 * how its overload comes nor how long calls last. Calls that come evenly are judged; bursts are told beside it.
 */
const QUEUE_MS = 28_000
const MS_PER_TOKEN = 25
const GAP_MS = 400
const BURST = 60_000 / GAP_MS

type Call = { prompt: number; answer: number; maxTokens: number }
type Run = { admitted: number; tokens: number; worstWindow: number }

function calls(seed: number, count: number): Call[] {
  const chance = new Chance(seed)
  const { prompt, answer } = CONSTANTS.shapes.chat
  return Array.from({ length: count }, () => {
    return { prompt: chance.length(prompt), answer: chance.length(answer), maxTokens: answer.cap }
  })
}

type Story = readonly { at: number; call: Call }[]

/** Calls at their times against one key; `full`: all of max_tokens is set aside, else what the answer will probably be. */
function run(story: Story, full: boolean, queueMs: number, lengths = learned()): Run {
  const ledger = new LimitLedger()
  const ends: { at: number; receipt: Receipt; call: Call }[] = []
  const charged: { at: number; tokens: number }[] = []
  let admitted = 0
  const settleUntil = (now: number): void => {
    ends.sort((a, b) => a.at - b.at)
    while (ends[0] !== undefined && ends[0].at <= now) {
      const { receipt, call, at } = ends.shift()!
      ledger.settle(receipt, call.prompt + call.answer, at)
      learnAnswer(lengths, call.answer)
    }
  }
  for (const { at, call } of story) {
    settleUntil(at)
    const answer = full ? call.maxTokens : expectedAnswer(lengths, call.maxTokens)
    const admission = ledger.admit(ACCOUNTS, call.prompt + answer, at)
    if (!admission.ok) continue
    admitted++
    ends.push({ at: at + queueMs + call.answer * MS_PER_TOKEN, receipt: admission.receipt, call })
    charged.push({ at, tokens: call.prompt + call.answer })
  }
  const tokens = charged.reduce((sum, { tokens }) => sum + tokens, 0)
  return { admitted, tokens, worstWindow: worst(charged) }
}

/**
 * Full `max_tokens` reservation as scheduling.md 2.1 describes Azure's: prompt estimate and max_tokens count at arrival,
 * in windows of a minute; what was not needed comes back at the end of the request, if its window is still open.
 */
function admittedByMinute(story: Story, queueMs: number): number {
  let [window, used, admitted] = [0, 0, 0]
  let open: { at: number; back: number }[] = []
  for (const { at, call } of story) {
    if (Math.floor(at / 60_000) !== window) {
      window = Math.floor(at / 60_000)
      used = 0
      open = []
    }
    for (const { back } of open.filter((end) => end.at <= at)) used -= back
    open = open.filter((end) => end.at > at)
    const reserved = call.prompt + call.maxTokens
    if (used + reserved > LIMIT) continue
    used += reserved
    admitted++
    open.push({ at: at + queueMs + call.answer * MS_PER_TOKEN, back: call.maxTokens - call.answer })
  }
  return admitted
}

function learned() {
  const lengths = newAnswerLengths()
  for (const { answer } of calls(99, 200)) learnAnswer(lengths, answer)
  return lengths
}

/** The most tokens in any 60 s, after the first minute in which the full bucket is spent. */
function worst(charged: readonly { at: number; tokens: number }[]): number {
  let [most, sum, first] = [0, 0, 0]
  const late = charged.filter(({ at }) => at >= 60_000)
  for (const { at, tokens } of late) {
    sum += tokens
    for (; at - late[first]!.at > 60_000; first++) sum -= late[first]!.tokens
    most = Math.max(most, sum)
  }
  return most
}

export const tokenLimits: Experiment = {
  id: 'P2.1',
  title: 'a token limit of 50,000 a minute',
  run({ seed }) {
    const burst = calls(seed, 200).map((call) => ({ at: 0, call }))
    const flood = calls(seed, 1_800_000 / GAP_MS).map((call, i) => ({ at: i * GAP_MS, call }))
    const bursts = flood.map(({ call }, i) => ({ at: Math.floor(i / BURST) * 60_000, call }))
    const [ours, full] = [run(flood, false, 0), run(flood, true, 0)]
    const [oursQueued, fullQueued] = [run(flood, false, QUEUE_MS), run(flood, true, QUEUE_MS)]
    const [oursInBursts, fullInBursts] = [run(bursts, false, QUEUE_MS), run(bursts, true, QUEUE_MS)]
    const figure = (name: string, value: number, target: Figure['target'] = null) => {
      return { id: 'P2.1', name, value, unit: '', target }
    }
    const longer = Math.max(ours.worstWindow, oursQueued.worstWindow)
    const byMinute = admittedByMinute(flood, 0)
    return [
      figure('burst of 200 calls: true tokens, of the limit', run(burst, false, QUEUE_MS).tokens / LIMIT, atMost(1.1)),
      figure('30 min of overload: worst 60 s, of the limit', longer / LIMIT, atMost(1.25)),
      figure('30 min of overload: admitted (found 0.35)', ours.admitted / flood.length),
      figure('full max_tokens by the minute: admitted (found 0.26)', byMinute / flood.length),
      figure('30 min of overload: admitted, of full max_tokens', ours.admitted / byMinute, atLeast(1.3)),
      figure('calls that queue 28 s: of full by the minute', oursQueued.admitted / admittedByMinute(flood, QUEUE_MS)),
      figure('of full max_tokens in our own bucket', ours.admitted / full.admitted),
      figure('calls that queue 28 s: of full in our own bucket', oursQueued.admitted / fullQueued.admitted),
      figure('bursts each minute: worst 60 s, of the limit', oursInBursts.worstWindow / LIMIT),
      figure('bursts each minute: of full in our own bucket', oursInBursts.admitted / fullInBursts.admitted),
    ]
  },
}
