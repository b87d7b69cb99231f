import type { ConfigText } from '../src/protocol/config-view.ts'
import { Store } from './store.ts'

/** The text of the configuration as it was changed and not yet written, over other screens; null: it was not changed. */
export const rawDraft = new Store<{ base: ConfigText; text: string } | null>(null)
