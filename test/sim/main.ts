/**
 * The experiments of scheduling.md 1.5, 2.3 and 3.3 with the production policy code, in virtual time.
 * `--quick`: one seed, shorter. `--only ID[,ID]`. `--seed N`. `--json FILE`: all figures, for comparing releases.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { constantsHash } from './constants.ts'
import { EXPERIMENTS } from './experiments.ts'
import { isMet, print } from './figures.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})
const seed = Number(values.seed)
const only = values.only?.split(',')
const started = performance.now()
console.log(`constants ${constantsHash()}, seed ${seed}${values.quick ? ', quick' : ''}`)
const results = []
for (const experiment of EXPERIMENTS) {
  if (only !== undefined && !only.includes(experiment.id)) continue
  const from = performance.now()
  console.log(`\n${experiment.id}: ${experiment.title}`)
  for (const figure of experiment.run({ quick: values.quick, seed })) {
    const met = isMet(figure)
    console.log(print(figure, met))
    results.push({ ...figure, met })
  }
  console.log(`       ${((performance.now() - from) / 1000).toFixed(1)} s`)
}
const missed = results.filter(({ met }) => !met)
const judged = results.filter(({ target }) => target !== null)
console.log(
  `\n${judged.length - missed.length} met, ${missed.length} missed, ${results.length - judged.length} told, ${((performance.now() - started) / 1000).toFixed(0)} s`,
)
if (values.json !== undefined) {
  const report = { constants: constantsHash(), seed, quick: values.quick, figures: results }
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
process.exitCode = missed.length === 0 ? 0 : 1
