import { nearestNames } from '../protocol/nearest-name.ts'
import { say } from '../protocol/sentence.ts'
import { dotted, type Found, valueAt } from './layer.ts'
import { describeKinds, describeValue, keysOf, type Path, type Shape, schemaKeys, shapeAt } from './shape.ts'

/** Why a configuration is refused. Neither path nor message ever holds a value that may be a secret. */
export type Issue = {
  /** Dotted, as it was written: "routing.backends.main.modles". Empty: the document as a whole. */
  path: string
  /** Names the fix. */
  message: string
  source: 'file' | 'environment' | 'flag' | 'default'
  /** Where to look: "lexora_config.yaml:12:5", "LEXORA_SERVER__PORT"; empty for a default. */
  place: string
  file?: string | undefined
  line?: number | undefined
  column?: number | undefined
}

/** `lexora_config.yaml:12:5  routing.backends.main.modles: unknown key. Did you mean "models"?` */
export function formatIssue({ place, path, message }: Issue): string {
  return [place, path ? `${path}: ${message}` : message].filter(Boolean).join('  ')
}

/** What the schema or a rule found, before it is known where the value was written. */
export type Finding = { path: Path; message: string }

/** The parts of zod's issues that are read here. */
export type SchemaIssue = {
  code?: string
  path: PropertyKey[]
  message: string
  keys?: string[]
  values?: unknown[]
  errors?: SchemaIssue[][]
  issues?: SchemaIssue[]
  minimum?: number | bigint
  maximum?: number | bigint
  inclusive?: boolean
  origin?: string
}

/** zod's issues in Lexora's words, one finding per wrong key. `tree` is the document they are about. */
export function findings(issues: readonly SchemaIssue[], tree: unknown, base: Path = []): Finding[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...(issue.path as (string | number)[])]
    switch (issue.code) {
      case 'unrecognized_keys':
        return (issue.keys ?? []).map((key) => unknownKey(path, key))
      case 'invalid_union':
        return unionFindings(issue, tree, path)
      case 'invalid_key':
        return [{ path, message: say`as a name, ${issue.issues?.[0]?.message ?? say('it is not usable')}` }]
      default:
        return [{ path, message: describe(issue, valueAt(tree, path), shapeAt(path)) }]
    }
  })
}

/** The alternative that was meant tells most: an object with a wrong key, not "neither text nor map". */
function unionFindings(issue: SchemaIssue, tree: unknown, path: Path): Finding[] {
  const meant = issue.errors?.find((errors) => !errors.some(isOtherKind))
  if (meant) return findings(meant, tree, path)
  const shape = shapeAt(path)
  return [{ path, message: shape ? expected(shape, valueAt(tree, path)) : issue.message }]
}

function isOtherKind({ code, path }: SchemaIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')
}

function describe(issue: SchemaIssue, value: unknown, shape: Shape | undefined): string {
  if (value === undefined && issue.code !== 'custom') return missing(shape)
  if (issue.code === 'invalid_type' && shape) return expected(shape, value)
  if (issue.code === 'invalid_value') return oneOf(issue.values ?? [], value)
  if (issue.code === 'too_small') return bound(issue, 'least', issue.minimum)
  if (issue.code === 'too_big') return bound(issue, 'most', issue.maximum)
  return issue.message
}

function missing(shape: Shape | undefined): string {
  return shape ? say`is missing; it must be ${describeKinds(shape)}` : say('is missing')
}

function expected(shape: Shape, value: unknown): string {
  const wanted = describeKinds(shape)
  const quoted = typeof value === 'string' && /^(\d+(\.\d+)?|true|false)$/.test(value) && !wanted.includes('text')
  const given = describeValue(value)
  return quoted ? say`must be ${wanted}, not ${given}; remove the quotes` : say`must be ${wanted}, not ${given}`
}

function oneOf(values: unknown[], value: unknown): string {
  const words = values.map(String)
  const [near] = nearestNames(String(value), words, 1)
  if (words.length <= 1) return say`must be ${words.join(', ')}`
  const all = words.join(', ')
  return near === undefined ? say`must be one of ${all}` : say`must be one of ${all}. Did you mean "${near}"?`
}

function bound(issue: SchemaIssue, limit: 'least' | 'most', number: number | bigint | undefined): string {
  if (issue.origin === 'array' || issue.origin === 'string') return say('must not be empty')
  if (limit === 'least') return issue.inclusive ? say`must be at least ${number}` : say`must be more than ${number}`
  return issue.inclusive ? say`must be at most ${number}` : say`must be less than ${number}`
}

/** What people write under auth by mistake may be a key in the other sense: only a near miss is repeated there. */
function unknownKey(parent: Path, key: string): Finding {
  const known = keysOf(shapeAt(parent))
  const near = nearestNames(key, known, 1)
  if (parent[0] === 'auth' && near.length === 0) {
    return { path: parent, message: `has an unknown key. Known here: ${known.join(', ')}` }
  }
  const elsewhere = schemaKeys().filter((other) => !other.includes('NAME') && other.endsWith(`.${key}`))
  const hint = near.length > 0 ? near : elsewhere.length <= 2 ? elsewhere : []
  return { path: [...parent, key], message: `unknown key${suggest(hint) || `. Known here: ${known.join(', ')}`}` }
}

export function didYouMean(wrong: string, names: Iterable<string>): string {
  return suggest(nearestNames(wrong, names, 1))
}

function suggest(names: string[]): string {
  return names.length > 0 ? `. Did you mean ${names.map((name) => `"${name}"`).join(' or ')}?` : ''
}

/** A finding at its place in the source it came from. */
export function located({ path, message }: Finding, found: Found | undefined): Issue {
  if (!found) return { path: dotted(path), message, source: 'default', place: '' }
  const { from, detail, written, file, line, column } = found.origin
  const asWritten = written === undefined ? path : [written, ...path.slice(found.depth)]
  return { path: dotted(asWritten), message, source: from, place: detail, file, line, column }
}
