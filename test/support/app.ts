import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { App, type AppOptions } from '../../src/app/app.ts'
import { type Config, configSchema, plainBackend, type ResolvedBackend } from '../../src/protocol/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { Redactor } from '../../src/telemetry/redact.ts'
import { type FakeOptions, type FakeVllm, startFakeVllm } from './fake-vllm/server.ts'
import { PATIENCE_MS } from './patience.ts'

/** A part of a document, as a file would hold it. */
export type Patch = { [Key in keyof Config]?: unknown }

export type TestApp = {
  app: App
  port: number
  url: string
  outcomes: Outcome[]
  log: string[]
  /** Resolves when so many outcomes have been recorded. */
  outcomesReach(count: number): Promise<void>
}

/** Quick settings for tests: no jitter, short waits, one loopback listener at a free port. */
const QUICK: Patch = {
  server: { port: 0 },
  retry: { base_delay: 0.01, max_delay: 0.05 },
  metrics: { request_log: { enabled: false } },
}

/** A Lexora in this process in front of the given backends; it is stopped, and must be settled, when the test ends. */
export async function startApp(
  backends: readonly (Partial<ResolvedBackend> & { name: string })[],
  options: { config?: Patch; defaultBackend?: string | null; chance?: () => number } & Pick<
    AppOptions,
    'session' | 'onListening' | 'engines' | 'models' | 'gpu' | 'doctor' | 'records' | 'uiDir' | 'logBuffer' | 'outbound'
  > = {},
): Promise<TestApp> {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  const outcomes: Outcome[] = []
  const lines: string[] = []
  const waiters: { count: number; resolve: () => void }[] = []
  const app = new App({
    config: configSchema.parse(mergeDeep(QUICK, options.config ?? {})),
    backends: backends.map(aBackend),
    defaultBackend: options.defaultBackend ?? null,
    logDir: home,
    version: '0.0.0-test',
    log: createLogger({
      level: 'DEBUG',
      format: 'json',
      colour: false,
      redactor: new Redactor(),
      write: (line) => lines.push(line),
      now: () => new Date(),
    }),
    session: options.session,
    engines: options.engines,
    ...(options.uiDir === undefined ? {} : { uiDir: options.uiDir }),
    ...(options.logBuffer === undefined ? {} : { logBuffer: options.logBuffer }),
    ...(options.outbound === undefined ? {} : { outbound: options.outbound }),
    ...(options.models === undefined ? {} : { models: options.models }),
    ...(options.gpu === undefined ? {} : { gpu: options.gpu }),
    ...(options.doctor === undefined ? {} : { doctor: options.doctor }),
    ...(options.records === undefined ? {} : { records: options.records }),
    onListening: options.onListening,
    chance: options.chance ?? (() => 0.5),
    onOutcome: (outcome) => {
      outcomes.push(outcome)
      for (const waiter of waiters) if (outcomes.length >= waiter.count) waiter.resolve()
    },
  })
  await app.start()
  onTestFinished(async () => {
    await app.stop(0)
    rmSync(home, { recursive: true, force: true })
  })
  const { port } = app.addresses[0]!
  return {
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    outcomes,
    log: lines,
    outcomesReach: async (count) => {
      if (outcomes.length >= count) return
      await new Promise<void>((resolve) => waiters.push({ count, resolve }))
    },
  }
}

/** A fake vLLM that is gone when the test ends. */
export async function startFake(options: FakeOptions = {}): Promise<FakeVllm> {
  const fake = await startFakeVllm(options)
  onTestFinished(() => fake.close())
  return fake
}

/** A backend at a fake's address, with everything else as the configuration's defaults have it. */
export function aBackend(given: Partial<ResolvedBackend> & { name: string }): ResolvedBackend {
  return { ...plainBackend(given.name, 'http://127.0.0.1:9'), ...given }
}

/**
 * The one ending of every fault test: nothing in flight here or there, every upstream connection idle or gone, timers
 * at their baseline, exactly one outcome per request id.
 */
export async function assertSettled(
  { app, outcomes }: TestApp,
  fakes: readonly FakeVllm[],
  baseline: number,
): Promise<void> {
  await until(
    () => Object.values(app.inFlight).every((count) => count === 0),
    () => `in flight: ${JSON.stringify(app.inFlight)}`,
  )
  expect(app.limitsHeld).toEqual({ concurrent: 0, reserved: 0 })
  for (const fake of fakes) {
    await until(
      () => fake.running() === 0 && fake.waiting() === 0,
      () => `a backend still runs ${fake.running()}`,
    )
    const open = () => fake.requests.filter(({ outcome }) => outcome === 'open').map(({ path }) => path)
    await until(
      () => open().length === 0,
      () => `a backend has open requests: ${open()}`,
    )
  }
  await until(
    () => activeTimers() <= baseline,
    () => `timers: ${activeTimers()}, at the start ${baseline}`,
  )
  const ids = outcomes.map(({ reqId }) => reqId)
  expect(new Set(ids).size).toBe(ids.length)
}

/** Timers that keep the process alive; take it before the request under test. */
export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

/** Waits for a state, turn by turn of the event loop. The bound only ends a test that would never end. */
export async function until(
  holds: () => boolean,
  describe: () => string = () => 'the state did not come',
  withinMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`timed out: ${describe()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

type Tree = { [key: string]: unknown }

function mergeDeep(base: Tree, over: Tree): Tree {
  const merged: Tree = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isTree(below) && isTree(value) ? mergeDeep(below, value) : value
  }
  return merged
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
