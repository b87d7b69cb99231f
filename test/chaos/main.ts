/**
 * `npm run chaos [-- --kills 200 --streams 50]`: engines killed under load, one after the other, with a real App and the
 * process double. Prints figures; ends with 1 where anything was lost, left or told too late.
 */
import { parseArgs } from 'node:util'
import { App } from '../../src/app/app.ts'
import { configSchema } from '../../src/protocol/config.ts'
import { isServing } from '../../src/protocol/engine.ts'
import { Rig } from '../engine/rig.ts'
import { type Arena, type KillRound, killRound, startAfresh, type Victim } from './kill-round.ts'

const MODEL = 'qwen3-8b'
const VICTIMS: readonly Victim[] = ['engine core', 'api server']
/** One short of the crashes that stop an engine. */
const KILLS_AFRESH = 4
const LONGEST_MS = 40 * 60_000

const { values } = parseArgs({ options: { kills: { type: 'string' }, streams: { type: 'string' } } })
const [kills, streams] = [Number(values.kills ?? 200), Number(values.streams ?? 50)]
if (!(kills >= 1) || !(streams >= 2)) throw new Error('--kills needs 1 or more, --streams 2 or more')

const rig = new Rig({ host: { vllm: { ttftMs: 150, tokenMs: 20 } } })
const silent = (): void => undefined
const app = new App({
  config: configSchema.parse({ server: { port: 0 }, metrics: { request_log: { enabled: false } } }),
  backends: [],
  defaultBackend: null,
  logDir: rig.folder.path,
  version: 'chaos',
  log: { debug: silent, info: silent, warn: silent, error: silent },
  engines: { configs: { main: rig.config }, world: rig.world },
})
const began = performance.now()
let isAskedToStop = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // After the round, so that nothing of it is left.
  process.once(signal, () => {
    isAskedToStop = true
  })
}
try {
  await app.start()
  const rounds = await runRounds({ app, port: app.addresses[0]!.port, host: rig.host, model: MODEL })
  await app.stop(1000)
  report(rounds, rig.alive())
} finally {
  await app.stop(0)
  await rig.dispose()
}

async function runRounds(arena: Arena): Promise<KillRound[]> {
  const engines = arena.app.engines!
  const engine = engines.get('main')!
  await engines.start(engine)
  await engine.until(isServing)
  const rounds: KillRound[] = []
  while (rounds.length < kills && !isAskedToStop && performance.now() - began < LONGEST_MS) {
    if (rounds.length > 0 && rounds.length % KILLS_AFRESH === 0) await startAfresh(arena)
    const round = await killRound(arena, VICTIMS[rounds.length % VICTIMS.length]!, streams)
    rounds.push(round)
    for (const text of round.wrong) process.stderr.write(`kill ${rounds.length}: ${text}\n`)
    if (rounds.length % 10 === 0) process.stderr.write(`${rounds.length} of ${kills} kills\n`)
  }
  return rounds
}

function report(rounds: readonly KillRound[], orphans: readonly number[]): void {
  const sum = (figure: (round: KillRound) => number): number => rounds.reduce((all, round) => all + figure(round), 0)
  const wrong = sum((round) => round.wrong.length) + orphans.length + (rounds.length < kills ? 1 : 0)
  const spread = (figure: (round: KillRound) => number): string => {
    const sorted = rounds.map(figure).sort((a, b) => a - b)
    const at = (share: number): string => `${Math.round(sorted[Math.ceil(share * sorted.length) - 1]!)} ms`
    return `p50 ${at(0.5)}, p95 ${at(0.95)}, most ${at(1)}`
  }
  const lines = [
    `kills                        ${rounds.length} of ${kills}, ${streams} streams each`,
    `streams completed            ${sum(({ completed }) => completed)}`,
    `streams broken, and told so  ${sum(({ broken }) => broken)}`,
    `kill to known                ${spread(({ knownMs }) => knownMs)}`,
    `known to last one told       ${spread(({ toldMs }) => toldMs)}   (goal: 2000 ms)`,
    `kill to serving again        ${spread(({ healedMs }) => healedMs)}`,
    `processes left at the end    ${orphans.length}`,
    `wrong                        ${wrong}`,
    `took                         ${Math.round((performance.now() - began) / 1000)} s`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  process.exitCode = wrong > 0 ? 1 : 0
}
