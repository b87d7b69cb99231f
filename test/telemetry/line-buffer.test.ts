import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineBuffer } from '../../src/telemetry/line-buffer.ts'

test('gives back whole lines, in order, up to its room, and grows where it is told to', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 30 })), fc.nat(200), (texts, room) => {
      const lines = texts.map((text) => text.toWellFormed().replaceAll('\n', ' '))
      const buffer = new LineBuffer(new ArrayBuffer(room))
      for (const line of lines) {
        const before = buffer.read().toString()
        if (buffer.add(line)) continue
        expect(buffer.read().toString()).toBe(before)
        buffer.growFor(line)
        expect(buffer.add(line)).toBe(true)
      }
      expect(buffer.count).toBe(lines.length)
      expect(buffer.read().toString()).toBe(lines.map((line) => `${line}\n`).join(''))
      buffer.clear()
      expect([buffer.count, buffer.read().length]).toEqual([0, 0])
    }),
  )
})
