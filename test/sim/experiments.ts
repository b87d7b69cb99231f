import type { Experiment } from './figures.ts'
import { highFirst, losers } from './overload.ts'

/** All of them, in the order in which they are printed. */
export const EXPERIMENTS: readonly Experiment[] = [losers, highFirst]
