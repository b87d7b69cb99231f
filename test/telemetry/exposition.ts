/** One line of Prometheus' text format: `name{label="value",…} value`. */
export type Sample = { name: string; labels: Record<string, string>; value: number }

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/** Reads a whole exposition by the letter of the format; throws at the first line that is none. */
export function readExposition(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const lines = text.slice(0, -1).split('\n')
  return lines.filter((line) => line !== '' && !/^# (HELP|TYPE) /.test(line)).map(readSample)
}

function readSample(line: string): Sample {
  const sample = SAMPLE.exec(line)
  if (sample === null) throw new Error(`no sample: ${line}`)
  const [, name = '', labels = '', value = ''] = sample
  return { name, labels: readLabels(labels), value: Number(value.replace('Inf', 'Infinity')) }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex
    const label = LABEL.exec(text)
    if (label === null) throw new Error(`no label at ${at} of ${text}`)
    labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
  }
  return labels
}
