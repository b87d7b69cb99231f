import {
  type AnswerLengths,
  countImages,
  countJsonBytes,
  learnAnswer,
  newAnswerLengths,
  newCounts,
  PromptEstimator,
  type TextCounts,
} from '../policy/token-estimate.ts'
import type { Usage } from '../wire/usage.ts'

/** What one request will probably use, in tokens; the rest is kept to learn from its true usage. */
export type Forecast = {
  promptTokens: number
  meanAnswer: number
  sdAnswer: number
  /** The body's bytes less its media; 0 where nothing is to be learned from it. */
  textBytes: number
  counts: TextCounts | null
}

/** What is forecast for. `generates`: its answer is text, whose length is to be guessed. */
export type Foreseen = { body: Buffer; model: string; app: string; generates: boolean; choices: number }

/** Before a model has taught its own: a body is never fewer bytes than tokens, and seldom fewer than three a token. */
const FIRST_BYTES_PER_TOKEN = 3
const MEDIA_FROM_BYTES = 16 * 1024
const BASE64 = Buffer.from(';base64,')
const QUOTE = 0x22
/** Tokens of one image or sound before `usage` has taught better: between a thumbnail and a tiled photograph. [D] */
const TOKENS_PER_MEDIUM = 800
/** Apps are named by clients: beyond so many, what is new shares its model's lengths. */
const MAX_APPS = 1000

type Taught = { bytesPerToken: number; estimator: PromptEstimator; lengths: AnswerLengths }

/** Predicts tokens per model and app and learns from every answer's `usage`. Models come from a closed set. */
export class TokenForecast {
  private readonly models = new Map<string, Taught>()
  private readonly apps = new Map<string, AnswerLengths>()

  /** By size alone: what most decisions need, and nothing that a long prompt must pay for. */
  rough(foreseen: Foreseen): Forecast {
    const { body, model } = foreseen
    const media = body.length >= MEDIA_FROM_BYTES ? mediaOf(body) : NO_MEDIA
    const textBytes = body.length - media.bytes
    const promptTokens = Math.ceil(textBytes / this.taught(model).bytesPerToken) + media.count * TOKENS_PER_MEDIUM
    return { promptTokens, ...this.answerOf(foreseen), textBytes: media.count > 0 ? 0 : textBytes, counts: null }
  }

  /** By the text, counted as the JSON that it is: tools and schemas cost tokens too (scheduling.md 2.2). */
  precise(foreseen: Foreseen): Forecast {
    const { body, model } = foreseen
    const counts = newCounts()
    const media = body.length >= MEDIA_FROM_BYTES ? mediaOf(body) : NO_MEDIA
    let at = 0
    for (const { start, end } of media.spans) {
      countJsonBytes(counts, body, at, start)
      at = end
    }
    countJsonBytes(counts, body, at, body.length)
    countImages(counts, media.count)
    return {
      promptTokens: this.taught(model).estimator.estimate(counts),
      ...this.answerOf(foreseen),
      textBytes: media.count > 0 ? 0 : body.length,
      counts,
    }
  }

  learn({ model, app, generates, choices }: Foreseen, { counts, textBytes }: Forecast, usage: Usage): void {
    const taught = this.taught(model)
    if (usage.prompt !== null && usage.prompt > 0) {
      if (counts !== null) taught.estimator.learn(counts, usage.prompt)
      if (textBytes > 0) taught.bytesPerToken += 0.05 * (textBytes / usage.prompt - taught.bytesPerToken)
    }
    if (!generates || usage.completion === null) return
    learnAnswer(taught.lengths, usage.completion / choices)
    if (app !== '') learnAnswer(this.lengthsOf(model, app), usage.completion / choices)
  }

  private answerOf({ model, app, generates, choices }: Foreseen): { meanAnswer: number; sdAnswer: number } {
    if (!generates) return { meanAnswer: 0, sdAnswer: 0 }
    const { mean, variance } = app === '' ? this.taught(model).lengths : this.lengthsOf(model, app)
    return { meanAnswer: mean * choices, sdAnswer: Math.sqrt(variance) * choices }
  }

  private taught(model: string): Taught {
    let taught = this.models.get(model)
    if (taught === undefined) {
      taught = {
        bytesPerToken: FIRST_BYTES_PER_TOKEN,
        estimator: new PromptEstimator(),
        lengths: newAnswerLengths(),
      }
      this.models.set(model, taught)
    }
    return taught
  }

  private lengthsOf(model: string, app: string): AnswerLengths {
    const key = `${model}\n${app}`
    let lengths = this.apps.get(key)
    if (lengths === undefined) {
      const ofModel = this.taught(model).lengths
      if (this.apps.size >= MAX_APPS) return ofModel
      lengths = newAnswerLengths(ofModel)
      this.apps.set(key, lengths)
    }
    return lengths
  }
}

/** Tokens to reserve for both, at most what the client allows of the answer (scheduling.md 2.2). */
export function tokensOf({ promptTokens, meanAnswer, sdAnswer }: Forecast, maxTokens: number | null): number {
  return promptTokens + Math.min(maxTokens ?? Number.POSITIVE_INFINITY, Math.ceil(meanAnswer + 0.5 * sdAnswer))
}

type Media = { count: number; bytes: number; spans: { start: number; end: number }[] }
const NO_MEDIA: Media = { count: 0, bytes: 0, spans: [] }

/** Images and sounds inside a body are no text: where they stand, found by two native searches each. */
function mediaOf(body: Buffer): Media {
  let media = NO_MEDIA
  for (let at = body.indexOf(BASE64); at !== -1; ) {
    const start = at + BASE64.length
    const quote = body.indexOf(QUOTE, start)
    const end = quote === -1 ? body.length : quote
    if (media === NO_MEDIA) media = { count: 0, bytes: 0, spans: [] }
    media.count++
    media.bytes += end - start
    media.spans.push({ start, end })
    at = body.indexOf(BASE64, end)
  }
  return media
}
