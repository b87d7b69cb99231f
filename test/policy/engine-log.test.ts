import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  newStart,
  parseLogLine,
  readBar,
  readStart,
  START_PHASES,
  type StartProgress,
} from '../../src/policy/engine-log.ts'
import { LONGEST, LogLines } from '../../src/policy/log-lines.ts'
import { recordedLines } from '../support/fake-vllm/process/recorded-lines.ts'
import { recordingFrom } from '../support/fake-vllm/process/recording.ts'

const READY_CASES = [
  {
    name: 'start/cpu',
    phases: [
      'launching',
      'configuring',
      'starting engine',
      'loading weights',
      'measuring memory',
      'warming up',
      'opening port',
    ],
    facts: { model: '/models/tiny', port: 8100, kvTokens: 1_048_576, maxConcurrency: 2048, kvGib: 1 },
  },
  {
    name: 'start/cpu-shards',
    phases: [
      'launching',
      'configuring',
      'starting engine',
      'loading weights',
      'measuring memory',
      'warming up',
      'opening port',
    ],
    facts: {
      model: '/models/tiny-real',
      port: 8174,
      kvTokens: 1_048_576,
      maxConcurrency: 2048,
      kvGib: 1,
      checkpointGib: 0,
    },
  },
  {
    name: 'start/cpu-compile',
    phases: [
      'launching',
      'configuring',
      'starting engine',
      'loading weights',
      'compiling',
      'measuring memory',
      'warming up',
      'opening port',
    ],
    facts: {
      model: '/models/tiny-real',
      port: 8175,
      kvTokens: 1_048_576,
      maxConcurrency: 2048,
      kvGib: 1,
      checkpointGib: 0,
    },
  },
]

describe('a captured start tells its phases and its facts', () => {
  test.each(READY_CASES)('$name', ({ name, phases, facts }) => {
    const start = startOf(recordedLines(name))
    expect(start.began.map(({ phase }) => phase)).toEqual(phases)
    const { apiPid, enginePid, workerPids, ...told } = start.facts
    expect(told).toEqual({
      version: '0.32.0',
      architecture: 'LlamaForCausalLM',
      maxModelLen: 512,
      tasks: ['generate'],
      host: '127.0.0.1',
      ...facts,
    })
    expect([apiPid, enginePid, workerPids?.length].map((pid) => Number(pid) > 0)).toEqual([true, true, true])
    expect(start.saysReady).toBe(true)
  })
})

test('logs that say nothing of a prefix are read as well: plain, and as JSON', () => {
  const lines = recordedLines('start/cpu')
  const bare = lines.map((line) => line.replace(/^\([\w-]+ pid=\d+\) /, ''))
  const asJson = bare.map((line) => {
    const { level, text } = parseLogLine(line)
    return level
      ? `{"t":"2026-11-20 15:53:07,106","lvl":"${level}","name":"vllm.x","msg":${JSON.stringify(text)}}`
      : line
  })
  const [one, two, three] = [lines, bare, asJson].map(startOf)
  const { apiPid: _, enginePid: __, workerPids: ___, ...facts } = one!.facts
  for (const start of [two!, three!]) {
    expect(start.began.map(({ phase }) => phase)).toEqual(one!.began.map(({ phase }) => phase))
    expect(start.facts).toEqual(facts)
  }
})

describe('lines of a GPU', () => {
  const gpu = (text: string, process = 'EngineCore') => `(${process} pid=7) INFO 11-20 15:48:08 [x.py:1] ${text}`

  test.each([
    [
      'GPU KV cache size: 188,640 tokens, Maximum concurrency for 131,072 tokens per request: 5.23x',
      { kvTokens: 188_640, maxConcurrency: 5.23 },
    ],
    ['GPU KV cache size: 188,640 tokens', { kvTokens: 188_640 }],
    ['Maximum concurrency for 131,072 tokens per request: 5.23x', { maxConcurrency: 5.23 }],
    ['Model loading took 15.27 GiB memory and 12.312345 seconds', { weightsGib: 15.27 }],
    ['Model loading took 15.27 GiB and 12.312345 seconds', { weightsGib: 15.27 }],
    ['Available KV cache memory: -0.31 GiB', { kvGib: -0.31 }],
    [
      'Auto-fit max_model_len: reduced from 131072 to 35008 to fit in available GPU memory',
      { fittedFrom: 131_072, maxModelLen: 35_008 },
    ],
    ['Graph capturing finished in 8 secs, took 0.61 GiB', { graphsGib: 0.61 }],
    [
      'Free memory on device (23.5/24.0 GiB) on startup. … replace gpu_memory_utilization config with `--kv-cache-memory=5171640320`',
      { kvBytesSuggested: 5_171_640_320 },
    ],
    ["Supported tasks: ['generate', 'embed']", { tasks: ['generate', 'embed'] }],
    ['Starting vLLM server on http://0.0.0.0:8000', { host: '0.0.0.0', port: 8000 }],
    ['vLLM API server version 0.19.1', { version: '0.19.1' }],
    ['vLLM server version 0.32.0, serving model Qwen/Qwen3-8B', { version: '0.32.0', model: 'Qwen/Qwen3-8B' }],
  ])('%s', (text, facts) => {
    expect(readStart(newStart(0), gpu(text), 1).facts).toEqual({ enginePid: 7, ...facts })
  })

  test('an error is not taken for a fact', () => {
    const line = '(EngineCore pid=7) ERROR 11-20 15:48:08 [x.py:1] Available KV cache memory: 3 GiB'
    expect(readStart(newStart(0), line, 1).facts).toEqual({ enginePid: 7 })
  })

  test.each(['EngineCore', 'EngineCore_DP0', 'Worker_TP0', 'Worker', 'VllmWorker-0', 'APIServer', 'ApiServer_1'])(
    '%s is a process',
    (name) => {
      const { speaker, pid, text } = parseLogLine(gpu('hello', name))
      expect([speaker === null, pid, text]).toEqual([false, 7, 'hello'])
    },
  )
})

describe('bars', () => {
  const shards = (done: number) =>
    `Loading safetensors checkpoint shards: ${String(done * 20).padStart(3)}% Completed | ${done}/5 [00:13<00:11,  2.87s/it]`

  test('a bar moves its phase, drawn over and over on one line', () => {
    const lines = new LogLines()
    let start = newStart(0)
    const fractions: (number | null)[] = []
    for (const [at, piece] of ['\r', shards(0), `\r${shards(1)}`, `\r${shards(3)}`, `\r${shards(5)}`, '\n'].entries()) {
      for (const line of lines.push(piece)) start = readStart(start, line, at)
      start = readBar(start, lines.pending, at)
      fractions.push(start.fraction)
    }
    expect(start.phase).toBe('loading weights')
    expect(fractions).toEqual([null, 0, 0.2, 0.6, 1, 1])
  })

  test('two bars of graphs share their phase', () => {
    const bar = (what: string, percent: number) =>
      `Capturing CUDA graphs (${what}): ${percent}%|███ | 3/9 [00:01<00:02,  3.1it/s]`
    let start = newStart(0)
    const fractions = [
      bar('mixed prefill-decode, PIECEWISE', 0),
      bar('mixed prefill-decode, PIECEWISE', 100),
      bar('decode, FULL', 0),
      bar('decode, FULL', 50),
    ].map((line) => {
      start = readStart(start, line, 1)
      return start.fraction?.toFixed(2)
    })
    expect([start.phase, ...fractions]).toEqual(['capturing graphs', '0.00', '0.60', '0.60', '0.80'])
  })

  test('a download shows itself, and the weights come after it', () => {
    const start = startOf(['Fetching 9 files:  33%|███▎      | 3/9 [00:10<00:20,  3.34s/it]'])
    expect([start.phase, start.fraction]).toEqual(['downloading', 0.33])
    expect(startOf(['Fetching 9 files: 100%|███| 9/9 [00:30<00:00]', shards(1)]).phase).toBe('loading weights')
  })
})

test('a start never goes back, and time that says nothing is no progress', () => {
  const waiting =
    'No available shared memory broadcast block found in 60 seconds. This typically happens when some processes are hanging'
  const start = startOf(['Graph capturing finished in 8 secs, took 0.61 GiB', 'Starting to load model x', waiting])
  expect([start.phase, start.progressAt]).toEqual(['warming up', 2])
})

test('llama-server and the demo engine are followed as far as they tell', () => {
  const llama = startOf([
    'build: 6100 (abc) with cc',
    'main: loading model',
    'llama_context: n_ctx         = 8192',
    'main: server is listening on http://127.0.0.1:8080 - starting the main loop',
  ])
  expect(llama.began.map(({ phase }) => phase)).toEqual(['launching', 'configuring', 'loading weights', 'opening port'])
  expect([llama.facts.maxModelLen, llama.facts.port, llama.saysReady]).toEqual([8192, 8080, true])
  const demo = startOf([
    '{"phase":"starting","percent":0}',
    '{"phase":"loading","percent":20}',
    '{"phase":"loading","percent":70}',
  ])
  expect([demo.phase, demo.fraction, demo.saysReady]).toEqual(['loading weights', 0.7, false])
  const ready = startOf(['{"phase":"ready","percent":100,"port":4711,"models":["demo"]}'])
  expect([ready.phase, ready.saysReady]).toEqual(['opening port', true])
})

test('lines are the same wherever their bytes are cut', () => {
  const text =
    '\u001b[32m(EngineCore pid=7)\u001b[0m INFO 11-20 15:48:08 [x.py:1] one\r\n\r\n\rBar:  50% | 1/2\rBar: 100% | 2/2\nlast\n'
  const whole = new LogLines().push(text)
  expect(whole).toEqual([
    '(EngineCore pid=7) INFO 11-20 15:48:08 [x.py:1] one',
    'Bar:  50% | 1/2',
    'Bar: 100% | 2/2',
    'last',
  ])
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const lines = new LogLines()
      const at = [0, ...cuts.sort((a, b) => a - b), text.length]
      expect(at.slice(1).flatMap((to, index) => lines.push(text.slice(at[index], to)))).toEqual(whole)
    }),
  )
})

test('a flood without an end of line is cut, and what follows is read', () => {
  const lines = new LogLines()
  for (let piece = 0; piece < 100; piece += 1) expect(lines.push('y'.repeat(10_000))).toEqual([])
  expect(lines.push('\nnext\n')).toEqual(['y'.repeat(LONGEST), 'next'])
})

test('every log, cut anywhere, and garbage, is read without a throw', () => {
  const log = recordedLines('start/cpu-compile').join('\n')
  const garbage = fc.string({ unit: 'binary', maxLength: 300 })
  const pieces = fc.array(
    fc.oneof(
      garbage,
      fc.tuple(fc.nat(log.length), fc.nat(2000)).map(([at, length]) => log.slice(at, at + length)),
    ),
  )
  fc.assert(
    fc.property(pieces, (texts) => {
      const lines = new LogLines()
      let start = newStart(0)
      for (const [at, text] of texts.entries()) {
        const before = START_PHASES.indexOf(start.phase)
        for (const line of lines.push(text)) start = readStart(start, line, at)
        start = readBar(start, lines.pending, at)
        expect(START_PHASES.indexOf(start.phase)).toBeGreaterThanOrEqual(before)
      }
    }),
    { numRuns: 200 },
  )
})

test('the recordings of the captures are read as they were printed', () => {
  const { printed } = recordingFrom(
    '# exit code: 1\n 1.00 O (APIServer pid=1) INFO x<CR>\n 1.10 E <CR>\n 1.10 E Bar: 0%\n 2.00 E \n 3.00 O <<EOF>>\n',
  )
  expect(printed.map(({ stream, text }) => `${stream} ${JSON.stringify(text)}`)).toEqual([
    'out "(APIServer pid=1) INFO x\\r\\n"',
    'err "\\r"',
    'err "Bar: 0%"',
    'err "\\n"',
  ])
})

function startOf(lines: string[]): StartProgress {
  return lines.reduce((start, line, at) => readStart(start, line, at + 1), newStart(0))
}
