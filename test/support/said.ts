import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'vite'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '..', '..')

/** `missing`: of a node that is marked and cannot be read, where it stands. */
export type Said = { sentences: Set<string>; missing: string[] }

type Node = { type: string; start: number; [key: string]: unknown }

/** Every sentence that the core marks with `say`, with `{0}` for the values, and the notes of the presets. */
export function saidOfCore(): Said {
  const said: Said = { sentences: new Set(), missing: [] }
  for (const path of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue
    const code = readFileSync(join(ROOT, 'src', path), 'utf8')
    if (!code.includes('/sentence.ts')) continue
    const place = (node: Node): string => `${path}:${code.slice(0, node.start).split('\n').length}`
    look(parseSync(path, code).program as unknown as Node, said, place)
  }
  const { presets } = parse(readFileSync(join(ROOT, 'resources', 'models.yaml'), 'utf8')) as {
    presets: { note: string }[]
  }
  for (const { note } of presets) said.sentences.add(note)
  return said
}

function look(node: Node, said: Said, place: (node: Node) => string): void {
  if (isSay(node) && node.type === 'TaggedTemplateExpression') {
    const { quasis } = node['quasi'] as { quasis: { value: { cooked: string } }[] }
    said.sentences.add(quasis.map(({ value }, i) => (i === 0 ? '' : `{${i - 1}}`) + value.cooked).join(''))
  }
  if (isSay(node) && node.type === 'CallExpression') {
    const [first] = node['arguments'] as Node[]
    if (typeof first?.['value'] === 'string') said.sentences.add(first['value'])
    else said.missing.push(place(node))
  }
  eachChild(node, (child) => look(child, said, place))
}

/** Texts of a file that read like sentences and are not marked. */
export function unmarkedIn(path: string): string[] {
  const code = readFileSync(join(ROOT, 'src', path), 'utf8')
  const found: string[] = []
  const search = (node: Node): void => {
    if (isSay(node)) return
    const text = textOf(node)
    if (text !== null && / .*[.?]$/s.test(text)) found.push(text)
    eachChild(node, search)
  }
  search(parseSync(path, code).program as unknown as Node)
  return found
}

function textOf(node: Node): string | null {
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : null
  if (node.type !== 'TemplateLiteral') return null
  return (node['quasis'] as { value: { cooked: string } }[]).map(({ value }) => value.cooked).join('…')
}

function isSay({ type, ...node }: Node): boolean {
  if (type === 'CallExpression') return nameOf(node['callee'] as Node) === 'say'
  return type === 'TaggedTemplateExpression' && nameOf(node['tag'] as Node) === 'say'
}

function eachChild(node: Node, act: (child: Node) => void): void {
  for (const value of Object.values(node)) for (const child of [value].flat()) if (isNode(child)) act(child)
}

function nameOf(node: Node): unknown {
  return node.type === 'Identifier' ? node['name'] : null
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}
