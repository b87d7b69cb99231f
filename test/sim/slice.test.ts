import { describe, expect, test } from 'vitest'
import { EXPERIMENTS } from './experiments.ts'
import { isMet, print } from './figures.ts'
import { overload } from './overload.ts'

/** A few seconds of what `npm run sim` shows whole. */
describe.each(EXPERIMENTS.filter(({ id }) => id !== '1.3'))('$id: $title', (experiment) => {
  test('every figure of the short run meets its target', () => {
    const figures = experiment.run({ quick: true, seed: 1 })
    const missed = figures.filter((figure) => !isMet(figure))
    expect(missed.map((figure) => print(figure, false))).toEqual([])
  })
})

test('what others do fails where Lexora does not: aging ends the high band, a fixed number starves low', () => {
  const [aging, strict] = [overload('aging', [1], 200_000), overload('strict 24', [1], 200_000)]
  expect(aging.highServed).toBeLessThan(0.95)
  expect(strict.lowShare).toBe(0)
})

test('the same seed tells the same story', () => {
  expect(overload('lexora', [5], 60_000)).toEqual(overload('lexora', [5], 60_000))
})
