import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DESKTOP_DEFAULTS } from '../../src/protocol/desktop.ts'
import { deedOf, deedUrl, PAGE_DEEDS, PLAIN_POLICY, plainPage } from '../../src/shell/plain-page.ts'
import { readPreferences } from '../../src/shell/preference-values.ts'
import { isOurPage, serveUi, uiFile } from '../../src/shell/ui-scheme.ts'
import { clock, SHELL_LANGUAGES, sayIn, shellLanguage } from '../../src/shell/words.ts'

const root = mkdtempSync(join(tmpdir(), 'lexora-ui-'))
mkdirSync(join(root, 'assets'))
writeFileSync(join(root, 'index.html'), '<!doctype html>')
writeFileSync(join(root, 'assets', 'a-1.js'), 'let a')
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('app://', () => {
  test.each<[url: string, path: string | null]>([
    ['app://lexora/', 'index.html'],
    ['app://lexora/index.html#/models', 'index.html'],
    ['app://lexora/assets/a-1.js?x=1', 'assets/a-1.js'],
    ['app://lexora/../../etc/passwd.txt', 'etc/passwd.txt'],
    ['app://lexora/%2e%2e/%2e%2e/secret.txt', 'secret.txt'],
    ['app://lexora/..%2f..%2fsecret.txt', null],
    ['app://lexora/a%00.html', null],
    ['app://lexora/.hidden.html', null],
    ['app://lexora/main.js.map', null],
    ['app://lexora/assets', null],
    ['app://elsewhere/index.html', null],
    ['https://lexora/index.html', null],
    ['app://lexora/%E0%A4%A.html', null],
    ['not an address', null],
  ])('%s names %s', (url, path) => {
    expect(uiFile('/ui', url)?.path ?? null).toBe(path === null ? null : `/ui/${path}`)
  })

  test('serves files under a strict policy, and nothing else', async () => {
    const page = await serveUi(root, 'app://lexora/')
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html>'])
    expect(page.headers.get('content-security-policy')).toMatch(
      /default-src 'none'; script-src 'self';.*connect-src 'none'/,
    )
    expect((await serveUi(root, 'app://lexora/assets/a-1.js')).headers.get('content-type')).toMatch(/javascript/)
    expect((await serveUi(root, 'app://lexora/absent.js')).status).toBe(404)
  })

  test.each<[url: string | undefined, ours: boolean]>([
    ['app://lexora/index.html', true],
    ['app://lexora.evil.example/', false],
    ['app://evil/', false],
    ['https://lexora/', false],
    ['file:///etc/passwd', false],
    ['', false],
    [undefined, false],
  ])('a page at %s may ask: %s', (url, ours) => {
    expect(isOurPage(url)).toBe(ours)
  })
})

describe('a page of plain words', () => {
  test('shows what was said, as text', () => {
    const html = plainPage(
      { is: 'refused', said: 'server.port: <script>alert(1)</script> & "more"' },
      sayIn('en'),
      'en',
    )
    expect(html).not.toContain('<script')
    expect(html).toContain('server.port: &#60;script&#62;alert(1)&#60;/script&#62; &#38; &#34;more&#34;')
  })

  test.each(SHELL_LANGUAGES)('in %s, each has ways on and no brace is left', (language) => {
    const pages = [
      plainPage({ is: 'refused', said: 'x' }, sayIn(language), language),
      plainPage({ is: 'ended', said: 'x' }, sayIn(language), language),
      plainPage({ is: 'missing' }, sayIn(language), language),
      plainPage({ is: 'crashed', reason: 'killed' }, sayIn(language), language),
    ]
    for (const html of pages) {
      expect(html).toContain('href="do/quit"')
      expect(html.replace(/<style>.*<\/style>/s, '')).not.toMatch(/[{}]/)
    }
  })

  test('runs nothing, and its deeds are the listed ones', () => {
    expect(PLAIN_POLICY).toMatch(/^default-src 'none'; style-src 'sha256-/)
    for (const deed of PAGE_DEEDS) expect(deedOf(deedUrl(deed))).toBe(deed)
    expect(deedOf('app://lexora/do/rm')).toBeNull()
    expect(deedOf(`${deedUrl('quit')}?x`)).toBeNull()
  })
})

describe('preferences', () => {
  test.each<[kept: unknown, expected: object]>([
    [undefined, DESKTOP_DEFAULTS],
    ['text', DESKTOP_DEFAULTS],
    [
      { language: 'ja', onClose: 7, more: true },
      { ...DESKTOP_DEFAULTS, language: 'ja' },
    ],
    [
      { notifications: { 'gpu-hot': false, copied: 'no' } },
      { ...DESKTOP_DEFAULTS, notifications: { ...DESKTOP_DEFAULTS.notifications, 'gpu-hot': false } },
    ],
    [
      { notifications: null, startAtLogin: true },
      { ...DESKTOP_DEFAULTS, startAtLogin: true },
    ],
  ])('%j: what is right holds, the rest is as it begins', (kept, expected) => {
    expect(readPreferences(kept)).toEqual(expected)
  })
})

test.each<[chosen: string, locale: string, language: string]>([
  ['system', 'ja-JP', 'ja'],
  ['system', 'ko', 'ko'],
  ['system', 'de-DE', 'en'],
  ['system', '', 'en'],
  ['ko', 'ja-JP', 'ko'],
])('chosen %s on a %s system: %s', (chosen, locale, language) => {
  expect(shellLanguage(chosen, locale)).toBe(language)
})

test.each<[ms: number, text: string]>([
  [0, '0:00'],
  [134_000, '2:14'],
  [-5, '0:00'],
  [3_600_000, '60:00'],
])('%i ms is %s', (ms, text) => {
  expect(clock(ms)).toBe(text)
})

test('what the core says is told in the language of the words around it', () => {
  const values = { cause: 'Docker does not run.', reason: "There is no engine 'a'. There is b." }
  expect(sayIn('en')('engine.failed', values)).toBe('Failed · Docker does not run.')
  expect(sayIn('ja')('engine.failed', values)).toBe('失敗 · Docker が動いていません。')
  expect(sayIn('ko')('notice.command-failed.body', values)).toBe("엔진 'a'이(가) 없습니다. 있는 것은 b입니다.")
  expect(sayIn('ja')('notice.engine-ready.body', { address: 'Docker does not run.' })).toContain('Docker does not run.')
})
