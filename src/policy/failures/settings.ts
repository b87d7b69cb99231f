import { nearestNames } from '../../protocol/nearest-name.ts'
import { say } from '../../protocol/sentence.ts'
import { keyOf, type Rule, says, without } from './rule.ts'

/** What the command line and the environment say: reference/vllm.md 3.3 and 3.5. */
export const SETTING_RULES: readonly Rule[] = [
  {
    class: 'bad_args',
    match: /error: unrecognized arguments: (.+)/,
    explain: ([, words = ''], { settings }) => {
      const flag = words.split(' ').find((word) => word.startsWith('-'))
      if (!flag)
        return {
          cause: say`The command line holds words that mean nothing to it: ${words}.`,
          fix: say('Remove them from `args`.'),
        }
      return { cause: say`This version of the engine does not know ${words}.`, ...without(flag, settings) }
    },
  },
  {
    class: 'bad_args',
    match:
      /error: argument (-[\w-]+)(?:\/\S+)?: (invalid choice: '?(.*?)'? \(choose from (.+?)\)|expected .*|invalid .*)/,
    explain: ([, flag = '', what, asked = '', choices = '']) => {
      const names = [...choices.matchAll(/[\w.-]+/g)].map(([name]) => name)
      const key = keyOf(flag)
      const fix = names.length > 0 ? oneOf(key, asked, names) : say`Correct ${key} in \`args\`.`
      return { cause: say`${flag} does not take what it was given: ${wordsOf(what)}.`, fix }
    },
  },
  {
    class: 'bad_args',
    match: /ambiguous option: (--[\w-]+)/,
    explain: ([, flag = '']) => ({
      cause: say`${flag} may be one of several options.`,
      fix: say('Write it out in `args`.'),
    }),
  },
  {
    class: 'bad_args',
    match: /`model` should be provided as the first positional argument/,
    explain: says(say('It was not told which model to serve.'), say('Set `model`.')),
  },
  {
    class: 'bad_args',
    match: /--enable-auto-tool-choice requires --tool-call-parser/,
    explain: says(
      say('enable-auto-tool-choice needs a tool-call-parser.'),
      say("Set tool-call-parser to that of the model's family, or remove enable-auto-tool-choice."),
    ),
  },
  {
    class: 'bad_args',
    match:
      /invalid (tool call|reasoning) parser: (\S+) \(chose from \{ ?(.+?) ?\}\)|Reasoning parser '(\S+)' not found\. Available parsers: (.+?)(?:"|$)/m,
    explain: ([, kind, asked, names, reasoning, others]) => {
      const key = kind === 'tool call' ? 'tool-call-parser' : 'reasoning-parser'
      const name = asked ?? reasoning ?? ''
      const known = (names ?? others ?? '').split(',').map((one) => one.trim())
      return { cause: say`This version has no ${key} named ${name}.`, fix: oneOf(key, name, known) }
    },
  },
  {
    class: 'bad_args',
    match: /Sleep mode is not supported on current platform/,
    explain: says(
      say('vLLM can sleep only on CUDA and ROCm under Linux.'),
      say('Remove enable-sleep-mode, and set `sleep` to off.'),
      { 'args.enable-sleep-mode': null },
    ),
  },
  {
    class: 'parallel',
    match: /Total number of attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)/,
    explain: ([, heads, asked]) => {
      const size = divisorBelow(Number(heads), Number(asked))
      return {
        cause: say`The model's ${heads} attention heads cannot be shared by ${asked} GPUs.`,
        fix: say`Set tensor-parallel-size to ${size}.`,
        change: { 'args.tensor-parallel-size': size },
      }
    },
  },
  {
    class: 'parallel',
    match: /World size \((\d+)\) is larger than the number of available GPUs \((\d+)\)/,
    explain: ([, asked, has]) => {
      const cause = say`${asked} GPUs were asked for, and there are ${has}.`
      return Number(has) === 1
        ? { cause, fix: say('Set tensor-parallel-size to 1.'), change: { 'args.tensor-parallel-size': 1 } }
        : { cause, fix: say`Set tensor-parallel-size so that no more than ${has} are used.` }
    },
  },
  {
    class: 'parallel',
    whileServing: true,
    match: /NCCL error|ncclUnhandledCudaError|ncclSystemError/,
    explain: says(
      say('The GPUs could not talk to each other (NCCL).'),
      say('Set NCCL_P2P_DISABLE to 1 in `env`; in a container use `--ipc=host`.'),
      { 'env.NCCL_P2P_DISABLE': '1' },
    ),
  },
  {
    class: 'bad_env',
    match: /Unknown vLLM environment variable detected: (\w+)/,
    explain: ([, name = '']) => ({
      cause: say`This vLLM does not know the environment variable ${name}.`,
      fix: say`Remove ${name} from \`env\`.`,
      change: { [`env.${name}`]: null },
    }),
  },
  {
    class: 'bad_env',
    match: /ValueError: invalid literal for int\(\) with base 10: '(.*)'/,
    explain: ([, text = ''], { log }) => {
      // The traceback shows the line that reads it.
      const name = log.map((line) => /"(VLLM_\w+)": lambda/.exec(line)?.[1]).find((found) => found !== undefined)
      const which = name ?? say('An environment variable of vLLM')
      const number = /^(true|yes|on)$/i.test(text) ? '1' : /^(false|no|off)$/i.test(text) ? '0' : null
      return {
        cause: say`${which} wants a number, and was given ${text || say('nothing')}.`,
        fix: number ? say`Set ${name ?? say('it')} to ${number} in \`env\`.` : say('Correct it in `env`.'),
        change: name && number ? { [`env.${name}`]: number } : null,
      }
    },
  },
]

/** The nearest name may not be the one that was meant, so it is said and no button sets it. */
function oneOf(key: string, asked: string, names: readonly string[]): string {
  const nearest = nearestNames(asked, names)[0]
  const others = names.filter((name) => name !== nearest)
  return nearest
    ? say`Set ${key} to ${nearest}, or to one of ${listed(others)}.`
    : say`Set ${key} to one of ${listed(names)}.`
}

/** Without the list of choices: it is in the fix. */
function wordsOf(what = ''): string {
  return what.replace(/ \(choose from .*$/, '')
}

function listed(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ')
}

function divisorBelow(heads: number, asked: number): number {
  for (let size = asked - 1; size > 1; size -= 1) if (heads % size === 0) return size
  return 1
}
