import { expect, test } from 'vitest'
import { LoopWatch } from '../../src/telemetry/loop-watch.ts'

test('a look that comes two seconds late is a stall, told for half a minute; one that is a little late is none', () => {
  let now = 0
  const watch = new LoopWatch(() => now)
  for (const late of [250, 300, 1900]) {
    now += late
    watch.look()
    expect([late, watch.trouble()]).toEqual([late, null])
  }
  now += 2750
  watch.look()
  expect(watch.trouble()).toMatch(/^Lexora stood still for 2\.5 s, 0 s ago/)
  now += 29_000
  expect(watch.trouble()).toMatch(/29 s ago/)
  now += 1000
  expect(watch.trouble()).toBeNull()
})
