/** `npm run bench`: Lexora beside a bare proxy, a pipe and nothing at all, in one run. See README.md. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Bench, dismiss, type Settings } from './measure.ts'
import { type Report, report, type ScenarioResult, scenarioTable, verdictTable } from './report.ts'
import { startRig } from './rig.ts'
import { type Scenario, scenarios } from './scenarios/index.ts'

const USAGE = `npm run bench -- [--quick] [--full] [--check] [--only SCENARIO]... [--json FILE]
  --quick   about a minute and a half, four rounds: what CI prints
  --full    also 9,500 streams
  --check   exit code 1 where a goal is missed
  --only    ${scenarios.map(({ name }) => name).join(', ')}
  --json    where the figures go (default: test/bench/results/)`

const MODES: Record<'quick' | 'normal', Settings> = {
  quick: {
    ...{ rounds: 2, warmMs: 300, windowMs: 1_000 },
    turns: {
      casts: 1,
      brief: { rounds: 8, warmMs: 150, windowMs: 400 },
      long: { rounds: 4, warmMs: 200, windowMs: 1_100 },
    },
    ...{ settleMs: 1_500, repeats: 2 },
  },
  normal: {
    ...{ rounds: 5, warmMs: 1_000, windowMs: 3_000 },
    turns: {
      casts: 3,
      brief: { rounds: 13, warmMs: 150, windowMs: 400 },
      long: { rounds: 5, warmMs: 250, windowMs: 1_100 },
    },
    ...{ settleMs: 4_000, repeats: 8 },
  },
}

async function main(): Promise<number> {
  const options = readOptions()
  if (typeof options === 'string') {
    console.error(`${options}\n${USAGE}`)
    return 2
  }
  if (process.platform !== 'linux') {
    console.log('bench: left out, it reads CPU time and socket queues from /proc, which only Linux has')
    return 0
  }
  const { mode, full, check, chosen, json } = options
  const settings = MODES[mode]
  const rig = await startRig()
  const interrupted = () => {
    void rig.stop().then(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    const bench: Bench = { rig, settings, standing: new Map() }
    if (!rig.targets.includes('lexora'))
      console.log('Lexora is left out: dist/bin.js is not there, `npm run build` makes it\n')
    const { casts, ...paces } = settings.turns
    const rounds = (pace: 'brief' | 'long') =>
      `${casts * paces[pace].rounds} rounds of ${paces[pace].windowMs / 1000} s`
    console.log(`${rig.placement}; ${rounds('brief')}, of streams ${rounds('long')}\n`)
    const results: ScenarioResult[] = []
    for (const scenario of chosen) {
      console.error(`${scenario.name} …`)
      const result = await runScenario(bench, scenario)
      results.push(result)
      await dismiss(bench)
      console.log(scenarioTable(result))
    }
    const whole = report({ placement: rig.placement, mode: full ? `${mode}, full` : mode }, results)
    console.log(verdictTable(whole.verdicts))
    console.error(`figures: ${write(whole, json)}`)
    return check ? checked(whole) : 0
  } finally {
    await rig.stop()
  }
}

type Options = { mode: keyof typeof MODES; full: boolean; check: boolean; chosen: Scenario[]; json: string | undefined }

/** The options, or what is wrong with them. */
function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
      },
    })
    const unknown = values.only?.filter((name) => !scenarios.some((scenario) => scenario.name === name)) ?? []
    if (unknown.length > 0) return `no such scenario: ${unknown.join(', ')}`
    const chosen = values.only
      ? scenarios.filter(({ name }) => values.only?.includes(name))
      : scenarios.filter(({ large }) => !large || values.full)
    const { full, check, json } = values
    return { mode: values.quick ? 'quick' : 'normal', full, check, chosen, json }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function runScenario(bench: Bench, { name, title, run }: Scenario): Promise<ScenarioResult> {
  const begun = performance.now()
  try {
    const { rows, notes } = await run(bench)
    return { name, title, rows, notes, seconds: (performance.now() - begun) / 1000 }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { name, title, rows: [], notes: [`failed: ${why}`], seconds: (performance.now() - begun) / 1000 }
  }
}

function write(whole: Report, file: string | undefined): string {
  const folder = fileURLToPath(new URL('results/', import.meta.url))
  const path = resolve(file ?? `${folder}${whole.at.replaceAll(':', '-')}.json`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(whole, null, 2)}\n`)
  return path
}

function checked({ verdicts }: Report): number {
  const failed = verdicts.filter(({ is }) => is === 'missed' || is === 'no figure')
  for (const { goal, is } of failed) console.error(`${is}: ${goal.scenario} ${goal.figure} ${goal.bound} ${goal.value}`)
  return failed.length > 0 ? 1 : 0
}

process.exitCode = await main()
