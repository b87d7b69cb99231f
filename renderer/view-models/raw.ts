import { CommandError } from '../../src/protocol/commands.ts'

/** The numbers of a text's lines, one below the other. */
export function numbersOf(text: string): string {
  return text
    .split('\n')
    .map((_, index) => index + 1)
    .join('\n')
}

/** Where a line begins and ends. One that is not there is the end. */
export function rangeOfLine(text: string, line: number): [start: number, end: number] {
  const lines = text.split('\n')
  if (line > lines.length) return [text.length, text.length]
  const start = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0)
  return [start, start + lines[line - 1]!.length]
}

/** Somebody else has changed the file since its text was read. */
export function isConflict(error: unknown): boolean {
  return error instanceof CommandError && error.problem.param === 'revision'
}
