import { defineConfig } from 'vite'

/** The desktop app's main process, for Electron 45: one ES module and what it loads later. Built beside the programs of dist. */
export default defineConfig({
  ssr: { noExternal: true },
  logLevel: 'warn',
  build: {
    ssr: true,
    outDir: 'dist/shell',
    emptyOutDir: true,
    target: 'node24',
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      input: { main: 'src/shell/main.ts' },
      external: ['electron'],
      output: {
        format: 'es',
        entryFileNames: '[name].js',
        chunkFileNames: '[name]-[hash].js',
        banner:
          "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
    },
  },
})
