/** Holds the fault catalogue complete: every id of reliability.md 2.A to 2.G is the first word of a test's name. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const SECTIONS = { A: 14, B: 43, C: 12, D: 26, E: 22, F: 16, G: 28 }

/** Rows that cannot be shown yet, and what they wait for. */
const LATER: Record<string, string> = {}

const all = Object.entries(SECTIONS).flatMap(([section, rows]) =>
  Array.from({ length: rows }, (_, i) => `${section}${i + 1}`),
)

/** Ids at the start of a string in a test file: a test's name, or a row of a table whose names begin with `%s`. */
function idsIn(file: string): string[] {
  const source = readFileSync(new URL(file, import.meta.url), 'utf8')
  return [...source.matchAll(/['"`]([A-G]\d{1,2})(?= |['"`])/g)].map(([, id]) => id!)
}

describe('the fault catalogue', () => {
  const files = readdirSync(new URL('.', import.meta.url)).filter((name) => /^[a-g]-.*\.test\.ts$/.test(name))
  const found = new Set(files.flatMap((name) => idsIn(name)))

  test('has a test for every row, or a reason why it comes later', () => {
    expect(all.filter((id) => !found.has(id))).toEqual(Object.keys(LATER))
  })

  test('has no test for a row that does not exist', () => {
    expect([...found].filter((id) => !all.includes(id))).toEqual([])
  })

  test.each(files)('%s keeps to its own section', (file) => {
    expect(new Set(idsIn(file).map((id) => id[0]!.toLowerCase()))).toEqual(new Set([file[0]]))
  })
})
