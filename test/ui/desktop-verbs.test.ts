import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DESKTOP_VERBS } from '../../src/protocol/desktop.ts'

const RENDERER = join(import.meta.dirname, '..', '..', 'renderer')

test('the window asks for everything that the desktop app does for it', () => {
  const text = readdirSync(RENDERER, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(join(RENDERER, name), 'utf8'))
    .join('\n')
  expect(DESKTOP_VERBS.filter((verb) => !text.includes(`.do('${verb}')`))).toEqual([])
})
