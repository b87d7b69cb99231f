import { createContext, useContext } from 'react'
import type { DesktopView } from '../src/protocol/desktop.ts'
import type { AppSnapshot } from '../src/protocol/snapshot.ts'
import type { LexoraClient, Link } from './lexora.ts'
import { SeriesStore } from './series-store.ts'
import { Store, useStore } from './store.ts'

/** All that the window knows, held once. */
export type World = {
  client: LexoraClient
  snapshot: Store<AppSnapshot | null>
  link: Store<Link>
  /** When the last snapshot came, in ms since 1970. */
  heardAt: Store<number>
  /** Counts the seconds while the window is visible, for ages. */
  second: Store<number>
  series: SeriesStore
  /** The desktop app around this window; null in a browser, and until it is known. */
  desktop: Store<DesktopView | null>
}

/** A visible window that gets no frame for so long is drawn all the same: it may be read aloud. */
const NO_FRAME_MS = 500

/** Joins the stores to the client, for as long as the window is open. Returns what ends it. */
export function openWorld(client: LexoraClient): { world: World; close: () => void } {
  const world: World = {
    client,
    snapshot: new Store<AppSnapshot | null>(null),
    link: new Store<Link>({ is: 'connecting' }),
    heardAt: new Store(Date.now()),
    second: new Store(Math.floor(Date.now() / 1000)),
    series: new SeriesStore(client.commands),
    desktop: new Store<DesktopView | null>(null),
  }
  const unsubscribe = client.subscribe(
    (snapshot) => {
      world.heardAt.set(Date.now())
      latest = snapshot
      // The first one waits for nothing: a window that was just opened may be long without a frame.
      if (world.snapshot.get() === null) return show()
      // At most one drawing a frame, however many snapshots come; hidden windows draw none.
      if (frame === 0) frame = requestAnimationFrame(show)
      late ??= setTimeout(showLate, NO_FRAME_MS)
    },
    (link) => {
      const wasLive = world.link.get().is === 'live'
      if (link.is !== world.link.get().is || link.is === 'lost') world.link.set(link)
      if (link.is === 'live' && !wasLive) void world.series.refresh()
    },
  )
  const unwatch = client.desktop?.watch(world.desktop.set)
  let frame = 0
  let latest: AppSnapshot | null = null
  let late: ReturnType<typeof setTimeout> | null = null
  const rest = (): void => {
    cancelAnimationFrame(frame)
    frame = 0
    if (late !== null) clearTimeout(late)
    late = null
  }
  const show = (): void => {
    rest()
    world.snapshot.set(latest)
  }
  const showLate = (): void => {
    late = null
    if (document.visibilityState !== 'hidden') show()
  }
  const timer = setInterval(() => {
    if (document.visibilityState === 'hidden') return
    world.second.set(Math.floor(Date.now() / 1000))
    if (world.link.get().is === 'live') void world.series.refresh()
  }, 1000)
  return {
    world,
    close: () => {
      clearInterval(timer)
      rest()
      unsubscribe()
      unwatch?.()
    },
  }
}

export const WorldContext = createContext<World | null>(null)

export function useWorld(): World {
  const world = useContext(WorldContext)
  if (world === null) throw new Error('There is no world above this component.')
  return world
}

/** The newest snapshot. Screens are only shown when there is one. */
export function useSnapshot(): AppSnapshot {
  const snapshot = useStore(useWorld().snapshot)
  if (snapshot === null) throw new Error('A screen was shown before the first snapshot.')
  return snapshot
}
