import { canStart, canStop, type EngineView } from '../../src/protocol/engine.ts'
import {
  BENCH_PROMPTS,
  type BenchReport,
  type DiskView,
  type FitReport,
  isPullOpen,
  type ModelView,
  type PresetView,
  type PullView,
} from '../../src/protocol/models.ts'
import { shortName } from '../../src/protocol/new-engine.ts'

/** One line of the list: a model on the disk, an engine whose model is not there, or one on its way. */
export type ModelRow = {
  id: string
  /** The last part of the id, as people say it. */
  name: string
  model: ModelView | null
  engine: EngineView | null
  pull: PullView | null
}

export type ListKind = 'local' | 'coming' | 'hub'

/** Running engines first, then what comes, then what lies on the disk, by name. */
export function modelRows(
  models: readonly ModelView[],
  engines: readonly EngineView[],
  pulls: readonly PullView[],
  search: string,
): ModelRow[] {
  const open = newestPulls(pulls)
  const rows: ModelRow[] = models.map((model) => ({
    id: model.id,
    name: shortName(model.id),
    model,
    engine: foremost(engines.filter(({ name }) => model.usedBy.includes(name))),
    pull: open.find(({ repo }) => repo === model.id.split(':')[0]) ?? null,
  }))
  const used = new Set(models.flatMap(({ usedBy }) => usedBy))
  for (const engine of engines.filter(({ name }) => !used.has(name))) {
    rows.push({ id: `engine:${engine.name}`, name: engine.model ?? engine.name, model: null, engine, pull: null })
  }
  for (const pull of open.filter(({ repo }) => !rows.some((row) => row.pull?.repo === repo))) {
    rows.push({ id: `pull:${pull.id}`, name: shortName(pull.repo), model: null, engine: null, pull })
  }
  const wanted = search.trim().toLowerCase()
  const rank = ({ engine, pull }: ModelRow): number =>
    engine !== null && canStop(engine.state) ? 0 : pull !== null ? 1 : engine !== null ? 2 : 3
  return rows
    .filter(({ id, name }) => `${id} ${name}`.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
}

const SORT_KEYS = ['name', 'weights', 'size', 'context', 'memory', 'speed', 'used'] as const

export type SortKey = (typeof SORT_KEYS)[number]
/** Null: the order of `modelRows`. */
export type Sort = { by: SortKey; down: boolean } | null

type SortFacts = { fits: ReadonlyMap<string, FitReport | null>; speedOf: (id: string) => number | null }

/** What a click on a column's title makes of the order: words rise first and figures fall, then the other way, then as before. */
export function nextSort(sort: Sort, by: SortKey): Sort {
  const first = by !== 'name' && by !== 'weights'
  if (sort?.by !== by) return { by, down: first }
  return sort.down === first ? { by, down: !first } : null
}

/** An order as this window keeps it, and back; what it does not know is none. */
export function sortWords(sort: Sort): string[] {
  return sort === null ? [] : [sort.by, sort.down ? 'down' : 'up']
}

export function wordsSort([name, way]: readonly string[]): Sort {
  const by = SORT_KEYS.find((key) => key === name)
  return by === undefined ? null : { by, down: way === 'down' }
}

/** Rows without a value come last, whichever way; equal ones stay as they were. */
export function sortedRows(rows: readonly ModelRow[], sort: Sort, facts: SortFacts): readonly ModelRow[] {
  if (sort === null) return rows
  const values = new Map(rows.map((row) => [row, sortValue(row, sort.by, facts)]))
  return [...rows].sort((one, other) => {
    const [a, b] = [values.get(one) ?? null, values.get(other) ?? null]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    const order = typeof a === 'number' ? a - Number(b) : a.localeCompare(String(b))
    return sort.down ? -order : order
  })
}

function sortValue({ id, name, model }: ModelRow, by: SortKey, { fits, speedOf }: SortFacts): string | number | null {
  if (by === 'name') return name
  if (by === 'speed') return speedOf(id)
  if (model === null) return null
  const values = {
    weights: weightsWord(model),
    size: model.bytes,
    context: model.contextLength,
    memory: fits.get(id)?.neededBytes ?? null,
    used: model.lastUsed === null ? null : Date.parse(model.lastUsed),
  }
  return values[by]
}

/** How its weights are packed: the quantisation, else their type; a file's format says nothing of it. */
export function weightsWord({ quantization, dtype }: Pick<ModelView, 'quantization' | 'dtype'>): string | null {
  return quantization ?? dtype
}

/** Of each repository the last one that is under way, or that failed. */
function newestPulls(pulls: readonly PullView[]): PullView[] {
  const shown = pulls.filter((pull) => isPullOpen(pull) || pull.state === 'failed')
  return shown.filter((pull, i) => !shown.slice(i + 1).some(({ repo }) => repo === pull.repo))
}

function foremost(engines: readonly EngineView[]): EngineView | null {
  return engines.find(({ state }) => canStop(state)) ?? engines[0] ?? null
}

export type FitLook = {
  look: 'fits' | 'tight' | 'shorter' | 'swap' | 'no' | 'unknown'
  spareBytes: number | null
  neededBytes: number | null
  /** The longest context that would fit, where a shorter one is all that it needs. */
  context: number | null
}

/** Shorter than this a context is of no use. */
const LEAST_CONTEXT = 2048

/**
 * Less than a twentieth to spare is tight. `ours`: what engines of ours hold, and would give back. Without a GPU that
 * tells, only whether it fits is known.
 */
export function fitLook(fit: FitReport | null, ours = 0): FitLook {
  if (fit === null) return { look: 'unknown', spareBytes: null, neededBytes: null, context: null }
  const { neededBytes, longestContext } = fit
  const spareBytes = fit.gpu === null ? null : fit.gpu.freeBytes - neededBytes
  if (!fit.fits) {
    const swaps = spareBytes !== null && ours > 0 && spareBytes + ours >= 0
    const context = Math.floor(longestContext / 1024) * 1024
    if (!swaps && context >= LEAST_CONTEXT && context < fit.context)
      return { look: 'shorter', spareBytes: null, neededBytes, context }
    return { look: swaps ? 'swap' : 'no', spareBytes: null, neededBytes, context: null }
  }
  const isTight = spareBytes !== null && fit.gpu !== null && spareBytes < fit.gpu.totalBytes / 20
  return { look: isTight ? 'tight' : 'fits', spareBytes, neededBytes, context: null }
}

/** Presets in the order of what this card can hold, the largest of those first; `memory` null: nobody knows. */
export function presetRows(
  presets: readonly PresetView[],
  memory: number | null,
): { preset: PresetView; fits: boolean | null }[] {
  const rows = presets.map((preset) => ({ preset, fits: memory === null ? null : preset.minVramBytes <= memory }))
  if (memory === null) return rows
  return rows.sort((a, b) => {
    const order = Number(b.fits) - Number(a.fits)
    const size = b.preset.minVramBytes - a.preset.minVramBytes
    return order !== 0 ? order : a.fits === true ? size : -size
  })
}

export type MemoryPart = { name: 'weights' | 'kv' | 'overhead' | 'other' | 'free'; bytes: number; share: number }

/**
 * How the memory would be taken with so many requests of this context at once. `own`: what it holds already, running.
 * `share`: of the memory, that it may take in all; null: whatever is free.
 */
export function memoryParts(
  fit: FitReport,
  sequences: number,
  own = 0,
  share: number | null = null,
): { parts: MemoryPart[]; totalBytes: number; missingBytes: number } {
  const kv = fit.kvBytes * sequences
  const needed = fit.weightsBytes + kv + fit.overheadBytes
  const total = fit.gpu?.totalBytes ?? Math.max(needed, fit.neededBytes)
  const free = Math.min(total, (fit.gpu?.freeBytes ?? total) + own)
  const other = total - free
  const missingBytes = Math.max(0, needed - Math.min(free, share === null || fit.gpu === null ? free : share * total))
  const whole = Math.max(total, other + needed)
  const part = (name: MemoryPart['name'], bytes: number): MemoryPart => ({
    name,
    bytes,
    share: whole === 0 ? 0 : bytes / whole,
  })
  return {
    totalBytes: total,
    missingBytes,
    parts: [
      part('weights', fit.weightsBytes),
      part('kv', kv),
      part('overhead', fit.overheadBytes),
      part('other', other),
      part('free', Math.max(0, free - needed)),
    ],
  }
}

export type Wanted = { is: 'hub'; repo: string; revision: string | null } | { is: 'folder'; path: string } | null

/** What somebody typed or pasted: a link to the hub, `owner/name`, `owner/name:FILE.gguf`, or a place on this machine. */
export function wantedModel(text: string): Wanted {
  const plain = text.trim()
  if (/^(\/|~|\.{1,2}\/|[A-Za-z]:[\\/])/.test(plain)) return { is: 'folder', path: plain }
  const link =
    /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/\s]+\/[^/\s?#]+)(?:\/(tree|blob|resolve)\/([^/\s?#]+)(?:\/([^\s?#]+))?)?/.exec(
      plain,
    )
  if (link !== null) {
    const [, repo = '', , revision, file] = link
    const isOne = file?.endsWith('.gguf') === true
    return { is: 'hub', repo: isOne ? `${repo}:${file}` : repo, revision: revision ?? null }
  }
  return /^[\w.-]+\/[\w.-]+(:[^\s]+)?$/.test(plain) ? { is: 'hub', repo: plain, revision: null } : null
}

/** What its button does now. `none`: it cannot be used, and the row says why. */
export type RowVerb = 'start' | 'stop' | 'pull' | 'retry' | 'none'

export function rowVerb({ model, engine, pull }: ModelRow): RowVerb {
  if (pull !== null) return isPullOpen(pull) ? 'pull' : 'retry'
  if (engine !== null && canStop(engine.state)) return 'stop'
  if (model !== null && !model.complete) return 'retry'
  return engine === null || canStart(engine.state) ? 'start' : 'none'
}

/** The prompts that leave room for an answer in a context of so many tokens; null: it is not known. */
export function benchLengths(context: number | null, answer: number): (keyof typeof BENCH_PROMPTS)[] {
  const room = (context ?? Number.POSITIVE_INFINITY) - 2 * answer
  return (['short', 'medium', 'long'] as const).filter((one) => one === 'short' || BENCH_PROMPTS[one] <= room)
}

/** `prompt` is missing in those of earlier versions, which all had short ones. */
export type KeptBench = Omit<BenchReport, 'prompt'> & { at: string; prompt?: number }

/** What it changed against the last one of the same kind, as a share; null: there is none, or it says nothing. */
export type BenchChange = { ttft: number | null; each: number | null; all: number | null }

/** Each measurement with what it changed against the one before it with as many requests at once and such prompts. */
export function benchRows(kept: readonly KeptBench[]): (KeptBench & { prompt: number; change: BenchChange })[] {
  const rows = kept.map((one) => ({ ...one, prompt: one.prompt ?? BENCH_PROMPTS.short }))
  return rows.map((row, i) => {
    const isAlike = ({ concurrency, prompt, tokens }: typeof row): boolean =>
      concurrency === row.concurrency && prompt === row.prompt && tokens === row.tokens
    const before = rows.slice(i + 1).find(isAlike)
    const share = (of: (one: typeof row) => number | null | undefined): number | null => {
      const [now, then] = [of(row), before === undefined ? null : of(before)]
      return now == null || then == null || then === 0 ? null : now / then - 1
    }
    const each = share((one) => one.tokensPerSecondPerStream)
    const change = { ttft: share((one) => one.ttftMs?.p50), each, all: share((one) => one.tokensPerSecond) }
    return { ...row, change }
  })
}

/** As a table for a message or an issue. */
export function benchMarkdown(rows: readonly KeptBench[]): string {
  const cell = (value: number | null | undefined, digits = 0): string =>
    value === null || value === undefined ? '–' : value.toFixed(digits)
  const head =
    '| model | at once | prompt | requests | tokens | TTFT p50 ms | TTFT p95 ms | tok/s each | tok/s all | errors |'
  const line = '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
  const body = benchRows(rows).map(
    (row) =>
      `| ${row.model} | ${row.concurrency} | ${row.prompt} | ${row.requests} | ${row.tokens} | ${cell(row.ttftMs?.p50)} | ${cell(row.ttftMs?.p95)} | ${cell(row.tokensPerSecondPerStream, 1)} | ${cell(row.tokensPerSecond, 1)} | ${row.errors} |`,
  )
  return [head, line, ...body].join('\n')
}

const GB = 1e9

/** How full the disk of the models is: `low` when a model of usual size may not fit any more, `full` when nothing does. */
export function diskLook({ freeBytes, totalBytes }: DiskView): 'good' | 'low' | 'full' {
  if (freeBytes < 5 * GB) return 'full'
  return freeBytes < 20 * GB || freeBytes < 0.05 * totalBytes ? 'low' : 'good'
}

type Settings = readonly { path: string; value: unknown }[]
type Started = Pick<EngineView, 'name' | 'derived'>

function argsOf(config: Settings, { name }: Started): Readonly<Record<string, unknown>> {
  const entry = config.find(({ path }) => path === `engines.${name}.args`)
  return (entry?.value ?? {}) as Readonly<Record<string, unknown>>
}

/** Requests at once that the fit of an engine begins with: what it may run, as far as they fit; one where nothing is said. */
export function startsWith(config: Settings, engine: Started | null, fitting: number): number {
  if (engine === null) return 1
  const most = Number(argsOf(config, engine)['max-num-seqs'] ?? engine.derived['max-num-seqs'] ?? 1)
  return Number.isInteger(most) ? Math.max(1, Math.min(most, fitting)) : 1
}

/** The share of the memory that the fit begins with: of one that runs by what Lexora derived, that, since what it holds is not free. */
export function shareOf(config: Settings, engine: Started | null, computed: number | null): number | null {
  if (engine === null || computed === null) return computed
  const args = argsOf(config, engine)
  const isSaid = (args['gpu-memory-utilization'] ?? args['gpu_memory_utilization']) !== undefined
  const derived = Number(engine.derived['gpu-memory-utilization'])
  return isSaid || !(derived > 0) ? computed : derived
}
