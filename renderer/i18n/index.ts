import { createContext, useContext } from 'react'
import { en, type MessageKey, type Messages } from './en.ts'
import { settingsEn } from './settings-en.ts'

export type { MessageKey } from './en.ts'

export const LANGUAGES = { en: 'English', ja: '日本語', ko: '한국어' } as const

export type Language = keyof typeof LANGUAGES

/** What settings are called and do, by the pattern of their paths. */
type SettingWords = Readonly<Record<string, readonly [label: string, effect: string]>>

type Spoken = { messages: Messages; settings: SettingWords }

/** English is always there; another language is fetched when it is chosen. */
const SPOKEN: Record<Language, () => Promise<Spoken>> = {
  en: async () => ({ messages: en, settings: settingsEn }),
  ja: async () => await import('./ja.ts').then(({ ja, settings }) => ({ messages: ja, settings })),
  ko: async () => await import('./ko.ts').then(({ ko, settings }) => ({ messages: ko, settings })),
}

export type Values = Readonly<Record<string, string | number>>

/** A sentence in one language. `count` chooses between `KEY.one` and `KEY.other`. */
export type Translate = {
  (key: MessageKey, values?: Values): string
  count: (key: CountedKey, count: number, values?: Values) => string
  language: Language
  settings: SettingWords
  /** A text of the core in this language; in English until its sentences are here. */
  said: (text: string) => string
}

type CountedKey = MessageKey extends infer Key ? (Key extends `${infer Stem}.one` ? Stem : never) : never

/** The sentences of a language; English where they cannot be fetched. */
export async function loadTranslator(language: Language): Promise<Translate> {
  const spoken = await SPOKEN[language]().catch(() => null)
  return spoken === null ? translator('en') : translator(language, spoken.messages, spoken.settings)
}

export function translator(
  language: Language,
  messages: Messages = en,
  settings: SettingWords = settingsEn,
): Translate {
  const plurals = new Intl.PluralRules(language)
  const say = (key: MessageKey, values: Values = {}): string => fill(messages[key], values)
  return Object.assign(say, {
    count: (key: CountedKey, count: number, values: Values = {}) => {
      const form = plurals.select(count) === 'one' ? 'one' : 'other'
      return fill(messages[`${key}.${form}`], { count, ...values })
    },
    language,
    settings,
    said: (text: string) => text,
  })
}

/** The same, for who also knows what the core says. */
export function withSaid(t: Translate, said: Translate['said']): Translate {
  const say = (key: MessageKey, values?: Values): string => t(key, values)
  return Object.assign(say, t, { said })
}

function fill(sentence: string, values: Values): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** What the person chose, else the first language of theirs that we speak. */
export function chooseLanguage(chosen: string | null, theirs: readonly string[]): Language {
  const known = (name: string): name is Language => Object.hasOwn(LANGUAGES, name)
  if (chosen !== null && known(chosen)) return chosen
  return theirs.map((tag) => tag.slice(0, 2).toLowerCase()).find(known) ?? 'en'
}

export const TranslateContext = createContext<Translate>(translator('en'))

export function useT(): Translate {
  return useContext(TranslateContext)
}
