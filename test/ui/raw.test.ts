import { expect, test } from 'vitest'
import { isConflict, numbersOf, rangeOfLine } from '../../renderer/view-models/raw.ts'
import { CommandError } from '../../src/protocol/commands.ts'
import { problem } from '../../src/protocol/errors.ts'

test('lines are numbered, and one is found by its number', () => {
  expect(numbersOf('a\nbc\n')).toBe('1\n2\n3')
  expect([1, 2, 3, 4].map((line) => rangeOfLine('a\nbc\n', line))).toEqual([
    [0, 1],
    [2, 4],
    [5, 5],
    [5, 5],
  ])
})

test('only a refusal that names the revision is a conflict', () => {
  const refused = (param: string | null) => new CommandError(problem('invalid_request', 'no', { param }))
  expect([refused('revision'), refused('server.port'), new Error('revision')].map(isConflict)).toEqual([
    true,
    false,
    false,
  ])
})
