/** A minute as one line, without axes: the shape alone. Missing values are gaps. */
export function Spark({ values, second }: { values: readonly (number | null)[]; second?: readonly (number | null)[] }) {
  const all = [...values, ...(second ?? [])].filter((value) => value !== null)
  if (all.length === 0) return <svg className="spark" aria-hidden="true" />
  const most = Math.max(...all, 1e-9)
  const least = Math.min(0, ...all)
  const [x, y] = [
    (i: number): number => (values.length < 2 ? 100 : (i / (values.length - 1)) * 100),
    (value: number): number => 22 - ((value - least) / (most - least)) * 20,
  ]
  const lastAt = values.findLastIndex((value) => value !== null)
  return (
    <svg className="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      {second !== undefined && <path className="b2" d={path(second, x, y)} />}
      <path d={path(values, x, y)} />
      {lastAt >= 0 && <path className="last" d={`M${x(lastAt).toFixed(1)} ${y(values[lastAt]!).toFixed(1)}h0`} />}
    </svg>
  )
}

function path(values: readonly (number | null)[], x: (i: number) => number, y: (value: number) => number): string {
  let d = ''
  let pen = 'M'
  values.forEach((value, i) => {
    if (value === null) {
      pen = 'M'
      return
    }
    d += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    pen = 'L'
  })
  return d
}
