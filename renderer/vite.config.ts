import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vite'
import type { CommandRow } from '../src/protocol/command-row.ts'
import { COMMANDS } from '../src/protocol/commands.ts'

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

/** The window, for a browser and for the desktop app alike: plain files with relative addresses. */
export default defineConfig({
  root: at('.'),
  base: './',
  resolve: { alias: { zod: at('no-schemas.ts') } },
  plugins: [onlyCalls],
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
