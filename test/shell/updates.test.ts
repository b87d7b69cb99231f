/** Updates that are as they should be, and those that are off. What was tampered with: test/faults/e-updates.test.ts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { compareVersions, feedAddress, manifestName } from '../../src/policy/update-verdict.ts'
import type { UpdateView } from '../../src/protocol/desktop.ts'
import { feedSetting, installKind } from '../../src/shell/updates.ts'
import { openUpdateRig, type UpdateRig } from '../support/update-feed.ts'

describe('with a feed', () => {
  let rig: UpdateRig

  beforeEach(async () => {
    rig = await openUpdateRig()
  })

  afterEach(async () => {
    await rig.close()
  })

  test('a newer version is fetched while the app runs, and installed when it is told to', async () => {
    rig.publish('1.1.0')
    const seen: UpdateView['is'][] = []
    const updates = rig.updates({ onChange: () => seen.push(updates.view().is) })
    await updates.check()
    expect(seen).toEqual(['checking', 'loading', 'ready'])
    expect([updates.ready, updates.isAsked]).toEqual(['1.1.0', false])
    expect(rig.traces()).toEqual({ canary: false, installed: true, fetched: ['Lexora-1.1.0.AppImage'] })
    updates.ask()
    expect(updates.isAsked).toBe(true)
    expect([await updates.install(false), rig.log]).toEqual([true, expect.anything()])
    // An AppImage runs once when it is installed.
    expect(rig.traces()).toMatchObject({ canary: true, installed: false })
    expect(readFileSync(rig.installed, 'utf8')).toContain('touch')
    updates.close()
  })

  test('the same version is no update, and looking again is possible', async () => {
    rig.publish('1.0.0')
    const [spoken, carried]: string[][] = [[], []]
    const updates = rig.updates({
      onAsk: (url) => spoken!.push(url),
      onSocket: (address) => carried!.push(new URL(address).host),
    })
    await updates.check()
    expect(updates.view()).toEqual({ is: 'none' })
    expect(spoken).toEqual([rig.url])
    expect(new Set(carried)).toEqual(new Set([new URL(rig.url).host]))
    rig.publish('1.0.1')
    await Promise.all([updates.check(), updates.check()])
    expect(updates.view()).toEqual({ is: 'ready', version: '1.0.1', asked: false })
    expect(rig.asked.filter((name) => name.endsWith('.AppImage'))).toEqual(['Lexora-1.0.1.AppImage'])
    updates.close()
  })

  test.each(['offline', 'blocked'] as const)(
    'while it is %s nobody is asked, and a look that is under way ends',
    async (why) => {
      rig.publish('1.1.0')
      let rests: typeof why | 'unknown' | null = 'unknown'
      const updates = rig.updates({
        restsFor: (url) => (url === rig.url ? rests : null),
        onChange: () => {
          if (updates.view().is !== 'loading') return
          updates.restIfDue()
          rests = why
          updates.restIfDue()
        },
      })
      // Not known yet.
      await updates.check()
      expect([updates.view(), rig.asked]).toEqual([{ is: 'waiting' }, []])
      rests = null
      await updates.check()
      expect([updates.view(), updates.ready]).toEqual([{ is: 'off', why }, null])
      const asked = [...rig.asked]
      await updates.check()
      expect(rig.asked).toEqual(asked)
      rests = null
      expect(updates.view()).toEqual({ is: 'waiting' })
      updates.close()
    },
  )

  test('an installer that fails is told, and the old version stays', async () => {
    rig.publish('1.1.0')
    const updates = rig.updates({ installer: async () => ({ stage: async () => {}, install: () => false }) })
    await updates.check()
    expect(await updates.install(false)).toBe(false)
    expect(updates.view()).toEqual({ is: 'refused', why: 'installer' })
    updates.close()
  })

  test.each<[what: string, feed: unknown, kind: 'AppImage' | null, why: string]>([
    ['no feed', undefined, 'AppImage', 'no-feed'],
    ['a feed that is switched off', { feed: null }, 'AppImage', 'no-feed'],
    ['a feed without a key', { feed: 'https://a.example/' }, 'AppImage', 'bad-feed'],
    ['a feed over plain HTTP', { feed: 'http://a.example/', key: `${'A'.repeat(43)}=` }, 'AppImage', 'bad-feed'],
    ['an installation that is not replaced by itself', 'ours', null, 'no-way'],
  ])('%s: updates are off, and nobody is asked', async (_, feed, kind, why) => {
    rig.publish('1.1.0')
    const updates = rig.updates({ kind, ...(feed === 'ours' ? {} : { feed }) })
    updates.begin()
    await updates.check()
    expect([updates.view(), rig.asked, await updates.install(true)]).toEqual([{ is: 'off', why }, [], false])
    updates.close()
  })
})

test('versions are compared by their numbers, and what is none is never replaced', () => {
  expect(compareVersions('1.10.0', '1.9.9')).toBeGreaterThan(0)
  expect(compareVersions('1.2.3', '1.2.3')).toBe(0)
  expect(compareVersions('0.9.9', '1.0.0')).toBeLessThan(0)
  expect(compareVersions('2.0.0', '1.0.0-beta')).toBeLessThan(0)
})

test.each([
  ['https://feed.example/lexora', 'https://feed.example/lexora/'],
  ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080/'],
  ['http://[::1]/x/', 'http://[::1]/x/'],
  ['http://feed.example/', null],
  ['http://127.0.0.1.feed.example/', null],
  ['https://me:secret@feed.example/', null],
  ['https://feed.example/?a=b', null],
  ['file:///etc/', null],
  ['feed', null],
])('a feed at %s is %s', (text, url) => {
  const address = feedAddress(text)
  expect(address.ok ? address.url : null).toBe(url)
})

test('a manifest has the name that electron-builder gives it', () => {
  expect([manifestName('deb', 'x64'), manifestName('rpm', 'arm64'), manifestName('nsis', 'x64')]).toEqual([
    'latest-linux.yml',
    'latest-linux-arm64.yml',
    'latest.yml',
  ])
})

describe('what a package says', () => {
  function resources(files: Record<string, string>): string {
    const folder = mkdtempSync(join(tmpdir(), 'lexora-resources-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return folder
  }

  test('of its feed holds where the person said nothing', () => {
    const folder = resources({ 'update-feed.json': '{"feed": "https://a.example/", "key": "k"}' })
    expect(feedSetting(undefined, folder)).toEqual({ feed: 'https://a.example/', key: 'k' })
    expect(feedSetting({ feed: null }, folder)).toEqual({ feed: null })
    expect(feedSetting(undefined, resources({}))).toBeUndefined()
    expect(feedSetting(undefined, null)).toBeUndefined()
  })

  test('of its kind counts where that kind is installed', () => {
    const folder = resources({ 'package-type': 'deb' })
    const here = {
      resources: folder,
      platform: 'linux' as const,
      execPath: '/opt/Lexora/lexora-bin',
      appImage: undefined,
    }
    expect(installKind(here)).toBe('deb')
    expect(installKind({ ...here, appImage: '/home/ann/Lexora.AppImage' })).toBe('AppImage')
    expect(installKind({ ...here, appImage: '' })).toBe('deb')
    expect(installKind({ ...here, execPath: '/home/ann/lexora-1.0.0/lexora-bin' })).toBeNull()
    expect(installKind({ ...here, resources: null })).toBeNull()
    expect(installKind({ ...here, platform: 'win32' })).toBe('nsis')
    expect(installKind({ ...here, platform: 'darwin' })).toBeNull()
  })
})
