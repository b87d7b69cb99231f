import { describe, expect, test } from 'vitest'
import { ENGINE_STATES, type EngineState, type EngineView } from '../../src/protocol/engine.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { type TrayFacts, type TrayItem, trayView } from '../../src/shell/tray-view.ts'
import { SHELL_LANGUAGES, sayIn } from '../../src/shell/words.ts'
import { anEngine, ENGINES_IN as STATES } from '../support/engine-states.ts'
import { aQueue, aSnapshot, aUser } from '../support/snapshots.ts'

const say = sayIn('en')

const HOSTED: TrayFacts = { core: 'hosted', quitting: null, tokensPerSecond: null, update: null, recent: [] }

/** `LABEL` for what can be clicked, `(LABEL)` for what cannot, `✓` for what is marked. */
function printed(items: readonly TrayItem[]): string[] {
  return items.map((item) => {
    if (item.kind === 'separator') return '-'
    if (item.kind === 'menu') return `${item.label} ▸ ${printed(item.items).join(', ')}`
    const mark = item.checked === true ? '✓ ' : ''
    return item.action === null ? `(${mark}${item.label})` : `${mark}${item.label}`
  })
}

const view = (snapshot: AppSnapshot | null, facts: Partial<TrayFacts> = {}) =>
  trayView(snapshot, { ...HOSTED, ...facts }, say)

describe('for every engine state', () => {
  test.each<
    [is: EngineState['is'], icon: string, line: string, verb: string, model: string, free: boolean, quit: string]
  >([
    ['not-installed', 'stopped', '○ Not installed · qwen3-8b', 'Install an engine…', 'qwen3-8b', false, 'Quit Lexora'],
    ['stopped', 'stopped', '○ Stopped · qwen3-8b', 'Start engine', 'qwen3-8b', false, 'Quit Lexora'],
    [
      'preflight',
      'starting',
      '◐ Checking the GPU · qwen3-8b',
      'Cancel start',
      '(qwen3-8b)',
      true,
      'Stop engine & quit',
    ],
    [
      'starting',
      'starting',
      '◐ loading weights 40 % · qwen3-8b',
      'Cancel start (2:14)',
      '(qwen3-8b)',
      true,
      'Stop engine & quit',
    ],
    ['ready', 'ready', '● Running · qwen3-8b', 'Stop engine', '(✓ qwen3-8b)', true, 'Stop engine & quit'],
    ['busy', 'busy', '◉ Busy · qwen3-8b', 'Stop engine', '(✓ qwen3-8b)', true, 'Stop engine & quit'],
    ['degraded', 'degraded', '▲ Degraded · qwen3-8b', 'Restart engine', '(✓ qwen3-8b)', true, 'Stop engine & quit'],
    [
      'draining',
      'starting',
      '◐ Draining 3 · qwen3-8b',
      'Stop engine at once',
      '(qwen3-8b)',
      true,
      'Stop engine & quit',
    ],
    ['stopping', 'starting', '◐ Stopping · qwen3-8b', '(Engine is stopping)', '(qwen3-8b)', true, 'Stop engine & quit'],
    ['sleeping', 'stopped', '○ Asleep · qwen3-8b', 'Start engine', '(qwen3-8b)', true, 'Stop engine & quit'],
    [
      'backoff',
      'degraded',
      '▲ Crashed · retry in 0:08 · qwen3-8b',
      'Start again now (crashed)',
      '(qwen3-8b)',
      true,
      'Stop engine & quit',
    ],
    [
      'failed',
      'failed',
      '✕ Failed · Too little memory is free. · qwen3-8b',
      'What went wrong…',
      'qwen3-8b',
      false,
      'Quit Lexora',
    ],
    ['foreign', 'degraded', '▲ Port 8000 is taken · qwen3-8b', 'What went wrong…', 'qwen3-8b', false, 'Quit Lexora'],
  ])('%s', (is, icon, line, verb, model, free, quit) => {
    const shown = view(aSnapshot({ engines: [anEngine(STATES[is])] }))
    expect(shown.icon).toBe(icon)
    expect(printed(shown.items)).toEqual([
      line,
      'Copy address  http://localhost:8001/v1',
      '-',
      'Open Lexora',
      verb,
      'Pause gateway',
      `Model ▸ ${model}, -, More…`,
      free ? 'Free the GPU now' : '(Free the GPU now)',
      '-',
      'LAN: off',
      'Logs…',
      'Report a problem…',
      '-',
      quit,
    ])
    expect(shown.tooltip).toBe(`Lexora: ${line.slice(2)}`)
  })

  test('there is none that the grid forgot', () => {
    expect(Object.keys(STATES)).toEqual([...ENGINE_STATES])
  })

  test.each(SHELL_LANGUAGES.flatMap((language) => ENGINE_STATES.map((is) => [language, is] as const)))(
    'in %s, %s leaves no brace and no empty label',
    (language, is) => {
      const facts = { ...HOSTED, tokensPerSecond: 42, update: '2.0.0' }
      const shown = trayView(aSnapshot({ engines: [anEngine(STATES[is])] }), facts, sayIn(language))
      const words = [shown.tooltip, ...printed(shown.items)]
      for (const word of words) expect(word).toMatch(/^[^{}]+$/)
    },
  )

  test.each(ENGINE_STATES.map((is) => [is] as const))(
    '%s, paused: the gateway resumes, the engine keeps its verb',
    (is) => {
      const engines = [anEngine(STATES[is])]
      const running = view(aSnapshot({ engines })).items.filter((item) => 'id' in item && item.id.startsWith('verb.'))
      const paused = view(aSnapshot({ engines, server: { state: 'paused' } }))
      expect(paused.items.filter((item) => 'id' in item && item.id.startsWith('verb.'))).toEqual(running)
      expect(printed(paused.items)).toContain('Resume gateway')
      expect(paused.icon).toBe(is === 'failed' ? 'failed' : 'degraded')
    },
  )

  test.each(ENGINE_STATES.map((is) => [is] as const))('%s, attached: quitting leaves it as it is', (is) => {
    const shown = view(aSnapshot({ engines: [anEngine(STATES[is])] }), { core: 'attached' })
    expect(printed(shown.items).at(-1)).toBe('Quit, leave Lexora serving')
    expect(shown.items[0]).toMatchObject({ label: expect.stringMatching(/ · attached$/) })
  })
})

test('without an engine the gateway speaks for itself', () => {
  const shown = view(aSnapshot())
  expect(shown.icon).toBe('ready')
  expect(printed(shown.items)).toEqual([
    '● Running',
    'Copy address  http://localhost:8001/v1',
    '-',
    'Open Lexora',
    '(No engine here)',
    'Pause gateway',
    'Model ▸ (None yet), -, More…',
    '(Free the GPU now)',
    '-',
    'LAN: off',
    'Logs…',
    'Report a problem…',
    '-',
    'Quit Lexora',
  ])
  const { health } = aSnapshot()
  const unwell = view(aSnapshot({ health: { ...health, status: 'unhealthy' } }))
  expect([unwell.icon, printed(unwell.items)[0]]).toEqual(['degraded', '▲ Running · no backend answers'])
})

test('load stands in the first line', () => {
  const queues = [aQueue({ depth: { high: 1, normal: 2, low: 0 } })]
  const shown = view(aSnapshot({ engines: [anEngine(STATES.busy)], queues }), { tokensPerSecond: 41.7 })
  expect(printed(shown.items)[0]).toBe('◉ Busy · qwen3-8b · 42 tok/s · 3 queued')
})

test('the network is named with who uses it', () => {
  const shown = view(
    aSnapshot({ server: { network: ['192.168.1.20:8001', '172.17.0.1:8001'] }, users: [aUser(), aUser()] }),
  )
  expect(printed(shown.items)).toContain('LAN: on · 192.168.1.20 · 2 users')
})

test('a file that is not in force is said, with the way to it', () => {
  const configFault = { place: 'lexora_config.yaml:12:5', path: 'server.prot', count: 2 }
  const { items } = view(aSnapshot({ server: { configFault } }))
  expect(items.find((item) => item.kind === 'item' && item.id === 'config')).toMatchObject({
    label: 'The configuration has an error…',
    action: { do: 'open', at: '/settings/advanced' },
  })
})

describe('while requests are captured', () => {
  const capture = { user: 'kim', endsAt: new Date(2026, 10, 22, 14, 32).toISOString() }
  const line = 'Recording requests until 14:32'

  test.each(ENGINE_STATES.map((is) => [is] as const))('%s: the tray says until when, and never whose', (is) => {
    const quiet = view(aSnapshot({ engines: [anEngine(STATES[is])] }))
    const shown = view(aSnapshot({ engines: [anEngine(STATES[is])], server: { capture } }))
    const [status, ...rest] = printed(quiet.items)
    expect(printed(shown.items)).toEqual([status, line, ...rest])
    expect(shown.items[1]).toMatchObject({ id: 'capture', action: { do: 'open', at: '/requests' } })
    expect([shown.icon, shown.tooltip]).toEqual([quiet.icon, `${quiet.tooltip} · ${line}`])
  })

  test.each(SHELL_LANGUAGES)('in %s it is one line with the time', (language) => {
    const shown = trayView(aSnapshot({ server: { capture } }), HOSTED, sayIn(language))
    expect(printed(shown.items)[1]).toMatch(/^[^{}]*14:32[^{}]*$/)
  })

  test('it is said to the end, since what still runs is captured, too', () => {
    const { items } = view(aSnapshot({ server: { capture } }), { quitting: { left: 1 } })
    expect(printed(items).slice(0, 2)).toEqual(['◐ Finishing 1 and stopping', line])
  })
})

test('an update stands before the end, unless it ends already', () => {
  const update = '2.0.0'
  expect(printed(view(aSnapshot(), { update }).items).slice(-3)).toEqual([
    'Update 2.0.0 ready – restart when idle',
    '-',
    'Quit Lexora',
  ])
  expect(printed(view(aSnapshot(), { update, quitting: { left: 0 } }).items)).not.toContain(
    'Update 2.0.0 ready – restart when idle',
  )
})

test.each<[what: string, facts: Partial<TrayFacts>, icon: string, items: string[]]>([
  [
    'a core that starts',
    { core: 'starting' },
    'starting',
    ['◐ Starting', '-', 'Open Lexora', 'Logs…', 'Report a problem…', '-', 'Quit Lexora'],
  ],
  [
    'a core that would not start',
    { core: 'refused' },
    'failed',
    ['✕ Lexora did not start', '-', 'Open Lexora', 'Try again', 'Logs…', 'Report a problem…', '-', 'Quit Lexora'],
  ],
  [
    'an attached one that is gone',
    { core: 'attached' },
    'degraded',
    [
      '▲ Lexora is not reachable',
      '-',
      'Open Lexora',
      'Start Lexora here',
      'Logs…',
      'Report a problem…',
      '-',
      'Quit, leave Lexora serving',
    ],
  ],
])('without a snapshot: %s', (_, facts, icon, items) => {
  const shown = view(null, facts)
  expect([shown.icon, printed(shown.items)]).toEqual([icon, items])
})

test('while it quits it counts what is left, and a second quit does not wait', () => {
  const shown = view(aSnapshot({ engines: [anEngine(STATES.busy)] }), { quitting: { left: 3 } })
  expect([shown.icon, printed(shown.items)]).toEqual([
    'starting',
    ['◐ Finishing 3 and stopping', '-', 'Open Lexora', 'Logs…', 'Report a problem…', '-', 'Quit at once'],
  ])
})

test('of many engines the one in trouble speaks, and ten stand in the menu', () => {
  const many = Array.from({ length: 12 }, (_, i) => anEngine(STATES.stopped, `e${i}`, `m${i}`))
  const shown = view(aSnapshot({ engines: [...many, anEngine(STATES.failed, 'bad', 'broken')] }))
  expect(printed(shown.items)[0]).toBe('✕ Failed · Too little memory is free. · broken')
  const menu = shown.items.find((item) => item.kind === 'menu')
  expect(menu?.items).toHaveLength(12)
})

test('the models that served last come first, also where there are more than ten', () => {
  const stopped = (name: string): EngineView => ({ ...anEngine({ is: 'stopped' }), name, model: name })
  const engines = Array.from({ length: 12 }, (_, i) => stopped(`m${i}`))
  const menu = view(aSnapshot({ engines }), { recent: ['m11', 'm3', 'gone'] }).items.find(({ kind }) => kind === 'menu')
  const names = (menu as Extract<TrayItem, { kind: 'menu' }>).items.flatMap((item) =>
    item.kind === 'item' ? [item.label] : [],
  )
  expect(names).toEqual(['m11', 'm3', 'm0', 'm1', 'm2', 'm4', 'm5', 'm6', 'm7', 'm8', 'More…'])
})
