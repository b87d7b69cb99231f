import type { EngineFailure, EngineState, StopReceipt } from '../protocol/engine.ts'
import { bytes, duration, plain } from './format.ts'

/** An engine's state in a few words, with all that is known of how it goes on. */
export function engineWords(state: EngineState): string {
  switch (state.is) {
    case 'not-installed':
      return 'not installed'
    case 'stopped':
      return state.turn === 'awaited' ? 'waits for its GPU' : 'stopped'
    case 'preflight':
      return 'checking the machine'
    case 'starting':
      return `starting: ${plain(state.phase)} ${Math.round(state.percent)} %${left(state.leftMs)}`
    case 'degraded':
      return `degraded: ${plain(state.reason)}`
    case 'draining':
      return state.left === 1 ? 'draining, 1 request left' : `draining, ${state.left} requests left`
    case 'stopping':
      return `${STOPPING[state.why]}, waits for ${AWAITED[state.awaits]}`
    case 'sleeping':
      return { falling: 'falling asleep', asleep: 'asleep', waking: 'waking up' }[state.step]
    case 'backoff':
      return `crashed, next try in ${duration(state.retryInMs)}${state.crashes > 1 ? ` (crash ${state.crashes} of 5)` : ''}`
    case 'foreign': {
      const { port, program, pid } = state.holder
      return `port ${port} is held by ${pid === null ? 'another program' : `${plain(program ?? 'a program')} (pid ${pid})`}`
    }
    default:
      return state.is
  }
}

const STOPPING = {
  asked: 'stopping',
  idle: 'stopping, since nobody used it',
  restart: 'stopping, to start anew',
  swap: 'stopping, for another engine',
  crashed: 'crashed, cleaning up',
  unfit: 'given up, cleaning up',
} as const
const AWAITED = { process: 'its processes', port: 'its port', memory: 'the memory of the GPU' } as const

/** What went wrong, where the state is about that. */
export function failureOf(state: EngineState): EngineFailure | null {
  return 'failure' in state ? state.failure : null
}

/** `freed 15.9 GiB of GPU memory in 2.1 s`, and whatever did not go as it should. */
export function receiptWords({ tookMs, freedBytes, portFree, left, holders }: StopReceipt): string[] {
  const freed = freedBytes === null ? 'no GPU told what came back' : `${bytes(freedBytes)} of GPU memory returned`
  return [
    `${freed}, in ${duration(tookMs)}`,
    ...(portFree ? [] : ['its port is still held']),
    ...left.map(({ pid, program }) => `${plain(program)} (pid ${pid}) could not be ended`),
    ...holders.map(({ pid, program, bytes: held }) => `${plain(program)} (pid ${pid}) holds ${bytes(held)}`),
  ]
}

function left(ms: number | null): string {
  return ms === null ? '' : `, about ${duration(ms)} left`
}
