import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CommandRow, optionNames, pathArguments } from '../../src/protocol/command-row.ts'
import { COMMANDS, EVENTS_PATH, parseCommandArgs } from '../../src/protocol/commands.ts'

const rows = Object.entries(COMMANDS) as [string, CommandRow][]

describe('the table of commands', () => {
  test('gives each command one route and one word of its own', () => {
    const routes = rows.map(([, { method, path }]) => `${method} ${path}`)
    const words = rows.map(([, { cli }]) => cli.join(' '))
    expect(new Set([...routes, `GET ${EVENTS_PATH}`]).size).toBe(rows.length + 1)
    expect(new Set(words).size).toBe(rows.length)
  })

  test.each(rows)('%s lies under /admin, and what changes something is a POST', (_, { method, path, scope, cli }) => {
    expect(path).toMatch(/^\/admin\/[a-z{}/-]+$/)
    expect(method).toBe(scope === 'admin:read' ? 'GET' : 'POST')
    expect(cli.every((word) => /^[a-z-]+$/.test(word))).toBe(true)
  })

  test.each(rows)('%s takes what its path names', (_, row) => {
    expect(Object.keys(row.args.shape)).toEqual(expect.arrayContaining(pathArguments(row)))
  })
})

describe('arguments', () => {
  const row: CommandRow = {
    method: 'POST',
    path: '/admin/things/{id}/turn',
    cli: ['turn'],
    scope: 'admin:write',
    args: z.strictObject({ id: z.string(), by: z.coerce.number('is not a number').int('is not whole').optional() }),
    about: '',
  }

  test('stand in the path or beside it', () => {
    expect([pathArguments(row), optionNames(row)]).toEqual([['id'], ['by']])
  })

  test.each<[given: unknown, param: string | null, message: string]>([
    [{ id: 'a', by: 1.5 }, 'by', 'by: is not whole'],
    [{ id: 'a', by: 'much' }, 'by', 'by: is not a number'],
    [{ id: 'a', buy: 1 }, 'buy', 'buy: is not known here'],
    [{ by: 1 }, 'id', 'id: Invalid input: expected string, received undefined'],
    [[], null, 'The body: Invalid input: expected object, received array'],
  ])('%j is refused by the name of the field', (given, param, message) => {
    expect(parseCommandArgs(row, given)).toEqual({ ok: false, problem: { code: 'invalid_request', message, param } })
  })

  test('are handed on as the schema makes them', () => {
    expect(parseCommandArgs(row, { id: 'a', by: '3' })).toEqual({ ok: true, args: { id: 'a', by: 3 } })
  })
})
