/**
 * Installs and builds what a clean clone lacks, and nothing else: a second run finds its marks and returns at once.
 * Runs on whatever Node the system has, before anything is installed, so it is plain old JavaScript.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** The Node that npm scripts use, whatever the system's is. */
export const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

/** Each bundle and what it is made of. The first empties dist, so that the window is built after it. */
const BUNDLES = [
  { title: 'Building', mark: ['dist'], config: 'vite.config.ts', sources: ['src'] },
  {
    title: 'Building the window',
    mark: ['dist', 'ui'],
    config: 'renderer/vite.config.ts',
    sources: ['renderer', 'src/protocol'],
    // The gateway serves without it.
    optional: true,
  },
]

/** The desktop app's own two; only where there is a desktop. Built after those above. */
const DESKTOP = [
  { title: 'Building the desktop app', mark: ['dist', 'shell'], config: 'vite.shell.config.ts', sources: ['src'] },
  {
    title: 'Building its preload',
    mark: ['dist', 'shell', '.preload'],
    config: 'vite.preload.config.ts',
    sources: ['src/protocol', 'src/shell'],
  },
]

export function ensureInstalled() {
  const mark = join(root, 'node_modules', '.lexora-install')
  const wanted = hash([readFileSync(join(root, 'package-lock.json')), process.platform, process.arch])
  if (existsSync(node) && existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return
  step('Installing dependencies (once, about a minute)', () => {
    // Not `npm ci`: it refuses a lock that lacks other platforms' optional binaries. --no-save leaves the lock as it is.
    npm(['install', '--no-save', '--loglevel=error', '--no-fund', '--no-audit', '--progress=true'])
    writeFileSync(mark, wanted)
  })
}

export function ensureBuilt() {
  for (const bundle of BUNDLES) build(bundle)
}

export function ensureDesktopBuilt() {
  for (const bundle of DESKTOP) build(bundle)
}

function build({ title, mark, config, sources, optional = false }) {
  const path = join(root, ...mark, '.lexora-build')
  const wanted = hash([...sources, config, 'package.json', 'package-lock.json'].map(stamp))
  if (existsSync(path) && readFileSync(path, 'utf8') === wanted) return
  step(title, () => {
    const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
    // Whoever asks may be a test; what is built is the product.
    const env = { ...process.env, NODE_ENV: 'production' }
    const built = run(node, [vite, 'build', '-c', config], { optional, env })
    if (!built) return
    mkdirSync(join(root, ...mark), { recursive: true })
    writeFileSync(path, wanted)
  })
}

/** Path, size and time of every source file: enough to know that nothing changed, and fast. */
function stamp(path) {
  const full = join(root, path)
  const stats = statSync(full)
  if (!stats.isDirectory()) return `${path}:${stats.size}:${stats.mtimeMs}`
  return readdirSync(full)
    .sort()
    .map((name) => stamp(join(path, name)))
    .join('\n')
}

function hash(parts) {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part).update('\0')
  return digest.digest('hex')
}

function step(title, work) {
  const started = Date.now()
  process.stderr.write(`${title} …\n`)
  work()
  process.stderr.write(`${title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`)
}

function npm(args) {
  const cli = process.env.npm_execpath
  if (cli) run(process.execPath, [cli, ...args])
  else run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args)
}

function run(command, args, { optional = false, env = process.env } = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status === 0) return true
  if (optional) return false
  throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}
