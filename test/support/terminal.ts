import { runCommand } from '../../src/cli/main.ts'
import type { CliWorld } from '../../src/cli/world.ts'

type Said = { code: number; out: string; err: string }

/** What a command of `lexora` answers and prints for the Lexora of this home, in this process. */
export async function inTerminal(home: string, ...argv: string[]): Promise<Said> {
  return await inTerminalOf({ home }, ...argv)
}

/** The same where this world differs from one with a home, no terminal, no colour and nobody to ask. */
export async function inTerminalOf(
  { home, ...own }: Pick<CliWorld, 'home'> & Partial<CliWorld>,
  ...argv: string[]
): Promise<Said> {
  const said = { out: '', err: '' }
  const code = await runCommand(argv, {
    env: { LEXORA_HOME: home },
    cwd: home,
    home,
    platform: process.platform,
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
    terminal: () => null,
    colour: false,
    errColumns: () => null,
    untilStopped: () => new AbortController().signal,
    ...own,
  })
  return { code, ...said }
}
