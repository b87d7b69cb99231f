/** The process that makes the tokens, where one stands behind the server (`process/`). */
export type Core = {
  /** Resolves when it has done one step, or when `over` fires. A core that hangs does neither. */
  step: (over: AbortSignal) => Promise<void>
  /** Fires when nothing that runs will run on; `how` says what those who run are told. */
  end: AbortSignal
  how: () => 'serving' | 'dead' | 'aborted' | 'hanging'
  /** What new work is refused with, once it is. */
  refusal: () => string | null
  healthy: () => boolean
  /** What the gauges show: while a step is due, what they showed before. */
  gauges: (now: Gauges) => Gauges
  /** Its memory is given back, or taken again. */
  sleeps: (asleep: boolean) => void
}

export type Gauges = { running: number; waiting: number }

/** What a fake server is like. Every field has a default, so a test names only what it is about. */
export type FakeOptions = {
  port?: number
  host?: string
  /** The first is the root that every answer names; the others are its aliases. */
  models?: string[]
  maxModelLen?: number
  apiKey?: string | null
  /** Length of a completion whose request has no max_tokens. */
  tokens?: number
  /** Wait before the first token. */
  ttftMs?: number
  /** Wait between two tokens; 0 writes as fast as the loop turns, still one event per write. */
  tokenMs?: number
  kind?: 'generate' | 'pooling' | 'classify'
  maxNumSeqs?: number
  /** Most requests that may run and wait together (--max-num-queued-reqs); null is no limit. */
  maxQueued?: number | null
  /** How a stream over that limit is refused: by its status, or after a 200 by an error event (a burst does that). */
  overflow?: 'status' | 'event'
  devMode?: boolean
  enableTools?: boolean
  requestIdHeaders?: boolean
  /** VLLM_ALLOW_RUNTIME_LORA_UPDATING. */
  lora?: boolean
  tokenizerInfo?: boolean
  promptTokensDetails?: boolean
  perRequestMetrics?: boolean
  serverLoad?: boolean
  /** --sse-keep-alive-interval; 0 is off. */
  sseKeepAliveMs?: number
  /** Idle time after which a kept-alive connection is closed. */
  keepAliveMs?: number
  /** Refuses connections this long before it is ready. */
  startDelayMs?: number
  version?: string
  /** `created` of every answer. Fixed, so that equal requests have equal answers. */
  created?: number
  embeddingSize?: number
  /** Without one the server makes its tokens itself. */
  core?: Core | null
  /** Something to listen on that is bound already: a handle of `net`. */
  bound?: object | null
  /** Told each line of the access log. */
  onAccess?: (line: string, path: string) => void
  /** Called by the fault die-on-abort after the listener and all sockets are gone. */
  onDeath?: () => void
}

export type Settings = Required<FakeOptions>

export function settingsOf(options: FakeOptions): Settings {
  return {
    port: 0,
    host: '127.0.0.1',
    models: ['tiny'],
    maxModelLen: 512,
    apiKey: null,
    tokens: 8,
    ttftMs: 0,
    tokenMs: 0,
    kind: 'generate',
    maxNumSeqs: 256,
    maxQueued: null,
    overflow: 'status',
    devMode: false,
    enableTools: false,
    requestIdHeaders: false,
    lora: false,
    tokenizerInfo: false,
    promptTokensDetails: false,
    perRequestMetrics: false,
    serverLoad: false,
    sseKeepAliveMs: 0,
    keepAliveMs: 5000,
    startDelayMs: 0,
    version: '0.32.0',
    created: 1_795_188_330,
    embeddingSize: 64,
    core: null,
    bound: null,
    onAccess: () => {},
    onDeath: () => {},
    ...options,
  }
}
