import type { Effect } from './config-effect.ts'

/** One setting as a face shows it. Secrets are masked. */
export type ConfigEntry = {
  /** Dotted: `routing.backends.main.url`. */
  path: string
  value: unknown
  /** Null where it has none: a name that somebody chose has to be given a value. */
  default: unknown
  source: 'default' | 'file' | 'env' | 'flag'
  /** Where it was written: a place in the file, the name of a variable or of a flag. */
  detail: string
  /** A variable or a flag holds it, which only a restart without it can change. */
  locked: boolean
  /** What it must be, in words. */
  kind: string
  doc: string
  applies: Effect
  /** This release does not have it: whatever it says, it does nothing. */
  unbuilt: boolean
  secret: boolean
}

export type ConfigView = {
  /** The file in use, or the one that an edit would make. */
  path: string
  exists: boolean
  entries: ConfigEntry[]
  /** Settings that were changed and take effect only when Lexora is started again. */
  pendingRestart: string[]
}

/** `value` null removes the setting, so that its default holds again. */
export type ConfigChange = { path: string; value: unknown }

/** What a reload did. */
export type ReloadReport = {
  /** The file that was read; null: there is none, and defaults hold. */
  path: string | null
  changed: { path: string; effect: Effect }[]
  /** Settings that take effect only when Lexora is started again. */
  pendingRestart: string[]
  notes: string[]
}

export type ConfigIssue = {
  /** Dotted; empty for the text as a whole. */
  path: string
  message: string
  place: string
  /** From 1; null where it is not in the text: a variable, a flag, what is missing. */
  line: number | null
  column: number | null
}

export type ValidationReport = {
  ok: boolean
  issues: ConfigIssue[]
  notes: string[]
  /** What would change, and when it would take effect. */
  changed: { path: string; effect: Effect }[]
  /** From the file, as it is shown, to the text that was checked; null where it was checked for itself. */
  diff: string | null
}

/** The file as text. Each secret is a word such as `<secret-1>`, which stands for it in what is written back. */
export type ConfigText = {
  /** The file in use, or the one that a write would make. */
  path: string
  exists: boolean
  text: string
  /** Of the file; a write must name it, so that nobody's change is lost. */
  revision: string
  /** Whether the last change that was made through Lexora can be taken back: the file is still as it left it. */
  canUndo: boolean
}
