import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** `vllm serve --help=all` of 0.32.0, as captured. Its flags are the ones that are known. */
export function helpText(): string {
  return readFileSync(fileURLToPath(new URL('../../../fixtures/vllm/help-all.txt', import.meta.url)), 'utf8')
}

/** Flags by their long name with dashes; `true` where a flag takes no value. */
export type ServeArguments = { model: string | null; flags: Map<string, string[] | true> }

type Flag = { name: string; takes: 'nothing' | 'one' | 'many'; choices: string[]; whole: boolean }

/** The command line as argparse reads it, or what it prints before it exits with 2. */
export function serveArguments(argv: string[]): ServeArguments | { usage: string } {
  const known = knownFlags(helpText())
  const found: ServeArguments = { model: null, flags: new Map() }
  const strange: string[] = []
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at]!
    if (!word.startsWith('-')) {
      if (found.model === null) found.model = word
      else strange.push(word)
      continue
    }
    const [spelled = '', inline] = split(word)
    const flag = known.get(nameOf(spelled))
    if (!flag) {
      strange.push(word)
      continue
    }
    if (flag.takes === 'nothing') {
      found.flags.set(flag.name, true)
      continue
    }
    const values = inline === undefined ? [] : [inline]
    while (inline === undefined && at + 1 < argv.length && !isFlag(argv[at + 1]!)) {
      at += 1
      values.push(argv[at]!)
      if (flag.takes === 'one') break
    }
    const wrong = wrongValue(flag, values)
    if (wrong) return { usage: `${SERVE_USAGE}vllm serve: error: argument ${flag.name}: ${wrong}\n` }
    found.flags.set(flag.name, values)
  }
  if (strange.length > 0) return { usage: `${USAGE}vllm: error: unrecognized arguments: ${strange.join(' ')}\n` }
  return found
}

export const USAGE = `usage: vllm [-h] [-v]
            {chat,complete,serve,launch,bench,collect-env,download-kernels,preload,run-batch,snapshot}
            ...
`
const SERVE_USAGE = 'usage: vllm serve [model_tag] [options]\n'

export const value = ({ flags }: ServeArguments, name: string): string | null => {
  const given = flags.get(name)
  return Array.isArray(given) ? (given[0] ?? null) : null
}
export const values = ({ flags }: ServeArguments, name: string): string[] => {
  const given = flags.get(name)
  return Array.isArray(given) ? given : []
}
export const isSet = ({ flags }: ServeArguments, name: string): boolean => flags.has(name)

function split(word: string): [string, string | undefined] {
  const at = word.indexOf('=')
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}

/** Underscores are dashes, and a JSON flag may name a key of it. */
function nameOf(spelled: string): string {
  return spelled.replace(/\..*$/, '').replace(/(?!^)_/g, '-')
}

/** A negative number is a value. */
function isFlag(word: string): boolean {
  return word.startsWith('-') && !/^-\d/.test(word)
}

function wrongValue({ takes, choices, whole }: Flag, values: string[]): string | null {
  if (values.length === 0) return takes === 'one' ? 'expected one argument' : 'expected at least one argument'
  if (choices.length > 0) {
    const strange = values.find((given) => !choices.includes(given))
    const list = choices.map((choice) => `'${choice}'`).join(', ')
    if (strange !== undefined) return `invalid choice: '${strange}' (choose from ${list})`
  }
  if (whole && !/^[+-]?\d+$/.test(values[0]!)) return `invalid int value: '${values[0]}'`
  return null
}

/** Whole numbers whose default does not tell. */
const WHOLE = new Set(['--max-num-seqs', '--num-gpu-blocks-override', '--api-server-count'])

function knownFlags(help: string): Map<string, Flag> {
  const known = new Map<string, Flag>()
  for (const entry of help.split(/\n(?= {2}-)/).slice(1)) {
    const [head = ''] = entry.split('\n')
    const spellings = [...head.trim().matchAll(/(?:^|, )(-{1,2}[\w-]+)(?: (?!-)((?:\{[^}]*\}|[^,{])*))?/g)]
    const long = spellings.find(([, spelled]) => spelled?.startsWith('--'))?.[1]
    if (!long) continue
    const takesOf = (metavar = '') => (metavar === '' ? 'nothing' : metavar.includes('...') ? 'many' : 'one')
    for (const [, spelled = '', metavar] of spellings) {
      const takes = takesOf(metavar?.trim())
      const choices = /\{([^}]*)\}/.exec(metavar ?? '')?.[1]?.split(',') ?? []
      const whole = takes === 'one' && choices.length === 0 && (WHOLE.has(long) || /\(default:\s+\d+\)/.test(entry))
      const name = spelled.startsWith('--') ? spelled : long
      known.set(spelled, { name: takes === 'nothing' ? name : long, takes, choices, whole })
    }
  }
  return known
}

/** 32k is 32000, 32K is 32768; null for `auto`, -1 and what is no length. */
export function readableLength(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(text)
  if (!found) return null
  const units: Record<string, number> = { '': 1, k: 1000, K: 1024, m: 1_000_000, M: 1_048_576 }
  return Math.floor(Number(found[1]) * units[found[2]!]!)
}
