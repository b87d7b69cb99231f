/** What a browser has to fetch. Needs the build, which `npm test` makes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'

const DIR = join(import.meta.dirname, '..', '..', 'dist', 'ui')
const MOST_BYTES = 350_000

describe('the built window', () => {
  const files = readdirSync(DIR, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

  test('is at most 350 kB, zipped, with all its fonts and all its languages', () => {
    const bytes = files.map((file) => gzipSync(readFileSync(join(file.parentPath, file.name))).length)
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES)
  })

  test('keeps each other language in a file of its own, which its page does not ask for', () => {
    const page = readFileSync(join(DIR, 'index.html'), 'utf8')
    const languages = files.map(({ name }) => name).filter((name) => /^(ja|ko)-/.test(name))
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
