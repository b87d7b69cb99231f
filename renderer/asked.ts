import { useCallback, useEffect, useRef, useState } from 'react'
import { useT } from './i18n/index.ts'
import { useStore } from './store.ts'
import { useWorld } from './stores.ts'
import { reasonOf } from './view-models/log.ts'

/** An answer, or why there is none. An old answer stays while a new one fails. `again` asks at once. */
export type Asked<Value> = { value: Value | null; failed: string | null; again: () => Promise<void> }

/** Asks once, or again and again while the window is seen; another `key` is another question and forgets the answer. */
export function useAsked<Value>(ask: () => Promise<Value>, { everyMs = 0, key = '' } = {}): Asked<Value> {
  const { link } = useWorld()
  const { said } = useT()
  const isLive = useStore(link).is === 'live'
  const [held, setHeld] = useState<{ key: string; value: Value | null; failed: string | null }>({
    key,
    value: null,
    failed: null,
  })
  const latest = useRef({ ask, key })
  latest.current = { ask, key }
  const again = useCallback(async (): Promise<void> => {
    const { ask, key } = latest.current
    const answer = await ask().then(
      (value) => ({ key, value, failed: null }),
      (error: unknown) => ({ key, value: null, failed: reasonOf(error) }),
    )
    if (latest.current.key !== key) return
    setHeld((before) => (answer.failed !== null && before.key === key ? { ...before, failed: answer.failed } : answer))
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another key is another question
  useEffect(() => {
    if (!isLive) return
    void again()
    if (everyMs === 0) return
    const timer = setInterval(() => document.visibilityState === 'visible' && void again(), everyMs)
    return () => clearInterval(timer)
  }, [isLive, everyMs, key, again])
  const fresh = held.key === key
  return { value: fresh ? held.value : null, failed: fresh && held.failed !== null ? said(held.failed) : null, again }
}
