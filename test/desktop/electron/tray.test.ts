/** The tray on a real Electron 22, over D-Bus as a panel does it: every item, in every state of an engine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../../src/protocol/commands.ts'
import { ENGINE_STATES, type EngineState } from '../../../src/protocol/engine.ts'
import { type TrayAction, type TrayView, trayView } from '../../../src/shell/tray-view.ts'
import { sayIn } from '../../../src/shell/words.ts'
import { anEngine, ENGINES_IN } from '../../support/engine-states.ts'
import { aSnapshot } from '../../support/snapshots.ts'
import { aHome, dropHome } from '../rig.ts'
import { buildLegacy, lacks, openShell, type Shell } from './rig.ts'
import { type ScriptedLexora, scriptLexora } from './scripted-lexora.ts'
import { type DesktopSession, openSession } from './session.ts'
import { type Deed, deeds, shown, WindowClicks, wanted } from './tray-deeds.ts'
import { TrayHost } from './tray-host.ts'
import { until } from './until.ts'

const missing = lacks()
if (missing.length > 0) process.stderr.write(`Left out here: every tray item by D-Bus (no ${missing.join(', no ')})\n`)

/** As the admin API is asked for it. */
function askOf(action: Extract<TrayAction, { do: 'command' }>): string {
  const { path } = COMMANDS[action.name]
  const body = 'engine' in action ? ` ${JSON.stringify({ engine: action.engine })}` : ''
  return `${path}${body}`
}

const snapshotOf = (state: EngineState | null) => aSnapshot({ engines: state === null ? [] : [anEngine(state)] })

/** What should be shown, said by the same words; that they are right is the business of test/shell. */
const viewOf = (state: EngineState | null, isPaused = false): TrayView => {
  const snapshot = snapshotOf(state)
  const server = { ...snapshot.server, state: isPaused ? ('paused' as const) : ('serving' as const) }
  const facts = { core: 'attached', quitting: null, tokensPerSecond: null, update: null, recent: [] } as const
  return trayView({ ...snapshot, server }, facts, sayIn('en'))
}

describe.skipIf(missing.length > 0)('the tray over D-Bus', () => {
  let home = ''
  let session: DesktopSession
  let tray: TrayHost
  let lexora: ScriptedLexora
  let shell: Shell
  let clicks: WindowClicks

  beforeAll(async () => {
    home = aHome()
    await buildLegacy()
    session = await openSession()
    tray = await TrayHost.open(session.address)
    lexora = await scriptLexora(home, snapshotOf(null))
    shell = await openShell(session, home)
    const page = await shell.frame()
    clicks = new WindowClicks(tray, shell, page)
    // A quit is counted and does not come; the last test gives it back.
    await shell.app.evaluate(({ app }) => {
      const told = { quits: 0, quit: app.quit }
      Object.assign(globalThis, { told })
      app.quit = () => {
        told.quits++
      }
    })
  })

  afterAll(async () => {
    if (shell !== undefined && shell.process.exitCode === null && shell.process.signalCode === null) {
      shell.process.kill('SIGKILL')
      await shell.ended
    }
    tray?.close()
    lexora?.close()
    await session?.stop()
    if (home !== '') dropHome(home)
  })

  const quits = async (): Promise<number> =>
    await shell.app.evaluate(() => (globalThis as unknown as { told: { quits: number } }).told.quits)

  /** Clicks it and waits for what it should do, and for nothing else. */
  async function does({ path, action }: Deed): Promise<void> {
    const before = { asked: lexora.asked.length, quits: await quits() }
    let asks: string[] = []
    switch (action.do) {
      case 'open':
        await clicks.open(path, action.at)
        break
      case 'copy':
        await clicks.copy(path, action.text)
        break
      case 'quit':
        await tray.click(...path)
        await until(quits, (count) => count === before.quits + 1)
        break
      case 'command':
        asks = [askOf(action)]
        await tray.click(...path)
        await until(
          () => lexora.asked.length,
          (count) => count > before.asked,
        )
        break
      default:
        throw new Error(`nobody knows what '${path.join(' ▸ ')}' should do`)
    }
    expect(lexora.asked.slice(before.asked)).toEqual(asks)
  }

  async function shows(view: TrayView): Promise<void> {
    const all = JSON.stringify(wanted(view.items))
    await until(
      async () => JSON.stringify(shown(await tray.menu())),
      (rows) => rows === all,
    )
    await until(
      () => tray.tooltip(),
      (text) => text === view.tooltip,
    )
  }

  test.each(['none', ...ENGINE_STATES] as const)('engine: %s: every item does what it says', async (is) => {
    const state = is === 'none' ? null : ENGINES_IN[is]
    lexora.show(snapshotOf(state))
    const view = viewOf(state)
    await shows(view)
    for (const deed of deeds(view.items)) await does(deed)
  })

  test('paused it resumes', async () => {
    const snapshot = snapshotOf(ENGINES_IN.ready)
    lexora.show({ ...snapshot, server: { ...snapshot.server, state: 'paused' } })
    const view = viewOf(ENGINES_IN.ready, true)
    await shows(view)
    for (const deed of deeds(view.items)) await does(deed)
  })

  test('a quit ends it, and asks nothing of the Lexora that it watched', async () => {
    const before = lexora.asked.length
    await shell.app.evaluate(({ app }) => {
      app.quit = (globalThis as unknown as { told: { quit: () => void } }).told.quit
    })
    await tray.click('Quit, leave Lexora serving')
    expect(await shell.ended).toEqual({ code: 0, signal: null })
    expect(lexora.asked.slice(before)).toEqual([])
  })
})
