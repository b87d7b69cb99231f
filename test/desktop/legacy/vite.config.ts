import { join } from 'node:path'
import { defineConfig } from 'vite'

const at = (path: string): string => join(import.meta.dirname, path)

/**
 * The shell once more, for the real Electron 22 that tests can get (Node 16.17, Chrome 108): CommonJS, and attached to a
 * headless Lexora, since the core needs Node 22. For tests alone.
 */
export default defineConfig({
  ssr: { noExternal: true },
  logLevel: 'error',
  resolve: { alias: { undici: at('undici.ts') } },
  build: {
    ssr: true,
    outDir: at('../../../dist/legacy/dist/shell'),
    emptyOutDir: true,
    target: 'node16',
    minify: false,
    rolldownOptions: {
      input: { main: at('main.ts') },
      external: ['electron', /hosted\.ts$/],
      output: { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name]-[hash].cjs' },
    },
  },
})
