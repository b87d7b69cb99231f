/** Row E21 of the fault catalogue: a feed that was tampered with. Nothing of it is installed, and what runs goes on. */
import { appendFileSync, copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openUpdateRig, type UpdateRig } from '../support/update-feed.ts'

let rig: UpdateRig

beforeEach(async () => {
  rig = await openUpdateRig()
})

afterEach(async () => {
  await rig.close()
})

const SAFE = { canary: false, installed: true, fetched: [] }
const FILE = 'Lexora-1.1.0.AppImage'
const MANIFEST = 'latest-linux.yml'

type Tampering = [what: string, why: string, tamper: (rig: UpdateRig) => void]

const TAMPERINGS: Tampering[] = [
  [
    'the manifest was changed after it was signed',
    'signature',
    ({ path }) => appendFileSync(path(MANIFEST), '# more\n'),
  ],
  ['it is signed with another key', 'signature', (rig) => rig.signedByAnother()],
  ['its signature is garbage', 'signature', ({ path }) => writeFileSync(path(`${MANIFEST}.sig`), 'AAAA')],
  ['its signature is missing', 'unsigned', ({ path }) => rmSync(path(`${MANIFEST}.sig`))],
  ['its signature is endless', 'unsigned', ({ path }) => writeFileSync(path(`${MANIFEST}.sig`), 'A'.repeat(100_000))],
  [
    'another signed manifest stands in its place',
    'signature',
    ({ path, sign }) => {
      copyFileSync(path(MANIFEST), path('latest.yml'))
      sign()
      copyFileSync(path('latest.yml.sig'), path(`${MANIFEST}.sig`))
    },
  ],
  ['the version is older', 'downgrade', (rig) => rig.publish('0.9.9')],
  [
    'the version is none',
    'manifest',
    (rig) => rig.publish('1.1.0', (manifest) => (manifest.version = '2.0.0; touch x')),
  ],
  ['the manifest is no manifest', 'manifest', (rig) => replaced(rig, '[1, 2')],
  ['the manifest is endless', 'manifest', (rig) => replaced(rig, '#'.repeat(100_000))],
  [
    'it offers nothing for this installation',
    'no-package',
    (rig) => rig.publish('1.1.0', ({ files }) => (files[0]!.url = 'lexora.deb')),
  ],
  ['the file is not there', 'no-package', ({ path }) => rmSync(path(FILE))],
  [
    'the file is another one of the same size',
    'hash',
    ({ path }) => writeFileSync(path(FILE), 'x'.repeat(sizeOf(rig))),
  ],
  ['the file is longer', 'size', ({ path }) => appendFileSync(path(FILE), 'more')],
  ['the file is shorter', 'size', ({ path }) => writeFileSync(path(FILE), '#!/bin/sh\n')],
  [
    'the signed size is beyond all sense',
    'size',
    (rig) => rig.publish('1.1.0', ({ files }) => (files[0]!.size = 2 ** 40)),
  ],
  ['the signed size is not the file’s', 'size', (rig) => rig.publish('1.1.0', ({ files }) => (files[0]!.size -= 1))],
  [
    'the hash is of another kind',
    'manifest',
    (rig) => rig.publish('1.1.0', ({ files }) => (files[0]!.sha512 = 'd41d8cd9')),
  ],
  [
    'the feed answers with an error',
    'unreachable',
    ({ instead }) => void instead.set(MANIFEST, (response) => response.writeHead(500).end()),
  ],
  ['the feed hangs up', 'unreachable', ({ instead }) => void instead.set(MANIFEST, (response) => response.destroy())],
  [
    'the file breaks off',
    'unreachable',
    ({ instead }) =>
      void instead.set(FILE, (response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('x')
        setImmediate(() => response.destroy())
      }),
  ],
]

/** Names that a shell, a path or an address would read as something else. Each would only make a file. */
const NAMES = [
  '../up.AppImage',
  '/absolute.AppImage',
  'a/b.AppImage',
  'https://127.0.0.1:1/x.AppImage',
  '//127.0.0.1:1/x.AppImage',
  '-option.AppImage',
  '.hidden.AppImage',
  'a b.AppImage',
  '$(touch canary).AppImage',
  '`touch canary`.AppImage',
  "';touch canary;'.AppImage",
  'a;touch canary;.AppImage',
  'a\ntouch canary\n.AppImage',
  'a%2fb.AppImage',
]

function replaced({ path, sign }: UpdateRig, manifest: string): void {
  writeFileSync(path(MANIFEST), manifest)
  sign()
}

function sizeOf({ canary }: UpdateRig): number {
  return Buffer.byteLength(`#!/bin/sh\ntouch '${canary}'\n`)
}

describe('E: updates', () => {
  test.each(TAMPERINGS)('E21 an update is refused by name, and nothing is installed: %s', async (_, why, tamper) => {
    rig.publish('1.1.0')
    tamper(rig)
    const updates = rig.updates()
    await updates.check()
    expect(updates.view()).toEqual({ is: 'refused', why })
    expect(await updates.install(true)).toBe(false)
    expect(rig.traces()).toEqual(SAFE)
    updates.close()
  })

  test.each(NAMES)('E21 an update whose file is called %j is refused before it is asked for', async (name) => {
    rig.publish('1.1.0', ({ files }) => (files[0]!.url = name))
    const updates = rig.updates()
    await updates.check()
    expect(updates.view()).toEqual({ is: 'refused', why: 'manifest' })
    expect(rig.asked).toEqual([MANIFEST, `${MANIFEST}.sig`])
    expect(rig.traces()).toEqual(SAFE)
    updates.close()
  })

  test.each([MANIFEST, `${MANIFEST}.sig`, FILE])(
    'E21 a redirect of %s is not followed, wherever it leads',
    async (name) => {
      rig.publish('1.1.0')
      const elsewhere: string[] = []
      const other = createServer((request, response) => {
        elsewhere.push(request.url ?? '')
        response.end('x')
      })
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/${name}`
      rig.instead.set(name, (response) => response.writeHead(302, { location }).end())
      const updates = rig.updates()
      await updates.check()
      expect(updates.view()).toEqual({ is: 'refused', why: 'redirect' })
      expect([rig.traces(), elsewhere]).toEqual([SAFE, []])
      updates.close()
      await new Promise<void>((resolve) => other.close(() => resolve()))
    },
  )

  test('E21 a file that changes after it was fetched is not installed', async () => {
    rig.publish('1.1.0')
    const updates = rig.updates()
    await updates.check()
    expect(updates.view()).toEqual({ is: 'ready', version: '1.1.0', asked: false })
    writeFileSync(`${rig.fetched}/${FILE}`, 'x'.repeat(sizeOf(rig)))
    expect(await updates.install(false)).toBe(false)
    expect(updates.view()).toEqual({ is: 'refused', why: 'hash' })
    expect(rig.traces()).toMatchObject({ canary: false, installed: true })
    updates.close()
  })
})
