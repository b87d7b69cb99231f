/** A feed on loopback with one AppImage in it, and an installed one that it could replace. Its only deed is to make a file. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { type AppAdapter, createInstaller } from '../../src/shell/update-installer.ts'
import { type UpdateParts, Updates } from '../../src/shell/updates.ts'

const SIGNER = fileURLToPath(new URL('../../packaging/sign-feed.mjs', import.meta.url))
const MANIFEST = 'latest-linux.yml'
export const OLD = '#!/bin/sh\nexit 0\n'

type Manifest = { version: string; files: { url: string; sha512: string; size: number }[] }

export type UpdateRig = Awaited<ReturnType<typeof openUpdateRig>>

export async function openUpdateRig() {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-updates-'))
  const served = join(folder, 'served')
  const installed = join(folder, 'Lexora.AppImage')
  const canary = join(folder, 'canary')
  const asked: string[] = []
  /** What the server answers in place of its files, by name. */
  const instead = new Map<string, (response: ServerResponse) => void>()
  mkdirSync(served)
  writeFileSync(installed, OLD, { mode: 0o755 })
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1)
    asked.push(name)
    const other = instead.get(name)
    if (other !== undefined) return other(response)
    if (!existsSync(join(served, name))) return void response.writeHead(404).end()
    response.end(readFileSync(join(served, name)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const keyFile = join(folder, 'key.pem')
  const key = signer('new', keyFile).trim()
  const log: string[] = []

  const app: AppAdapter = {
    version: '1.0.0',
    name: 'Lexora',
    isPackaged: true,
    appUpdateConfigPath: join(folder, 'none.yml'),
    userDataPath: join(folder, 'user'),
    baseCachePath: join(folder, 'cache'),
    whenReady: async () => {},
    relaunch: () => {},
    quit: () => {},
    onQuit: () => {},
  }

  const rig = {
    key,
    url,
    canary,
    installed,
    asked,
    instead,
    log,
    /** Where what was fetched lies. */
    fetched: join(folder, 'fetched'),
    path: (name: string): string => join(served, name),
    /** Puts a version into the feed, signed; `change` tampers with the manifest before its signature is made. */
    publish: (version: string, change: (manifest: Manifest) => void = () => {}): void => {
      const name = `Lexora-${version}.AppImage`
      const text = `#!/bin/sh\ntouch '${canary}'\n`
      writeFileSync(join(served, name), text)
      const sha512 = createHash('sha512').update(text).digest('base64')
      const manifest = { version, files: [{ url: name, sha512, size: Buffer.byteLength(text) }] }
      change(manifest)
      writeFileSync(join(served, MANIFEST), stringify(manifest))
      signer(keyFile, served)
    },
    sign: (): string => signer(keyFile, served),
    signedByAnother: (): void => {
      const other = join(folder, 'other.pem')
      signer('new', other)
      signer(other, served)
    },
    updates: (parts: Partial<UpdateParts> = {}): Updates =>
      new Updates({
        feed: { feed: url, key },
        kind: 'AppImage',
        version: '1.0.0',
        arch: 'x64',
        folder: join(folder, 'fetched'),
        installer: async (kind, offer) => {
          process.env['APPIMAGE'] = installed
          return createInstaller({ kind, offer, folder: join(folder, 'notes'), log: (text) => log.push(text) }, app)
        },
        restsFor: () => null,
        onAsk: () => {},
        onSocket: () => {},
        onChange: () => {},
        log: (message, fields) => log.push(`${message} ${JSON.stringify(fields)}`),
        ...parts,
      }),
    /** Nothing was installed, nothing was run, nothing is left lying about. */
    traces: () => ({
      canary: existsSync(canary),
      installed: readFileSync(installed, 'utf8') === OLD,
      fetched: existsSync(join(folder, 'fetched')) ? readdirSync(join(folder, 'fetched')) : [],
    }),
    close: async (): Promise<void> => {
      delete process.env['APPIMAGE']
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      chmodSync(folder, 0o700)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return rig
}

function signer(...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SIGNER, ...argv], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout
}
