import { isSecretPlace } from '../config/secrets.ts'
import { Redactor } from '../telemetry/redact.ts'
import type { CommandFacts, EngineCommand } from './engine-command.ts'
import type { EngineConfig } from './launch.ts'

const MASK = '***'
const CREDENTIALS = /:\/\/[^\s/:@]+:[^\s/@]+@/g

type Known = Pick<CommandFacts, 'key' | 'marker' | 'runDir' | 'env'>

/**
 * A command as people read it and a shell takes it: what is added to the environment, the program, then one option a
 * line. It may be shown: secrets are masked. What each run has of its own (its key, its mark, its folder) is the same in all.
 */
export function commandLines(
  { argv, env }: Pick<EngineCommand, 'argv' | 'env'>,
  config: EngineConfig,
  known: Known,
): string[] {
  const redactor = new Redactor()
  redactor.add(known.key)
  const clean = (text: string): string =>
    redactor.redact(text.replaceAll(known.marker, 'RUN').replaceAll(CREDENTIALS, `://${MASK}@`))
  const lines = Object.entries(env).flatMap(([name, value]) => {
    const isOwn = Object.hasOwn(config.env, name)
    if (!isOwn && (known.env[name] === value || value.includes(known.runDir) || name === 'WSLENV')) return []
    return [`${name}=${isOwn || isSecretPlace(undefined, name) ? MASK : quoted(clean(value))}`]
  })
  return [...lines, ...grouped(argv).map((group) => masked(group).map(clean).map(quoted).join(' '))]
}

/** The program with its first words, then each long option with what follows it. */
function grouped(argv: readonly string[]): string[][] {
  const groups: string[][] = []
  for (const word of argv) {
    if (groups.length === 0 || word.startsWith('--')) groups.push([word])
    else groups.at(-1)!.push(word)
  }
  return groups
}

function masked(group: readonly string[]): string[] {
  const [, name, value] = /^--?([^=]+)(=.*)?$/s.exec(group[0]!) ?? []
  if (name === undefined || !isSecretPlace(undefined, name)) return [...group]
  return value === undefined ? [group[0]!, ...group.slice(1).map(() => MASK)] : [`--${name}=${MASK}`]
}

function quoted(word: string): string {
  return /^[\w@%+=:,./*-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
