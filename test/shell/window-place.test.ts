import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Rectangle, WINDOW_LEAST, WINDOW_SIZE, windowPlace } from '../../src/shell/window-place.ts'

const LAPTOP: Rectangle = { x: 0, y: 0, width: 1920, height: 1040 }
const BESIDE: Rectangle = { x: 1920, y: -200, width: 2560, height: 1400 }

test.each<[what: string, kept: unknown, displays: Rectangle[], place: object]>([
  ['nothing kept', null, [LAPTOP], { ...WINDOW_SIZE, maximized: false }],
  ['a small display', null, [{ x: 0, y: 0, width: 1024, height: 600 }], { width: 1024, height: 600, maximized: false }],
  ['a tiny display', null, [{ x: 0, y: 0, width: 640, height: 480 }], { ...WINDOW_LEAST, maximized: false }],
  ['no display', null, [], { ...WINDOW_SIZE, maximized: false }],
  [
    'as it was left',
    { x: 100, y: 50, width: 1300, height: 800, maximized: false },
    [LAPTOP],
    { x: 100, y: 50, width: 1300, height: 800, maximized: false },
  ],
  [
    'on the other display',
    { x: 2500, y: -100, width: 1300, height: 800, maximized: true },
    [LAPTOP, BESIDE],
    { x: 2500, y: -100, width: 1300, height: 800, maximized: true },
  ],
  [
    'whose display is gone',
    { x: 2500, y: -100, width: 1300, height: 800, maximized: true },
    [LAPTOP],
    { width: 1300, height: 800, maximized: true },
  ],
  [
    'of which a corner alone is left',
    { x: 1850, y: 50, width: 1300, height: 800, maximized: false },
    [LAPTOP],
    { width: 1300, height: 800, maximized: false },
  ],
  [
    'larger than what there is now',
    { x: 0, y: 0, width: 4000, height: 3000, maximized: false },
    [LAPTOP],
    { x: 0, y: 0, width: 1920, height: 1040, maximized: false },
  ],
  [
    'a file that somebody broke',
    { x: 'left', width: 1e9, height: null },
    [LAPTOP],
    { ...WINDOW_SIZE, maximized: false },
  ],
  ['another kind of thing', 'wide', [LAPTOP], { ...WINDOW_SIZE, maximized: false }],
  [
    'halves of pixels',
    { x: 0.5, y: 1, width: 1000, height: 700 },
    [LAPTOP],
    { width: 1000, height: 700, maximized: false },
  ],
])('%s', (_, kept, displays, place) => {
  expect(windowPlace(kept, displays)).toEqual(place)
})

test('where it is told a place, a display shows the title bar there', () => {
  const number = fc.integer({ min: -6000, max: 6000 })
  const size = fc.integer({ min: 0, max: 6000 })
  fc.assert(
    fc.property(fc.record({ x: number, y: number, width: size, height: size }), (kept) => {
      const { x, y, width, height } = windowPlace(kept, [LAPTOP, BESIDE])
      expect(width).toBeGreaterThanOrEqual(WINDOW_LEAST.width)
      expect(height).toBeGreaterThanOrEqual(WINDOW_LEAST.height)
      if (x === undefined || y === undefined) return
      const seen = [LAPTOP, BESIDE].some((one) => y >= one.y && y < one.y + one.height && x < one.x + one.width)
      expect(seen).toBe(true)
    }),
  )
})
