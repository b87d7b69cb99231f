const PATHS = {
  dashboard: 'M2.5 2v11.5H14M5.5 10.5l2.5-4 2.5 2 3-5',
  models: 'M8 1.8 14 5 8 8.2 2 5zM2 8l6 3.2L14 8M2 11l6 3.2 6-3.2',
  users:
    'M6 7.5a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM1.5 13.5c.3-2.6 2-4 4.5-4s4.2 1.4 4.5 4M10.5 2.6a2.5 2.5 0 0 1 0 4.7M12 9.9c1.5.5 2.3 1.8 2.5 3.6',
  requests: 'M2 3.5h4M2 8h4M2 12.5h12M9 2v10.5',
  settings: 'M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.5v4M6 9.5v4',
  prompt: 'M3 4l4 4-4 4M8.5 12.5H13.5',
  help: 'M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.5M8 12v.1M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z',
  copy: 'M5.5 5.5V3a1 1 0 0 1 1-1H13a1 1 0 0 1 1 1v6.5a1 1 0 0 1-1 1h-2.5M3 5.5h6.5a1 1 0 0 1 1 1V13a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V6.5a1 1 0 0 1 1-1z',
  save: 'M8 2v7.5M4.5 6.5 8 10l3.5-3.5M2.5 11v2.5h11V11',
  down: 'M4.5 6.5 8 10l3.5-3.5',
  up: 'M4.5 9.5 8 6l3.5 3.5',
  left: 'M9.5 4.5 6 8l3.5 3.5',
  right: 'M6.5 4.5 10 8l-3.5 3.5',
  close: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5 14 14',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M5 3l8 5-8 5z',
  check: 'M3 8.5l3.2 3.2L13 5',
  sliders: 'M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.5v4M6 9.5v4',
  lock: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="ic" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** The six shapes of a state. The word always stands beside it. */
export type Shape = 'stopped' | 'starting' | 'ready' | 'busy' | 'degraded' | 'failed'

export function StateMark({ shape, large = false }: { shape: Shape; large?: boolean }) {
  return (
    <svg className={`st st-${shape}${large ? ' st-l' : ''}`} viewBox="0 0 12 12" aria-hidden="true">
      {SHAPES[shape]}
    </svg>
  )
}

const RING = <circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
const SHAPES: Record<Shape, React.ReactNode> = {
  stopped: RING,
  starting: (
    <>
      {RING}
      <path fill="currentColor" d="M2.5 2.5A4.95 4.95 0 0 0 9.5 9.5z" />
    </>
  ),
  ready: <circle cx="6" cy="6" r="5" fill="currentColor" />,
  busy: (
    <>
      <circle cx="4.8" cy="7.2" r="4.6" fill="currentColor" />
      <circle cx="10.2" cy="1.8" r="1.8" fill="currentColor" />
    </>
  ),
  degraded: <path fill="currentColor" d="M6 .8 11.8 11H.2z" />,
  failed: (
    <path d="M1.8 1.8l8.400 8.400M10.200 1.800l-8.400 8.400" fill="none" stroke="currentColor" strokeWidth="2.4" />
  ),
}

/** The L of one rule and three strokes. */
export function Mark() {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path fill="var(--text-3)" d="M2 3h3v2H2zM2 7h3v2H2z" />
      <path fill="var(--text-1)" d="M6 3h2v10H6z" />
      <path fill="var(--accent)" d="M8 11h6v2H8z" />
    </svg>
  )
}

/** The mark as the axis of an empty region. */
export function AxisMark() {
  return (
    <svg className="axis-mark" viewBox="0 0 40 28" fill="none" stroke="currentColor" strokeWidth="2" aria-hidden="true">
      <path d="M9 1v26h30M2 4h4M2 11h4M2 18h4" />
    </svg>
  )
}

export function Spinner() {
  return (
    <svg className="spin" viewBox="0 0 12 12" aria-hidden="true">
      <path d="M6 1.2A4.8 4.8 0 1 1 1.2 6" />
    </svg>
  )
}
