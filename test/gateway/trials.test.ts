import { expect, test } from 'vitest'
import { Trials } from '../../src/gateway/trials.ts'
import type { Failure } from '../../src/policy/retry.ts'

const lost = { kind: 'lost' } as Failure
const stale = { kind: 'stale' } as Failure
const someTrials = () => new Trials(undefined as never, undefined as never)

test.each<[what: string, failures: [Failure, number | null][], suspect: boolean]>([
  [
    'two connections to somebody’s server',
    [
      [lost, null],
      [stale, null],
    ],
    true,
  ],
  ['one connection to our engine', [[lost, 5000]], false],
  [
    'several at once, as a dying engine closes them',
    [
      [stale, 5000],
      [lost, 5100],
      [lost, 5900],
    ],
    false,
  ],
  [
    'two, an engine’s restart apart',
    [
      [stale, 5000],
      [lost, 7500],
    ],
    true,
  ],
])('%s', (_what, failures, suspect) => {
  const trials = someTrials()
  for (const [failure, engineAt] of failures) trials.failed(failure, engineAt)
  expect(trials.isSuspect).toBe(suspect)
})
