import { Store } from './store.ts'
import type { KeptBench } from './view-models/catalogue.ts'

const KEY = 'lexora.bench'
const MOST_A_MODEL = 6

/** What was measured from this window, by model, the newest first; kept in this browser. */
export const benches = new Store<Readonly<Record<string, readonly KeptBench[]>>>(load())

/** One in which a request failed is no measurement, and is not kept. */
export function keepBench(model: string, report: KeptBench): void {
  if (report.error !== null) return
  const all = benches.get()
  const next = { ...all, [model]: [report, ...(all[model] ?? [])].slice(0, MOST_A_MODEL) }
  benches.set(next)
  try {
    localStorage.setItem(KEY, JSON.stringify(next))
  } catch {
    // Without storage they hold until the window closes.
  }
}

function load(): Record<string, readonly KeptBench[]> {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as Record<string, readonly KeptBench[]>
  } catch {
    return {}
  }
}
