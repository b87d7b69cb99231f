/**
 * `node packaging/dist.mjs [TARGET…] [--dry-run] [arguments of electron-builder]`: builds everything and makes installers
 * into dist/installers; what cannot be made here is left out by name. Installs electron-builder beside this file when it
 * is first used. Without a network to fetch Electron's binary, name an unpacked one:
 * `-c.electronDist=/absolute/path -c.electronVersion=45.4.1`.
 *
 * LEXORA_UPDATE_FEED and LEXORA_UPDATE_KEY write a feed for updates into the packages; packaging/sign-feed.mjs signs it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ensureBuilt, ensureDesktopBuilt, ensureInstalled, node, root } from '../tools/setup.mjs'
import { writeLicences } from './licences.mjs'
import { planPackages } from './plan.mjs'

const here = import.meta.dirname
const REACH_MS = 5000

process.exitCode = await dist(process.argv.slice(2))

async function dist(argv) {
  const asked = argv.filter((word) => !word.startsWith('-'))
  const isDry = argv.includes('--dry-run')
  const options = argv.filter((word) => word.startsWith('-') && word !== '--dry-run')
  const tools = toolsHere()
  const facts = {
    platform: process.platform,
    tools: new Set(Object.keys(tools)),
    isOnline: await isOnline(),
    hasElectron: options.some((word) => word.startsWith('-c.electronDist=')) || hasElectron(),
  }
  const { flag, make, leftOut } = planPackages(asked, facts)
  for (const line of leftOut) process.stderr.write(`${line}\n`)
  if (make.length === 0) {
    process.stderr.write('Nothing can be made here.\n')
    return 1
  }
  process.stderr.write(`To be made: ${make.join(', ')}\n`)
  if (isDry) return 0
  ensureInstalled()
  ensureBuilt()
  ensureDesktopBuilt()
  writeLicences(root)
  writeFeed(process.env)
  const builder = join(here, 'node_modules', 'electron-builder', 'cli.js')
  if (!existsSync(builder)) {
    const installed = run('npm', ['ci', '--no-audit', '--no-fund'], here)
    if (installed !== 0) return installed
  }
  const words = [builder, flag, ...make, '--publish', 'never', ...options]
  const status = run(node, words, root, { ...process.env, ...envOf(tools) })
  // Once more, below all that the builder says.
  for (const line of leftOut) process.stderr.write(`${line}\n`)
  return status
}

/** Programs of this machine that take the place of what electron-builder would fetch: name → path. */
function toolsHere() {
  const { APPIMAGE_TOOLS_PATH: appimage, ELECTRON_BUILDER_NSIS_DIR: nsis } = process.env
  const named = { 'appimage-tools': appimage, nsis }
  const found = ['7za', '7zz', 'dpkg-deb', 'rpmbuild', 'fpm'].map((name) => [name, inPath(name)])
  return Object.fromEntries([...found, ...Object.entries(named)].filter(([, path]) => path !== undefined))
}

function envOf(tools) {
  const { ELECTRON_BUILDER_7ZIP_PATH, CUSTOM_FPM_PATH, USE_SYSTEM_FPM } = process.env
  const env = {}
  const zip = ELECTRON_BUILDER_7ZIP_PATH ?? tools['7za'] ?? tools['7zz']
  if (zip !== undefined) env.ELECTRON_BUILDER_7ZIP_PATH = zip
  if (CUSTOM_FPM_PATH === undefined && USE_SYSTEM_FPM === undefined && tools['dpkg-deb'] !== undefined)
    env.CUSTOM_FPM_PATH = join(here, 'fpm.mjs')
  return env
}

/** Written into the packages; without it (or with half of it) there is none, and updates are off. */
function writeFeed({ LEXORA_UPDATE_FEED: feed, LEXORA_UPDATE_KEY: key }) {
  const path = join(root, 'dist', 'packaging', 'update-feed.json')
  mkdirSync(join(path, '..'), { recursive: true })
  rmSync(path, { force: true })
  if ((feed === undefined) !== (key === undefined))
    throw new Error('LEXORA_UPDATE_FEED and LEXORA_UPDATE_KEY belong together: set both, or neither')
  if (feed !== undefined) writeFileSync(path, `${JSON.stringify({ feed, key }, null, 2)}\n`)
}

function hasElectron() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH
  return existsSync(override ?? join(root, 'node_modules', 'electron', 'dist'))
}

/** Whether electron-builder could fetch what is not here. */
async function isOnline() {
  if (process.env.ELECTRON_BUILDER_BINARIES_MIRROR || process.env.npm_config_electron_builder_binaries_mirror)
    return true
  if (process.env.LEXORA_DIST_OFFLINE === '1') return false
  return await fetch('https://github.com', { method: 'HEAD', signal: AbortSignal.timeout(REACH_MS) }).then(
    () => true,
    () => false,
  )
}

function inPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

function run(command, args, cwd, env = process.env) {
  const { status, error } = spawnSync(command, args, { cwd, env, stdio: 'inherit' })
  if (error) throw error
  return status ?? 1
}
