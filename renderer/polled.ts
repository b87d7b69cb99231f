import { useEffect, useRef, useState } from 'react'
import { useStore } from './store.ts'
import { useWorld } from './stores.ts'

/** What is asked for again and again while it is on a visible screen and somebody answers; null until the first answer. */
export function usePolled<Value>(ask: () => Promise<Value>, everyMs: number, key = ''): Value | null {
  const [value, setValue] = useState<Value | null>(null)
  const { link } = useWorld()
  const isLive = useStore(link).is === 'live'
  const latest = useRef(ask)
  latest.current = ask
  // biome-ignore lint/correctness/useExhaustiveDependencies: another key is another question
  useEffect(() => {
    if (!isLive) return
    let [ended, busy] = [false, false]
    const look = async (): Promise<void> => {
      if (busy || document.visibilityState === 'hidden') return
      busy = true
      const answer = await latest.current().catch(() => null)
      busy = false
      if (!ended && answer !== null) setValue(answer)
    }
    void look()
    const timer = setInterval(() => void look(), everyMs)
    return () => {
      ended = true
      clearInterval(timer)
    }
  }, [isLive, everyMs, key])
  return value
}
