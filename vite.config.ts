import { defineConfig } from 'vite'

/** One bundle of plain Node programs with everything in it: a start reads few files, and dist/ runs without node_modules. */
export default defineConfig({
  ssr: { noExternal: true },
  logLevel: 'warn',
  build: {
    ssr: true,
    outDir: 'dist',
    emptyOutDir: true,
    target: 'node22',
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      input: {
        bin: 'src/bin.ts',
        demo: 'src/demo/main.ts',
        guard: 'src/engine/guard/main.ts',
        history: 'src/store/history-worker.ts',
      },
      output: {
        format: 'es',
        entryFileNames: '[name].js',
        chunkFileNames: 'chunks/[name]-[hash].js',
        banner:
          "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
    },
  },
})
