import { expect, test } from 'vitest'
import type { LogLevel } from '../../src/protocol/gateway-log.ts'
import { LogBuffer } from '../../src/telemetry/log-buffer.ts'

function aBuffer(levels: readonly LogLevel[]): LogBuffer {
  const buffer = new LogBuffer()
  for (const [i, level] of levels.entries()) buffer.add({ at: '', level, message: `line ${i + 1}`, details: '' })
  return buffer
}

const numbers = (entries: readonly { seq: number }[]): number[] => entries.map(({ seq }) => seq)

test('the newest lines come first asked, the next ones after their number', () => {
  const buffer = aBuffer(['INFO', 'INFO', 'INFO'])
  const first = buffer.read({ after: null, lines: 2, level: 'DEBUG' })
  expect([numbers(first.entries), first.next]).toEqual([[2, 3], 3])
  buffer.add({ at: '', level: 'ERROR', message: 'new', details: '' })
  expect(numbers(buffer.read({ after: first.next, lines: 10, level: 'DEBUG' }).entries)).toEqual([4])
})

test('a reader that asks for few at a time misses none', () => {
  const buffer = aBuffer(Array.from({ length: 25 }, () => 'INFO' as const))
  const seen: number[] = []
  for (let after = 0; seen.length < 25; ) {
    const { entries, next } = buffer.read({ after, lines: 10, level: 'DEBUG' })
    seen.push(...numbers(entries))
    after = next
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => i + 1))
})

test('lines below the level asked for are passed over', () => {
  const { entries, next } = aBuffer(['ERROR', 'DEBUG', 'WARNING']).read({ after: 0, lines: 10, level: 'WARNING' })
  expect([numbers(entries), next]).toEqual([[1, 3], 3])
})

test('what is not kept any more is counted', () => {
  const buffer = aBuffer(Array.from({ length: 20_010 }, () => 'INFO' as const))
  const { entries, missed } = buffer.read({ after: 4, lines: 1, level: 'DEBUG' })
  expect([numbers(entries), missed]).toEqual([[11], 6])
})

test('a number of an earlier run begins anew', () => {
  expect(numbers(aBuffer(['INFO']).read({ after: 500, lines: 10, level: 'DEBUG' }).entries)).toEqual([1])
})
