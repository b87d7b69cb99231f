import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { OWN_WORDS } from '../../src/cli/arguments.ts'
import { completionTable, runCompletion } from '../../src/cli/completion.ts'
import type { CommandRow } from '../../src/protocol/command-row.ts'
import { COMMANDS } from '../../src/protocol/commands.ts'

function script(shell: string): string {
  const told: string[] = []
  expect(runCompletion([shell], { out: (text) => told.push(text), err: () => {} })).toBe(0)
  return told.join('')
}

/** What bash offers after these words. */
function offered(...words: string[]): string[] {
  const line = ['lexora', ...words]
  const quoted = line.map((word) => `'${word}'`).join(' ')
  const ask = `${script('bash')}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${line.length - 1}; _lexora; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.split('\n').filter(Boolean)
}

test('every command of the table is in it', () => {
  const table = completionTable()
  const rows = (Object.values(COMMANDS) as CommandRow[]).filter(({ ownWords }) => !ownWords)
  for (const { cli } of rows) expect([...table.keys()]).toContain(cli.join(' '))
  expect(table.get('')).toEqual(expect.arrayContaining([...OWN_WORDS, 'status', '--no-ui']))
})

describe('bash', () => {
  test('offers commands, then what belongs to each, then options', () => {
    expect(offered('re')).toEqual(expect.arrayContaining(['reload', 'resume', 'requests', 'restart']))
    expect(offered('requests', 'can')).toEqual(['cancel'])
    expect(offered('config', '--json', 'se')).toEqual(['set'])
    expect(offered('start', 'main', '--w')).toEqual(['--wait'])
  })
})

test.each(['zsh', 'fish'])('%s gets a script of its own', (shell) => {
  expect(script(shell)).toContain('reload')
})

test('another shell is refused', () => {
  const told: string[] = []
  expect(runCompletion(['tcsh'], { out: () => {}, err: (text) => told.push(text) })).toBe(2)
  expect(told.join('')).toContain('bash | zsh | fish')
})
