import { parseArgs } from 'node:util'
import { type AdminTarget, adminClient } from '../app/admin-client.ts'
import { EXIT } from '../app/exit-codes.ts'
import type { AppCommands } from '../protocol/commands.ts'
import type { DoctorReport } from '../protocol/doctor.ts'
import type { EngineView } from '../protocol/engine.ts'
import type { BenchReport, ModelView, PresetView, PullView } from '../protocol/models.ts'
import { newEngine } from '../protocol/new-engine.ts'
import type { AppSnapshot, GpuReport } from '../protocol/snapshot.ts'
import { exitOfWait, followEngine } from './engine-wait.ts'
import { findServer } from './find-server.ts'
import { followInstall, followPull } from './follow-job.ts'
import { bytes, type Column, plain, table } from './format.ts'
import { PRINTERS } from './printers.ts'
import { painter } from './screen.ts'
import type { Look } from './status-view.ts'
import type { CliWorld } from './world.ts'

const USAGE = 'usage: lexora setup  [--model NAME] [--install] [--autostart] [--json]'
const STEPS = 6
/** Whether more of them fit is told when one is chosen. */
const MOST_FITS = 10
const WIDTH = 120

const OPTIONS = {
  model: { type: 'string' },
  install: { type: 'boolean', default: false },
  autostart: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

type Given = { model?: string | undefined; install: boolean; autostart: boolean; json: boolean }

/** What `--json` prints at the end. Null: that step was left out. */
type SetupReport = {
  address: string
  checks: DoctorReport['checks']
  model: string | null
  engine: string | null
  bench: BenchReport | null
}

/** A step that could not be done; those after it make no sense. */
class Stopped extends Error {
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/**
 * `lexora setup`: from nothing to a first answer, step by step, as the first run of the window. Asks at a terminal; else,
 * and with `--json`, does what the options say and asks nothing. Begun again it goes on where it was, since what is
 * there is found. Answers the exit code; rejects as commands do.
 */
export async function runSetup(argv: readonly string[], world: CliWorld): Promise<number> {
  const given = parse(argv)
  if (typeof given === 'string') {
    world.err(`lexora setup: ${given}\n${USAGE}\n`)
    return EXIT.usage
  }
  const found = await findServer({ host: null, key: null }, world)
  if (!found.ok) {
    const hint = found.why === 'not-running' ? ' Start it first: lexora' : ''
    world.err(`${found.message}${hint}\n`)
    return found.why === 'refused' ? EXIT.auth : EXIT.notRunning
  }
  try {
    return await new Setup(given, found.target, world).run()
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    world.err(`lexora: ${error.message}\n`)
    return error.code
  }
}

function parse(argv: readonly string[]): Given | string {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values
  } catch (error) {
    return (error as Error).message
  }
}

type Choice = { model: ModelView } | { preset: PresetView }

class Setup {
  private readonly given: Given
  private readonly target: AdminTarget
  private readonly commands: AppCommands
  private readonly world: CliWorld
  private readonly look: Look
  private step = 0

  constructor(given: Given, target: AdminTarget, world: CliWorld) {
    this.given = given
    this.target = target
    this.commands = adminClient(target)
    this.world = world
    this.look = { width: world.terminal()?.columns ?? WIDTH, paint: painter(world.colour) }
  }

  async run(): Promise<number> {
    const { checks } = await this.machine()
    await this.vllm()
    const model = await this.model()
    const engine = model === null ? this.leaveOut('Start it', 'No model was chosen.') : await this.start(model)
    const bench = await this.request(engine)
    await this.choices(engine)
    const { server } = await this.commands.snapshot()
    const report: SetupReport = {
      address: server.address,
      checks,
      model: model?.id ?? null,
      engine: engine?.name ?? null,
      bench,
    }
    if (this.given.json) this.world.out(`${JSON.stringify(report, null, 2)}\n`)
    return bench !== null && bench.ttftMs === null ? EXIT.failure : EXIT.ok
  }

  private async machine(): Promise<DoctorReport> {
    this.head('This machine')
    const [report, { gpu }] = await Promise.all([this.commands.doctor(), this.commands.snapshot()])
    this.say(...PRINTERS.gpu({ gpu, holders: null }, this.look), '', ...PRINTERS.doctor(report, this.look))
    return report
  }

  private async vllm(): Promise<void> {
    this.head('vLLM')
    const { versions, folder, onPath } = await this.commands.engineVersions()
    const { backends } = await this.commands.snapshot()
    const servers = backends.filter(({ host, status }) => host !== null && status === 'up')
    this.say(
      ...versions.map(({ version, path }) => `vLLM ${plain(version)}, installed by Lexora (${plain(path)})`),
      ...(onPath === null ? [] : [`vLLM on PATH: ${plain(onPath)}`]),
      ...servers.map(({ name, host }) => `A server that answers already: ${plain(name)} (${plain(host ?? '')})`),
    )
    if (!this.given.install && (versions.length > 0 || onPath !== null)) return
    const question = `Install vLLM now, into ${plain(folder)} (it takes up to 10 GB)`
    if (!this.given.install && !(await this.agrees(question))) return this.say('Later: lexora engine install')
    const end = await followInstall(this.commands, await this.commands.installEngine({}), this.watcher())
    this.say(...PRINTERS.installEngine(end, this.look))
    if (end.phase !== 'done') throw new Stopped('Without vLLM the next steps would fail.', EXIT.failure)
  }

  /** One that lies here, whole; null: none is wanted now. */
  private async model(): Promise<ModelView | null> {
    this.head('A model')
    const [{ models, disk }, { presets }, { gpu }] = await Promise.all([
      this.commands.listModels(),
      this.commands.presets(),
      this.commands.snapshot(),
    ])
    const memory = memoryOf(gpu)
    const choices: Choice[] = [
      ...models.filter(({ complete }) => complete).map((model) => ({ model })),
      ...presets
        .filter(({ installed, minVramBytes }) => !installed && (memory === null || minVramBytes <= memory))
        .map((preset) => ({ preset })),
    ]
    if (this.given.model === undefined) await this.listChoices(choices)
    if (disk !== null) this.say(`${bytes(disk.freeBytes)} are free on the disk of ${plain(disk.folder)}.`)
    const wanted = this.given.model ?? (await this.answer('A number, a name as OWNER/NAME, or Enter for none: '))
    if (wanted === '') return null
    const chosen = choices[Number(wanted) - 1]
    if (chosen === undefined && /^\d+$/.test(wanted))
      throw new Stopped(`There is no number ${wanted} in the list.`, EXIT.usage)
    if (chosen !== undefined && 'model' in chosen) return chosen.model
    const name = chosen === undefined ? wanted : chosen.preset.repo
    return models.find(({ id, complete }) => complete && id === name) ?? (await this.fetch(name))
  }

  private async listChoices(choices: readonly Choice[]): Promise<void> {
    const columns: Column[] = [
      { title: '', align: 'right' },
      { title: 'MODEL' },
      { title: 'SIZE', align: 'right' },
      { title: '' },
      { title: 'GPU' },
    ]
    const rows: string[][] = []
    for (const [i, choice] of choices.entries()) {
      const number = String(i + 1)
      if ('model' in choice) {
        const { id, bytes: size } = choice.model
        rows.push([number, plain(id), bytes(size), 'here', i < MOST_FITS ? await this.fit(id) : ''])
      } else {
        const { repo, bytes: size, minVramBytes } = choice.preset
        rows.push([number, plain(repo), bytes(size), 'to fetch', `from ${bytes(minVramBytes)}`])
      }
    }
    this.say(...(rows.length === 0 ? ['None is here, and none is proposed.'] : table(columns, rows, this.look.width)))
  }

  private async fit(model: string): Promise<string> {
    const report = await this.commands.fitModel({ model }).catch(() => null)
    if (report === null) return ''
    return report.fits ? 'fits' : `needs ${bytes(report.neededBytes)}`
  }

  private async fetch(name: string): Promise<ModelView> {
    const pulled = await followPull(this.commands, await this.commands.pullModel({ repo: name }), this.watcher())
    this.say(...PRINTERS.pullModel(pulled, this.look))
    if (pulled.state !== 'done') throw new Stopped(problemOf(pulled), EXIT.failure)
    const { models } = await this.commands.scanModels()
    const isIt = ({ id, complete }: ModelView): boolean =>
      complete && (id === pulled.repo || id.startsWith(`${pulled.repo}:`))
    const found = models.find(isIt)
    if (found === undefined) throw new Stopped(`${plain(name)} is here, but no engine can read it.`, EXIT.badModel)
    return found
  }

  private async start(model: ModelView): Promise<EngineView> {
    this.head('Start it')
    const [{ engines }, { presets }] = await Promise.all([this.commands.snapshot(), this.commands.presets()])
    const own = engines.find(({ name }) => model.usedBy.includes(name))?.name ?? null
    const preset = presets.find(({ repo }) => repo === model.id) ?? null
    const made = newEngine(
      model,
      engines.map(({ name }) => name),
      preset,
    )
    if (own === null) {
      await this.commands.setConfig({ changes: [{ path: made.path, value: made.value }] })
      this.say(`It is the engine ${made.name} now, in the configuration file.`)
    }
    const first = await this.commands.startEngine({ engine: own ?? made.name })
    const end = await followEngine(this.target, { goal: 'start', first, timeoutMs: null }, this.world, this.given.json)
    if (end.is === 'gone') throw new Stopped('Lexora went away meanwhile.', EXIT.notRunning)
    this.say(...PRINTERS.startEngine(end.view, this.look))
    const code = exitOfWait('start', end)
    if (code !== EXIT.ok) throw new Stopped(`${plain(end.view.name)} does not serve. Then: lexora setup`, code)
    return end.view
  }

  private async request(engine: EngineView | null): Promise<BenchReport | null> {
    const { models, server } = await this.commands.snapshot()
    const model = modelFor(engine, models)
    if (model === null) return this.leaveOut('A first request', 'No model is served yet.')
    this.head('A first request')
    const report = await this.commands.bench({ model, requests: 1, concurrency: 1, tokens: 32 })
    const keyless = report.error !== null && /\b401\b|key/i.test(report.error)
    this.say(answerLine(report))
    if (keyless) this.say('Callers need a key here: lexora users add NAME, lexora keys add NAME')
    const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] }).replaceAll("'", "'\\''")
    this.say(
      '',
      `From a program: base URL ${server.address}, any API key; or`,
      `  curl ${server.address}/chat/completions -H 'content-type: application/json' -d '${body}'`,
    )
    return report
  }

  private async choices(engine: EngineView | null): Promise<void> {
    this.head('From now on')
    if (engine !== null && engine.kind !== 'demo') {
      const { name } = engine
      if (this.given.autostart || (await this.agrees(`Start ${name} together with Lexora`)))
        await this.commands.setConfig({ changes: [{ path: `engines.${name}.autostart`, value: true }] })
    }
    const { network } = (await this.commands.snapshot()).server
    if (network.length > 0) this.say(`Other machines reach it at ${network.map(plain).join(', ')}.`)
    else
      this.say(
        'Only this machine can connect. For colleagues: lexora users add NAME, lexora keys add NAME, then',
        "  lexora config set server.host '[127.0.0.1, ADDRESS]'   and   lexora lan check",
      )
    this.say(
      'To have Lexora start by itself: stop it here, then lexora service install',
      'The window in a browser: lexora ui',
    )
  }

  private head(title: string): void {
    this.step++
    this.say('', this.look.paint('bold', `${this.step} of ${STEPS}  ${title}`))
  }

  private leaveOut(title: string, why: string): null {
    this.head(title)
    this.say(why)
    return null
  }

  private say(...lines: string[]): void {
    if (!this.given.json) for (const line of lines) this.world.out(`${line}\n`)
  }

  /** No where nobody can be asked. */
  private async agrees(question: string): Promise<boolean> {
    return !this.given.json && ((await this.world.ask?.(`${question}?`)) ?? false)
  }

  private async answer(question: string): Promise<string> {
    return this.given.json ? '' : ((await this.world.prompt?.(question)) ?? '').trim()
  }

  private watcher() {
    const { err, errColumns, untilStopped } = this.world
    return { err, errColumns, stopped: untilStopped(), quiet: this.given.json }
  }
}

function memoryOf(gpu: GpuReport): number | null {
  if (gpu.is !== 'read') return null
  return gpu.gpus.reduce((sum, { totalBytes }) => sum + (totalBytes ?? 0), 0)
}

/** Of what was started, else anything that serves, or starts for a request: a demo shows the way as well. */
function modelFor(engine: EngineView | null, models: AppSnapshot['models']): string | null {
  const rank = ({ state }: AppSnapshot['models'][number]): number => (state === 'ready' ? 0 : 1)
  const ready = models.filter(({ state }) => state !== 'unavailable').sort((a, b) => rank(a) - rank(b))
  const own = engine === null ? undefined : ready.find(({ backends }) => backends.includes(engine.name))
  return (own ?? ready.find(({ id }) => !/embed|rerank/i.test(id)))?.id ?? null
}

function answerLine({ model, error, ttftMs, tokensPerSecondPerStream: rate }: BenchReport): string {
  if (ttftMs === null) return `${plain(model)} did not answer: ${plain(error ?? 'no reason was given')}`
  const speed = rate === null ? '' : `, then ${rate.toFixed(1)} tokens a second`
  return `${plain(model)} answers: the first token after ${Math.round(ttftMs.p50)} ms${speed}.`
}

function problemOf({ repo, problem }: PullView): string {
  if (problem === null) return `${plain(repo)} is not here yet. Then: lexora setup`
  return `${plain(problem.cause)} ${plain(problem.fix ?? '')}`.trim()
}
