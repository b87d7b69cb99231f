/** Runs the real main process of the app in plain Node, with the double in place of Electron's own module. */
import { readFileSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const words = process.argv.slice(2)
// Playwright's loader is for the real binary.
for (let at = words.indexOf('-r'); at >= 0; at = words.indexOf('-r')) words.splice(at, 2)
const folder = resolve(words.find((word) => !word.startsWith('-')) ?? '.')
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const double = new URL('./electron-double.cjs', import.meta.url).href
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' ? { url: double, format: 'commonjs', shortCircuit: true } : next(specifier, context),
})
process.env.DOUBLE_APP = folder
process.argv = [process.execPath, folder, ...words.slice(words.findIndex((word) => !word.startsWith('-')) + 1)]
Object.defineProperty(process.versions, 'electron', { value: '45-double', enumerable: true })
Object.defineProperty(process.versions, 'chrome', { value: 'double', enumerable: true })
// Playwright asks the main process for it.
const require = createRequire(import.meta.url)
globalThis.require = (name) => require(name === 'electron' ? './electron-double.cjs' : name)
await import(pathToFileURL(join(folder, manifest.main)).href)
