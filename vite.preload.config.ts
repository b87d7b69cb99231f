import { defineConfig } from 'vite'

/** What the sandbox lets run before the page: one CommonJS file that asks for nothing but electron. */
export default defineConfig({
  ssr: { noExternal: true },
  logLevel: 'warn',
  build: {
    ssr: true,
    outDir: 'dist/shell',
    emptyOutDir: false,
    target: 'chrome108',
    minify: true,
    rolldownOptions: {
      input: { preload: 'src/shell/preload.ts' },
      external: ['electron'],
      output: { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false },
    },
  },
})
