import {
  type AnswerLengths,
  countJsonBytes,
  expectedAnswer,
  learnAnswer,
  newAnswerLengths,
  newCounts,
  PromptEstimator,
  type TextCounts,
} from '../policy/token-estimate.ts'
import type { Usage } from '../wire/usage.ts'

/** What one request will probably use; `counts` are kept to learn from its true usage. */
export type Forecast = { tokens: number; counts: TextCounts | null }

/** A body is never fewer bytes than tokens, and seldom fewer than three bytes a token. */
const BYTES_PER_TOKEN = 3

/** Predicts tokens per model and learns from every answer's `usage`. Models come from a closed set, so this is bounded. */
export class TokenForecast {
  private readonly estimators = new Map<string, PromptEstimator>()
  private readonly lengths = new Map<string, AnswerLengths>()

  /** By size alone: for callers whose limit is far away. */
  rough(body: Buffer, model: string, maxTokens: number | null): Forecast {
    return {
      tokens: Math.ceil(body.length / BYTES_PER_TOKEN) + expectedAnswer(this.lengthsOf(model), maxTokens),
      counts: null,
    }
  }

  /** By the text, counted as the JSON that it is: tools and schemas cost tokens too (scheduling.md 2.2). */
  precise(body: Buffer, model: string, maxTokens: number | null): Forecast {
    const counts = newCounts()
    countJsonBytes(counts, body, 0, body.length)
    return {
      tokens: this.estimatorOf(model).estimate(counts) + expectedAnswer(this.lengthsOf(model), maxTokens),
      counts,
    }
  }

  learn(model: string, { counts }: Forecast, usage: Usage): void {
    if (counts !== null && usage.prompt !== null) this.estimatorOf(model).learn(counts, usage.prompt)
    if (usage.completion !== null) learnAnswer(this.lengthsOf(model), usage.completion)
  }

  private estimatorOf(model: string): PromptEstimator {
    let estimator = this.estimators.get(model)
    if (estimator === undefined) {
      estimator = new PromptEstimator()
      this.estimators.set(model, estimator)
    }
    return estimator
  }

  private lengthsOf(model: string): AnswerLengths {
    let lengths = this.lengths.get(model)
    if (lengths === undefined) {
      lengths = newAnswerLengths()
      this.lengths.set(model, lengths)
    }
    return lengths
  }
}
