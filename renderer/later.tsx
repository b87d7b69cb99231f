import { type ComponentType, useEffect, useState } from 'react'

const parts: (() => Promise<void>)[] = []

/** A part of the window that is fetched when it is first wanted, or before that by `fetchTheRest`. */
export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let View: ComponentType<Props> | null = null
  let coming: Promise<void> | null = null
  const fetchIt = (): Promise<void> => {
    coming ??= load().then(
      (loaded) => {
        View = loaded
      },
      (error: unknown) => {
        coming = null
        throw error
      },
    )
    return coming
  }
  parts.push(fetchIt)
  // biome-ignore lint/correctness/noComponentHookFactories: made once for each part, at module level
  return function Later(props: Props) {
    const [, draw] = useState(0)
    const [failed, setFailed] = useState<Error | null>(null)
    useEffect(() => {
      let open = true
      if (View === null)
        fetchIt().then(
          () => open && draw(1),
          (error: Error) => open && setFailed(error),
        )
      return () => {
        open = false
      }
    }, [])
    if (failed !== null) throw failed
    return View === null ? null : <View {...props} />
  }
}

/** Once the first screen stands: then no other one is waited for. What fails is asked for again when it is wanted. */
export function fetchTheRest(): () => void {
  const idle = requestIdleCallback(() => void Promise.allSettled(parts.map((part) => part())), { timeout: 2000 })
  return () => cancelIdleCallback(idle)
}
