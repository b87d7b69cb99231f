import { type Config, configSchema } from '../protocol/config.ts'
import { applyAliases, shapeWithAliases } from './aliases.ts'
import { unbuilt } from './effects.ts'
import { applyEnvironment, type Environment } from './environment.ts'
import { type Explanation, explainKey } from './explain.ts'
import { displayName, findConfigFile, readConfigFile } from './find-file.ts'
import { type Finding, findings, type Issue, located, type SchemaIssue } from './issues.ts'
import { emptyLayer, emptyTree, isTree, type Layer, leaves, merge, originOf, put, type Tree, valueAt } from './layer.ts'
import { lexoraPaths } from './paths.ts'
import { readYaml } from './read-yaml.ts'
import { contradictions } from './rules.ts'
import { maskSecrets } from './secrets.ts'
import { childOf, isMap, kindsOf, type Shape } from './shape.ts'
import { warnings } from './warnings.ts'

export type LoadInput = {
  /** Settings of the command line by dotted key; undefined values are ignored. */
  flags: Readonly<Record<string, unknown>>
  configPath?: string | undefined
  env: Environment
  cwd: string
  /** The user's home folder. */
  home: string
  platform?: NodeJS.Platform
  /** In place of what the file holds: an edit before it is written. */
  text?: string | undefined
  /** A reload refuses an empty file: it may be one that is just being saved. */
  allowEmpty?: boolean
}

export type LoadedConfig = {
  ok: true
  config: Config
  path: string | null
  /** Where an edit goes: the file in use, else the one in LEXORA_HOME. */
  target: string
  /** What the file holds; null: there is none. */
  text: string | null
  /** For the log: older spellings, warnings, keys without effect. */
  notes: string[]
  /** Dotted paths that a file, the environment or a flag set, with the sections around them. */
  explicit: ReadonlySet<string>
  explain(key: string): Explanation | undefined
}

export type Loaded = LoadedConfig | { ok: false; path: string | null; issues: Issue[] }

/** Reads and checks the whole configuration: flag over environment over file over default. Expected faults are issues. */
export function loadConfig(input: LoadInput): Loaded {
  const { flags, env, cwd, home, platform = process.platform } = input
  const homeFile = lexoraPaths({ env, platform, home, cwd }).configFile
  const path = findConfigFile({ configPath: input.configPath, env, cwd, homeFile })
  const target = path ?? homeFile
  const file = readLayer(path, input)
  const fromFile = adapt(file.layer)
  const environment = applyEnvironment(env, file.layer.tree)
  const fromEnvironment = adapt(environment.layer)

  const layers = [flagLayer(flags), environment.layer, file.layer]
  const early = [...file.issues, ...fromFile.issues, ...environment.issues, ...fromEnvironment.issues]
  const checked = check(layers)
  if (early.length > 0 || 'issues' in checked) {
    // After a broken file the schema would only complain about what the file did not get to say.
    const late = 'issues' in checked && file.issues.length === 0 ? checked.issues : []
    return { ok: false, path, issues: inReadingOrder([...early, ...late]) }
  }
  const { config, explicit } = checked
  const notes = [
    ...file.notes,
    ...fromFile.notes,
    ...environment.notes,
    ...fromEnvironment.notes,
    ...warnings(config),
    ...(file.openToOthers && holdsSecrets(file.layer.tree)
      ? [`${path} holds keys and others can read it: chmod 600`]
      : []),
    ...unbuilt({ config, explicit }),
  ]
  return {
    ok: true,
    config,
    path,
    target,
    text: file.text,
    notes,
    explicit,
    explain: (key) => explainKey(config, layers, key),
  }
}

type FileLayer = { layer: Layer; text: string | null; issues: Issue[]; notes: string[]; openToOthers: boolean }

function readLayer(path: string | null, { text, cwd, allowEmpty = true }: LoadInput): FileLayer {
  const nothing = { layer: emptyLayer(), text: null, issues: [], notes: [], openToOthers: false }
  if (path === null && text === undefined) return nothing
  const file = path === null ? 'the new file' : displayName(path, cwd)
  const refused = (message: string) => ({
    ...nothing,
    issues: [{ path: '', message, source: 'file' as const, place: file, file }],
  })
  const read = text === undefined ? readConfigFile(path!) : { text, openToOthers: false }
  if ('problem' in read) return refused(read.problem)
  const { layer, issues, empty } = readYaml(read.text, file)
  if (empty && !allowEmpty) return refused('is empty; the settings in force are kept')
  const notes = empty ? [`${file} is empty: defaults hold`] : []
  return { layer, text: read.text, issues, notes, openToOthers: read.openToOthers }
}

/** Brings a layer into today's form, in place. */
function adapt(layer: Layer): { notes: string[]; issues: Issue[] } {
  fillEmptied(layer.tree, shapeWithAliases)
  return applyAliases(layer)
}

/** A section or list whose lines are all commented out is null in YAML; it means an empty one. */
function fillEmptied(tree: Tree, shape: Shape): void {
  for (const [key, value] of Object.entries(tree)) {
    const below = childOf(shape, key)
    if (!below) continue
    const kinds = kindsOf(below)
    if (isTree(value)) fillEmptied(value, below)
    else if (value !== null || kinds.has('null') || !(kinds.has('object') || kinds.has('array'))) continue
    else if (isMap(shape)) tree[key] = kinds.has('object') ? emptyTree() : []
    else delete tree[key]
  }
}

const FLAG_NAMES: Record<string, string> = {
  'server.host': '--host',
  'server.port': '--port',
  'logging.format': '--log-format',
}

function flagLayer(flags: LoadInput['flags']): Layer {
  const layer = emptyLayer()
  for (const [key, value] of Object.entries(flags)) {
    if (value !== undefined) put(layer, key.split('.'), value, { from: 'flag', detail: FLAG_NAMES[key] ?? key })
  }
  return layer
}

/** Holds the joined layers, strongest first, to the schema and then to the rules that span keys. */
function check(layers: Layer[]): { config: Config; explicit: ReadonlySet<string> } | { issues: Issue[] } {
  const tree = layers.reduceRight((base, layer) => merge(base, layer.tree), emptyTree())
  const issuesOf = (found: Finding[]) => found.map((finding) => locate(finding, layers))
  const parsed = configSchema.safeParse(tree)
  if (!parsed.success) return { issues: issuesOf(findings(parsed.error.issues as SchemaIssue[], tree)) }
  const explicit = explicitPaths(tree)
  const broken = [...contradictions(parsed.data, explicit)]
  return broken.length > 0 ? { issues: issuesOf(broken) } : { config: parsed.data, explicit }
}

/** The strongest source that holds the value; for a missing one, the source that wrote the most of what is around it. */
function locate(finding: Finding, layers: Layer[]): Issue {
  const holder = layers.find((layer) => valueAt(layer.tree, finding.path) !== undefined)
  const found = (holder ? [holder] : layers)
    .map((layer) => originOf(layer, finding.path))
    .filter((one) => one !== undefined)
  return located(finding, found.sort((a, b) => b.depth - a.depth)[0])
}

function explicitPaths(tree: Tree): Set<string> {
  const withSections = [...leaves(tree)].flatMap((path) => path.map((_, index) => path.slice(0, index + 1).join('.')))
  return new Set(withSections)
}

function holdsSecrets(tree: Tree): boolean {
  return JSON.stringify(maskSecrets(tree)) !== JSON.stringify(tree)
}

/** Files from top to bottom, each fault once; sources without lines come first. */
function inReadingOrder(issues: Issue[]): Issue[] {
  const once = new Map(issues.map((issue) => [`${issue.place}\n${issue.path}\n${issue.message}`, issue]))
  return [...once.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}
