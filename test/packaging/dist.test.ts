/** What `npm run dist` would make here, and what it leaves out and why. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const DIST = fileURLToPath(new URL('../../packaging/dist.mjs', import.meta.url))

/** On a machine with these programs and no network. */
function dryRun(tools: string[], argv: string[], env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-dist-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of tools) writeFileSync(join(folder, name), '', { mode: 0o755 })
  const { status, stderr } = spawnSync(process.execPath, [DIST, '--dry-run', ...argv], {
    env: { PATH: folder, LEXORA_DIST_OFFLINE: '1', ...env },
    encoding: 'utf8',
  })
  return { status, lines: stderr.trim().split('\n') }
}

const ELECTRON = '-c.electronDist=/somewhere/electron'

test('a package whose tool is missing is left out by name, and the others are made', () => {
  expect(dryRun(['7za', 'dpkg-deb'], ['tar.gz', 'deb', 'rpm', 'dir', ELECTRON])).toEqual({
    status: 0,
    lines: ['Left out: rpm (no rpmbuild here; apt install rpm)', 'To be made: tar.gz, deb, dir'],
  })
})

test('with a network, electron-builder fetches what it can; a folder of tools does as well', () => {
  const mirror = { ELECTRON_BUILDER_BINARIES_MIRROR: 'http://127.0.0.1:9' }
  expect(dryRun([], ['tar.gz', 'deb', 'AppImage', 'nsis'], mirror).lines).toEqual([
    'To be made: tar.gz, deb, AppImage, nsis',
  ])
  const { lines } = dryRun([], ['AppImage', 'nsis', ELECTRON], { APPIMAGE_TOOLS_PATH: '/tools' })
  expect(lines.at(-1)).toBe('To be made: AppImage')
  expect(lines[0]).toMatch(/^Left out: nsis \(no nsis here, and no network to fetch it; ELECTRON_BUILDER_NSIS_DIR/)
})

test('where nothing can be made it ends with 1, after a reason for each', () => {
  const { status, lines } = dryRun([], ['rpm', 'msi', 'dmg', ELECTRON])
  expect(status).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(/^Left out: rpm /),
    expect.stringMatching(/^Left out: msi \(not known here; known are dir, tar\.gz/),
    expect.stringMatching(process.platform === 'darwin' ? /./ : /^Left out: dmg \(can only be made on darwin\)/),
    'Nothing can be made here.',
  ])
})

test('without an Electron and a network nothing is tried', () => {
  const { status, lines } = dryRun(['7za'], ['dir'], { ELECTRON_OVERRIDE_DIST_PATH: '/nonexistent' })
  expect([status, lines[0]]).toEqual([1, expect.stringContaining('-c.electronDist=/path')])
})
