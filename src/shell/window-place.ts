export type Rectangle = { x: number; y: number; width: number; height: number }

/** `x` and `y` missing: the system chooses, which is the middle. */
export type WindowPlace = { x?: number; y?: number; width: number; height: number; maximized: boolean }

export const WINDOW_SIZE = { width: 1120, height: 720 }
export const WINDOW_LEAST = { width: 880, height: 560 }

/** So much of the title bar must be reachable, or the window cannot be moved back. */
const GRIP = { width: 120, height: 40 }

/**
 * Where the window opens: as it was left, if a display still shows enough of it to be grasped; else its size alone,
 * fitted to the first display. `kept` comes from a file that anybody may have edited.
 */
export function windowPlace(kept: unknown, displays: readonly Rectangle[]): WindowPlace {
  const last = readPlace(kept)
  if (last === null) return { ...fitted(WINDOW_SIZE, displays[0]), maximized: false }
  const { x, y, maximized } = last
  const home = displays.find((display) => x !== undefined && y !== undefined && grips({ ...last, x, y }, display))
  const size = fitted(last, home ?? displays[0])
  return home === undefined ? { ...size, maximized } : { x: x!, y: y!, ...size, maximized }
}

function fitted(
  { width, height }: { width: number; height: number },
  display: Rectangle | undefined,
): { width: number; height: number } {
  const most = display ?? { width: Number.POSITIVE_INFINITY, height: Number.POSITIVE_INFINITY }
  return {
    width: Math.max(WINDOW_LEAST.width, Math.min(width, most.width)),
    height: Math.max(WINDOW_LEAST.height, Math.min(height, most.height)),
  }
}

function grips({ x, y, width }: Rectangle, display: Rectangle): boolean {
  const wide = Math.min(x + width, display.x + display.width) - Math.max(x, display.x)
  return wide >= GRIP.width && y >= display.y && y + GRIP.height <= display.y + display.height
}

function readPlace(kept: unknown): WindowPlace | null {
  if (typeof kept !== 'object' || kept === null) return null
  const { x, y, width, height, maximized } = kept as Record<string, unknown>
  if (!isCoordinate(width) || !isCoordinate(height)) return null
  const where = isCoordinate(x) && isCoordinate(y) ? { x, y } : {}
  return { ...where, width, height, maximized: maximized === true }
}

function isCoordinate(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 100_000
}
