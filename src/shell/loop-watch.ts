import { monitorEventLoopDelay } from 'node:perf_hooks'

const LOOK_MS = 60_000
/** Somebody who types notices more than this. */
const SLOW_MS = 50
const RESOLUTION_MS = 10

export type LoopDelay = { p50: number; p99: number; max: number }

/** Watches how late the event loop is, for the gateway and the window share it. Tells of minutes that were slow. */
export function watchLoop(onSlow: (delay: LoopDelay) => void): { read: () => LoopDelay; close: () => void } {
  const whole = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const minute = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  whole.enable()
  minute.enable()
  const timer = setInterval(() => {
    const delay = delayOf(minute)
    minute.reset()
    if (delay.p99 > SLOW_MS) onSlow(delay)
  }, LOOK_MS)
  timer.unref()
  return {
    read: () => delayOf(whole),
    close: () => {
      clearInterval(timer)
      whole.disable()
      minute.disable()
    },
  }
}

/** What a timer of the resolution's length came late, in ms. */
function delayOf(histogram: ReturnType<typeof monitorEventLoopDelay>): LoopDelay {
  const late = (ns: number): number => Math.max(0, Math.round((ns / 1e6 - RESOLUTION_MS) * 100) / 100)
  return { p50: late(histogram.percentile(50)), p99: late(histogram.percentile(99)), max: late(histogram.max) }
}
