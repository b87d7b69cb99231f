/** What a browser has to fetch. Needs the build, which `npm test` makes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { CommandRow } from '../../src/protocol/command-row.ts'
import { COMMANDS } from '../../src/protocol/commands.ts'

const DIR = join(import.meta.dirname, '..', '..', 'dist', 'ui')
const MOST_BYTES = 350_000
/** English is always there; a window fetches one of these beside it at the most. */
const OTHER_LANGUAGE = /^(ja|ko)-/

describe('the built window', () => {
  const files = readdirSync(DIR, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

  test('is at most 350 kB, zipped, with all its fonts, screens and the longest of its languages', () => {
    const sizes = files.map(({ parentPath, name }) => ({
      isLanguage: OTHER_LANGUAGE.test(name),
      bytes: gzipSync(readFileSync(join(parentPath, name))).length,
    }))
    const languages = sizes.filter(({ isLanguage }) => isLanguage).map(({ bytes }) => bytes)
    const rest = sizes.filter(({ isLanguage }) => !isLanguage).reduce((sum, { bytes }) => sum + bytes, 0)
    expect(rest + Math.max(...languages)).toBeLessThan(MOST_BYTES)
  })

  test('carries of each command how to call it, and nothing that terminals say or servers check', () => {
    const scripts = files.filter(({ name }) => name.endsWith('.js'))
    const text = scripts.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')).join('\n')
    const rows = Object.values<CommandRow>(COMMANDS)
    expect(rows.flatMap(({ path }) => (text.includes(path) ? [] : [path]))).toEqual([])
    expect(rows.flatMap(({ about }) => (text.includes(about) ? [about] : []))).toEqual([])
    expect(/\bcli:\[|is not a request id/.exec(text)).toBeNull()
  })

  test('keeps each other language in a file of its own, which its page does not ask for', () => {
    const page = readFileSync(join(DIR, 'index.html'), 'utf8')
    const languages = files.map(({ name }) => name).filter((name) => OTHER_LANGUAGE.test(name))
    expect(languages).toHaveLength(2)
    expect(languages.filter((name) => page.includes(name))).toEqual([])
  })

  test('asks nothing of other origins, and its page holds no script of its own', () => {
    const page = readFileSync(join(DIR, 'index.html'), 'utf8')
    expect(page).not.toMatch(/https?:\/\//)
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)/)
    const styles = files.filter(({ name }) => name.endsWith('.css'))
    for (const { parentPath, name } of styles)
      expect(readFileSync(join(parentPath, name), 'utf8')).not.toMatch(/url\(["']?https?:/)
  })
})
