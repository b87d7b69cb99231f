import { Store } from './store.ts'

/** What Try it begins with. */
export type TryItStart = { model?: string; user?: string; message?: string; system?: string }

/** Null: its drawer is closed. */
export const tryIt = new Store<TryItStart | null>(null)
