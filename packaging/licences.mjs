/** The licences of everything that a package carries beside its own code. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path'

/** Where code of the bundles is, and the names that it imports. */
const SOURCES = ['src', 'renderer']
const IMPORT = /(?:from|import)\s*\(?\s*'([^'.][^']*)'/g
/** Electron has its licences beside it; vite builds; openai stands in a snippet that the window shows. */
const NOT_BUNDLED = ['electron', 'openai', 'vite']

/** Writes dist/packaging/LICENSES.third-party.txt. */
export function writeLicences(root) {
  const names = [...new Set(SOURCES.flatMap((folder) => importsOf(join(root, folder))))]
  const packages = new Map()
  for (const name of names) gather(root, name, packages)
  const sections = [...packages.values()].sort((a, b) => (a.title < b.title ? -1 : 1))
  const path = join(root, 'dist', 'packaging', 'LICENSES.third-party.txt')
  const head =
    'Lexora contains the programs below, under their own licences. Electron and Chromium: see the files beside it.\n'
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, [head, ...[...sections, nodeItself(root)].map(sectionText)].join('\n'))
}

function importsOf(path) {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .flatMap((entry) => [...readFileSync(join(entry.parentPath, entry.name), 'utf8').matchAll(IMPORT)])
    .map(([, specifier]) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    )
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name) && !NOT_BUNDLED.includes(name))
}

/** A package and all that it depends on, as Node would find them from `from`. */
function gather(from, name, packages) {
  const folder = find(from, name)
  if (folder === null) return
  const { version, license, dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const title = `${name} ${version}`
  if (packages.has(title)) return
  packages.set(title, { title, license: license ?? 'see below', text: licenceText(folder) })
  for (const dependency of Object.keys(dependencies)) gather(folder, dependency, packages)
}

function find(from, name) {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name)
    if (existsSync(join(path, 'package.json'))) return path
    if (dirname(folder) === folder) return null
  }
}

function licenceText(folder) {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name))
  return file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()
}

/** The private Node, whose npm package brings no licence to where it stays. */
function nodeItself(root) {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules', 'node', 'package.json'), 'utf8'))
  const path = join(import.meta.dirname, 'licences', `node-${version.split('.')[0]}.txt`)
  if (!existsSync(path)) throw new Error(`${path} is missing: put the LICENSE of Node ${version} there`)
  return { title: `Node.js ${version}`, license: 'MIT and others', text: readFileSync(path, 'utf8').trim() }
}

function sectionText({ title, license, text }) {
  return `${'='.repeat(80)}\n${title} (${license})\n\n${text}\n`
}
