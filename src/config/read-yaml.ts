import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from 'yaml'
import type { Issue } from './issues.ts'
import { dotted, emptyLayer, emptyTree, isTree, type Layer, type Origin, pathKey, type Tree } from './layer.ts'
import type { Path } from './shape.ts'

export type YamlRead = { layer: Layer; issues: Issue[]; empty: boolean }

/** A configuration is some hundred values; a file that unfolds to more than this is broken or hostile. */
const MOST_NODES = 20_000
const MOST_DEPTH = 32
const MOST_ALIASES = 200

/** Reads one YAML document into plain values with the line and column of each. `file` is how messages name it. */
export function readYaml(text: string, file: string): YamlRead {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    resolveKnownTags: false,
    logLevel: 'error',
  })
  const place = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset)
    return { from: 'file', detail: `${file}:${line}:${col}`, file, line, column: col }
  }
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    const issues = faults.map(({ code, pos }) =>
      fileIssue([], YAML_FAULTS[code] ?? YAML_FAULTS.UNEXPECTED_TOKEN!, place(pos[0])),
    )
    return { layer: emptyLayer(), issues, empty: false }
  }
  const unfolding = new Unfolding(document, place)
  unfolding.root()
  return { layer: unfolding.layer, issues: unfolding.issues, empty: isEmpty(document.contents) }
}

/** Turns nodes into values: follows anchors and merge keys, within bounds, and notes where each value was written. */
class Unfolding {
  readonly layer = emptyLayer()
  readonly issues: Issue[] = []
  private nodes = 0
  private aliases = 0
  private depth = 0
  private readonly document: Document.Parsed
  private readonly place: (offset: number) => Origin

  constructor(document: Document.Parsed, place: (offset: number) => Origin) {
    this.document = document
    this.place = place
  }

  root(): void {
    const contents = this.document.contents
    if (isEmpty(contents)) return
    if (isMap(contents)) this.layer.tree = this.map(contents.items as NodePair[], [])
    else this.issues.push(fileIssue([], 'must be a map of sections, as in "server:"', this.at(contents)))
  }

  private value(node: Node | null, path: Path): unknown {
    if (++this.nodes > MOST_NODES || this.depth >= MOST_DEPTH || (isAlias(node) && ++this.aliases > MOST_ALIASES)) {
      return this.tooLarge(node, path)
    }
    this.depth += 1
    const value = this.unfold(node, path)
    this.depth -= 1
    return value
  }

  private unfold(node: Node | null, path: Path): unknown {
    if (isAlias(node)) return this.value(this.anchor(node, path), path)
    if (isMap(node)) return this.map(node.items as NodePair[], path)
    if (!isSeq(node)) return isScalar(node) ? node.value : null
    return node.items.map((item, index) => {
      this.layer.origins.set(pathKey([...path, index]), this.at(item as Node))
      return this.value(item as Node, [...path, index])
    })
  }

  private anchor(alias: Alias, path: Path): Node | null {
    const node = alias.resolve(this.document)
    if (!node) this.issues.push(fileIssue(path, 'this "*name" refers to no anchor above it', this.at(alias)))
    return node ?? null
  }

  private map(pairs: NodePair[], path: Path): Tree {
    const tree = emptyTree()
    for (const { key, value } of pairs) if (key.value === '<<') this.mergeKey(value, tree, path)
    for (const { key, value } of pairs) {
      const below = [...path, key.value]
      if (key.value === '<<') continue
      if (key.value === '__proto__') {
        this.issues.push(fileIssue(below, 'this name cannot be used', this.at(key)))
        continue
      }
      this.layer.origins.set(pathKey(below), this.at(key))
      tree[key.value] = this.value(value, below)
    }
    return tree
  }

  /** `<<: *defaults`: brings in keys; those of the map itself come later and win, as does the first of a list. */
  private mergeKey(source: Node | null, tree: Tree, path: Path): void {
    const merged = this.value(source, path)
    const maps = Array.isArray(merged) ? merged.reverse() : [merged]
    if (maps.every(isTree)) Object.assign(tree, ...maps)
    else this.issues.push(fileIssue(path, '"<<" takes a map, as in "<<: *defaults"', this.at(source)))
  }

  private tooLarge(node: Node | null, path: Path): null {
    if (!this.issues.some(({ message }) => message === TOO_LARGE)) {
      this.issues.push(fileIssue(path, TOO_LARGE, this.at(node)))
    }
    return null
  }

  private at(node: Node | null): Origin {
    return this.place(node?.range?.[0] ?? 0)
  }
}

/** With `stringKeys` every key is a text. */
type NodePair = Pair<Scalar<string>, Node | null>

function isEmpty(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null)
}

function fileIssue(path: Path, message: string, { file, line, column, detail }: Origin): Issue {
  return { path: dotted(path), message, source: 'file', place: detail, file, line, column }
}

const TOO_LARGE = 'the file unfolds to too many values; check its anchors'

/** Our own words for the parser's codes: its messages quote the text at fault, which may be a secret. */
const YAML_FAULTS: Record<string, string> = {
  BAD_ALIAS: 'an anchor cannot have this name',
  BAD_COLLECTION_TYPE: 'this tag does not fit here; remove it',
  BAD_DQ_ESCAPE: 'a "\\" in double quotes begins an escape; use single quotes or "\\\\"',
  BAD_INDENT: 'the indentation does not fit the lines around it',
  BAD_SCALAR_START: 'a text cannot begin with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'one line holds two keys, or a text with ": " that needs quotes',
  BLOCK_IN_FLOW: 'inside { } or [ ] values are separated by commas, not by lines',
  DUPLICATE_KEY: 'this key is already given above; remove one of the two',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing here',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line; is a ":" missing above?',
  MULTIPLE_ANCHORS: 'a value can have one anchor only',
  MULTIPLE_DOCS: 'the file must hold one document; remove this "---"',
  MULTIPLE_TAGS: 'a value can have one tag only',
  NON_STRING_KEY: 'a key must be a plain text',
  RESOURCE_EXHAUSTION: 'the file is nested too deeply',
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'tags such as "!name" are not supported; remove it',
  UNEXPECTED_TOKEN: 'this is not valid YAML here',
}
