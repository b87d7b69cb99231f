/** Waiting for an engine by the snapshots of a Lexora: which states are ends, and with which code. */
import { createServer, type ServerResponse } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { exitOfWait, type WaitEnd, waitForEngine } from '../../src/cli/engine-wait.ts'
import type { EngineFailure, EngineState, EngineView } from '../../src/protocol/engine.ts'
import { anEngine } from '../support/engine-states.ts'
import { aSnapshot } from '../support/snapshots.ts'

const FAILURE: EngineFailure = {
  class: 'ctx_too_big',
  cause: 'It does not fit.',
  fix: null,
  change: null,
  canHeal: false,
  lines: [],
}
const STARTING: EngineState = { is: 'starting', phase: 'loading weights', percent: 1, leftMs: null }
const READY: EngineState = { is: 'ready', forMs: 0 }
const STOPPING: EngineState = { is: 'stopping', why: 'asked', awaits: 'process' }

const view = (state: EngineState): EngineView => anEngine(state, 'qwen', 'qwen')

/** Somebody who streams these states, and then goes on without a word, or goes away. */
async function aLexora(states: readonly (EngineState | 'no such engine')[], then: 'stays' | 'goes') {
  const open = new Set<ServerResponse>()
  const server = createServer((_, res) => {
    open.add(res)
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const state of states) {
      const engines = state === 'no such engine' ? [] : [view(state)]
      res.write(`event: snapshot\ndata: ${JSON.stringify(aSnapshot({ engines }))}\n\n`)
    }
    if (then === 'goes') res.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const res of open) res.destroy()
    server.close()
  })
  return { address: `http://127.0.0.1:${(server.address() as { port: number }).port}`, key: null }
}

async function waited(
  goal: 'start' | 'stop',
  [first, ...states]: [EngineState, ...(EngineState | 'no such engine')[]],
  { then = 'stays' as 'stays' | 'goes', timeoutMs = null as number | null } = {},
) {
  const shown: string[] = []
  const target = await aLexora(states, then)
  const end: WaitEnd = await waitForEngine(target, { goal, first: view(first), timeoutMs }, ({ state }) =>
    shown.push(state.is),
  )
  return {
    shown,
    is: end.is,
    code: end.is === 'gone' ? null : exitOfWait(goal, end),
    ran: end.is !== 'gone' && end.ran,
  }
}

describe('a start', () => {
  test('is over when it serves, through whatever is before', async () => {
    expect(await waited('start', [STOPPING, { is: 'preflight' }, STARTING, READY])).toEqual({
      shown: ['stopping', 'preflight', 'starting'],
      is: 'done',
      code: 0,
      ran: true,
    })
  })

  test('goes on through a crash that heals by itself', async () => {
    const crashed: EngineState = { is: 'backoff', failure: FAILURE, retryInMs: 1000, crashes: 1 }
    expect(await waited('start', [STARTING, crashed, STARTING, READY])).toMatchObject({ is: 'done', code: 0 })
  })

  test.each<[state: EngineState, code: number]>([
    [{ is: 'failed', failure: FAILURE }, 7],
    [{ is: 'failed', failure: { ...FAILURE, class: 'model_missing' } }, 8],
    [{ is: 'not-installed', failure: { ...FAILURE, class: 'executable_missing' } }, 5],
    [{ is: 'foreign', holder: { port: 1, pid: null, program: null, models: null } }, 6],
    [{ is: 'stopped' }, 1],
  ])('that ends in %o ends with %i', async (state, code) => {
    expect(await waited('start', [STARTING, state])).toMatchObject({ is: 'done', code })
  })

  test('of one that serves is over at once', async () => {
    expect(await waited('start', [READY])).toEqual({ shown: [], is: 'done', code: 0, ran: false })
  })
})

describe('a stop', () => {
  test('is over when nothing is being ended any more', async () => {
    const draining: EngineState = { is: 'draining', left: 1 }
    expect(await waited('stop', [draining, STOPPING, { is: 'stopped' }])).toMatchObject({
      is: 'done',
      code: 0,
      ran: true,
    })
  })

  test('is over, too, where a request that waits starts it again at once', async () => {
    expect(await waited('stop', [STOPPING, { is: 'preflight' }])).toMatchObject({ is: 'done', code: 0, ran: true })
  })

  test('of what does not run has ended nothing', async () => {
    expect(await waited('stop', [{ is: 'stopped' }])).toMatchObject({ is: 'done', code: 0, ran: false })
  })
})

test('longer than one waits is 10, while it still goes on', async () => {
  expect(await waited('start', [STARTING], { timeoutMs: 100 })).toMatchObject({ is: 'late', code: 10 })
})

test.each<[states: (EngineState | 'no such engine')[], then: 'stays' | 'goes']>([
  [[STARTING], 'goes'],
  [['no such engine'], 'stays'],
])('whoever goes away meanwhile is gone: %j, %s', async (states, then) => {
  expect(await waited('start', [STARTING, ...states], { then })).toMatchObject({ is: 'gone' })
})
