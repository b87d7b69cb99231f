import { chaos } from './chaos.ts'
import { fairness, starvation } from './fairness.ts'
import type { Experiment } from './figures.ts'
import { longAnswers } from './long-answers.ts'
import { misjudged } from './misjudged.ts'
import { highFirst, losers } from './overload.ts'
import { routing } from './routing.ts'
import { throughput } from './throughput.ts'
import { tokenLimits } from './tokens.ts'
import { turns } from './turns.ts'

/** All of them, in the order in which they are printed. */
export const EXPERIMENTS: readonly Experiment[] = [
  losers,
  throughput,
  highFirst,
  longAnswers,
  starvation,
  fairness,
  misjudged,
  tokenLimits,
  routing,
  turns,
  chaos,
]
