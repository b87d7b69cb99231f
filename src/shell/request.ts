import { type Arguments, parseArguments, type RunOptions } from '../app/args.ts'

/** What a start of the app asks of the one that runs, or of itself. */
export type ShellRequest = {
  /** A screen of the window, as its address says it: `/models`. */
  screen: string | null
  /** An engine by name; an empty name: the only one. */
  start: string | null
  stop: string | null
  /** The engine that serves this model. */
  model: string | null
  /** Without a window. */
  hidden: boolean
}

export type ShellArguments =
  | { ok: true; request: ShellRequest; run: RunOptions; unknown: string[] }
  | { ok: false; message: string }

/** Options of the core, with whether they take a value. */
const CORE = new Set(['config', 'host', 'port', 'engine', 'log-format'])

/** Screens that a link may open; what follows is theirs. */
const SCREENS = ['dashboard', 'models', 'users', 'requests', 'settings', 'first-run', 'diagnostics']

const MOST_LINK = 200

/**
 * The command line of the desktop app (without program and folder) → what it asks for. Chromium has switches of its own
 * by the hundred, so that an unknown one is told, not refused.
 */
export function shellArguments(argv: readonly string[]): ShellArguments {
  const request: ShellRequest = { screen: null, start: null, stop: null, model: null, hidden: false }
  const core: string[] = []
  const unknown: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word.startsWith('lexora:')) {
      request.screen = linkedScreen(word) ?? request.screen
      continue
    }
    if (!word.startsWith('--')) continue
    const [name = '', value] = splitOption(word)
    if (CORE.has(name)) {
      core.push(word)
      if (value === undefined && argv[i + 1] !== undefined && !argv[i + 1]!.startsWith('--')) core.push(argv[++i]!)
    } else if (name === 'hidden') request.hidden = true
    else if (name === 'start' || name === 'stop') request[name] = value ?? ''
    else if (name === 'model') {
      const model = value ?? argv[++i]
      if (model === undefined || model === '' || model.startsWith('--'))
        return { ok: false, message: '--model needs the name of a model.' }
      request.model = model
    } else if (name !== 'no-ui') unknown.push(word)
  }
  const asked: Arguments = parseArguments(core)
  if (asked.do === 'usage-error') return { ok: false, message: asked.message }
  if (asked.do !== 'run') return { ok: false, message: 'Nothing to run.' }
  return { ok: true, request, run: asked.options, unknown }
}

/**
 * Any page of the web may hold such a link, so that it opens a screen and never does anything. Null: not one of ours.
 * `lexora://models`, `lexora://requests/history`.
 */
export function linkedScreen(link: string): string | null {
  if (link.length > MOST_LINK || !URL.canParse(link)) return null
  const { protocol, host, pathname } = new URL(link)
  if (protocol !== 'lexora:') return null
  const steps = [host, ...pathname.split('/')].filter((step) => step !== '')
  const [screen = 'dashboard', ...path] = steps
  if (!SCREENS.includes(screen) || path.some((step) => !/^[\w.-]{1,64}$/.test(step))) return null
  return `/${[screen, ...path].join('/')}`
}

/** What a Lexora that runs already was not told, since it is read at its start alone. */
export function unappliedOptions({ configPath, flags, engine }: RunOptions): string[] {
  const given: [name: string, value: unknown][] = [
    ['--config', configPath],
    ['--host', flags['server.host']],
    ['--port', flags['server.port']],
    ['--log-format', flags['logging.format']],
    ['--engine', engine ?? undefined],
  ]
  return given.flatMap(([name, value]) => (value === undefined ? [] : [name]))
}

/**
 * Whether an installed app is asked for something that needs no window; on Linux a script before it has seen to that.
 * `argv` as the app has it, without the program.
 */
export function isHeadless(argv: readonly string[]): boolean {
  if (argv.some((word) => ['--no-ui', '--help', '-h', '--version', '-v'].includes(word))) return true
  const [first] = argv
  return first !== undefined && /^[a-z][a-z-]*$/.test(first)
}

/** What a restart is started with: the options of before, without what they asked for once. */
export function restartArguments(argv: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    const [name = '', value] = splitOption(word)
    if (!word.startsWith('--') || ['hidden', 'start', 'stop'].includes(name)) continue
    const takesNext = value === undefined && (CORE.has(name) || name === 'model') && argv[i + 1] !== undefined
    const words = takesNext ? [word, argv[++i]!] : [word]
    if (name !== 'model') kept.push(...words)
  }
  return kept
}

function splitOption(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf('=')
  return at < 0 ? [word.slice(2), undefined] : [word.slice(2, at), word.slice(at + 1)]
}
