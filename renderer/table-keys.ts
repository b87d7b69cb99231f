import { type KeyboardEvent, useState } from 'react'
import { useCopy } from './actions.ts'
import { copiedRows, rowAfter } from './view-models/table-keys.ts'

/**
 * The keys of a table whose rows open a drawer: arrows and pages choose, Enter opens the first, Space marks, Ctrl+C
 * copies what is marked, or else the chosen row. `onMove`: the row at that place was chosen by a key.
 */
export function useTableKeys(
  ids: readonly string[],
  chosen: string | null,
  onChoose: (id: string) => void,
  onMove?: (index: number) => void,
): { marked: ReadonlySet<string>; onKey: (event: KeyboardEvent<HTMLElement>) => void } {
  const copy = useCopy()
  /** What stood in each marked row, which need not be on the screen any more. */
  const [marks, setMarks] = useState<ReadonlyMap<string, string>>(new Map())
  const onKey = (event: KeyboardEvent<HTMLElement>): void => {
    const table = event.currentTarget
    if (event.target !== table) return
    const at = chosen === null ? -1 : ids.indexOf(chosen)
    const next = rowAfter(event.key, at, ids.length)
    if (next !== null) {
      event.preventDefault()
      onMove?.(next)
      onChoose(ids[next]!)
      return
    }
    // biome-ignore lint/performance/useDomNodeTextContent: it leaves hidden columns out, and puts tabs between cells
    const text = table.querySelector<HTMLElement>('tr[aria-selected="true"]')?.innerText ?? null
    if (event.key === ' ') {
      // It would scroll.
      event.preventDefault()
      if (at === -1 || text === null) return
      const others = new Map(marks)
      if (!others.delete(ids[at]!)) others.set(ids[at]!, text)
      setMarks(others)
    } else if (event.key === 'c' && (event.ctrlKey || event.metaKey) && getSelection()?.isCollapsed !== false) {
      const rows = copiedRows(ids, marks, text)
      if (rows === '') return
      event.preventDefault()
      void copy(rows)
    }
  }
  return { marked: new Set(marks.keys()), onKey }
}
