import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

const at = (path: string): string => join(import.meta.dirname, path)

/** What commands say of themselves is for terminals and documents; the window has words of its own. */
const withoutAbouts: Plugin = {
  name: 'without-abouts',
  enforce: 'pre',
  transform: {
    filter: { id: /\/src\/protocol\/[\w-]+\.ts$/ },
    handler: (code) => ({
      code: code.replaceAll(/\babout:\s*(['"])(?:(?!\1)[^\\\n]|\\.)*\1/g, "about: ''"),
      map: null,
    }),
  },
}

/** The window, for a browser and for the desktop app alike: plain files with relative addresses. */
export default defineConfig({
  root: at('.'),
  base: './',
  resolve: { alias: { zod: at('no-schemas.ts') } },
  plugins: [withoutAbouts],
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
