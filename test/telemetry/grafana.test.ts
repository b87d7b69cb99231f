/** The dashboard asks for nothing that `/metrics` does not give. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ENGINE_STATES } from '../../src/protocol/engine.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { anOutcome } from './given.ts'

type Panel = { id: number; type: string; title: string; targets?: { expr: string; legendFormat: string }[] }
const { panels } = JSON.parse(
  readFileSync(new URL('../../resources/grafana/lexora.json', import.meta.url), 'utf8'),
) as { panels: Panel[] }
const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }): [string, string, string] => [title, expr, legendFormat]),
)

/** Every series after one of everything has happened: its name, and the labels it bears. */
async function series(): Promise<Map<string, Set<string>>> {
  const gpu = {
    index: 0,
    name: '',
    driver: null,
    totalBytes: 2,
    usedBytes: 1,
    freeBytes: 1,
    utilization: 0.5,
    temperatureC: 40,
    powerW: 50,
    powerLimitW: null,
    throttle: null,
  }
  const metrics = new Metrics(() => ({
    backends: [{ name: 'main', inFlight: 1, up: true, breaker: 0, permits: { limit: 4, openLoop: false } }],
    depth: { high: 0, normal: 1, low: 0 },
    engines: [{ name: 'main', state: { is: ENGINE_STATES[0] } as never, restarts: 1 }],
    swaps: [{ engine: 'main', because: 'idle', count: 1 }],
    gpus: [gpu],
  }))
  metrics.record(
    anOutcome({
      stream: true,
      ttftMs: 5,
      band: 'normal',
      limit: 'requests',
      usage: { prompt: 3, completion: 9, cached: 1 },
      retries: [{ backend: 'main', reason: 'lost', afterMs: 10 }],
      fallbacks: [{ from: 'main', to: 'other' }],
    } as never),
  )
  const found = new Map<string, Set<string>>()
  for (const line of (await metrics.expose()).split('\n')) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const known = found.get(name) ?? new Set()
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!)
    found.set(name, known)
  }
  return found
}

test.each(queries)('%s: %s', async (_, expr, legend) => {
  const known = await series()
  const names = [...new Set(expr.match(/\b(?:lexora|process)_\w+/g) ?? [])]
  expect(names.length).toBeGreaterThan(0)
  const labels = new Set<string>()
  for (const name of names) {
    expect([...known.keys()]).toContain(name)
    for (const label of known.get(name)!) labels.add(label)
  }
  const asked = [
    ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(',').map((label) => label.trim())),
    ...[...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!),
    ...[...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!),
  ]
  for (const label of asked) expect([...labels]).toContain(label)
})

test('every figure of Lexora has its panel', async () => {
  const shown = queries.map(([, expr]) => expr).join('\n')
  const names = [...(await series()).keys()].filter((name) => name.startsWith('lexora_'))
  const families = new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, '')))
  expect([...families].filter((name) => !shown.includes(name))).toEqual([])
})

test('panels have ids of their own', () => {
  const ids = panels.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
})
