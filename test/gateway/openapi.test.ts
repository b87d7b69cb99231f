/** The documents of the two APIs: whole, valid, and true to what is served. */
import { describe, expect, test } from 'vitest'
import type { CommandRow } from '../../src/protocol/command-row.ts'
import { COMMANDS, EVENTS_PATH } from '../../src/protocol/commands.ts'
import { ASSISTED, MANAGED, PASSED_THROUGH, REALTIME } from '../../src/protocol/endpoints.ts'
import {
  ADMIN_OPENAPI_PATH,
  adminDocument,
  dataDocument,
  OPENAPI_PATH,
  OPERATIONS,
} from '../../src/protocol/openapi.ts'
import { startApp, startFake } from '../support/app.ts'

type Json = { [key: string]: Json } & { [Symbol.iterator]?: never }
const documents: [name: string, document: Json][] = [
  ['the data plane', dataDocument('1.2.3') as Json],
  ['the admin API', adminDocument('1.2.3') as Json],
]

/** Every operation with the path it stands at. */
function operations(document: Json): { path: string; method: string; operation: Json }[] {
  return Object.entries(document['paths']!).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  )
}

function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, below] of Object.entries(value)) {
    if (key === '$ref') yield below as string
    else yield* references(below)
  }
}

describe.each(documents)('the document of %s', (_, document) => {
  test('has the form of OpenAPI 3.1', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3', title: expect.any(String) } })
    for (const { path, method, operation } of operations(document)) {
      expect(path).toMatch(/^\/[\w/{}.-]+$/)
      expect(['get', 'post']).toContain(method)
      expect(operation).toMatchObject({ operationId: expect.stringMatching(/^\w+$/), summary: expect.any(String) })
      const answers = Object.entries(operation['responses']!)
      expect(answers.length).toBeGreaterThan(1)
      for (const [status, answer] of answers) {
        expect(status).toMatch(/^[1-5]\d\d$/)
        expect(answer['description']).toMatch(/./)
      }
    }
  })

  test('names each operation once, and every argument of a path', () => {
    const all = operations(document)
    const ids = all.map(({ operation }) => operation['operationId'])
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, operation } of all) {
      const given = (
        (operation['parameters'] ?? []) as unknown as { name: string; in: string; required: boolean }[]
      ).filter((one) => one.in === 'path')
      expect(given.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? [])
      expect(given.every(({ required }) => required)).toBe(true)
    }
  })

  test('refers to nothing that is not in it', () => {
    for (const reference of references(document)) {
      const found = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document)
      expect([reference, found]).toEqual([reference, expect.anything()])
    }
  })
})

test('every route of the data plane stands in its document', () => {
  const paths = Object.keys(documents[0]![1]['paths']!)
  const served = [
    ...MANAGED.map(({ path }) => path),
    ...PASSED_THROUGH,
    ...ASSISTED,
    ...OPERATIONS.map(({ path }) => path),
  ]
  expect(paths.sort()).toEqual(served.sort())
})

test('every command stands in the document of the admin API, by its method', () => {
  const all = operations(documents[1]![1]).map(({ path, method }) => `${method.toUpperCase()} ${path}`)
  const rows = (Object.values(COMMANDS) as CommandRow[]).map(({ path, method }) => `${method} ${path}`)
  expect(all.sort()).toEqual([...rows, `GET ${EVENTS_PATH}`, `GET ${ADMIN_OPENAPI_PATH}`].sort())
})

test('both are served, and every GET that they name is a route', async () => {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }], {
    config: { auth: { admin_key: 'an-admin-key-0123' } },
  })
  const headers = { authorization: 'Bearer an-admin-key-0123' }
  const admin = (await (await fetch(lexora.url + ADMIN_OPENAPI_PATH, { headers })).json()) as Json
  expect(Object.keys(admin['paths']!)).toContain('/admin/reload')
  expect((await fetch(lexora.url + ADMIN_OPENAPI_PATH)).status).toBe(401)
  const data = (await (await fetch(lexora.url + OPENAPI_PATH)).json()) as Json
  for (const { path, method } of operations(data)) {
    if (method !== 'get') continue
    const { status } = await fetch(lexora.url + path.replace('{id}', 'tiny'))
    expect([path, status]).toEqual([path, path === REALTIME ? 426 : 200])
  }
})

test('a model takes no DELETE, and says what it takes', async () => {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }])
  const answer = await fetch(`${lexora.url}/v1/models/tiny`, { method: 'DELETE' })
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})
