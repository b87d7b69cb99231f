import { runCommand } from '../../src/cli/main.ts'

/** What a command of `lexora` answers and prints for the Lexora of this home, in this process. */
export async function inTerminal(home: string, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
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
  })
  return { code, ...said }
}
