import { chooseLanguage, type Language } from './i18n/index.ts'
import { Store } from './store.ts'

export type Theme = 'system' | 'light' | 'dark'
export type Density = 'normal' | 'roomy'
export type Preferences = { theme: Theme; language: Language; density: Density }

const KEY = 'lexora.look'

/** How this window looks to this person; kept in this browser. */
export const preferences = new Store<Preferences>(load())

export function prefer(changes: Partial<Preferences>): void {
  const next = { ...preferences.get(), ...changes }
  preferences.set(next)
  try {
    localStorage.setItem(KEY, JSON.stringify(next))
  } catch {
    // Private windows may have no storage: then it holds until the window closes.
  }
  applyLook(next)
}

export function applyLook({ theme, language, density }: Preferences): void {
  const { documentElement: root } = document
  root.lang = language
  if (theme === 'system') delete root.dataset['theme']
  else root.dataset['theme'] = theme
  if (density === 'roomy') root.dataset['density'] = 'roomy'
  else delete root.dataset['density']
}

function load(): Preferences {
  const kept = read()
  return {
    theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'system',
    language: chooseLanguage(kept.language ?? null, navigator.languages),
    density: kept.density === 'roomy' ? 'roomy' : 'normal',
  }
}

function read(): Partial<Record<keyof Preferences, string>> {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as Partial<Record<keyof Preferences, string>>
  } catch {
    return {}
  }
}

/** The desktop app speaks as its window does: whoever chose a language here hears it in the tray. */
export function speakAlike(tell: (language: Language) => void): void {
  let { language } = preferences.get()
  if (read().language === language) tell(language)
  preferences.subscribe(() => {
    const next = preferences.get().language
    if (next === language) return
    language = next
    tell(language)
  })
}

/** A short list of names that this window keeps, as the columns that are hidden. */
export function readList(key: string): readonly string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(kept) ? kept.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}

export function keepList(key: string, names: readonly string[]): void {
  try {
    localStorage.setItem(key, JSON.stringify(names))
  } catch {
    // As with the look: then it holds until the window closes.
  }
}
