#!/usr/bin/env node
/** The `lexora` command. Says plainly when Node is too old, before anything that an old Node could not even parse. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`lexora needs Node 22.19 or newer; this is ${process.versions.node}.\n`)
  process.exitCode = 1
} else {
  const argv = process.argv.slice(2)
  const { isCommand } = await import('./cli/arguments.ts')
  if (isCommand(argv[0])) {
    const { main } = await import('./cli/main.ts')
    await main(argv)
  } else {
    const { main } = await import('./headless.ts')
    const { default: manifest } = await import('../package.json', { with: { type: 'json' } })
    const [demo, guard, history, ui] = import.meta.url.endsWith('.ts')
      ? ['./demo/main.ts', './engine/guard/main.ts', './store/history-worker.ts', '../dist/ui']
      : ['./demo.js', './guard.js', './history.js', './ui']
    const at = (file: string): URL => new URL(file, import.meta.url)
    await main(argv, {
      version: manifest.version,
      demoEntry: at(demo),
      guardEntry: at(guard),
      historyEntry: at(history),
      uiDir: at(ui),
    })
  }
}
