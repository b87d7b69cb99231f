import { describe, expect, test } from 'vitest'
import { happeningsBetween, type Look } from '../../src/policy/happenings.ts'
import type { EngineState, EngineView } from '../../src/protocol/engine.ts'
import type { BackendReport, UserView } from '../../src/protocol/snapshot.ts'

const REST: Look = {
  server: { state: 'serving', open: false },
  engines: [],
  backends: [],
  users: [],
  gpu: { is: 'unread' },
}
const engine = (state: EngineState) => ({ name: 'main', state }) as EngineView
const backend = (status: BackendReport['status']) => ({ name: 'b', status, reason: 'refused' }) as BackendReport
const user = (rateLimited: number) => ({ name: 'kim', rateLimited }) as UserView
const FAILURE = { class: 'x', cause: 'No memory.', fix: null, change: null, canHeal: false, lines: [] }

describe('between two looks', () => {
  test.each<[what: string, before: Partial<Look>, after: Partial<Look>, news: unknown[]]>([
    ['nothing', {}, {}, []],
    ['an engine is seen first', {}, { engines: [engine({ is: 'ready', forMs: 0 })] }, []],
    [
      'an engine is seen first, and cannot run',
      {},
      { engines: [engine({ is: 'failed', failure: FAILURE })] },
      [{ what: 'engine', engine: 'main', state: 'failed', cause: 'No memory.' }],
    ],
    [
      'an engine came up',
      { engines: [engine({ is: 'stopped' })] },
      { engines: [engine({ is: 'ready', forMs: 0 })] },
      [{ what: 'engine', engine: 'main', state: 'ready', cause: null }],
    ],
    [
      'an engine has time again',
      { engines: [engine({ is: 'busy', forMs: 0 })] },
      { engines: [engine({ is: 'ready', forMs: 0 })] },
      [],
    ],
    [
      'an engine failed',
      { engines: [engine({ is: 'preflight' })] },
      { engines: [engine({ is: 'failed', failure: FAILURE })] },
      [{ what: 'engine', engine: 'main', state: 'failed', cause: 'No memory.' }],
    ],
    ['a backend is up at last', { backends: [backend('unknown')] }, { backends: [backend('up')] }, []],
    [
      'a backend went down',
      { backends: [backend('up')] },
      { backends: [backend('down')] },
      [{ what: 'backend', backend: 'b', up: false, reason: 'refused' }],
    ],
    ['the network was opened', {}, { server: { state: 'serving', open: true } }, [{ what: 'network', open: true }]],
    [
      'the network was closed',
      { server: { state: 'serving', open: true } },
      { server: { state: 'serving', open: false } },
      [{ what: 'network', open: false }],
    ],
    [
      'the gateway was paused',
      {},
      { server: { state: 'paused', open: false } },
      [{ what: 'gateway', state: 'paused' }],
    ],
    [
      'the GPU is lost',
      { gpu: { is: 'read', tool: 't', gpus: [] } },
      { gpu: { is: 'failed', tool: 't', reason: 'gone' } },
      [{ what: 'gpu', readable: false, reason: 'gone' }],
    ],
    ['a user met his limit', { users: [user(2)] }, { users: [user(5)] }, [{ what: 'limited', user: 'kim', times: 3 }]],
  ])('%s', (_, before, after, news) => {
    expect(happeningsBetween({ ...REST, ...before }, { ...REST, ...after })).toEqual(news)
  })
})
