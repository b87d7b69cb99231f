/** Bodies and queries that nobody meant: each is refused with the field at fault, and nothing has changed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CommandRow, pathArguments } from '../../src/protocol/command-row.ts'
import { COMMANDS, parseCommandArgs } from '../../src/protocol/commands.ts'
import { ERRORS, type ErrorCode } from '../../src/protocol/errors.ts'
import { USERS_COMMANDS } from '../../src/protocol/users-commands.ts'
import { startApp, startFake } from '../support/app.ts'
import { aFolder, someRecords } from '../support/records.ts'

const SESSION = 'session-secret-0123456789'
const RUNS = 60
/** Not these: a backup goes wherever it is told to. */
const LEFT_OUT = new Set(['backup', 'restore'])
const OTHERS = [
  'snapshot',
  'listRequests',
  'cancelRequest',
  'pause',
  'resume',
  'startEngine',
  'stopEngine',
  'engineLog',
]
const NAMES = [...Object.keys(USERS_COMMANDS).filter((name) => !LEFT_OUT.has(name)), ...OTHERS]
const ROWS = (Object.entries(COMMANDS) as [string, CommandRow][]).filter(([name]) => NAMES.includes(name))

const strange = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    'none',
    'true',
    '-1',
    '1e999',
    'NaN',
    '0x10',
    '24h',
    '../../etc/passwd',
    '__proto__',
    '\u202e',
    '💥',
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 5 }), fc.integer(), { maxKeys: 2, noNullPrototype: true }),
)

/** Anything in the fields that a command knows, and in some that it does not. */
const argumentsOf = (row: CommandRow) =>
  fc.record(
    {
      ...Object.fromEntries(Object.keys(row.args.shape).map((name) => [name, strange])),
      ...Object.fromEntries(['constructor', 'toString', 'x', 'limits'].map((name) => [name, strange])),
    },
    { requiredKeys: [], noNullPrototype: true },
  )

test.each(ROWS)(
  '%s: no 500, no loss of form, and what is refused changes nothing',
  async (_, row) => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }], {
      session: SESSION,
      records: someRecords(aFolder()),
    })
    const { commands } = lexora.app
    await commands.createUser({ name: 'ann', note: 'stays' })
    await commands.createKey({ user: 'ann' })
    const state = async (): Promise<string> => JSON.stringify([await commands.listUsers(), await commands.listKeys()])
    await fc.assert(
      fc.asyncProperty(argumentsOf(row), async (given) => {
        const before = await state()
        const places = pathArguments(row)
        const inPath = (name: string): string => {
          const value = given[name]
          return encodeURIComponent(typeof value === 'string' && value !== '' ? value.toWellFormed() : 'nobody')
        }
        const path = places.reduce((text, name) => text.replace(`{${name}}`, inPath(name)), row.path as string)
        const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !places.includes(name)))
        const headers: Record<string, string> = { authorization: `Bearer ${SESSION}` }
        const query = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, asText(value)]))
        const answer =
          row.method === 'GET'
            ? await fetch(`${lexora.url}${path}?${query}`, { headers })
            : await fetch(lexora.url + path, {
                method: 'POST',
                headers: { ...headers, 'content-type': 'application/json' },
                body: JSON.stringify(rest),
              })
        const body = (await answer.json()) as { error?: { code: ErrorCode; message: string; param: string | null } }
        if (answer.status === 200) {
          expect(parseCommandArgs(row, { ...asSent(row, rest), ...placesOf(row, path) }).ok).toBe(true)
          return
        }
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect([body.error?.code, answer.status < 500]).toEqual([expect.any(String), true])
        expect(Object.hasOwn(ERRORS, body.error!.code)).toBe(true)
        const said = body.error!.message
        if (body.error!.code === 'invalid_request' && !said.startsWith('The body'))
          expect(body.error!.param).not.toBeNull()
        expect(await state()).toBe(before)
      }),
      { numRuns: RUNS },
    )
  },
  60_000,
)

function asText(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value)
}

function asSent(row: CommandRow, rest: Record<string, unknown>): Record<string, unknown> {
  if (row.method === 'POST') return JSON.parse(JSON.stringify(rest)) as Record<string, unknown>
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, asText(value)]))
}

function placesOf(row: CommandRow, path: string): Record<string, string> {
  const values = row.path.split('/').flatMap((part, i) => (part.startsWith('{') ? [path.split('/')[i]!] : []))
  return Object.fromEntries(pathArguments(row).map((name, i) => [name, decodeURIComponent(values[i]!)]))
}
