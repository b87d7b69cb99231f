/** What travels between the window and main, and what the window may still do by keys. */
import { describe, expect, test } from 'vitest'
import { DESKTOP_DEFAULTS, type DesktopView } from '../../src/protocol/desktop.ts'
import { mayLeadTo } from '../../src/protocol/outward.ts'
import { changedShape, viewShape } from '../../src/shell/channels.ts'
import { macMenu } from '../../src/shell/mac-menu.ts'
import { SHELL_LANGUAGES, sayIn } from '../../src/shell/words.ts'
import { ZOOM_LEAST, ZOOM_MOST, zoomBy } from '../../src/shell/zoom.ts'

const VIEW: DesktopView = {
  preferences: DESKTOP_DEFAULTS,
  updates: { is: 'ready', version: '9.9.9', asked: false },
  autostart: { is: 'can' },
  sandboxed: true,
  hasTray: true,
  attachedTo: { pid: 4711, address: 'http://127.0.0.1:8001' },
  versions: { lexora: '0.1.0', electron: '45.0.0', chrome: '154', node: '24.21.0' },
}

describe('what main tells of the desktop', () => {
  test.each<[what: string, view: DesktopView]>([
    ['as it is', VIEW],
    ['hosting', { ...VIEW, attachedTo: null }],
    ['with updates off', { ...VIEW, updates: { is: 'off', why: 'no-feed' } }],
    ['with a refused update', { ...VIEW, updates: { is: 'refused', why: 'signature' } }],
    ['where it cannot begin at login', { ...VIEW, autostart: { is: 'cannot', reason: 'Snap.' } }],
  ])('%s passes', (_, view) => {
    expect(viewShape.parse(view)).toEqual(view)
    expect(changedShape.parse({ ok: true, view })).toEqual({ ok: true, view })
  })

  test.each<[what: string, told: unknown]>([
    ['nothing', undefined],
    ['an unknown state of updates', { ...VIEW, updates: { is: 'done' } }],
    ['more than it should', { ...VIEW, secret: 1 }],
    ['a preference of another kind', { ...VIEW, preferences: { ...DESKTOP_DEFAULTS, language: 'xx' } }],
  ])('%s does not', (_, told) => {
    expect(viewShape.safeParse(told).success).toBe(false)
    expect(changedShape.safeParse({ ok: true, view: told }).success).toBe(false)
  })

  test('a refusal is its words alone', () => {
    expect(changedShape.parse({ ok: false, message: 'language: no' })).toEqual({ ok: false, message: 'language: no' })
    expect(changedShape.safeParse({ ok: false }).success).toBe(false)
  })
})

test.each(SHELL_LANGUAGES)('the menu of a Mac is said in %s, and has no tools in it', (language) => {
  const items = macMenu(sayIn(language)).flatMap(({ submenu }) => submenu as { role?: string; label?: string }[])
  const roles = items.flatMap(({ role }) => (role === undefined ? [] : [role]))
  expect(roles).toEqual(['hide', 'quit', 'undo', 'redo', 'cut', 'copy', 'paste', 'selectAll', 'minimize', 'close'])
  expect(items.every(({ role, label }) => role === undefined || (label ?? '') !== '')).toBe(true)
})

describe('the size of the page', () => {
  const press = (key: string, more = {}) => ({ type: 'keyDown', key, control: true, meta: false, alt: false, ...more })

  test.each<[key: string, level: number, next: number | null]>([
    ['+', 0, 0.5],
    ['=', 1, 1.5],
    ['-', 0, -0.5],
    ['0', 3, 0],
    ['+', ZOOM_MOST, ZOOM_MOST],
    ['-', ZOOM_LEAST, ZOOM_LEAST],
    ['r', 0, null],
  ])('Ctrl %s at %d', (key, level, next) => {
    expect(zoomBy(press(key), level)).toBe(next)
  })

  test.each([{ control: false }, { alt: true }, { type: 'keyUp' }])('is left alone with %j', (more) => {
    expect(zoomBy(press('+', more), 0)).toBeNull()
  })
})

test.each<[address: string, may: boolean]>([
  ['https://huggingface.co/meta-llama/Llama-3.1-8B', true],
  ['https://docs.astral.sh/uv/', true],
  ['http://huggingface.co/x', false],
  ['https://huggingface.co.evil.example/x', false],
  ['https://huggingface.co@evil.example/x', false],
  ['https://user@huggingface.co/x', false],
  ['https://huggingface.co:8443/x', false],
  ['https://example.com', false],
  ['file:///etc/passwd', false],
  ['javascript:alert(1)', false],
  ['lexora://open', false],
  ['', false],
])('a link to %j is opened in the browser: %j', (address, may) => {
  expect(mayLeadTo(address)).toBe(may)
})
