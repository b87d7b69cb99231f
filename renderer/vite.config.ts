import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vite'
import type { CommandRow } from '../src/protocol/command-row.ts'
import { COMMANDS } from '../src/protocol/commands.ts'
import { en } from './i18n/en.ts'
import { ja } from './i18n/ja.ts'
import { ko } from './i18n/ko.ts'
import { settingsEn } from './i18n/settings-en.ts'
import { settingsJa } from './i18n/settings-ja.ts'
import { settingsKo } from './i18n/settings-ko.ts'

const at = (path: string): string => join(import.meta.dirname, path)

/** A command's row as a window needs it: how to call it. The rest is for terminals, checks and documents. */
const callOf = ({ method, path, answersWithinMs }: CommandRow) => ({ method, path, answersWithinMs })

const TABLE = /(?<=^export const COMMANDS = )\{[\s\S]*?^\} as const$/m

const onlyCalls: Plugin = {
  name: 'only-calls',
  enforce: 'pre',
  transform: {
    filter: { id: /\/src\/protocol\/[\w-]+\.ts$/ },
    handler: (code, id) => {
      if (!id.endsWith('/commands.ts')) return { code, map: null, moduleSideEffects: false }
      if (!TABLE.test(code)) throw new Error('the table of commands is not found')
      const calls = Object.entries<CommandRow>(COMMANDS).map(([name, row]) => [name, callOf(row)])
      return {
        code: code.replace(TABLE, JSON.stringify(Object.fromEntries(calls))),
        map: null,
        moduleSideEffects: false,
      }
    },
  },
}

type Words = Readonly<Record<string, unknown>>

/** What the other languages say. */
const TRANSLATED: Record<string, { messages: Words; settings: Words }> = {
  ja: { messages: ja, settings: settingsJa },
  ko: { messages: ko, settings: settingsKo },
}

/** English has the keys already: the other languages carry their sentences alone, in its order. */
const onlySentences: Plugin = {
  name: 'only-sentences',
  enforce: 'pre',
  transform: {
    filter: { id: /\/renderer\/i18n\/(ja|ko)\.ts$/ },
    handler: (_, id) => {
      const name = id.slice(-5, -3)
      const { messages, settings } = TRANSLATED[name]!
      return {
        code: `import { en } from './en.ts'
import { settingsEn } from './settings-en.ts'
const named = (keys, sentences) => Object.fromEntries(Object.keys(keys).map((key, i) => [key, sentences[i]]))
export const ${name} = named(en, ${sentencesOf(messages, en)})
export const settings = named(settingsEn, ${sentencesOf(settings, settingsEn)})`,
        map: null,
        moduleSideEffects: false,
      }
    },
  },
}

function sentencesOf(words: Words, english: Words): string {
  const missing = Object.keys(english).filter((key) => words[key] === undefined)
  if (missing.length > 0) throw new Error(`no words for ${missing.join(', ')}`)
  return JSON.stringify(Object.keys(english).map((key) => words[key]))
}

/** The window, for a browser and for the desktop app alike: plain files with relative addresses. */
export default defineConfig({
  root: at('.'),
  base: './',
  resolve: { alias: { zod: at('no-schemas.ts') } },
  plugins: [onlyCalls, onlySentences],
  logLevel: 'warn',
  build: {
    outDir: at('../dist/ui'),
    emptyOutDir: true,
    // Chromium of Electron 22, on which the shell is tested; what ships is newer.
    target: 'chrome108',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // The kit marks its files for servers that render; here none does.
      onLog: (level, log, tell) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') tell(level, log)
      },
    },
  },
})
