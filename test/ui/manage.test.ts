import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { benches, keepBench } from '../../renderer/bench-store.ts'
import { translator } from '../../renderer/i18n/index.ts'
import { settingsEn } from '../../renderer/i18n/settings-en.ts'
import { settingsJa } from '../../renderer/i18n/settings-ja.ts'
import { settingsKo } from '../../renderer/i18n/settings-ko.ts'
import {
  benchLengths,
  benchMarkdown,
  benchRows,
  diskLook,
  fitLook,
  type KeptBench,
  type ModelRow,
  memoryParts,
  modelRows,
  nextSort,
  presetRows,
  rowVerb,
  type Sort,
  type SortKey,
  shareOf,
  sortedRows,
  sortWords,
  startsWith,
  wantedModel,
  weightsWord,
  wordsSort,
} from '../../renderer/view-models/catalogue.ts'
import {
  type FirstRunEvent,
  nextFirstRun,
  readFirstRun,
  STEPS,
  showsItself,
  stepLook,
} from '../../renderer/view-models/first-run.ts'
import {
  doorPlaces,
  lanChecks,
  lanReach,
  lanState,
  portTyped,
  portWords,
  testPlace,
  waitingOrigins,
} from '../../renderer/view-models/lan.ts'
import {
  badFields,
  callers,
  doors,
  formOf,
  limitChanges,
  limitsOf,
  nobodyText,
  personRows,
  presetForm,
  seenFrom,
  sevenDays,
} from '../../renderer/view-models/people.ts'
import { fullText, pullText } from '../../renderer/view-models/pull-text.ts'
import {
  autostartOf,
  canReset,
  controlOf,
  fieldText,
  fixedText,
  isSecretName,
  ownerOf,
  patternOf,
  refusalOf,
  resettable,
  SECTION_NAMES,
  sectionOf,
  settingGroups,
  shownParts,
  typedValue,
  wordsOf,
} from '../../renderer/view-models/settings.ts'
import { describeConfig } from '../../src/config/describe.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { ConfigEntry, ConfigView } from '../../src/protocol/config-view.ts'
import type { EngineView } from '../../src/protocol/engine.ts'
import type { LanAddress, LanReport } from '../../src/protocol/lan.ts'
import type { FitReport, ModelView, PresetView, PullView } from '../../src/protocol/models.ts'
import { newEngine, shortName } from '../../src/protocol/new-engine.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { NO_LIMITS, type UserView } from '../../src/protocol/users.ts'
import { anEngine } from '../support/engine-states.ts'
import { aSnapshot } from '../support/snapshots.ts'

const GIB = 1024 ** 3

const aView = (values: Record<string, unknown>, locked: readonly string[] = []): ConfigView => ({
  path: '/home/me/lexora_config.yaml',
  exists: true,
  pendingRestart: [],
  entries: Object.entries(values).map(([path, value]) => ({
    path,
    value,
    default: null,
    source: 'file',
    detail: locked.includes(path) ? 'LEXORA_X' : 'line 1',
    locked: locked.includes(path),
    kind: 'text',
    doc: '',
    applies: 'now',
    unbuilt: false,
    secret: false,
  })),
})

const aUser = (changes: Partial<UserView> = {}): UserView => ({
  name: 'kim',
  source: 'store',
  disabled: false,
  expires: null,
  note: null,
  limits: NO_LIMITS,
  keys: 0,
  created: null,
  now: { running: 0, waiting: 0 },
  today: { requests: 0, tokens: 0, errors: 0 },
  lastSeen: null,
  lastFrom: null,
  ...changes,
})

describe('who may call without a key', () => {
  const local = { 'server.host': '127.0.0.1', 'auth.api_keys': [] }
  test.each([
    ['on loopback, nothing listed', { ...local, 'auth.mode': 'auto' }, 'all', 'unreachable', 'required'],
    ['on loopback, keys required', { ...local, 'auth.mode': 'required' }, 'none', 'unreachable', 'auto'],
    [
      'a key stands in the file',
      { ...local, 'auth.mode': 'auto', 'auth.api_keys': ['***'] },
      'none',
      'unreachable',
      null,
    ],
    ['beyond loopback', { 'auth.mode': 'auto', 'server.host': ['127.0.0.1', '0.0.0.0'] }, 'none', 'none', null],
    ['beyond loopback, switched off', { 'auth.mode': 'off', 'server.host': '0.0.0.0' }, 'all', 'all', null],
    ['IPv6 loopback', { 'auth.mode': 'auto', 'server.host': ['::1', 'localhost'] }, 'all', 'unreachable', 'required'],
  ] as const)('%s', (_, values, localhost, others, toggle) => {
    const found = doors(aView(values))
    expect([found.localhost.may, found.others.may, found.toggle?.value ?? null]).toEqual([localhost, others, toggle])
  })

  test.each([
    ['only this computer', { ...local, 'auth.mode': 'auto' }, 'users.none'],
    ['the network, without keys', { 'auth.mode': 'off', 'server.host': '0.0.0.0' }, 'users.noneOpen'],
    ['nobody: keys are required', { ...local, 'auth.mode': 'required' }, 'users.noneKeys'],
    ['nobody: the network needs keys', { 'auth.mode': 'auto', 'server.host': '0.0.0.0' }, 'users.noneKeys'],
  ] as const)('where there is no user it is said who can call: %s', (_, values, key) => {
    expect(nobodyText(doors(aView(values)))).toBe(key)
  })

  test('a key is offered to those for whom it works', () => {
    const now = Date.parse('2026-05-01T00:00:00Z')
    const users = [
      aUser({ name: 'ann', expires: '2026-05-01T00:00:01Z' }),
      aUser({ name: 'bob', expires: '2026-05-01T00:00:00Z' }),
      aUser({ name: 'cho', disabled: true }),
      aUser({ name: 'dan' }),
    ]
    expect(callers(users, now)).toEqual(['ann', 'dan'])
  })

  test('a variable that holds the mode locks its switch and is named', () => {
    const found = doors(aView({ 'auth.mode': 'auto', 'server.host': '127.0.0.1' }, ['auth.mode']))
    expect([found.toggle, found.lockedBy]).toEqual([null, 'LEXORA_X'])
  })

  test('the network opens only where somebody has a key and keys are required', () => {
    const failing = (mode: string, keys: number) =>
      lanChecks(aView({ 'auth.mode': mode }), keys).flatMap(({ id, ok }) => (ok === false ? [id] : []))
    expect([failing('auto', 1), failing('auto', 0), failing('off', 1)]).toEqual([[], ['keys'], ['required']])
  })

  test.each([
    ['open', ['10.0.0.5:8001'], [], ['0.0.0.0'], [true, ['10.0.0.5:8001'], false]],
    ['open where no network is', [], [], ['0.0.0.0'], [true, ['0.0.0.0:8001'], false]],
    ['closed', [], [], [], [false, [], false]],
    ['open until the next start', ['10.0.0.5:8001'], ['server.host'], [], [true, ['10.0.0.5:8001'], true]],
    ['open only from the next start on', [], ['server.host'], ['0.0.0.0'], [false, ['0.0.0.0:8001'], true]],
  ])('the door to the network is told as the listeners have it: %s', (_, network, pendingRestart, beyond, expected) => {
    const { isOpen, places, waits } = lanState({ network, pendingRestart, address: 'http://localhost:8001/v1' }, beyond)
    expect([isOpen, places, waits]).toEqual(expected)
  })

  test('the door opens everywhere or at one address, and each is told with what it answers', () => {
    const at = (address: string, reach: LanAddress['reach'], models: number | string): LanAddress => ({
      ...{ address, interface: 'eth0', reach, withKey: null },
      open: { '/v1/models': models },
    })
    const report: LanReport = {
      port: 8001,
      advice: [],
      addresses: [
        at('127.0.0.1', 'this machine', 200),
        at('192.168.1.7', 'the network', 401),
        at('172.17.0.1', 'containers', 200),
        at('fd00::7', 'the network', 'closed'),
      ],
    }
    expect(doorPlaces(report).map(({ host }) => host)).toEqual([
      ['0.0.0.0'],
      ['127.0.0.1', '192.168.1.7'],
      ['127.0.0.1', '172.17.0.1'],
      ['127.0.0.1', 'fd00::7'],
    ])
    expect(doorPlaces(null)).toHaveLength(1)
    expect(lanReach(report).map(({ address, is }) => [address.address, is])).toEqual([
      ['192.168.1.7', 'keyed'],
      ['172.17.0.1', 'open'],
      ['fd00::7', 'closed'],
    ])
    const server = { address: 'https://localhost:8001/v1' }
    expect(['0.0.0.0', '172.17.0.1', 'fd00::7'].map((chosen) => testPlace(report, chosen, server))).toEqual([
      'https://192.168.1.7:8001',
      'https://172.17.0.1:8001',
      'https://[fd00::7]:8001',
    ])
  })

  test('a port is asked about only while one is typed', () => {
    const typed = ['8001', ' 1 ', '65535', '', '0', '65536', '80 81', '8e3', '-1', '08001', '123456']
    expect(typed.map(portTyped)).toEqual([8001, 1, 65_535, null, null, null, null, null, null, 8001, null])
  })

  test('of a port is said who has it, as far as that is known', () => {
    const use = { port: 8001, pid: null, program: null }
    expect([
      portWords({ ...use, state: 'free' }),
      portWords({ ...use, state: 'own', pid: 7 }),
      portWords({ ...use, state: 'used' }),
      portWords({ ...use, state: 'used', pid: 7, program: 'vllm' }),
    ]).toEqual([
      ['port.free', {}],
      ['port.own', {}],
      ['port.used', {}],
      ['port.usedBy', { name: 'vllm', pid: '7' }],
    ])
  })

  test('pages wait to be allowed until they are; a variable that holds the list is named', () => {
    const page = (origin: string) => ({ origin, firstAt: '', lastAt: '', times: 1 })
    const refused = [page('https://a.example'), page('https://b.example')]
    const listed = { 'server.cors_origins': ['https://a.example'] }
    expect(waitingOrigins(aView(listed), refused)).toEqual({ rows: [refused[1]], lockedBy: null })
    expect(waitingOrigins(aView({ 'server.cors_origins': [] }, ['server.cors_origins']), refused)).toEqual({
      rows: refused,
      lockedBy: 'LEXORA_X',
    })
  })
})

describe('users', () => {
  test('a row joins a user with his keys, his last minute and the limits that hold for all', () => {
    const config = aView({
      'rate_limit.enabled': true,
      'rate_limit.default_rate': 10,
      'rate_limit.tokens_per_minute': 1000,
      'rate_limit.max_concurrent': null,
    })
    const key = {
      id: '1',
      user: 'kim',
      label: null,
      scopes: [],
      source: 'store' as const,
      hint: 'lx-ab…',
      created: null,
      expires: null,
      lastUsed: null,
      revoked: null,
    }
    const live = {
      name: 'kim',
      inFlight: 1,
      waiting: 0,
      limits: null,
      requestsThisMinute: 3,
      tokensThisMinute: 250,
      rateLimited: 0,
      waitedMs: { mean: 5, max: 9 },
      remote: false,
    }
    const gone = { ...key, id: '2', hint: 'lx-old…', revoked: '2026-01-01T00:00:00Z' }
    const [row] = personRows([aUser(), aUser({ name: 'sato' })], [gone, key], [live], config, 'KI', Date.now())
    expect(row).toEqual({
      user: aUser(),
      keyHint: 'lx-ab…',
      moreKeys: 0,
      perMinute: 600,
      tokensPerMinute: 1000,
      atOnce: null,
      tokensNow: 250,
      requestsNow: 3,
      waitedMs: 9,
      share: 0.25,
    })
  })

  test('when somebody last called is told with the machine, where that is known', () => {
    const now = new Date('2026-11-21T12:00:00Z')
    const lastSeen = '2026-11-21T11:59:30Z'
    const says = (lastFrom: UserView['lastFrom']) => seenFrom(aUser({ lastSeen, lastFrom }), now, translator('en'))
    expect(says({ address: '192.168.1.7', remote: true })).toBe('now · 192.168.1.7')
    expect(says({ address: '::1', remote: false })).toBe('now · this computer')
    expect(says(null)).toBe('now')
    expect(seenFrom(aUser(), now, translator('en'))).toBe('never')
  })

  test('a week has seven days of UTC, of one user, and days without a row are zero', () => {
    const row = (day: string, user: string) => ({
      hour: null,
      day,
      user,
      model: null,
      backend: null,
      requests: 2,
      errors: 1,
      promptTokens: 10,
      completionTokens: 5,
      cachedTokens: 0,
    })
    const days = sevenDays(
      [row('2026-11-21', 'kim'), row('2026-11-21', 'sato'), row('2026-11-14', 'kim')],
      'kim',
      new Date('2026-11-21T23:59:00Z'),
    )
    expect(days.map(({ day, tokens }) => [day, tokens])).toEqual([
      ['2026-11-15', 0],
      ['2026-11-16', 0],
      ['2026-11-17', 0],
      ['2026-11-18', 0],
      ['2026-11-19', 0],
      ['2026-11-20', 0],
      ['2026-11-21', 15],
    ])
  })
})

describe('the form of limits', () => {
  test('presets are good forms', () => {
    for (const name of ['personal', 'team', 'batch'] as const) expect(badFields(presetForm(name))).toEqual([])
    expect(limitsOf(presetForm('team'))).toMatchObject({
      requests_per_minute: 60,
      tokens_per_minute: 400_000,
      max_priority: 'normal',
    })
  })

  test('an untouched form changes nothing, whatever the limits are', () => {
    fc.assert(
      fc.property(
        fc.record({
          rate: fc.option(fc.integer({ min: 1, max: 100 })),
          tokens_per_minute: fc.option(fc.integer({ min: 1, max: 1e8 })),
          weight: fc.option(fc.integer({ min: 1, max: 10 })),
          models: fc.option(fc.array(fc.constantFrom('a', 'b-1', 'Qwen/x'), { minLength: 1, maxLength: 3 })),
          allow_remote: fc.boolean(),
        }),
        (given) => {
          const form = formOf({ ...NO_LIMITS, ...given })
          expect([badFields(form), limitChanges(form, { ...form })]).toEqual([[], {}])
        },
      ),
    )
  })

  test('only what was edited is told; requests a minute replace rate and burst', () => {
    const before = formOf({ ...NO_LIMITS, rate: 2, burst: 9 })
    expect(limitChanges(before, { ...before, tokens_per_minute: '1 000' })).toEqual({ tokens_per_minute: 1000 })
    expect(limitChanges(before, { ...before, requests_per_minute: '' })).toEqual({
      rate: null,
      burst: null,
      requests_per_minute: null,
    })
  })

  test.each(['0', '-1', 'many', '1.5', '1e3'])('%s is no number of requests', (text) => {
    expect(badFields({ ...formOf(NO_LIMITS), max_concurrent: text })).toEqual(['max_concurrent'])
  })
})

const aModel = (id: string, changes: Partial<ModelView> = {}): ModelView => ({
  id,
  path: `/cache/${id}`,
  source: 'hub',
  revision: null,
  format: 'safetensors',
  bytes: 1e9,
  quantization: null,
  dtype: null,
  architecture: null,
  parameters: null,
  contextLength: 4096,
  kind: 'chat',
  complete: true,
  missing: [],
  usedBy: [],
  modified: '2026-11-21T00:00:00Z',
  lastUsed: null,
  ...changes,
})

const aPull = (repo: string, state: PullView['state'], id = repo): PullView => ({
  id,
  repo,
  revision: 'main',
  state,
  bytes: 1,
  total: 2,
  bytesPerSecond: null,
  etaSeconds: null,
  files: [],
  problem: null,
})

const engine = (name: string, is: 'ready' | 'stopped'): EngineView =>
  ({
    name,
    model: name,
    kind: 'vllm',
    state: is === 'ready' ? { is, forMs: 1 } : { is },
    pid: null,
  }) as unknown as EngineView

test('a section is reset without what people made in it, and without what is locked', () => {
  const entry = (path: string, more: object = {}) => ({ path, source: 'file', locked: false, ...more }) as ConfigEntry
  const entries = [
    entry('queue.max_size'),
    entry('retry.budget', { source: 'default' }),
    entry('timeouts.idle', { source: 'env', locked: true }),
    entry('rate_limit.users.ann.rate'),
    entry('server.port'),
    entry('engines.big.port'),
    entry('auth.api_keys'),
    entry('auth.mode'),
  ]
  expect(resettable(entries, 'limits')).toEqual(['queue.max_size'])
  expect(resettable(entries, 'engines')).toEqual([])
  expect(resettable(entries, 'access')).toEqual(['auth.mode'])
})

test('a pull that met a full disk says what it needs, in the words of the window', () => {
  const problem = { cause: 'The disk is full: /models.', fix: null }
  const full: PullView = { ...aPull('acme/new', 'held'), bytes: 1e9, total: 6e9, problem }
  const disk = { folder: '/models', freeBytes: 0, totalBytes: 10e9 }
  const t = translator('en')
  expect(fullText(full, disk, t)).toMatch(
    /^new is paused, for the disk is full: 5\.0\sGB more are needed in \/models\./,
  )
  // After a restart the files are not listed yet; what the server said in English stays out of it.
  expect(fullText({ ...full, total: null }, disk, t)).toBe(
    'new: The disk is full. Make room, then resume the download.',
  )
  expect([pullText({ pull: full }, t), pullText({ pull: aPull('acme/new', 'held') }, t)]).toEqual([
    'The disk is full. Make room, then resume the download.',
    expect.stringMatching(/^paused/),
  ])
})

describe('the order of models', () => {
  const row = (name: string, model: Partial<ModelView> | null): ModelRow =>
    ({ id: name, name, model: model && { bytes: 1, lastUsed: null, contextLength: null, ...model } }) as ModelRow
  const rows = [
    row('run', null),
    row('b', { bytes: 5, lastUsed: '2026-11-21T00:00:00Z', format: 'gguf' } as Partial<ModelView>),
    row('a', { bytes: 9, contextLength: 10, format: 'gguf' } as Partial<ModelView>),
    row('c', { bytes: 2, lastUsed: '2026-11-22T00:00:00Z', quantization: 'awq' }),
  ]
  const facts = {
    fits: new Map([
      ['c', { neededBytes: 4 } as FitReport],
      ['a', null],
      ['b', { neededBytes: 3 } as FitReport],
    ]),
    speedOf: (id: string) => (id === 'run' ? 40 : id === 'c' ? 70 : null),
  }
  const sorted = (by: SortKey, down: boolean) =>
    sortedRows(rows, { by, down }, facts)
      .map(({ name }) => name)
      .join(' ')

  test.each<[by: SortKey, down: boolean, names: string]>([
    ['name', false, 'a b c run'],
    ['name', true, 'run c b a'],
    ['weights', false, 'c run b a'],
    ['size', true, 'a b c run'],
    ['size', false, 'c b a run'],
    ['context', true, 'a run b c'],
    ['memory', true, 'c b run a'],
    ['speed', true, 'c run b a'],
    ['speed', false, 'run c b a'],
    ['used', true, 'c b run a'],
  ])('by %s, falling: %s; what has no value is last', (by, down, names) => {
    expect(sorted(by, down)).toBe(names)
  })

  test('is turned by a second click on a title, and as it was by a third', () => {
    const clicks = (by: SortKey) => [1, 2, 3].reduce<Sort[]>((all) => [...all, nextSort(all.at(-1) ?? null, by)], [])
    expect(clicks('name')).toEqual([{ by: 'name', down: false }, { by: 'name', down: true }, null])
    expect(clicks('size')).toEqual([{ by: 'size', down: true }, { by: 'size', down: false }, null])
    expect(nextSort({ by: 'name', down: true }, 'size')).toEqual({ by: 'size', down: true })
    expect(sortedRows(rows, null, facts)).toBe(rows)
  })
})

describe('the list of models', () => {
  test('joins engines and pulls, keeps engines whose model is not here, running ones first', () => {
    const rows = modelRows(
      [aModel('acme/zebra', { usedBy: ['zebra'] }), aModel('acme/apple')],
      [engine('zebra', 'ready'), engine('lost', 'stopped')],
      [aPull('acme/new', 'failed', '1'), aPull('acme/new', 'running', '2'), aPull('acme/old', 'done')],
      '',
    )
    expect(rows.map((row) => [row.id, row.engine?.name ?? null, rowVerb(row)])).toEqual([
      ['acme/zebra', 'zebra', 'stop'],
      ['pull:2', null, 'pull'],
      ['engine:lost', 'lost', 'start'],
      ['acme/apple', null, 'start'],
    ])
  })

  test.each([
    [aModel('a/b', { complete: false }), null, 'retry'],
    [aModel('a/b'), aPull('a/b', 'failed'), 'retry'],
    [aModel('a/b'), aPull('a/b', 'paused'), 'pull'],
    [aModel('a/b'), aPull('a/b', 'held'), 'pull'],
  ] as const)('its button repairs what is not whole', (model, pull, verb) => {
    expect(rowVerb({ id: model.id, name: 'b', model, engine: null, pull })).toBe(verb)
  })

  test.each([
    [100e9, 1000e9, 'good'],
    [40e9, 1000e9, 'low'],
    [19e9, 100e9, 'low'],
    [21e9, 100e9, 'good'],
    [4e9, 100e9, 'full'],
  ])('of a disk with %d of %d free is %s', (freeBytes, totalBytes, look) => {
    expect(diskLook({ folder: '/models', freeBytes, totalBytes })).toBe(look)
  })

  test.each([
    ['Qwen/Qwen3-8B', { is: 'hub', repo: 'Qwen/Qwen3-8B', revision: null }],
    ['  https://huggingface.co/Qwen/Qwen3-8B/tree/v1 ', { is: 'hub', repo: 'Qwen/Qwen3-8B', revision: 'v1' }],
    ['hf.co/a/b/blob/main/x-Q4_K_M.gguf', { is: 'hub', repo: 'a/b:x-Q4_K_M.gguf', revision: 'main' }],
    ['a/b:*Q4_K_M.gguf', { is: 'hub', repo: 'a/b:*Q4_K_M.gguf', revision: null }],
    ['/home/me/model', { is: 'folder', path: '/home/me/model' }],
    ['C:\\models\\x.gguf', { is: 'folder', path: 'C:\\models\\x.gguf' }],
    ['qwen', null],
    ['https://example.com/a/b', null],
  ])('%s is understood', (text, wanted) => {
    expect(wantedModel(text)).toEqual(wanted)
  })

  test('a new engine has a name that the configuration takes and that nobody has', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.array(fc.constantFrom('model', 'a', 'qwen3-8b')), (id, taken) => {
        const made = newEngine({ id, path: '/x', source: 'hub', format: 'safetensors' }, taken)
        expect(made.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
        expect(taken).not.toContain(made.name)
      }),
    )
    expect(newEngine(aModel('Qwen/Qwen3-8B'), ['qwen3-8b'])).toEqual({
      name: 'qwen3-8b-2',
      path: 'engines.qwen3-8b-2',
      value: { model: 'Qwen/Qwen3-8B', served_name: 'qwen3-8b-2', port: 0 },
    })
    expect(newEngine(aModel('a/b:x.gguf', { format: 'gguf' }), []).value).toMatchObject({
      kind: 'llama-server',
      model: '/cache/a/b:x.gguf',
    })
    expect(shortName('/home/me/models/tiny/')).toBe('tiny')
  })
})

const aFit = (changes: Partial<FitReport> = {}): FitReport => ({
  model: 'm',
  gpu: { names: ['RTX'], totalBytes: 32 * GIB, freeBytes: 30 * GIB },
  share: 0.92,
  weightsBytes: 16 * GIB,
  kvBytesPerToken: 1,
  kvBytes: GIB,
  overheadBytes: 2 * GIB,
  neededBytes: 19 * GIB,
  fits: true,
  context: 8192,
  longestContext: 8192,
  sequences: 4,
  parts: [],
  measured: null,
  advice: [],
  ...changes,
})

describe('memory', () => {
  test.each([
    ['fits', aFit(), 0, 'fits'],
    ['tight', aFit({ neededBytes: 29 * GIB }), 0, 'tight'],
    ['does not fit', aFit({ fits: false, neededBytes: 40 * GIB }), 8 * GIB, 'no'],
    ['fits once others stop', aFit({ fits: false, neededBytes: 40 * GIB }), 12 * GIB, 'swap'],
    ['needs a shorter context', aFit({ fits: false, neededBytes: 40 * GIB, longestContext: 5000 }), 0, 'shorter'],
    ['has no room for a context of use', aFit({ fits: false, neededBytes: 40 * GIB, longestContext: 900 }), 0, 'no'],
    ['unknown', null, 0, 'unknown'],
  ] as const)('%s', (_, fit, ours, look) => {
    expect(fitLook(fit, ours).look).toBe(look)
  })

  test.each([
    ['all that is free', null, aFit(), 0, 0],
    ['a share with room', 0.9, aFit(), 0, 0],
    ['a share without', 0.5, aFit(), 0, 3 * GIB],
    [
      'a share of more than is free',
      0.9,
      aFit({ gpu: { names: [], totalBytes: 32 * GIB, freeBytes: 18 * GIB } }),
      0,
      GIB,
    ],
    [
      'a share that it runs in',
      0.5,
      aFit({ gpu: { names: [], totalBytes: 32 * GIB, freeBytes: 0 } }),
      20 * GIB,
      3 * GIB,
    ],
    ['no GPU at all', 0.1, aFit({ gpu: null }), 0, 0],
  ])('one request into %s', (_, share, fit, own, missing) => {
    expect(memoryParts(fit, 1, own, share).missingBytes).toBe(missing)
  })

  test('an order is kept, and what nobody knows any more is none', () => {
    for (const sort of [null, { by: 'size', down: true }, { by: 'name', down: false }] as const)
      expect(wordsSort(sortWords(sort))).toEqual(sort)
    expect([wordsSort(['price', 'up']), wordsSort([])]).toEqual([null, null])
  })

  test('the context that would fit is said in whole thousands', () => {
    expect(fitLook(aFit({ fits: false, neededBytes: 40 * GIB, longestContext: 5000 })).context).toBe(4096)
  })

  test('a fit begins with the share that is said, or that the engine runs with', () => {
    const engine = { name: 'main', derived: { 'gpu-memory-utilization': '0.91' } }
    const entry = (args: Record<string, unknown> | null) => [{ path: 'engines.main.args', value: args }]
    expect(shareOf([], null, 0.05)).toBe(0.05)
    expect(shareOf([], engine, null)).toBeNull()
    expect(shareOf(entry(null), engine, 0.05)).toBe(0.91)
    expect(shareOf(entry({ gpu_memory_utilization: 0.5 }), engine, 0.5)).toBe(0.5)
    expect(shareOf([], { ...engine, derived: {} }, 0.9)).toBe(0.9)
  })

  test('a fit begins with what the engine may run at once, as far as it fits', () => {
    const engine = { name: 'main', derived: { 'max-num-seqs': '254' } }
    const entry = (args: Record<string, unknown> | null) => [{ path: 'engines.main.args', value: args }]
    expect(startsWith([], null, 9)).toBe(1)
    expect(startsWith([], engine, 9)).toBe(9)
    expect(startsWith(entry({ 'max-num-seqs': 4 }), engine, 9)).toBe(4)
    expect(startsWith(entry(null), { name: 'main', derived: {} }, 9)).toBe(1)
    expect(startsWith(entry({ 'max-num-seqs': 4 }), engine, 0)).toBe(1)
  })

  test('proposals stand by what the card holds, the largest of those first; without a card none is said to fit', () => {
    const preset = (id: string, gib: number) => ({ id, minVramBytes: gib * GIB }) as PresetView
    const all = [preset('small', 8), preset('huge', 80), preset('big', 24), preset('large', 48)]
    const shown = (memory: number | null) => presetRows(all, memory).map(({ preset, fits }) => [preset.id, fits])
    expect(shown(32 * GIB)).toEqual([
      ['big', true],
      ['small', true],
      ['large', false],
      ['huge', false],
    ])
    expect(shown(null)).toEqual(all.map(({ id }) => [id, null]))
  })

  test('how weights are packed is said by their quantisation or their type, never by the file around them', () => {
    expect(weightsWord(aModel('a', { quantization: 'awq', dtype: 'i32' }))).toBe('awq')
    expect(weightsWord(aModel('a', { dtype: 'bf16' }))).toBe('bf16')
    expect(weightsWord(aModel('a'))).toBeNull()
  })

  test('the parts of the bar fill it exactly, whatever is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 30 }), (sequences, own) => {
        const { parts, missingBytes } = memoryParts(aFit(), sequences, own * GIB)
        const sum = parts.reduce((all, { share }) => all + share, 0)
        expect(sum).toBeCloseTo(1, 6)
        expect(missingBytes > 0).toBe(18 * GIB + sequences * GIB > Math.min(32, 30 + own) * GIB)
      }),
    )
  })

  test('a measurement is held against the last one of its kind', () => {
    const one = (more: Partial<KeptBench>): KeptBench => ({
      model: 'm',
      requests: 8,
      concurrency: 4,
      tokens: 128,
      errors: 0,
      error: null,
      seconds: 2,
      ttftMs: { p50: 100, p95: 200, max: 300 },
      tokensPerSecondPerStream: 40,
      tokensPerSecond: 160,
      promptTokens: 1,
      completionTokens: 2,
      at: '',
      ...more,
    })
    const none = { ttft: null, each: null, all: null }
    const kept = [
      one({ tokensPerSecond: 200, ttftMs: { p50: 50, p95: 60, max: 70 }, tokensPerSecondPerStream: null, prompt: 100 }),
      one({ prompt: 1000 }),
      one({ concurrency: 1 }),
      one({ tokens: 5 }),
      one({}),
    ]
    expect(benchRows(kept).map(({ prompt, change }) => [prompt, change])).toEqual([
      [100, { ttft: -0.5, each: null, all: 0.25 }],
      [1000, none],
      [100, none],
      [100, none],
      [100, none],
    ])
  })

  test('only prompts are offered that leave room for an answer', () => {
    expect(benchLengths(null, 128)).toEqual(['short', 'medium', 'long'])
    expect(benchLengths(8192, 128)).toEqual(['short', 'medium'])
    expect(benchLengths(512, 128)).toEqual(['short'])
  })

  test('one in which a request failed is not kept', () => {
    const one = { model: 'm', requests: 8, concurrency: 4, tokens: 128, seconds: 2, ttftMs: null, at: '' }
    const speeds = { tokensPerSecondPerStream: null, tokensPerSecond: 0, promptTokens: 0, completionTokens: 0 }
    keepBench('m', { ...one, ...speeds, errors: 8, error: 'the prompt is too long' })
    expect(benches.get()['m']).toBeUndefined()
    keepBench('m', { ...one, ...speeds, errors: 0, error: null })
    expect(benches.get()['m']).toHaveLength(1)
  })

  test('a measurement is copied as a table of Markdown', () => {
    const text = benchMarkdown([
      {
        model: 'm',
        requests: 8,
        concurrency: 4,
        tokens: 128,
        prompt: 1000,
        errors: 0,
        error: null,
        seconds: 2,
        ttftMs: null,
        tokensPerSecondPerStream: 41.23,
        tokensPerSecond: 160,
        promptTokens: 1,
        completionTokens: 2,
        at: '',
      },
    ])
    expect(text.split('\n')[2]).toBe('| m | 4 | 1000 | 8 | 128 | – | – | 41.2 | 160.0 | 0 |')
  })
})

describe('settings', () => {
  const loaded = loadConfig({
    flags: {},
    text: 'engines: {big: {model: a/b}}\nrouting: {enabled: true, backends: {main: {url: "http://127.0.0.1:1"}}}\nrate_limit: {users: {kim: {rate: 1}}}\n',
    env: {},
    cwd: '/nowhere',
    home: '/nowhere',
    platform: 'linux',
  })
  const entries = loaded.ok ? describeConfig(loaded) : []
  const entry = (path: string): ConfigEntry => entries.find((one) => one.path === path)!

  test('every setting has a section and words in all three languages', () => {
    const shown = entries.filter(({ path }) => !path.startsWith('rate_limit.users.'))
    const wordless = shown.filter(({ path }) => !Object.hasOwn(settingsEn, patternOf(path))).map(({ path }) => path)
    expect(wordless).toEqual([])
    expect(shown.filter(({ path }) => sectionOf(path) === 'advanced')).toEqual([])
    expect(shown.length).toBeGreaterThan(100)
  })

  test.each([
    ['ja', settingsJa, /[\u3040-\u30ff\u4e00-\u9fff]/],
    ['ko', settingsKo, /[\uac00-\ud7af]/],
  ] as const)('%s says every effect in words of its own', (_, words, script) => {
    expect(Object.keys(words)).toEqual(Object.keys(settingsEn))
    for (const [label, effect] of Object.values(words)) {
      expect(effect).toMatch(script)
      expect(label).not.toBe('')
    }
  })

  const t = translator('en')

  test('settings of an engine stand below its name; a search looks in words and paths', () => {
    const groups = settingGroups(entries, 'engines', '', t)
    expect(groups.map(({ owner }) => owner)).toEqual(['big'])
    expect(
      settingGroups(entries, 'general', 'keepalive', t).flatMap((group) => group.entries.map(({ path }) => path)),
    ).toEqual(['timeouts.keepalive_comment_after'])
    expect(ownerOf('routing.backends.main.url')).toBe('main')
    // It has a row of its own kind, with a certificate to see and to make.
    const paths = (search: string): string[] =>
      settingGroups(entries, 'network', search, t).flatMap((group) => group.entries.map(({ path }) => path))
    expect(paths('')).toContain('server.port')
    expect(paths('')).not.toContain('server.tls')
    expect(paths('server.tls')).toEqual([])
    expect(SECTION_NAMES).toContain('network')
    // A section is found by its name.
    expect(paths('limits')).toContain('queue.max_size')
    expect(paths('li')).not.toContain('retry.jitter')
  })

  test.each<[search: string, isDesktop: boolean, parts: string[]]>([
    ['theme', false, ['theme']],
    ['start at login', true, ['startAtLogin']],
    ['start at login', false, []],
    ['reachable', false, ['lan']],
    ['server.tls', false, ['tls']],
    ['lie', false, ['folders']],
    ['outbound', false, ['outbound']],
    ['general', false, ['language', 'theme', 'density', 'autostart', 'firstRun']],
    ['keepalive', true, []],
  ])('a search for %j (desktop app: %s) finds of the rows that no file holds %j', (search, isDesktop, parts) => {
    expect([...shownParts('limits', search, t, isDesktop)]).toEqual(parts)
  })

  test('one switch sets the start of all engines that the file may change', () => {
    const one = entry('engines.big.autostart')
    const of = (...values: [value: boolean, locked: boolean][]) =>
      autostartOf(values.map(([value, locked], i) => ({ ...one, path: `engines.e${i}.autostart`, value, locked })))
    const mixed = of([true, false], [false, false], [false, true])
    expect([mixed.count, mixed.on]).toEqual([3, 1])
    expect(mixed.changes(true)).toEqual([{ path: 'engines.e1.autostart', value: true }])
    expect(mixed.changes(false)).toEqual([{ path: 'engines.e0.autostart', value: false }])
    expect(of([true, false]).changes(true)).toEqual([])
    expect(autostartOf(entries.filter(({ path }) => !path.startsWith('engines.')))).toMatchObject({ count: 0, on: 0 })
    expect(['HF_TOKEN', 'x-api-key', 'AWS_SECRET_X', 'NCCL_DEBUG', 'OMP_NUM_THREADS'].map(isSecretName)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
  })

  test('a section shows its own rows beside the settings of the file', () => {
    expect([...shownParts('network', '', t, true)]).toEqual(['lan', 'tls'])
    expect([...shownParts('privacy', ' ', t, false)]).toEqual(['capture', 'outbound'])
  })

  test.each([
    ['server.port', 'number'],
    ['server.host', 'list'],
    ['server.tls', 'fixed'],
    ['auth.mode', 'choice'],
    ['auth.api_keys', 'fixed'],
    ['auth.admin_key', 'text'],
    ['rate_limit.enabled', 'switch'],
    ['engines.big.args', 'lines'],
    ['engines.big.env', 'names'],
    ['engines.big.restart', 'choice'],
    ['engines.big.gpu_reserve_mb', 'number'],
    ['routing.backends.main.headers', 'names'],
    ['engines.big.sleep', 'choice'],
    ['routing.backends.main.max_in_flight', 'text'],
    ['routing.backends.main.url', 'text'],
  ] as const)('%s is changed by a %s', (path, is) => {
    expect(controlOf(entry(path)).is).toBe(is)
  })

  test.each<[path: string, text: string, value: unknown]>([
    ['server.port', '8002', 8002],
    ['server.port', '', null],
    ['server.host', '0.0.0.0', '0.0.0.0'],
    ['server.host', '127.0.0.1, 10.0.0.1', ['127.0.0.1', '10.0.0.1']],
    ['server.allowed_hosts', 'gpu-box', ['gpu-box']],
    ['engines.big.sleep', '1', 1],
    [
      'engines.big.args',
      'max-model-len: 8192\nenforce-eager: true\nname: "x: y"',
      { 'max-model-len': 8192, 'enforce-eager': true, name: 'x: y' },
    ],
    ['routing.backends.main.max_in_flight', '8', 8],
    ['routing.backends.main.max_in_flight', 'auto', 'auto'],
    ['default_model', '', null],
  ])('%s: typed %j becomes %j', (path, text, value) => {
    expect(typedValue(text, controlOf(entry(path)), entry(path))).toEqual({ ok: true, value })
  })

  test('what is not a number or not a line is said at once', () => {
    expect(typedValue('many', { is: 'number' }, { kind: 'a number' })).toMatchObject({
      ok: false,
      bad: 'set.bad.number',
    })
    expect(typedValue('a b', { is: 'lines' }, { kind: 'a map' })).toMatchObject({ ok: false, bad: 'set.bad.line' })
  })

  test('what stands in a field is read back as the same value', () => {
    for (const one of entries) {
      const control = controlOf(one)
      if (control.is === 'fixed' || control.is === 'names' || one.secret) continue
      const read = typedValue(fieldText(one, control), control, one)
      const empty =
        one.value === null || (Array.isArray(one.value) && one.value.length === 0) || JSON.stringify(one.value) === '{}'
      expect([one.path, read]).toEqual([one.path, { ok: true, value: empty ? null : one.value }])
    }
  })

  test('a secret never stands in its field', () => {
    expect(fieldText({ value: '***', secret: true }, { is: 'text', secret: true })).toBe('')
    expect(fieldText({ value: { HF_TOKEN: '***' }, secret: false }, { is: 'names' })).toBe('')
  })

  test('names stand there also where they cannot be changed, and no click takes all of them away', () => {
    const t = translator('en')
    const names = { value: { HF_TOKEN: '***', LANG: '***' }, secret: false }
    expect(fixedText(names, { is: 'names' }, t)).toBe('HF_TOKEN, LANG')
    expect(fixedText({ ...names, value: {} }, { is: 'names' }, t)).toBe('none')
    expect(fixedText(names, { is: 'fixed' }, t)).toMatch(/^HF_TOKEN, LANG · /)
    const source = 'file'
    expect(canReset({ source, locked: false }, { is: 'number' })).toBe(true)
    expect(canReset({ source, locked: false }, { is: 'names' })).toBe(false)
    expect(canReset({ source, locked: true }, { is: 'number' })).toBe(false)
  })

  test('of a refusal the part about the setting is shown', () => {
    const message = 'Nothing was changed: the configuration has one error.\nserver.port: must be at most 65535 (line 2)'
    expect(refusalOf(message, 'server.port')).toBe('must be at most 65535 (line 2)')
    expect(refusalOf('Lexora does not answer.', 'server.port')).toBe('Lexora does not answer.')
  })

  test('a setting without words says its path and what the schema says', () => {
    expect(wordsOf({ path: 'routing.tasks.sum.primary', doc: 'Doc.' }, { settings: settingsKo })).toEqual({
      label: 'routing.tasks.sum.primary',
      effect: 'Doc.',
    })
  })
})

describe('the first run', () => {
  const begin = readFirstRun(null)

  test('goes through all steps to its end', () => {
    let state = nextFirstRun({ ...begin, step: 'model' }, { do: 'chosen', engine: 'qwen' })
    expect(state.step).toBe('start')
    for (let i = 0; i < 3; i++) state = nextFirstRun(state, { do: 'next' })
    expect(state).toEqual({ step: 'choices', is: 'done', engine: 'qwen' })
  })

  test('passes over the start where nothing was chosen, both ways', () => {
    expect(nextFirstRun({ ...begin, step: 'model' }, { do: 'next' }).step).toBe('request')
    expect(nextFirstRun({ ...begin, step: 'request' }, { do: 'back' }).step).toBe('model')
  })

  test('a start that was passed over does not look done', () => {
    const looks = (engine: string | null, snapshot: AppSnapshot) =>
      STEPS.map((step) => stepLook(step, { step: 'request', is: 'open', engine }, snapshot))
    const ready = anEngine({ is: 'ready', forMs: 1 }, 'qwen')
    const stopped = anEngine({ is: 'stopped' }, 'qwen')
    expect(looks(null, aSnapshot({}))).toEqual(['done', 'done', 'skipped', 'skipped', 'cur', ''])
    expect(looks('qwen', aSnapshot({ engines: [stopped] }))).toEqual(['done', 'done', 'done', '', 'cur', ''])
    expect(looks('qwen', aSnapshot({ engines: [ready] }))).toEqual(['done', 'done', 'done', 'done', 'cur', ''])
  })

  test('whatever is pressed, it stands at a step, and what it keeps is read back', () => {
    const event = fc.constantFrom<FirstRunEvent>(
      { do: 'next' },
      { do: 'back' },
      { do: 'later' },
      { do: 'finish' },
      { do: 'again' },
      { do: 'chosen', engine: 'x' },
      { do: 'chosen', engine: null },
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const state = events.reduce(nextFirstRun, begin)
        expect(STEPS).toContain(state.step)
        expect(readFirstRun(JSON.stringify(state))).toEqual(state)
      }),
    )
  })

  test('shows itself only to who has configured nothing, and never once it is done', () => {
    const fresh = aSnapshot({ server: { configPath: null } })
    const own = aSnapshot({ server: { configPath: '/x.yaml' } })
    expect([
      showsItself(begin, fresh, false),
      showsItself(begin, own, false),
      showsItself({ ...begin, step: 'model' }, own, false),
      showsItself({ ...begin, is: 'later' }, fresh, false),
      showsItself({ ...begin, is: 'done' }, fresh, false),
      showsItself(begin, fresh, true),
    ]).toEqual([true, false, true, false, false, false])
  })

  test.each(['', '{', '[]', '{"step":"nowhere","is":7}'])('kept as %j it begins anew', (text) => {
    expect(readFirstRun(text)).toEqual(begin)
  })
})
