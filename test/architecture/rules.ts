import { posix } from 'node:path'

/** A file of src: its path below src, with slashes, and its text. */
export type Source = { path: string; text: string }

/** `room`: the folder of src that a file lives in, or its own name where it lies in src itself. */
type Import = { from: string; room: string; specifier: string; target: string | null; targetRoom: string | null }

/** Who may import whom: a room its own files and those of a lower rank. `src/README.md` draws it. */
const RANKS: Record<string, number> = {
  protocol: 0,
  policy: 1,
  wire: 1,
  telemetry: 1,
  config: 2,
  store: 2,
  users: 2,
  backends: 3,
  engine: 3,
  models: 3,
  gateway: 4,
  app: 5,
  cli: 6,
  demo: 6,
  headless: 6,
  shell: 6,
  bin: 7,
}

/** What a room may import of its own rank: records of requests hold decisions and token counts. */
const BESIDE: Record<string, readonly string[]> = { telemetry: ['policy', 'wire'] }

/** What a room may not import although its rank is lower: it is handed values instead. */
const NOT_BELOW: Record<string, readonly string[]> = { gateway: ['engine', 'config'] }

/** Rooms that import nothing of src but themselves: programs of their own. */
const ALONE = new Set(['demo'])

/** Rooms that import only these packages, and nothing of Node's. */
const PACKAGES: Record<string, readonly string[]> = { protocol: ['zod'], policy: [] }

/** Clock, chance, environment and timers: a decision is handed their values. */
const IMPURE =
  /\b(?:Date\.now|new Date\(\)|(?:Math\.random|performance|process|globalThis|crypto|set(?:Timeout|Interval|Immediate))\b)/g
const PURE = new Set(['policy'])

/** Everything that breaks a rule, one line each, with file and import. */
export function brokenRules(sources: readonly Source[]): string[] {
  const imports = sources.flatMap(importsOf)
  return [
    ...roomsWithoutRank(sources),
    ...imports.flatMap(brokenRank),
    ...imports.flatMap(strangePackage),
    ...sources.flatMap(impureWords),
    ...cycles(imports),
  ]
}

export function importsOf({ path, text }: Source): Import[] {
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]/g),
  ]
  return found.map(([, specifier = '']) => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : null
    return { from: path, room: roomOf(path), specifier, target, targetRoom: target === null ? null : roomOf(target) }
  })
}

function roomOf(path: string): string {
  return path.split('/')[0]!.replace(/\.ts$/, '')
}

function roomsWithoutRank(sources: readonly Source[]): string[] {
  const rooms = new Set(sources.map(({ path }) => roomOf(path)))
  return [...rooms]
    .filter((room) => !Object.hasOwn(RANKS, room))
    .map((room) => `src/${room} has no rank: give it one in test/architecture/rules.ts and draw it in src/README.md`)
}

function brokenRank({ from, room, specifier, target, targetRoom }: Import): string[] {
  if (target === null || targetRoom === null || targetRoom === room) return []
  const says = `src/${from} imports '${specifier}'`
  // The version of the program is the one thing that it reads from outside src.
  if (targetRoom === '..') return from === 'bin.ts' && target === '../package.json' ? [] : [`${says}: outside src`]
  if (ALONE.has(room)) return [`${says}: ${room} imports nothing outside src/${room}`]
  if (NOT_BELOW[room]?.includes(targetRoom)) return [`${says}: ${room} is handed values of ${targetRoom}`]
  if (BESIDE[room]?.includes(targetRoom)) return []
  const [own = -1, other = -1] = [RANKS[room], RANKS[targetRoom]]
  if (own < 0 || other < 0 || other < own) return []
  return [`${says}: ${targetRoom} (rank ${other}) is not below ${room} (rank ${own})`]
}

function strangePackage({ from, room, specifier, target }: Import): string[] {
  if (target !== null) return []
  const says = `src/${from} imports '${specifier}'`
  if (/^electron(\/|$)/.test(specifier) && room !== 'shell') return [`${says}: electron belongs to src/shell`]
  const allowed = PACKAGES[room]
  if (allowed === undefined || allowed.includes(specifier)) return []
  return [
    `${says}: ${room} imports ${allowed.length > 0 ? `only ${allowed.join(', ')}` : 'no package and no node module'}`,
  ]
}

function impureWords({ path, text }: Source): string[] {
  if (!PURE.has(roomOf(path))) return []
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
  return [...code.matchAll(IMPURE)].map(([word]) => `src/${path} uses ${word}: a decision is handed its value`)
}

/** Each cycle once, from its first file in the alphabet. */
function cycles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>()
  for (const { from, target } of imports) if (target !== null) next.set(from, [...(next.get(from) ?? []), target])
  const found = new Set<string>()
  const done = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    const at = path.indexOf(file)
    if (at !== -1) {
      const ring = path.slice(at)
      const first = ring.indexOf(ring.toSorted()[0]!)
      const turned = [...ring.slice(first), ...ring.slice(0, first + 1)]
      found.add(`a cycle: ${turned.map((member) => `src/${member}`).join(' → ')}`)
      return
    }
    if (done.has(file)) return
    for (const target of next.get(file) ?? []) walk(target, [...path, file])
    done.add(file)
  }
  for (const file of next.keys()) walk(file, [])
  return [...found]
}
