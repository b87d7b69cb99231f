export const ZOOM_LEAST = -3
export const ZOOM_MOST = 4

/** What a browser's own keys do to the size of the page; the menu that had them is gone. Null: the keys mean something else. */
export function zoomBy(
  { type, key, control, meta, alt }: { type: string; key: string; control: boolean; meta: boolean; alt: boolean },
  level: number,
): number | null {
  if (type !== 'keyDown' || alt || !(control || meta)) return null
  if (key === '0') return 0
  if (key === '-' || key === '_') return Math.max(ZOOM_LEAST, level - 0.5)
  if (key === '+' || key === '=') return Math.min(ZOOM_MOST, level + 0.5)
  return null
}
