/**
 * How many tokens a prompt will be, without a tokenizer: a text's characters are counted in eight classes, and each
 * model's weights for them are learned from the `usage` of its answers (scheduling.md 2.2).
 */
export type TextCounts = Float64Array

/** ASCII letters, digits, spaces, newlines and tabs, other ASCII, kana, Han and Hangul, other; messages; images. */
const FEATURES = 10
const [LETTER, DIGIT, SPACE, NEWLINE, ASCII, KANA, HAN, OTHER, MESSAGE, IMAGE] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const

/** Tokens per character, message and image before anything was learned: scheduling.md 2.2, and [D] for an image. */
const PRIOR = [0.19, 0.7, 0.1, 0.75, 0.73, 0.8, 0.9, 0.5, 8, 800]

/** How far off a prior weight may be, as a share of it: the first variance of the learner. */
const PRIOR_SPREAD = 1
const FORGETTING = 0.998

const ASCII_CLASS = Uint8Array.from({ length: 128 }, (_, code) => {
  if ((code | 32) >= 97 && (code | 32) <= 122) return LETTER
  if (code >= 48 && code <= 57) return DIGIT
  if (code === 32) return SPACE
  return code === 9 || code === 10 || code === 13 ? NEWLINE : ASCII
})

export function newCounts(): TextCounts {
  return new Float64Array(FEATURES)
}

export function countMessages(counts: TextCounts, messages: number): void {
  counts[MESSAGE]! += messages
}

export function countImages(counts: TextCounts, images: number): void {
  counts[IMAGE]! += images
}

/** Adds the characters of `text`. One pass, no garbage. */
export function countText(counts: TextCounts, text: string): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    counts[code < 128 ? ASCII_CLASS[code]! : wideClass(code)]!++
    // The second half of a pair is the same character.
    if (code >= 0xd800 && code < 0xdc00) i++
  }
}

/**
 * Adds the characters of the inside of a JSON string, as its UTF-8 bytes stand in a body: escapes are one character
 * each, so Japanese that Python wrote as \uXXXX counts as Japanese. Never fails, whatever the bytes are.
 */
export function countJsonBytes(counts: TextCounts, bytes: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; ) {
    const byte = bytes[i]!
    if (byte === 0x5c) i = countEscape(counts, bytes, i)
    else if (byte < 0x80) {
      counts[ASCII_CLASS[byte]!]!++
      i++
    } else if (byte >= 0xe0 && byte < 0xf0) {
      counts[wideClass(((byte & 15) << 12) | ((bytes[i + 1]! & 63) << 6) | (bytes[i + 2]! & 63))]!++
      i += 3
    } else {
      counts[OTHER]!++
      i += byte >= 0xf0 ? 4 : 2
    }
  }
}

function countEscape(counts: TextCounts, bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1]
  if (letter !== 0x75) {
    counts[letter === 0x6e || letter === 0x72 || letter === 0x74 ? NEWLINE : ASCII]!++
    return at + 2
  }
  const code = (hex(bytes[at + 2]) << 12) | (hex(bytes[at + 3]) << 8) | (hex(bytes[at + 4]) << 4) | hex(bytes[at + 5])
  // The second half of a pair was counted with the first.
  if (code < 0xdc00 || code > 0xdfff) counts[code < 128 ? ASCII_CLASS[code]! : wideClass(code)]!++
  return at + 6
}

function hex(digit = 48): number {
  return digit <= 57 ? digit & 15 : (digit & 15) + 9
}

function wideClass(code: number): number {
  if (code >= 0x3040 && code <= 0x30ff) return KANA
  if ((code >= 0x3400 && code <= 0x9fff) || (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff))
    return HAN
  return OTHER
}

/** What a model has taught so far, as it is saved per model digest. */
export type SavedEstimate = { weights: number[]; covariance: number[] }

/** One model's weights, learned by recursive least squares on `usage.prompt_tokens`. */
export class PromptEstimator {
  readonly #weights: Float64Array
  /** Symmetric, row by row. */
  readonly #covariance: Float64Array
  readonly #gain = new Float64Array(FEATURES)
  readonly #row = new Float64Array(FEATURES)

  constructor(saved?: SavedEstimate) {
    const usable = saved?.weights.length === FEATURES && saved.covariance.length === FEATURES * FEATURES
    this.#weights = Float64Array.from(usable ? saved.weights : PRIOR)
    this.#covariance = usable ? Float64Array.from(saved.covariance) : priorCovariance()
  }

  /** Whole tokens, at least 1. */
  estimate(counts: TextCounts): number {
    let sum = 0
    for (let i = 0; i < FEATURES; i++) sum += this.#weights[i]! * counts[i]!
    return Math.max(1, Math.round(sum))
  }

  /** Rows are scaled by 1/sqrt(tokens), so that long prompts do not drown short ones. Garbage teaches nothing. */
  learn(counts: TextCounts, tokens: number): void {
    if (!(tokens >= 1 && tokens < 1e8)) return
    const scale = 1 / Math.sqrt(tokens)
    const [row, gain, weights] = [this.#row, this.#gain, this.#weights]
    let predicted = 0
    for (let i = 0; i < FEATURES; i++) {
      row[i] = counts[i]! * scale
      predicted += weights[i]! * row[i]!
    }
    const spread = this.#computeGain(row)
    const surprise = (tokens * scale - predicted) / spread
    for (let i = 0; i < FEATURES; i++) weights[i] = Math.max(0, weights[i]! + gain[i]! * surprise)
    this.#shrink(gain, spread)
  }

  save(): SavedEstimate {
    return { weights: [...this.#weights], covariance: [...this.#covariance] }
  }

  /** gain = covariance × row; returns the forgetting plus row × gain. */
  #computeGain(row: Float64Array): number {
    let spread = FORGETTING
    for (let i = 0; i < FEATURES; i++) {
      let sum = 0
      for (let j = 0; j < FEATURES; j++) sum += this.#covariance[i * FEATURES + j]! * row[j]!
      this.#gain[i] = sum
      spread += row[i]! * sum
    }
    return spread
  }

  #shrink(gain: Float64Array, spread: number): void {
    const covariance = this.#covariance
    for (let i = 0; i < FEATURES; i++) {
      for (let j = 0; j < FEATURES; j++) {
        const at = i * FEATURES + j
        covariance[at] = (covariance[at]! - (gain[i]! * gain[j]!) / spread) / FORGETTING
      }
    }
    // A class that never occurs would otherwise grow without end while the others are forgotten.
    for (let i = 0; i < FEATURES; i++) this.#bound(i, (PRIOR_SPREAD * PRIOR[i]!) ** 2)
  }

  #bound(index: number, ceiling: number): void {
    const variance = this.#covariance[index * FEATURES + index]!
    if (variance <= ceiling) return
    const factor = Math.sqrt(ceiling / variance)
    for (let j = 0; j < FEATURES; j++) {
      this.#covariance[index * FEATURES + j]! *= factor
      this.#covariance[j * FEATURES + index]! *= factor
    }
  }
}

function priorCovariance(): Float64Array {
  const covariance = new Float64Array(FEATURES * FEATURES)
  for (let i = 0; i < FEATURES; i++) covariance[i * FEATURES + i] = (PRIOR_SPREAD * PRIOR[i]!) ** 2
  return covariance
}

/** Mean and spread of the answers' lengths of one app at one model, in tokens: recent ones weigh more. */
export type AnswerLengths = { mean: number; variance: number; count: number }

/** Before anything was seen (scheduling.md 1.2); better the model's own mean where there is one (section 10). */
const PRIOR_ANSWER = 300

/** `like`: the lengths of the whole model, for an app not seen before. */
export function newAnswerLengths(like?: AnswerLengths): AnswerLengths {
  return { mean: like?.mean ?? PRIOR_ANSWER, variance: like?.variance ?? PRIOR_ANSWER ** 2, count: 0 }
}

/** EWMA with weight max(0.02, 1/count): the first answers count fully (scheduling.md 1.2). */
export function learnAnswer(lengths: AnswerLengths, tokens: number): void {
  lengths.count++
  const weight = Math.max(0.02, 1 / (lengths.count + 1))
  const off = tokens - lengths.mean
  lengths.mean += weight * off
  lengths.variance = (1 - weight) * (lengths.variance + weight * off * off)
}

/** What to reserve for an answer: mean + 0.5 sd, at most what the client allows (scheduling.md 2.2). */
export function expectedAnswer(lengths: AnswerLengths, maxTokens: number | null): number {
  return Math.min(maxTokens ?? Infinity, Math.ceil(lengths.mean + 0.5 * Math.sqrt(lengths.variance)))
}
