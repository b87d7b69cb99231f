/**
 * `npm run chaos:turns [-- --seconds 120]`: two models, one card, three users on real sockets, with the process double;
 * then the engine that is on the move is killed at each step of a swap. Ends with 1 where a request failed or waited
 * longer than it may.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { App } from '../../src/app/app.ts'
import { PATIENCE_MS, residencyMs } from '../../src/policy/gpu-turns.ts'
import { configSchema } from '../../src/protocol/config.ts'
import type { EngineState } from '../../src/protocol/engine.ts'
import { Rig } from '../engine/rig.ts'
import { aChat } from '../support/requests.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '120' } } })
const seconds = Number(values.seconds)
if (!(seconds >= 1)) throw new Error('--seconds needs 1 or more')

type Band = keyof typeof PATIENCE_MS
const USERS: { user: string; model: string; band: Band; everyMs: number }[] = [
  { user: 'ann', model: 'a', band: 'high', everyMs: 300 },
  { user: 'bob', model: 'b', band: 'normal', everyMs: 5000 },
  { user: 'cyd', model: 'b', band: 'low', everyMs: 20_000 },
]
const STEPS: EngineState['is'][] = ['draining', 'stopping', 'preflight', 'starting', 'ready']
/** A start of the double on a busy machine, and an answer of twenty tokens. */
const START_MS = 10_000
const ANSWER_MS = 1000

const rig = new Rig({ host: { vllm: { tokenMs: 20, tokens: 20 } } })
const silent = (): void => undefined
const engines = configSchema.parse({
  rate_limit: { enabled: false },
  engines: Object.fromEntries(
    ['a', 'b'].map((name) => [name, { kind: 'vllm', model: `org/${name}`, served_name: name, port: 0 }]),
  ),
}).engines
const app = new App({
  config: configSchema.parse({
    server: { port: 0 },
    rate_limit: { enabled: false },
    metrics: { request_log: { enabled: false } },
  }),
  backends: [],
  defaultBackend: null,
  logDir: rig.folder.path,
  version: 'chaos',
  log: { debug: silent, info: silent, warn: silent, error: silent },
  engines: { configs: engines, world: rig.world },
})

type Told = { user: string; band: Band; ms: number }
const told: Told[] = []
const wrong: string[] = []
const began = performance.now()
try {
  await app.start()
  // What a change costs is learned from the first ones.
  for (const model of ['b', 'a']) await send('first', model, 'high')
  await Promise.all(USERS.map(async (one) => await keepAsking(one)))
  for (const step of STEPS) await killAt(step)
  await app.stop(1000)
  if (rig.alive().length > 0) wrong.push(`${rig.alive().length} processes are left`)
} finally {
  await app.stop(0)
  await rig.dispose()
}
report()

async function keepAsking({ user, model, band, everyMs }: (typeof USERS)[number]): Promise<void> {
  const pending: Promise<void>[] = []
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    pending.push(send(user, model, band))
    await pause(everyMs)
  }
  await Promise.all(pending)
}

async function send(user: string, model: string, band: Band): Promise<void> {
  const from = performance.now()
  const port = app.addresses[0]!.port
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(aChat({ model, x_user_id: user, x_priority: band })),
  })
  const text = await answer.text()
  told.push({ user, band, ms: performance.now() - from })
  if (answer.status !== 200) wrong.push(`${user}: ${answer.status} ${text.slice(0, 200)}`)
}

/** Whoever is on the move when `step` is seen is killed; both models must answer all the same. */
async function killAt(step: EngineState['is']): Promise<void> {
  const views = app.engines!.views()
  const there = views.find(({ state }) => state.is === 'ready' || state.is === 'busy')?.model ?? 'a'
  const [goes, comes] = there === 'a' ? ['a', 'b'] : ['b', 'a']
  const victim = step === 'draining' || step === 'stopping' ? goes : comes
  const asked = send('kill', comes, 'high')
  await app.engines!.get(victim!)!.until(({ is }) => is === step, AbortSignal.timeout(60_000))
  for (const run of rig.host.runs()) {
    if (!run.argv.includes(`org/${victim}`)) continue
    for (const pid of run.alive()) process.kill(pid, 'SIGKILL')
  }
  await asked
  await send('kill', goes!, 'high')
}

function report(): void {
  for (const { user, band } of USERS) {
    const bound = PATIENCE_MS[band] + residencyMs(START_MS) + 2 * START_MS + ANSWER_MS
    const waits = told.filter((one) => one.user === user).map(({ ms }) => ms)
    const most = Math.max(0, ...waits)
    if (most > bound) wrong.push(`${user} waited ${Math.round(most)} ms, more than ${bound} ms`)
    process.stdout.write(
      `${user.padEnd(4)} ${band.padEnd(7)} ${String(waits.length).padStart(5)} requests, most ${(most / 1000).toFixed(1)} s (bound ${bound / 1000} s)\n`,
    )
  }
  const swaps = app.engines!.swaps.reduce((sum, { count }) => sum + count, 0)
  process.stdout.write(
    `swaps ${swaps}, killed at ${STEPS.length} steps, wrong ${wrong.length}, took ${Math.round((performance.now() - began) / 1000)} s\n`,
  )
  for (const text of wrong) process.stdout.write(`${text}\n`)
  process.exitCode = wrong.length > 0 ? 1 : 0
}
