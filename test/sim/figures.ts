/** One measured figure beside its target. `target` null: told, not judged. */
export type Figure = {
  id: string
  name: string
  value: number
  unit: string
  target: { op: '<=' | '>='; value: number } | null
}

export type Experiment = {
  id: string
  title: string
  /** `quick`: one seed and a shorter time. */
  run(options: { quick: boolean; seed: number }): Figure[]
}

export function isMet({ value, target }: Figure): boolean {
  if (target === null) return true
  return target.op === '<=' ? value <= target.value : value >= target.value
}

export const atMost = (value: number): Figure['target'] => ({ op: '<=', value })
export const atLeast = (value: number): Figure['target'] => ({ op: '>=', value })

/** Within `share` of what scheduling.md found, told by two bounds. */
export function near(figure: Omit<Figure, 'target'>, found: number, share = 0.25): Figure[] {
  return [
    { ...figure, name: `${figure.name}, found ${found}`, target: atLeast(found * (1 - share)) },
    { ...figure, name: `${figure.name}, found ${found}`, target: atMost(found * (1 + share)) },
  ]
}

export function print({ id, name, value, unit, target }: Figure, met: boolean): string {
  const shown = Number.isFinite(value) ? value.toPrecision(4) : String(value)
  const goal = target === null ? '' : `${target.op} ${Number(target.value.toPrecision(4))}`
  return `${(target === null ? '' : met ? 'met' : 'MISSED').padEnd(7)}${id.padEnd(8)}${name.padEnd(62)}${shown.padStart(9)} ${unit.padEnd(6)}${goal}`
}
