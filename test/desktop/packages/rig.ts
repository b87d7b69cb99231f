/** Installers as `npm run dist` makes them, with the real Electron 22 in them, and what lies in them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ELECTRON22 } from '../electron/rig.ts'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const PACKAGING = join(ROOT, 'packaging')
const RUNTIME = join(homedir(), '.cache', 'lexora-e2e', 'appimage-runtime-x64')

/** Where a program of this machine is; null: nowhere. */
export function inPath(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}

/** What these tests need and this machine lacks; empty: nothing. */
export function lacks(): string[] {
  const builder = join(PACKAGING, 'node_modules', 'electron-builder', 'cli.js')
  return [
    ...(existsSync(ELECTRON22) ? [] : ['Electron 22']),
    ...(existsSync(builder) ? [] : ['electron-builder (npm ci --prefix packaging)']),
    ...['dpkg-deb', '7za', 'Xvfb', 'dbus-daemon'].filter((name) => inPath(name) === null),
  ]
}

/** What an AppImage needs beside that. */
export const canMakeAppImage = existsSync(RUNTIME) && ['mksquashfs', 'desktop-file-validate'].every(inPath)
export const canMakeRpm = inPath('rpmbuild') !== null && inPath('rpm2cpio') !== null && inPath('cpio') !== null

type Made = { status: number | null; said: string }

/** Runs `node packaging/dist.mjs`: quick packing, so that a package is larger than it need be. */
export async function dist(out: string, targets: string[], options: string[] = [], env = {}): Promise<Made> {
  const electron = [`-c.electronDist=${dirname(ELECTRON22)}`, '-c.electronVersion=22.3.25']
  const argv = [join(PACKAGING, 'dist.mjs'), ...targets, ...electron, `-c.directories.output=${out}`, ...options]
  const fast = { LEXORA_PACK_FAST: '1', ELECTRON_BUILDER_COMPRESSION_LEVEL: '1', LEXORA_DIST_OFFLINE: '1' }
  const child = spawn(process.execPath, argv, {
    cwd: ROOT,
    env: { ...process.env, VITEST: undefined, ...fast, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, said }
}

/** The app's folder with the shell that Electron 22 can run in place of the product's own. */
export function legacyApp(to: string): void {
  const legacy = join(ROOT, 'dist', 'legacy')
  cpSync(join(legacy, 'dist', 'shell'), join(to, 'dist', 'shell'), { recursive: true })
  for (const name of ['tray', 'icons'])
    cpSync(join(ROOT, 'resources', name), join(to, 'resources', name), { recursive: true })
  const { scripts, devDependencies, dependencies, type, ...manifest } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  )
  writeFileSync(join(to, 'package.json'), JSON.stringify({ ...manifest, main: 'dist/shell/main.cjs' }))
}

/** What APPIMAGE_TOOLS_PATH names. The runtime that tests have reads no zstd, which electron-builder asks for. */
export function appImageTools(to: string): string {
  mkdirSync(join(to, 'runtimes'), { recursive: true })
  mkdirSync(join(to, 'lib', 'x64'), { recursive: true })
  cpSync(RUNTIME, join(to, 'runtimes', 'runtime-x64'))
  symlinkSync(inPath('desktop-file-validate')!, join(to, 'desktop-file-validate'))
  const squash = [
    '#!/bin/sh',
    'for word in "$@"; do',
    '  shift',
    '  case "$skip$word" in',
    '    -comp | -Xcompression-level) skip=skip- ;;',
    '    skip-*) skip= ;;',
    '    *) set -- "$@" "$word" ;;',
    '  esac',
    'done',
    `exec ${inPath('mksquashfs')} "$@" -comp gzip -Xcompression-level 1`,
  ]
  writeFileSync(join(to, 'mksquashfs'), `${squash.join('\n')}\n`, { mode: 0o755 })
  return to
}

/** The switches in a binary by their numbers, on or off, as they are and as packaging/after-pack.mjs wants them. */
export async function fusesOfBinary(binary: string, { driven = false } = {}) {
  const require = createRequire(join(PACKAGING, 'package.json'))
  const { getCurrentFuseWire } = (await import(pathToFileURL(require.resolve('@electron/fuses')).href)) as {
    getCurrentFuseWire: (path: string) => Promise<Record<string, number | string>>
  }
  const { fusesOf } = (await import(pathToFileURL(join(PACKAGING, 'after-pack.mjs')).href)) as {
    fusesOf: (major: number, platform: string, driven: boolean) => Record<string, boolean>
  }
  const { version: _version, ...wire } = await getCurrentFuseWire(binary)
  const [on, off] = ['1', '0'].map((sign) => sign.charCodeAt(0))
  const is = Object.entries(wire).map(([fuse, state]) => [fuse, state === on ? true : state === off ? false : state])
  return { is: Object.fromEntries(is), wanted: fusesOf(22, 'linux', driven) }
}

/** One entry of an archive's listing. */
export type Entry = { mode: string; owner: string; path: string }

/** Of `tar -tv` and `dpkg-deb -c`, which print alike. */
export function entriesOf(command: string, argv: string[]): Entry[] {
  const { stdout, status, stderr } = spawnSync(command, argv, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0) throw new Error(stderr)
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [, mode = '', owner = '', path = ''] = /^(\S+) (\S+) +\d+ \S+ \S+ (.*?)(?: -> .*)?$/.exec(line) ?? []
      return { mode, owner, path }
    })
}

/** The names in an asar, and a file's text out of it. */
export function asarOf(path: string): { names: string[]; text: (name: string) => string } {
  const require = createRequire(join(PACKAGING, 'package.json'))
  const asar = require('@electron/asar') as {
    listPackage: (archive: string) => string[]
    extractFile: (archive: string, name: string) => Buffer
  }
  return {
    names: asar.listPackage(path).map((name) => name.slice(1)),
    text: (name) => asar.extractFile(path, name).toString(),
  }
}

/** A feed on loopback that offers version 9.9.9: a deb of another name, which holds one file. It is not signed yet. */
export async function openDebFeed(folder: string) {
  const served = join(folder, 'served')
  const tree = join(folder, 'canary')
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true })
  mkdirSync(join(tree, 'usr', 'share', 'doc', CANARY), { recursive: true })
  mkdirSync(served)
  writeFileSync(join(tree, 'usr', 'share', 'doc', CANARY, 'README'), 'A test of Lexora forgot this; it does nothing.\n')
  const control = [`Package: ${CANARY}`, 'Version: 9.9.9', 'Architecture: all', 'Maintainer: nobody <a@b.invalid>']
  writeFileSync(join(tree, 'DEBIAN', 'control'), `${control.join('\n')}\nDescription: a test\n`)
  const name = `${CANARY}_9.9.9_all.deb`
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', tree, join(served, name)], { stdio: 'ignore' })
  const bytes = readFileSync(join(served, name))
  const sha512 = createHash('sha512').update(bytes).digest('base64')
  const manifest = { version: '9.9.9', files: [{ url: name, sha512, size: bytes.length }] }
  writeFileSync(join(served, 'latest-linux.yml'), JSON.stringify(manifest))
  const server = createServer((request, response) => {
    const path = join(served, basename(request.url ?? ''))
    if (existsSync(path)) response.end(readFileSync(path))
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const signer = (...argv: string[]): string =>
    execFileSync(process.execPath, [join(PACKAGING, 'sign-feed.mjs'), ...argv], { encoding: 'utf8' })
  const keyFile = join(folder, 'key.pem')
  return {
    feed: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    key: signer('new', keyFile).trim(),
    sign: (): string => signer(keyFile, served),
    close: (): void => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The package that stands for a newer Lexora. */
export const CANARY = 'lexora-update-canary'

/** Every file below a folder, by its path from there. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

/** Processes that run a program below this folder. */
export function runningBelow(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readlinkSync(`/proc/${pid}/exe`)]
      } catch {
        return []
      }
    })
    .filter((exe) => exe.startsWith(`${folder}/`))
}
