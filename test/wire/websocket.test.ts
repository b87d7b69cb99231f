import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { closeFrame, FrameTracker } from '../../src/wire/websocket.ts'

/** A frame as RFC 6455 writes it; the mask is not applied, since nobody reads the payload here. */
function aFrame(opcode: number, size: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0
  const head =
    size < 126
      ? Buffer.from([0x80 | opcode, mask | size])
      : size < 65_536
        ? Buffer.from([0x80 | opcode, mask | 126, size >> 8, size & 255])
        : Buffer.concat([Buffer.from([0x80 | opcode, mask | 127, 0, 0, 0, 0]), uint32(size)])
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 1), Buffer.alloc(size, 7)])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const frames = fc.array(
  fc.record({
    opcode: fc.constantFrom(0, 1, 2, 9, 10),
    size: fc.constantFrom(0, 1, 125, 126, 127, 300, 65_535, 65_536),
    masked: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
)

describe('frames in a WebSocket', () => {
  test('however the bytes are cut, the tracker is between frames exactly where a frame has ended', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 8 }), (list, sizes) => {
        const whole = list.map(({ opcode, size, masked }) => aFrame(opcode, size, masked))
        const bytes = Buffer.concat(whole)
        const ends = new Set([0])
        let sum = 0
        for (const { length } of whole) {
          sum += length
          ends.add(sum)
        }
        const tracker = new FrameTracker()
        const cuts = [...new Set(sizes.map((size) => size % bytes.length)), bytes.length].sort((a, b) => a - b)
        let at = 0
        for (const cut of cuts) {
          tracker.feed(bytes.subarray(at, cut))
          expect([cut, tracker.isBetweenFrames, tracker.closed]).toEqual([cut, ends.has(cut), false])
          at = cut
        }
      }),
    )
  })

  test('finish takes what is left of the open frame, and nothing of the next', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 126, 300, 65_536), fc.boolean(), fc.nat(), (size, masked, where) => {
        const first = aFrame(2, size, masked)
        const cut = 1 + (where % (first.length - 1))
        const tracker = new FrameTracker()
        tracker.feed(first.subarray(0, cut))
        expect(tracker.finish(Buffer.concat([first.subarray(cut), aFrame(1, 5, false)]))).toBe(first.length - cut)
        expect(tracker.isBetweenFrames).toBe(true)
      }),
    )
  })

  test.each([false, true])('a Close frame of ours (masked: %s) is one frame and is seen as the end', (masked) => {
    const frame = closeFrame(1001, 'shutting_down', masked)
    const tracker = new FrameTracker()
    tracker.feed(frame)
    expect([tracker.closed, tracker.isBetweenFrames]).toEqual([true, true])
    expect(frame.subarray(-13).toString()).toBe('shutting_down')
    expect(closeFrame(1001, 'x'.repeat(500), masked)[1]! & 127).toBe(125)
  })
})
