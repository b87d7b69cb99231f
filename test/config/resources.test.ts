import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { schemaKeys } from '../../src/config/shape.ts'
import { schemaFileText } from '../../tools/write-schema.ts'
import { loaded } from './given.ts'

const resource = (name: string) => readFileSync(new URL(`../../resources/${name}`, import.meta.url), 'utf8')
const example = resource('lexora_config.example.yaml')

test('the published schema is fresh (node tools/write-schema.ts)', () => {
  expect(resource('lexora_config.schema.json')).toBe(schemaFileText())
})

test('the example is the defaults', () => {
  expect(loaded({ file: example }).config).toEqual(loaded().config)
})

test('the example stays valid with every commented-out line in force', () => {
  const { auth, rate_limit, routing, engines } = loaded({ file: inForce(example) }).config
  expect([auth.api_keys.length, ...[rate_limit.users, routing.backends, engines].map(Object.keys)]).toEqual([
    2,
    ['alice'],
    ['main', 'cloud'],
    ['qwen'],
  ])
  expect([routing.aliases, routing.tasks].map(Object.keys)).toEqual([['code', 'chat'], ['summary']])
})

test('the example shows every key of the schema, if only in a comment', () => {
  const shown = new Set(example.match(/[\w-]+(?=:)/g))
  expect(schemaKeys().filter((key) => !shown.has(key.split('.').at(-1)!))).toEqual([])
})

/** Takes the "# " before settings away, and the empty value of the map or list they belong to. */
function inForce(text: string): string {
  return text
    .replaceAll(/^( *\w+:) (?:\{\}|\[\])(.*\n)(?=(?: *# .*\n)* {2,}# )/gm, '$1$2')
    .replaceAll(/^( +)# (?=[-\w ]+.*[:\]}"\w])/gm, '$1')
}
