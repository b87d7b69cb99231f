import { describe, expect, test } from 'vitest'
import { copiedRows, rowAfter } from '../../renderer/view-models/table-keys.ts'

describe('keys of a table', () => {
  test.each([
    ['ArrowDown', -1, 0],
    ['Enter', -1, 0],
    ['Enter', 2, null],
    ['ArrowDown', 2, 3],
    ['ArrowUp', 2, 1],
    ['ArrowUp', 0, 0],
    ['PageDown', 2, 22],
    ['PageDown', 45, 49],
    ['PageUp', 5, 0],
    ['x', 2, null],
    [' ', -1, null],
  ])('%s at row %i of 50 leads to %j', (key, at, leads) => expect(rowAfter(key, at, 50)).toBe(leads))

  test('lead nowhere where there is no row', () => expect(rowAfter('ArrowDown', -1, 0)).toBeNull())
})

describe('copied rows', () => {
  test('are those that are marked, as the table orders them, however they were marked', () => {
    const marks = new Map([
      ['c', 'kim\t3\n'],
      ['a', 'lee\n admin\t\t1\t'],
      ['gone', 'x'],
    ])
    expect(copiedRows(['a', 'b', 'c'], marks, 'other')).toBe('lee admin\t\t1\nkim\t3')
  })

  test('are the chosen one where none is marked, and nothing where there is none', () => {
    expect(copiedRows(['a'], new Map(), 'lee\t1')).toBe('lee\t1')
    expect(copiedRows(['a'], new Map(), null)).toBe('')
  })
})
