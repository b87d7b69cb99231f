import { expect, test } from 'vitest'
import { translator } from '../../renderer/i18n/index.ts'
import { remedyOf } from '../../renderer/view-models/remedy.ts'

const t = translator('en')

test.each([
  [{ 'args.gpu-memory-utilization': 0.77 }, 'Set args.gpu-memory-utilization to 0.77 and start'],
  [{ 'args.max-len': null }, 'Remove args.max-len and start'],
  [{ port: 8002, 'args.eager': true }, 'Apply 2 changes and start'],
])('%j is offered as: %s', (change, words) => {
  const paths = Object.entries(change).map(([name, value]) => ({ path: `engines.main.${name}`, value }))
  expect(remedyOf('main', { change }, t)).toEqual({ changes: paths, words })
})

test.each([[null], [{ change: null }], [{ change: {} }]])('%j has no button', (failure) => {
  expect(remedyOf('main', failure, t)).toBe(null)
})
