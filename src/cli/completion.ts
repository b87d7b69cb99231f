import { EXIT } from '../app/exit-codes.ts'
import { type CommandRow, optionNames } from '../protocol/command-row.ts'
import { COMMANDS } from '../protocol/commands.ts'

/** A word of the command line with what may follow it. */
type Node = { below: Map<string, Node>; options: Set<string> }

const START = ['--no-ui', '--config', '--host', '--port', '--engine', '--log-format', '--help', '--version']
const COMMON = ['--json', '--host', '--key', '--help']
/** What stands in no table. */
const OWN: readonly (readonly [words: string, options: readonly string[]])[] = [
  ['config get', ['--config', '--json', '--host', '--key']],
  ['config set', ['--config', '--json', '--host', '--key', '--remove']],
  ['config explain', ['--config', '--json']],
  ['config validate', ['--config', '--json']],
  ['config text', ['--config', '--json', '--host', '--key']],
  ['config write', ['--config', '--json', '--host', '--key', '--revision']],
  ['config undo', ['--json', '--host', '--key']],
  ['config path', ['--config', '--json']],
  ['service install', ['--user', '--system', '--run-as', '--config', '--wants', '--print', '--json']],
  ['service uninstall', ['--user', '--system', '--json']],
  ['service status', ['--user', '--system', '--json']],
  ['lan check', ['--key', '--json']],
  ['setup', ['--model', '--install', '--autostart', '--json']],
  ['completion bash', []],
  ['completion zsh', []],
  ['completion fish', []],
]

/** `lexora completion SHELL`: prints what the shell is to be told. */
export function runCompletion(
  argv: readonly string[],
  io: { out: (text: string) => void; err: (text: string) => void },
): number {
  const [shell, ...rest] = argv
  const make = rest.length > 0 || shell === undefined ? undefined : SHELLS[shell]
  if (make === undefined) {
    io.err('usage: lexora completion bash | zsh | fish\n')
    return EXIT.usage
  }
  io.out(make())
  return EXIT.ok
}

const SHELLS: Record<string, () => string> = {
  bash,
  zsh: () => `#compdef lexora\nautoload -U +X bashcompinit && bashcompinit\n${bash()}`,
  fish,
}

/** All words that may stand, with what may follow each: `''` for the beginning, `engine` for `engine install`. */
export function completionTable(): Map<string, string[]> {
  const root: Node = { below: new Map(), options: new Set(START) }
  for (const row of Object.values(COMMANDS) as CommandRow[]) {
    if (row.ownWords) continue
    const own = optionNames(row).map((name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
    add(root, row.cli, [...own, ...(row.terminal ?? []).map((name) => `--${name}`), ...COMMON])
  }
  for (const [words, options] of OWN) add(root, words.split(' '), options)
  const table = new Map<string, string[]>()
  const walk = (node: Node, words: string[]): void => {
    table.set(words.join(' '), [...node.below.keys(), ...node.options])
    for (const [word, below] of node.below) walk(below, [...words, word])
  }
  walk(root, [])
  return table
}

function add(root: Node, words: readonly string[], options: readonly string[]): void {
  let node = root
  for (const word of words) {
    let next = node.below.get(word)
    if (next === undefined) {
      next = { below: new Map(), options: new Set() }
      node.below.set(word, next)
    }
    node = next
  }
  for (const option of options) node.options.add(option)
}

function bash(): string {
  const cases = [...completionTable()].map(([words, next]) => `    '${words}') next='${next.join(' ')}' ;;`)
  return `# lexora: completion for bash. Put it into force with:  source <(lexora completion bash)
_lexora() {
  local word="\${COMP_WORDS[COMP_CWORD]}" said='' next='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in -*) continue ;; esac
    case "\${said:+$said }\${COMP_WORDS[i]}" in
${[...completionTable().keys()]
  .filter((words) => words !== '')
  .map((words) => `      '${words}') said='${words}' ;;`)
  .join('\n')}
    esac
  done
  case "$said" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$next" -- "$word"))
}
complete -o default -F _lexora lexora
`
}

function fish(): string {
  const lines = [...completionTable()].flatMap(([words, next]) => {
    const seen = words === '' ? '__fish_use_subcommand' : `__lexora_said ${words}`
    return next.map((word) =>
      word.startsWith('--')
        ? `complete -c lexora -n '${seen}' -l ${word.slice(2)}`
        : `complete -c lexora -n '${seen}' -f -a ${word}`,
    )
  })
  return `# lexora: completion for fish. Put it into force with:  lexora completion fish | source
function __lexora_said
    set -l words (string match -v -- '-*' (commandline -opc))
    set -e words[1]
    test (count $words) -ge (count $argv); and test "$words[1..(count $argv)]" = "$argv"
end
${lines.join('\n')}
`
}
