/**
 * Marks what people read of the core: a sentence, or a part of one. In English it stays as it is; what is marked is
 * what `app/sentences` has in the other languages. No value stands beside another one, and what may be left out makes
 * a sentence of its own, so that the values can be told from the finished text.
 */
export function say(words: TemplateStringsArray | string, ...values: readonly unknown[]): string {
  if (typeof words === 'string') return words
  return words.reduce((text, word, i) => `${text}${String(values[i - 1])}${word}`)
}

/**
 * English sentences and how one language says them. `{0}` is the first value, as it is; `{0*}` is one that may itself
 * be among the sentences.
 */
export type Sentences = Readonly<Record<string, string>>

/** A window draws the same texts many times a minute. */
const REMEMBERED = 500
const LONGEST = 2000

/**
 * What tells a text of the core in another language: a sentence, several of them or lines of them, one with details
 * in brackets behind it, or with the place before it that it is about. What it does not know stays in English.
 */
export function interpreter(sentences: Sentences): (text: string) => string {
  const patterns = Object.keys(sentences)
    .filter((english) => PLACE.test(english))
    .map((english) => ({ english, letters: english.replaceAll(PLACES, '').length, pattern: patternOf(english) }))
    // Of two that fit, the one that says more.
    .toSorted((one, other) => other.letters - one.letters)
  const remembered = new Map<string, string>()

  const tell = (text: string): string => {
    const before = remembered.get(text)
    if (before !== undefined) return before
    const told = (text.length > LONGEST ? null : known(text, new Set())) ?? text
    if (remembered.size >= REMEMBERED) remembered.clear()
    remembered.set(text, told)
    return told
  }

  /** `unknown`: endings that were tried already, since a text can be cut in very many ways. */
  const known = (text: string, unknown: Set<string>): string | null => {
    if (unknown.has(text)) return null
    const told = word(text) ?? several(text, unknown) ?? filled(text) ?? placed(text, unknown)
    if (told === null) unknown.add(text)
    return told
  }

  const word = (text: string): string | null => (Object.hasOwn(sentences, text) ? sentences[text]! : null)

  const several = (text: string, unknown: Set<string>): string | null => {
    for (const { index } of text.matchAll(BETWEEN)) {
      const first = text.slice(0, index)
      const told = word(first) ?? filled(first)
      const rest = told === null ? null : (details(text.slice(index + 1)) ?? known(text.slice(index + 1), unknown))
      if (rest !== null) return `${told}${told!.endsWith('。') ? '' : ' '}${rest}`
    }
    return null
  }

  const details = (text: string): string | null =>
    /^\(.*\)$/s.test(text) ? `(${text.slice(1, -1).split('; ').map(tell).join('; ')})` : null

  const placed = (text: string, unknown: Set<string>): string | null => {
    if (text.includes('\n')) return text.split('\n').map(tell).join('\n')
    const [, place = '', rest = ''] = PLACED.exec(text) ?? []
    const told = place === '' ? null : known(rest, unknown)
    return told === null ? null : place + told
  }

  const filled = (text: string): string | null => {
    for (const { english, pattern } of patterns) {
      const values = pattern.exec(text)?.slice(1)
      if (values === undefined || !areValues(values, sentences[english]!)) continue
      return sentences[english]!.replaceAll(PLACES, (_, at: string, isOurs: string) => {
        const value = values[Number(at)]!
        return isOurs === '' ? value : tell(value)
      })
    }
    return null
  }

  return tell
}

/** What is no sentence of ours holds no end of one: where it seems to, another text stands behind ours. */
function areValues(values: readonly string[], told: string): boolean {
  return values.every((value, at) => !/[.?] [A-Z]/.test(value) || told.includes(`{${at}*}`))
}

const PLACE = /\{\d+\}/
const PLACES = /\{(\d+)(\*?)\}/g
/** `server.port: …`, `lexora_config.yaml:12:5  server.port: …`. */
const PLACED = /^((?:\S+ {2})?[\w.\-[\]]+: )(.+)$/s
const BETWEEN = /(?<=[.?]) /g

function patternOf(english: string): RegExp {
  const words = english.split(PLACE).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${words.join('([\\s\\S]*?)')}$`)
}
