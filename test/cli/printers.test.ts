import { describe, expect, test } from 'vitest'
import { PRINTERS, stoppedLines } from '../../src/cli/printers.ts'
import { reporter } from '../../src/cli/progress.ts'
import type { EngineFailure, EngineState, EngineView, StopReceipt } from '../../src/protocol/engine.ts'
import type { GpuView, RequestView } from '../../src/protocol/snapshot.ts'
import { anEngine as anEngineView } from '../support/engine-states.ts'

const LOOK = { width: 120, paint: (_: unknown, text: string) => text }
const GIB = 1024 ** 3

const FAILURE: EngineFailure = {
  class: 'vram_busy',
  cause: 'Others hold memory of the GPU: 3.0 of 24.0 GiB are free.',
  fix: 'Close what holds it.',
  change: null,
  canHeal: false,
  lines: [],
}

const RECEIPT: StopReceipt = { tookMs: 2100, freedBytes: 15.9 * GIB, portFree: true, left: [], holders: [] }

function anEngine(changes: Partial<EngineView> = {}): EngineView {
  return anEngineView({ is: 'stopped' }, 'qwen', 'qwen3-8b', { port: 8000, ...changes })
}

const GPU: GpuView = {
  index: 0,
  name: 'RTX 4090',
  driver: '580.95',
  totalBytes: 24 * GIB,
  usedBytes: 16 * GIB,
  freeBytes: 8 * GIB,
  utilization: 0.42,
  temperatureC: 61,
  powerW: 300,
  powerLimitW: 450,
  throttle: null,
}

describe('engines', () => {
  test('are a table, with the trouble of each below it', () => {
    const engines = [
      anEngine({
        state: { is: 'ready', forMs: 9e6 },
        pid: 4711,
        uptimeMs: 9_000_000,
        restarts: 2,
        launch: 'venv /opt/vllm',
        version: '0.32.0',
        lastFailure: { ...FAILURE, cause: 'It hung.', fix: null },
      }),
      anEngine({ name: 'embed', model: 'e5', port: 8001, state: { is: 'failed', failure: FAILURE } }),
    ]
    expect(PRINTERS.listEngines({ engines }, LOOK).join('\n')).toBe(`\
ENGINE  MODEL     STATE    PID  PORT      UP  RESTARTS  LAUNCH
qwen    qwen3-8b  ready   4711  8000  2h 30m         2  venv /opt/vllm (0.32.0)
embed   e5        failed     -  8001       -         0  -

qwen: the last time it failed
  It hung.

embed: why
  Others hold memory of the GPU: 3.0 of 24.0 GiB are free.
  Close what holds it.`)
  })

  test('of the command say why the next start is another although no line is', () => {
    const same = {
      engine: 'qwen',
      running: ['vllm serve', '--seed 7'],
      next: ['vllm serve', '--seed 7'],
      problems: ['It is odd.'],
    }
    expect(PRINTERS.engineCommand({ ...same, differs: true, diff: [] }, LOOK)).toEqual([
      'Its next start is another:',
      'vllm serve \\',
      '  --seed 7',
      'Its next start differs, in a value that is not shown.',
      'It is odd.',
    ])
    expect(PRINTERS.engineCommand({ ...same, running: null, next: null, differs: false, diff: [] }, LOOK)).toEqual([
      'It is odd.',
    ])
  })

  test('where there are none says how to have one', () => {
    expect(PRINTERS.listEngines({ engines: [] }, LOOK)).toEqual([
      'No engine is configured. Name one below `engines:` in the configuration file.',
    ])
  })

  test.each<[state: EngineState, words: string]>([
    [{ is: 'preflight' }, 'checking the machine'],
    [
      { is: 'starting', phase: 'loading weights', percent: 41.6, leftMs: 12_300 },
      'starting: loading weights 42 %, about 12 s left',
    ],
    [{ is: 'starting', phase: 'loading weights', percent: 0, leftMs: null }, 'starting: loading weights 0 %'],
    [{ is: 'degraded', reason: 'it answers slowly' }, 'degraded: it answers slowly'],
    [{ is: 'draining', left: 1 }, 'draining, 1 request left'],
    [{ is: 'draining', left: 3 }, 'draining, 3 requests left'],
    [
      { is: 'stopping', why: 'idle', awaits: 'memory' },
      'stopping, since nobody used it, waits for the memory of the GPU',
    ],
    [{ is: 'sleeping', level: 1, step: 'waking' }, 'waking up'],
    [{ is: 'backoff', failure: FAILURE, retryInMs: 5000, crashes: 3 }, 'crashed, next try in 5.0 s (crash 3 of 5)'],
    [
      { is: 'foreign', holder: { port: 8000, pid: 7, program: 'python', models: null } },
      'port 8000 is held by python (pid 7)',
    ],
    [
      { is: 'foreign', holder: { port: 8000, pid: null, program: null, models: null } },
      'port 8000 is held by another program',
    ],
    [{ is: 'not-installed', failure: FAILURE }, 'not installed'],
  ])('%o is said in words', (state, words) => {
    expect(PRINTERS.restartEngine(anEngine({ state }), LOOK)[0]).toBe(`qwen: ${words}`)
  })
})

test('a start that is under way says how to see it through', () => {
  expect(PRINTERS.startEngine(anEngine({ state: { is: 'preflight' } }), LOOK)).toEqual([
    'qwen: checking the machine',
    'To see it through: lexora start qwen --wait',
  ])
  expect(PRINTERS.startEngine(anEngine({ state: { is: 'ready', forMs: 1 } }), LOOK)).toEqual(['qwen: ready'])
})

test('requests are told with who asks, by which program, and the tries', () => {
  const request: RequestView = {
    id: 'r-1',
    phase: 'backoff',
    user: 'ann',
    app: 'OpenAI\u001b',
    endpoint: '/v1/chat/completions',
    stream: true,
    model: 'tiny',
    backend: 'main',
    attempts: 1,
    mostAttempts: 3,
    ageMs: 2100,
    tokens: null,
  }
  const whole = { ...request, id: 'r-2', phase: 'prefill', app: null, stream: false } as const
  const again = { ...request, id: 'r-3', phase: 'decode', attempts: 2, app: 'chat' } as const
  expect(PRINTERS.listRequests({ requests: [request, whole, again] }, LOOK).map((line) => line.split(/ {2,}/))).toEqual(
    [
      ['', 'AGE', 'PHASE', 'USER', 'CLIENT', 'MODEL', 'BACKEND', 'ENDPOINT', 'ID'],
      ['2.1 s', 'backoff, try 2 of 3', 'ann', 'OpenAI\ufffd', 'tiny', 'main', '/v1/chat/completions stream', 'r-1'],
      ['2.1 s', 'prefill', 'ann', '-', 'tiny', 'main', '/v1/chat/completions', 'r-2'],
      ['2.1 s', 'decode, try 2 of 3', 'ann', 'chat', 'tiny', 'main', '/v1/chat/completions stream', 'r-3'],
    ],
  )
})

describe('a stop', () => {
  test('says what came back, and what would start it again', () => {
    expect(stoppedLines(anEngine({ receipt: RECEIPT }), true, LOOK)).toEqual([
      'qwen: stopped; 15.9 GiB of GPU memory returned, in 2.1 s',
      '  A request for qwen3-8b starts it; to keep it off: lexora free-gpu',
    ])
  })

  test('says what did not come back, and who has it', () => {
    const receipt = {
      ...RECEIPT,
      freedBytes: 512 * 1024 ** 2,
      portFree: false,
      left: [{ pid: 5, program: 'python' }],
      holders: [{ pid: 6, program: 'blender', bytes: 9 * GIB }],
    }
    expect(stoppedLines(anEngine({ receipt, onDemand: false }), true, LOOK)).toEqual([
      'qwen: stopped; 512 MiB of GPU memory returned, in 2.1 s',
      '  its port is still held',
      '  python (pid 5) could not be ended',
      '  blender (pid 6) holds 9.0 GiB',
    ])
  })

  test('of one that did not run does not show an old receipt', () => {
    expect(stoppedLines(anEngine({ receipt: RECEIPT }), false, LOOK)).toEqual(['qwen: stopped; nothing ran'])
  })

  test('of one that drains says how not to wait', () => {
    expect(PRINTERS.stopEngine(anEngine({ state: { is: 'draining', left: 2 } }), LOOK)).toEqual([
      'qwen: draining, 2 requests left',
      'A second stop ends what still runs.',
    ])
  })
})

test('a freed GPU says of each engine what came back', () => {
  const freed = [
    { engine: 'qwen', receipt: RECEIPT },
    { engine: 'embed', receipt: null },
  ]
  expect(PRINTERS.freeGpu({ freed }, LOOK)).toEqual([
    'qwen: stopped; 15.9 GiB of GPU memory returned, in 2.1 s',
    'embed: stopped; it held nothing',
    'Requests do not start them again until you do: lexora start',
  ])
  expect(PRINTERS.freeGpu({ freed: [] }, LOOK)).toEqual(['No engine ran; nothing of ours holds memory.'])
})

test('GPUs are shown with who holds them; what is not told is a dash', () => {
  const gpus = [GPU, { ...GPU, index: 1, usedBytes: null, freeBytes: null, utilization: null, powerLimitW: null }]
  const holders = [
    { pid: 9, program: 'VLLM::EngineCore', bytes: 15 * GIB, engine: 'qwen' },
    { pid: 10, program: 'blender', bytes: null, engine: null },
  ]
  expect(PRINTERS.gpu({ gpu: { is: 'read', tool: 'nvidia-smi', gpus }, holders }, LOOK).join('\n')).toBe(`\
GPU  NAME                    MEMORY     FREE  LOAD   TEMP         POWER
  0  RTX 4090  16.0 GiB of 24.0 GiB  8.0 GiB  42 %  61 °C  300 of 450 W
  1  RTX 4090         - of 24.0 GiB        -     -  61 °C         300 W

   HOLDS  PID  PROGRAM           ENGINE
15.0 GiB    9  VLLM::EngineCore  qwen
       -   10  blender           -`)
  expect(PRINTERS.gpu({ gpu: { is: 'none', reason: 'There is none.' }, holders: null }, LOOK)).toEqual([
    'There is none.',
  ])
})

test('what the doctor found is a line each, its fix below, and a count', () => {
  const checks = [
    { about: 'node', level: 'ok' as const, says: 'Node 24.', fix: null },
    { about: 'engine qwen', level: 'fail' as const, says: 'There is no vllm.', fix: 'Install it.' },
  ]
  expect(PRINTERS.doctor({ running: false, checks }, LOOK)).toEqual([
    'ok    node         Node 24.',
    'FAIL  engine qwen  There is no vllm.',
    '                   Install it.',
    '',
    '1 of 2 checks failed.',
  ])
  expect(PRINTERS.doctor({ running: false, checks: checks.slice(0, 1) }, LOOK).at(-1)).toBe('All is well.')
})

describe('the way to an end', () => {
  const at = (percent: number, phase = 'loading weights'): EngineView =>
    anEngine({ state: { is: 'starting', phase, percent, leftMs: null } })

  function told(columns: number | null) {
    let [text, now] = ['', 0]
    const report = reporter(
      (more) => (text += more),
      () => columns,
      () => now,
    )
    return { report, text: () => text, pass: (ms: number) => (now += ms) }
  }

  test('is a line for each phase in a pipe, and one now and then while a phase lasts', () => {
    const { report, text, pass } = told(null)
    for (const percent of [1, 2, 3]) report.show(at(percent))
    pass(10_000)
    report.show(at(4))
    report.show(at(50, 'compiling'))
    report.end()
    expect(text()).toBe(`\
qwen: starting: loading weights 1 %
qwen: starting: loading weights 4 %
qwen: starting: compiling 50 %
`)
  })

  test('is one line on a terminal, which is gone at the end', () => {
    const { report, text } = told(30)
    report.show(at(1))
    report.show(at(2))
    report.end()
    expect(text()).toBe('\rqwen: starting: loading weig…\x1b[K\rqwen: starting: loading weig…\x1b[K\r\x1b[K')
  })
})

test('whom Lexora has spoken to is a table, and nobody is said', () => {
  const since = '2026-11-22T12:00:00.000Z'
  expect(PRINTERS.listOutbound({ since, rows: [], offline: true, blocked: ['hub.example'] }, LOOK)).toEqual([
    'Lexora works offline: it speaks to no other computer (privacy.offline).',
    'Blocked: hub.example. To let one in: lexora outbound allow HOST',
    'Lexora has spoken to nobody outside this computer since 2026-11-22 12:00:00 UTC.',
  ])
  const row = {
    host: 'api.example',
    purpose: 'backend',
    firstAt: since,
    lastAt: '2026-11-22T12:05:00.000Z',
    count: 12,
    sent: 3 * 2 ** 20,
    received: 5 * 2 ** 30,
  } as const
  const hub = { ...row, host: 'hub.example', purpose: 'hub', sent: null, received: null } as const
  const report = { since, rows: [row, hub], offline: false, blocked: ['hub.example'] }
  expect(PRINTERS.listOutbound(report, LOOK).slice(1).join('\n')).toBe(`\
Whom Lexora itself has spoken to since 2026-11-22 12:00:00 UTC:
HOST                   FOR      REQUESTS   SENT  RECEIVED  FIRST                LAST
api.example            backend        12  3 MiB   5.0 GiB  2026-11-22 12:00:00  2026-11-22 12:05:00
hub.example (blocked)  hub            12      -         -  2026-11-22 12:00:00  2026-11-22 12:05:00`)
})

test('a port is told with whoever has it', () => {
  const use = { port: 8001, pid: null, program: null }
  expect(
    [
      PRINTERS.checkPort({ ...use, state: 'free' }, LOOK),
      PRINTERS.checkPort({ ...use, state: 'own', pid: 7 }, LOOK),
      PRINTERS.checkPort({ ...use, state: 'used' }, LOOK),
      PRINTERS.checkPort({ ...use, state: 'used', pid: 7, program: 'vllm' }, LOOK),
    ].flat(),
  ).toEqual(['8001: free', '8001: this Lexora', '8001: used', '8001: used by vllm (pid 7)'])
})
