/**
 * The tray on a real Electron 22, attached to a real headless Lexora whose engine is a process (the double of vLLM): each
 * state is come to as in life, its menu is what the tray's function makes of `/admin/snapshot`, and what a click did is
 * read there. Every state of an engine is reached; what passes too quickly to be clicked in (an engine that falls asleep
 * or wakes up, a stop that waits for its port or its memory, a start that waits for its turn) only tray.test.ts holds.
 */
import { readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server as TcpServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ENGINE_STATES, type EngineStateName, type EngineView } from '../../../src/protocol/engine.ts'
import type { AppSnapshot } from '../../../src/protocol/snapshot.ts'
import { type TrayView, trayView } from '../../../src/shell/tray-view.ts'
import { sayIn } from '../../../src/shell/words.ts'
import { createFakeHost, type FakeHost, type VllmRun } from '../../support/fake-vllm/process/host.ts'
import { RawClient } from '../../support/raw-client.ts'
import { aChat, ask, dataOf } from '../../support/requests.ts'
import { aHome, dropHome, type Server, startLexora } from '../rig.ts'
import { buildLegacy, lacks, openShell, type Shell } from './rig.ts'
import { type DesktopSession, openSession } from './session.ts'
import { type Deed, deeds, type Row, shown, WindowClicks, wanted } from './tray-deeds.ts'
import { TrayHost } from './tray-host.ts'
import { until } from './until.ts'

const missing = lacks()
if (missing.length > 0)
  process.stderr.write(`Left out here: the tray before a real Lexora (no ${missing.join(', no ')})\n`)

const REPO = 'Qwen/Qwen3-8B'
const MODEL = 'qwen3-8b'
const OTHER = 'another-model'
/** Longer than any of these tests: only what the test does ends it. */
const NEVER_MS = 3_600_000

type Is = EngineStateName | 'none'

/** What a click on an item does to the engine. */
type Effect = {
  to: EngineStateName
  /** Of its process, where it has one before and after. */
  pid?: 'same' | 'another'
  /** What somebody mends first, so that the click can help. */
  mend?: () => void
  /** Done once the click has shown its first effect: what hung need not be waited for. */
  release?: () => void
}

type Way = {
  /** From a stopped engine to this state. */
  enter: () => Promise<unknown>
  /** It is left by itself after so long; not given: it lasts. */
  lastsMs?: number
  /** Of every item that changes the engine. */
  does: Record<string, Effect>
}

describe.skipIf(missing.length > 0)('the tray before a real Lexora', () => {
  let home = ''
  let host: FakeHost
  let session: DesktopSession
  let tray: TrayHost
  let lexora: Server
  let shell: Shell
  let clicks: WindowClicks

  let talk: RawClient | null = null
  let holder: TcpServer | null = null
  let halted: number[] = []
  let enteredAt = 0

  const program = (): string => host.command('vllm')
  /** While it is there, nobody is told the options of this vLLM. */
  const gate = (): string => join(home, 'no-help')

  beforeAll(async () => {
    home = aHome()
    host = createFakeHost({ vllm: { tokenMs: 20 } })
    const own = readFileSync(program(), 'utf8').replace(/^#!.*\n/, '')
    const wait = `case "$*" in *--help*) while [ -e '${gate()}' ]; do sleep 0.05; done;; esac`
    host.install('vllm', `${wait}\n${own}`)
    await buildLegacy()
    session = await openSession()
    tray = await TrayHost.open(session.address)
    const routing = { enabled: true, backends: { echo: { type: 'dummy', models: ['echo'] } } }
    // Without anything else it would begin with its demo engine.
    lexora = await startLexora({ routing }, { home, env: { PATH: host.env['PATH']!, HOME: home } })
    shell = await openShell(session, home)
    const page = await shell.frame()
    clicks = new WindowClicks(tray, shell, page)
  })

  afterAll(async () => {
    if (shell !== undefined && shell.process.exitCode === null && shell.process.signalCode === null) {
      shell.process.kill('SIGKILL')
      await shell.ended
    }
    tray?.close()
    if (lexora !== undefined) clear()
    await lexora?.stop()
    host?.dispose()
    await session?.stop()
    if (home !== '') dropHome(home)
  })

  const snapshot = async (): Promise<AppSnapshot> => await lexora.commands.snapshot()
  const named = async (name: string): Promise<EngineView | null> =>
    (await snapshot()).engines.find((one) => one.name === name) ?? null
  const main = async (): Promise<EngineView> => (await named('main'))!
  const reaches = async (is: EngineStateName): Promise<EngineView> => await until(main, ({ state }) => state.is === is)
  const runs = (): VllmRun[] => host.runs().filter(({ argv }) => argv.includes(REPO))
  const lastRun = (): VllmRun => runs().at(-1)!
  const set = async (path: string, value: unknown): Promise<unknown> =>
    await lexora.commands.setConfig({ changes: [{ path, value }] })

  function send(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }

  function halt(pid: number): void {
    halted.push(pid)
    send([pid], 'SIGSTOP')
  }

  function go(): void {
    send(halted, 'SIGCONT')
    halted = []
  }

  /** Takes away whatever held a state. */
  function clear(): void {
    go()
    talk?.destroy()
    talk = null
    holder?.close()
    holder = null
    host.vllm({ holdAt: null })
    rmSync(gate(), { force: true })
    putBack()
  }

  const takeAway = (): void => renameSync(program(), `${program()}.away`)
  function putBack(): void {
    try {
      renameSync(`${program()}.away`, program())
    } catch {
      // It is there.
    }
  }

  /** Stopped, as an operator does it, which forgets crashes with the next start. */
  async function rest(): Promise<void> {
    clear()
    for (const { name } of (await snapshot()).engines)
      await until(
        async () => {
          const is = (await named(name))!.state.is
          if (is !== 'stopped') await lexora.commands.stopEngine({ engine: name })
          return is
        },
        (is) => is === 'stopped',
      )
    if ((await named('other')) !== null) await set('engines.other', null)
  }

  async function start(): Promise<void> {
    await lexora.commands.startEngine({ engine: 'main' })
  }

  async function serve(): Promise<EngineView> {
    await start()
    return await reaches('ready')
  }

  /** A request that its client does not end; the engine runs one at once. */
  async function work(): Promise<void> {
    await serve()
    talk = await RawClient.open(lexora.port)
    talk.post('/v1/chat/completions', aChat({ model: MODEL, stream: true, max_tokens: 30_000 }))
    await talk.until((text) => dataOf(text).length > 1)
    await reaches('busy')
  }

  /** It serves and is killed, and so is every start after it, which an impatient operator does not wait for. */
  async function crash(isEnough: (engine: EngineView) => boolean): Promise<void> {
    await serve()
    send([lastRun().pid], 'SIGKILL')
    await until(async () => {
      const engine = await main()
      if (isEnough(engine)) return true
      if (engine.state.is === 'backoff') await start()
      if (engine.state.is === 'starting') send(lastRun().alive(), 'SIGKILL')
      return false
    }, Boolean)
  }

  const WAYS: Record<Is, Way> = {
    none: { enter: async () => {}, does: {} },
    'not-installed': {
      enter: async () => {
        takeAway()
        await start()
      },
      does: { 'model.main': { to: 'ready', mend: putBack } },
    },
    stopped: {
      enter: async () => {},
      does: { 'verb.start': { to: 'ready' }, 'model.main': { to: 'ready' } },
    },
    preflight: {
      enter: async () => {
        writeFileSync(gate(), '')
        // Another file than the one whose options are known.
        utimesSync(program(), new Date(), new Date())
        await start()
      },
      lastsMs: 180_000,
      does: { 'verb.cancel-start': { to: 'stopped' }, freeGpu: { to: 'stopped' } },
    },
    starting: {
      enter: async () => {
        host.vllm({ holdAt: { text: 'Loading weights took', ms: NEVER_MS } })
        await start()
        await until(main, ({ state }) => state.is === 'starting' && state.phase === 'loading weights')
      },
      // Then a start that says nothing is given up.
      lastsMs: 120_000,
      does: { 'verb.cancel-start': { to: 'stopped' }, freeGpu: { to: 'stopped' } },
    },
    ready: { enter: serve, does: { 'verb.stop': { to: 'stopped' }, freeGpu: { to: 'stopped' } } },
    busy: { enter: work, does: { 'verb.stop': { to: 'draining' }, freeGpu: { to: 'draining' } } },
    degraded: {
      enter: async () => {
        const { port } = await serve()
        halt(lastRun().engineCore!)
        // What vLLM says once its engine does not answer it.
        const fault = { do: 'status', status: 503, times: 0, match: { path: '/health' } }
        await ask(port!, fault, {}, '/__fake/faults')
      },
      lastsMs: 60_000,
      does: { 'verb.restart': { to: 'ready', pid: 'another', release: go }, freeGpu: { to: 'stopped', release: go } },
    },
    draining: {
      enter: async () => {
        await work()
        await lexora.commands.stopEngine({ engine: 'main' })
      },
      lastsMs: 20_000,
      does: { 'verb.force-stop': { to: 'stopped' }, freeGpu: { to: 'stopped' } },
    },
    stopping: {
      enter: async () => {
        await serve()
        halt(lastRun().pid)
        await lexora.commands.stopEngine({ engine: 'main' })
      },
      lastsMs: 20_000,
      does: { freeGpu: { to: 'stopped' } },
    },
    sleeping: {
      enter: async () => {
        await set('engines.other', { model: `org/${OTHER}`, served_name: OTHER, port: 0 })
        await serve()
        await lexora.commands.startEngine({ engine: 'other' })
        await until(
          () => named('other'),
          (other) => other?.state.is === 'ready',
        )
        await lexora.commands.stopEngine({ engine: 'other' })
        await until(
          () => named('other'),
          (other) => other?.state.is === 'stopped',
        )
      },
      does: {
        'verb.start': { to: 'ready', pid: 'same' },
        // It has room beside one that sleeps.
        'model.other': { to: 'sleeping', pid: 'same' },
        freeGpu: { to: 'stopped' },
      },
    },
    backoff: {
      // The fourth is followed by fifteen seconds.
      enter: async () => await crash(({ state }) => state.is === 'backoff' && state.crashes === 4),
      lastsMs: 15_000,
      does: { 'verb.retry': { to: 'ready' }, freeGpu: { to: 'stopped' } },
    },
    failed: {
      enter: async () => await crash(({ state }) => state.is === 'failed'),
      does: { 'model.main': { to: 'ready' } },
    },
    foreign: {
      enter: async () => {
        const server = createServer()
        holder = server
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        await set('engines.main.port', (server.address() as { port: number }).port)
        await start()
      },
      does: { 'model.main': { to: 'ready', mend: () => void holder?.close() } },
    },
  }

  const isOf = ({ engines }: AppSnapshot): Is => engines.find(({ name }) => name === 'main')?.state.is ?? 'none'

  /** Comes to the state, anew where there is not much left of it. */
  async function be(is: Is): Promise<void> {
    const { enter, lastsMs = Number.POSITIVE_INFINITY } = WAYS[is]
    if (isOf(await snapshot()) === is && performance.now() - enteredAt < lastsMs / 2) return
    await rest()
    enteredAt = performance.now()
    await enter()
    await until(snapshot, (now) => isOf(now) === is)
    enteredAt = performance.now()
  }

  /** Who served last, as the shell remembers it. */
  const recent = (): string[] => {
    try {
      const kept = JSON.parse(readFileSync(join(home, 'desktop', 'preferences.json'), 'utf8'))
      return (kept as { remembered?: { engines?: string[] } }).remembered?.engines ?? []
    } catch {
      return []
    }
  }

  /** What should be shown now. How many tokens a second come is the shell's own reckoning. */
  const viewOf = (now: AppSnapshot): TrayView =>
    trayView(
      now,
      { core: 'attached', quitting: null, tokensPerSecond: null, update: null, recent: recent() },
      sayIn('en'),
    )

  /** Without what goes on by itself, which a tray shows every five seconds. */
  const still = (text: string): string =>
    text
      .replace(/ · \d+ tok\/s/, '')
      .replace(/\d+:\d\d/g, 'm:ss')
      .replace(/\d+ %/, 'n %')
  const stillRows = (rows: readonly Row[]): Row[] =>
    rows.map(([label, ...rest]) => [still(label), rest[0], rest[1], stillRows(rest[2])])

  /** Comes to the state, and waits until the panel is told what the Lexora says of itself. */
  async function shows(is: Is): Promise<TrayView> {
    const seen = await until(
      async () => {
        await be(is)
        const [rows, tooltip] = [stillRows(shown(await tray.menu())), still(await tray.tooltip())]
        const now = await snapshot()
        const view = viewOf(now)
        const right = { rows: stillRows(wanted(view.items)), tooltip: still(view.tooltip) }
        return { is: isOf(now), told: JSON.stringify({ rows, tooltip }), right: JSON.stringify(right), view }
      },
      (one) => one.is === is && one.told === one.right,
    )
    return seen.view
  }

  /** Up to what changes while it is on its way to the click. */
  const toClick = ({ path }: Deed): string[] => path.map((label) => label.split(/ [(·]|\d/)[0]!)

  /** Clicks what leaves the engine alone. */
  async function uses(is: Is, deed: Deed): Promise<void> {
    const { action } = deed
    const path = toClick(deed)
    if (action.do === 'open') return await clicks.open(path, action.at)
    if (action.do === 'copy') return await clicks.copy(path, `${lexora.origin}/v1`)
    expect(action).toEqual({ do: 'command', name: 'pause' })
    await tray.click(...path)
    await until(snapshot, ({ server }) => server.state === 'paused')
    // What does not last cannot be come to anew while it is paused.
    if (WAYS[is].lastsMs === undefined) await shows(is)
    await tray.click('Resume gateway')
    await until(snapshot, ({ server }) => server.state === 'serving')
  }

  async function changes(deed: Deed, { to, pid, mend, release }: Effect): Promise<void> {
    const before = await main()
    mend?.()
    await tray.click(...toClick(deed))
    if (release !== undefined) {
      await until(main, ({ state }) => state.is !== before.state.is)
      release()
    }
    if (deed.id === 'model.other')
      await until(
        () => named('other'),
        (other) => other?.state.is === 'ready',
      )
    const after = await reaches(to)
    if (pid !== undefined) expect(after.pid === before.pid).toBe(pid === 'same')
    if (after.state.is === 'draining') expect(after.state.left).toBe(1)
    if (to === 'ready') expect(lastRun().alive()).toContain(after.pid)
    if (to !== 'stopped') return
    expect(runs().flatMap((run) => run.alive())).toEqual([])
    if (deed.id !== 'freeGpu') return
    // Freed for something else: a request does not start it.
    expect((await ask(lexora.port, aChat({ model: MODEL }))).status).toBe(503)
    await reaches('stopped')
  }

  test.each(['none', ...ENGINE_STATES] as const)(
    'engine: %s: each item does at the Lexora what it says',
    async (is) => {
      if (is !== 'none' && (await named('main')) === null)
        await set('engines.main', {
          model: REPO,
          served_name: MODEL,
          port: 0,
          sleep: 1,
          args: { 'max-num-seqs': 1 },
        })
      await be(is)
      const { items } = await shows(is)
      const { does } = WAYS[is]
      const all = deeds(items).filter(({ action }) => action.do !== 'quit')
      const [changing, other] = [all.filter(({ id }) => id in does), all.filter(({ id }) => !(id in does))]
      expect(changing.map(({ id }) => id)).toEqual(Object.keys(does))
      for (const deed of other) {
        await be(is)
        await uses(is, deed)
      }
      for (const deed of changing) {
        await be(is)
        await changes(deed, does[deed.id]!)
      }
    },
  )

  test('a quit ends the shell alone: the engine that it watched serves on', async () => {
    await rest()
    const { pid } = await serve()
    await shows('ready')
    await tray.click('Quit, leave Lexora serving')
    expect(await shell.ended).toEqual({ code: 0, signal: null })
    expect((await snapshot()).server.state).toBe('serving')
    expect(await main()).toMatchObject({ pid, state: { is: 'ready' } })
    expect((await ask(lexora.port, aChat({ model: MODEL }))).status).toBe(200)
  })
})
