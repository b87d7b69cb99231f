/**
 * What vLLM's log says of a start (reference/vllm.md 2, captures of 0.32): how far it is, and what it found out. Of
 * llama-server and of the demo engine as much as they tell. Whole lines never count, only how they begin.
 */

/** Who printed a line. Plain lines are uvicorn's, Python's, or of an engine that names no process. */
export type Speaker = 'api' | 'engine' | 'worker' | 'other' | null

export type LogLine = {
  speaker: Speaker
  pid: number | null
  level: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | null
  /** Without prefix, level, time and place. */
  text: string
}

const PREFIX = /^\(([A-Za-z]+)[\w.-]*(?: pid=(\d+))?\) ?/
const HEADER = /^(DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)? (?:\[[^\]]*\] ?)?/
/** A logging configuration of one's own may print JSON; a message with an end of line in it breaks even that. */
const JSON_MESSAGE = /"(?:msg|message)": ?"((?:[^"\\]|\\.)*)/
const JSON_LEVEL = /"(?:lvl|level|levelname)": ?"(\w+)"/

const SPEAKERS: Record<string, Speaker> = {
  APIServer: 'api',
  ApiServer: 'api',
  EngineCore: 'engine',
  Worker: 'worker',
  VllmWorker: 'worker',
  RayWorkerWrapper: 'worker',
}

export function parseLogLine(line: string): LogLine {
  const prefix = PREFIX.exec(line)
  const name = prefix?.[1] ?? ''
  const known = prefix !== null && (prefix[2] !== undefined || Object.hasOwn(SPEAKERS, name))
  const rest = known ? line.slice(prefix[0].length) : line
  const speaker = known ? (SPEAKERS[name] ?? 'other') : null
  const pid = known && prefix[2] !== undefined ? Number(prefix[2]) : null
  if (rest.startsWith('{')) {
    const message = JSON_MESSAGE.exec(rest)?.[1]
    if (message !== undefined) {
      const text = message.replace(/\\(["\\/])/g, '$1')
      return { speaker, pid, level: levelOf(JSON_LEVEL.exec(rest)?.[1]), text }
    }
  }
  const header = HEADER.exec(rest)
  return { speaker, pid, level: levelOf(header?.[1]), text: header ? rest.slice(header[0].length) : rest }
}

function levelOf(word: string | undefined): LogLine['level'] {
  switch (word) {
    case 'DEBUG':
    case 'INFO':
    case 'WARNING':
    case 'ERROR':
      return word
    case 'CRITICAL':
      return 'ERROR'
    default:
      return null
  }
}

/** In the order in which they come. Which of them come depends on flags, caches and the kind of engine. */
export const START_PHASES = [
  'launching',
  'configuring',
  'starting engine',
  'downloading',
  'loading weights',
  'compiling',
  'measuring memory',
  'capturing graphs',
  'warming up',
  'opening port',
] as const
export type StartPhase = (typeof START_PHASES)[number]

/** What the log told besides. Sizes in GiB as vLLM prints them; what it did not print is not there. */
export type StartFacts = {
  version?: string
  model?: string
  architecture?: string
  maxModelLen?: number
  /** Where `--max-model-len auto` cut the model's own length. */
  fittedFrom?: number
  kvTokens?: number
  maxConcurrency?: number
  weightsGib?: number
  checkpointGib?: number
  kvGib?: number
  graphsGib?: number
  /** What `--kv-cache-memory-bytes` may be the next time, to start faster. */
  kvBytesSuggested?: number
  tasks?: string[]
  host?: string
  port?: number
  apiPid?: number
  enginePid?: number
  workerPids?: number[]
}

export type StartProgress = {
  phase: StartPhase
  /** Of this phase, 0 to 1, as its bars tell; null where it draws none. */
  fraction: number | null
  /** When each phase began, as told with the lines. */
  began: readonly { phase: StartPhase; at: number }[]
  /** When a line last said something new. */
  progressAt: number
  /** It says that it serves. Whether that is true is for others to find out. */
  saysReady: boolean
  facts: StartFacts
}

export function newStart(at: number): StartProgress {
  const phase = START_PHASES[0]
  return { phase, fraction: null, began: [{ phase, at }], progressAt: at, saysReady: false, facts: {} }
}

/** The start after one more whole line. `at` is any clock that does not go back. */
export function readStart(start: StartProgress, line: string, at: number): StartProgress {
  const { speaker, pid, level, text } = parseLogLine(line)
  if (text === '' || NOISE.test(text)) return start
  const next = moved(start, barOf(text) ?? { phase: phaseOf(text) ?? start.phase, fraction: null }, at)
  // In the words of an error nothing is a fact: they quote what was wished for.
  const told = level === 'ERROR' ? {} : factsOf(text)
  const facts = { ...start.facts, ...told, ...pidOf(speaker, pid, start.facts) }
  return { ...next, progressAt: at, saysReady: start.saysReady || READY.test(text), facts }
}

/** The start as a line shows it that has not ended yet: only a bar may be read before its end. */
export function readBar(start: StartProgress, pending: string, at: number): StartProgress {
  const bar = barOf(parseLogLine(pending).text)
  const next = bar ? moved(start, bar, at) : start
  return next.phase === start.phase && next.fraction === start.fraction ? start : { ...next, progressAt: at }
}

/** A start never goes back: workers repeat what the engine has said, and a second bar begins where the first one ended. */
function moved(start: StartProgress, to: { phase: StartPhase; fraction: number | null }, at: number): StartProgress {
  const [here, there] = [START_PHASES.indexOf(start.phase), START_PHASES.indexOf(to.phase)]
  if (there < here) return start
  if (there > here) return { ...start, ...to, began: [...start.began, { phase: to.phase, at }] }
  if (to.fraction === null || to.fraction <= (start.fraction ?? -1)) return start
  return { ...start, fraction: to.fraction }
}

/** It repeats while nothing moves. */
const NOISE = /^No available shared memory broadcast block found in \d+ seconds/

const READY = /^(?:INFO: +)?Application startup complete|server is listening on http|^\{"phase":"ready"/

const MARKERS: readonly [StartPhase, RegExp][] = [
  [
    'opening port',
    /^(Supported tasks:|Starting vLLM server on|Available routes are:|INFO: +(Started server \w+|Waiting for application startup|Application startup complete))/,
  ],
  ['opening port', /^(main: server is listening|main: starting the main loop)/],
  ['warming up', /^(Graph capturing finished|init engine \(profile, create kv cache)/],
  ['warming up', /^(common_init_from_params: warming up|srv +load_model: initializing slots)/],
  ['capturing graphs', /^Capturing (CUDA|HIP|XPU)? ?graphs?/],
  [
    'measuring memory',
    /^(Initial profiling\/warmup run took|Estimated CUDA graph memory|Available KV cache memory|Explicitly set \([\d.]+\/|(GPU|CPU) KV cache size:|Auto-fit max_model_len|Warming up done)/,
  ],
  ['measuring memory', /^(llama_context: constructing|llama_kv_cache\w*:)/],
  [
    'compiling',
    /^(Using cache directory: .*torch\.compile|Dynamo bytecode transform|Compiling a graph for|Directly load the compiled graph|torch\.compile took|Warming up model for the compilation|\[\w+\] saved AOT compiled)/,
  ],
  [
    'loading weights',
    /^(Starting to load model|Loading weights took|Model loading took|Filesystem type for checkpoints|Checkpoint size:|Time spent downloading weights|Initializing model took|Prefetching checkpoint)/,
  ],
  [
    'loading weights',
    /^(srv +load_model: loading model|main: loading model|llama_model_loader: |load_tensors: |print_info: )/,
  ],
  ['starting engine', /^(Initializing a V1 LLM engine|world_size=\d+ rank=|DP group leader:)/],
  [
    'configuring',
    /^(vLLM server version|non-default args:|Resolved architecture:|Using max model len|.*█.* version \d|.*█.* model +\S)/,
  ],
  ['configuring', /^(build: \d+ \(|main: build =|system_info: )/],
]

function phaseOf(text: string): StartPhase | null {
  return MARKERS.find(([, marker]) => marker.test(text))?.[0] ?? null
}

const BAR = /^(?<what>[^:|]{3,80}?):\s+(?<percent>\d{1,3})%(?:[^|\n]*\|)?/

/** Bars of one phase: where each begins and how much of it is its own. */
const BARS: readonly [RegExp, StartPhase, from: number, share: number][] = [
  [/^(Fetching \d+ files|Downloading\b)/, 'downloading', 0, 1],
  [/^Prefetching checkpoint/, 'loading weights', 0, 0.1],
  [
    /^(Loading \w+ checkpoint shards|Multi-thread loading shards|Loading (pt|tensorizer|sharded)\b)/,
    'loading weights',
    0,
    1,
  ],
  [/^Capturing CUDA graphs \((mixed|PIECEWISE)/, 'capturing graphs', 0, 0.6],
  [/^Capturing CUDA graphs \((decode|FULL)/, 'capturing graphs', 0.6, 0.4],
  [/^Capturing/, 'capturing graphs', 0, 1],
]

/** The demo engine says where it is as JSON. */
const DEMO = /^\{"phase":"([\w-]+)","percent":(\d+)/
const DEMO_PHASES: Record<string, StartPhase> = {
  starting: 'starting engine',
  loading: 'loading weights',
  'warming-up': 'warming up',
  ready: 'opening port',
}

function barOf(text: string): { phase: StartPhase; fraction: number } | null {
  const [, demo = '', done = ''] = DEMO.exec(text) ?? []
  const demoPhase = DEMO_PHASES[demo]
  if (demoPhase) return { phase: demoPhase, fraction: Number(done) / 100 }
  const { what = '', percent = '' } = BAR.exec(text)?.groups ?? {}
  const found = what === '' ? undefined : BARS.find(([name]) => name.test(what))
  if (!found) return null
  const [, phase, from, share] = found
  return { phase, fraction: from + share * Math.min(1, Number(percent) / 100) }
}

type Read = (found: RegExpExecArray) => StartFacts

const FACTS: readonly [RegExp, Read][] = [
  [/^vLLM server version (\S+?),? serving model (\S+)/, ([, version = '', model = '']) => ({ version, model })],
  [/█ +version (\d\S*)/, ([, version = '']) => ({ version })],
  [/█ +model +(\S+)/, ([, model = '']) => ({ model })],
  [/^vLLM API server version (\S+)/, ([, version = '']) => ({ version })],
  [/^Initializing a V1 LLM engine \(v(\d[^)\s]*)\)/, ([, version = '']) => ({ version })],
  [/^Resolved architecture: (\w+)/, ([, architecture = '']) => ({ architecture })],
  [/^Using max model len ([\d,]+)/, ([, length]) => ({ maxModelLen: whole(length) })],
  [
    /^Auto-fit max_model_len: reduced from ([\d,]+) to ([\d,]+)/,
    ([, from, to]) => ({ fittedFrom: whole(from), maxModelLen: whole(to) }),
  ],
  [/^(?:GPU|CPU) KV cache size: ([\d,]+) tokens/, ([, tokens]) => ({ kvTokens: whole(tokens) })],
  [
    /Maximum concurrency for [\d,]+ tokens per request: ([\d.,]+)x/,
    ([, times]) => ({ maxConcurrency: decimal(times) }),
  ],
  [
    /^Checkpoint size: ([\d.]+) GiB|^Filesystem type.* Checkpoint size: ([\d.]+) GiB/,
    ([, one, other]) => ({ checkpointGib: decimal(one ?? other) }),
  ],
  [/^Model loading took ([\d.]+) GiB/, ([, size]) => ({ weightsGib: decimal(size) })],
  [/^Available KV cache memory: (-?[\d.]+) GiB/, ([, size]) => ({ kvGib: decimal(size) })],
  [/^Explicitly set \(([\d.]+)\/[\d.]+\) GiB for KV cache/, ([, size]) => ({ kvGib: decimal(size) })],
  [/^Graph capturing finished in [\d.]+ \w+, took (-?[\d.]+) GiB/, ([, size]) => ({ graphsGib: decimal(size) })],
  [/--kv-cache-memory(?:-bytes)?=(\d+)/, ([, bytes]) => ({ kvBytesSuggested: whole(bytes) })],
  [
    /^Supported tasks: \[([^\]]*)\]/,
    ([, tasks = '']) => ({ tasks: [...tasks.matchAll(/'(\w+)'/g)].map(([, task = '']) => task) }),
  ],
  [
    /^(?:Starting vLLM server on|main: server is listening on) https?:\/\/([^\s/]+?):(\d+)/,
    ([, host = '', port]) => ({ host, port: whole(port) }),
  ],
  [/^llama_context: n_ctx +(?:= )?(\d+)/, ([, length]) => ({ maxModelLen: whole(length) })],
]

function factsOf(text: string): StartFacts {
  let facts: StartFacts = {}
  for (const [pattern, read] of FACTS) {
    const found = pattern.exec(text)
    if (found) facts = { ...facts, ...read(found) }
  }
  return facts
}

function whole(digits = ''): number {
  return Number(digits.replaceAll(',', ''))
}

const decimal = whole

function pidOf(speaker: Speaker, pid: number | null, known: StartFacts): StartFacts {
  if (pid === null) return {}
  if (speaker === 'api') return { apiPid: pid }
  if (speaker === 'engine') return { enginePid: pid }
  if (speaker !== 'worker' || known.workerPids?.includes(pid)) return {}
  return { workerPids: [...(known.workerPids ?? []), pid] }
}
