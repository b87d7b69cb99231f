import { afterEach, expect, test, vi } from 'vitest'
import type { LexoraClient, Link } from '../../renderer/lexora.ts'
import { openWorld } from '../../renderer/stores.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { aSnapshot } from '../support/snapshots.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A window whose frames come when the test says so. */
function aWindow(visibilityState: 'visible' | 'hidden' = 'visible') {
  vi.useFakeTimers()
  let draw: (() => void) | null = null
  vi.stubGlobal('document', { visibilityState })
  vi.stubGlobal('cancelAnimationFrame', () => {
    draw = null
  })
  vi.stubGlobal('requestAnimationFrame', (next: () => void) => {
    draw = next
    return 1
  })
  let tell: (snapshot: AppSnapshot) => void = () => {}
  let link: (link: Link) => void = () => {}
  const series = vi.fn(() => new Promise(() => undefined))
  const client = {
    commands: { series },
    subscribe: (onSnapshot: typeof tell, onLink: typeof link) => {
      tell = onSnapshot
      link = onLink
      return () => {}
    },
  } as unknown as LexoraClient
  const { world, close } = openWorld(client)
  return {
    tell: (revision: number) => tell(aSnapshot({ revision })),
    shown: () => world.snapshot.get()?.revision ?? null,
    frame: () => draw?.(),
    live: () => link({ is: 'live' }),
    asked: () => series.mock.calls.length,
    close,
  }
}

test('the first snapshot is there at once, whether or not there are frames', () => {
  const { tell, shown, close } = aWindow('hidden')
  tell(1)
  expect(shown()).toBe(1)
  close()
})

test('of many snapshots between two frames the last one is drawn', () => {
  const { tell, shown, frame, close } = aWindow()
  for (const revision of [1, 2, 3, 4]) tell(revision)
  expect(shown()).toBe(1)
  frame()
  expect(shown()).toBe(4)
  close()
})

test('a visible window without frames is drawn all the same, a hidden one is not', () => {
  for (const [state, last] of [
    ['visible', 2],
    ['hidden', 1],
  ] as const) {
    const { tell, shown, close } = aWindow(state)
    tell(1)
    tell(2)
    vi.advanceTimersByTime(5000)
    expect(shown()).toBe(last)
    close()
  }
})

test('the figures of before are asked for as soon as somebody answers', () => {
  const { live, asked, close } = aWindow()
  expect(asked()).toBe(0)
  live()
  expect(asked()).toBe(1)
  close()
})
