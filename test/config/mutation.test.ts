import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyEnvironment } from '../../src/config/environment.ts'
import { readYaml } from '../../src/config/read-yaml.ts'
import { aFolder, load, loaded } from './given.ts'

const valid = {
  server: { host: ['127.0.0.1'], port: 8001, cors_origins: ['http://localhost:3000'] },
  auth: { api_keys: ['k', { key: 'l', user: 'ann' }] },
  rate_limits: { default: { requests_per_minute: 30 }, users: { ann: { tokens_per_minute: 5 } } },
  retry: { max_attempts: 3 },
  routing: {
    enabled: true,
    default_backend: 'main',
    backends: {
      main: { url: 'http://h', models: ['m', { name: 'n' }], fallback_backends: ['b'] },
      b: { url: 'http://i' },
    },
    aliases: { a: 'm', b: [{ model: 'm', weight: 2 }] },
    tasks: { sum: { primary: 'm', fallback: ['n'] } },
  },
  engines: { e: { model: 'm', args: { x: 1 }, gpus: [0] } },
}

type Place = { parent: Record<string, unknown>; key: string }

function places(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<string, unknown>
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...places(parent[key])])
}

const change = fc.oneof(
  fc.record({ do: fc.constant('replace' as const), with: fc.jsonValue() }),
  fc.record({
    do: fc.constant('replace' as const),
    with: fc.constantFrom(null, '', 0, -1, 1e99, [], {}, 'm', 'main', [[]]),
  }),
  fc.record({ do: fc.constant('remove' as const), with: fc.constant(null) }),
  fc.record({ do: fc.constant('rename' as const), with: fc.string() }),
)

test('the document that is mutated is valid', () => {
  loaded({ file: JSON.stringify(valid) })
})

test('a mutated document is valid or refused with a place and a reason, and never throws', () => {
  const cwd = aFolder()
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), change), { minLength: 1, maxLength: 3 }), (changes) => {
      const document = structuredClone(valid)
      for (const [at, { do: how, with: what }] of changes) {
        const all = places(document)
        const { parent, key } = all[at % all.length] ?? { parent: document as Record<string, unknown>, key: 'server' }
        // A value is drawn more than once: one inside of itself would be no document.
        if (how === 'replace') parent[key] = structuredClone(what)
        else {
          if (how === 'rename' && !Array.isArray(parent)) parent[String(what)] = parent[key]
          delete parent[key]
        }
      }
      const result = load({ cwd, file: JSON.stringify(document) })
      if (result.ok) return
      expect(result.issues).not.toEqual([])
      for (const issue of result.issues) {
        expect(issue).toMatchObject({
          source: 'file',
          line: 1,
          place: expect.stringMatching(/^lexora_config\.yaml:1:\d+$/),
        })
        expect(issue.message).not.toBe('')
      }
    }),
    { numRuns: 150 },
  )
})

test('any text is read or refused, and never throws', () => {
  const piece = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '<<',
    '!t ',
    '"',
    "'",
    '|',
    '#',
    '?',
    '\t',
    '---',
    ',',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const { issues } = readYaml(text, 'f')
        for (const issue of issues) expect(issue.line).toBeGreaterThan(0)
      },
    ),
    { numRuns: 1000 },
  )
})

test('any environment is read or refused, and never throws', () => {
  const part = fc.constantFrom(
    'SERVER',
    'RETRY',
    'RATE_LIMITS',
    'PORT',
    'ROUTING',
    'BACKENDS',
    'MAIN',
    'URL',
    'ALIASES',
    '',
    '_',
    '__PROTO__',
    'CONSTRUCTOR',
  )
  const variable = fc.array(part, { maxLength: 4 }).map((parts) => `LEXORA_${parts.join('__')}`)
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(
      '{"__proto__": {"a": 1}}',
      '[',
      'null',
      '1e999',
      '{"max_attempts": 3, "default": {"requests_per_minute": 6}}',
    ),
  )
  fc.assert(
    fc.property(fc.dictionary(variable, text), (env) => {
      applyEnvironment(env, {})
      load({ env, cwd: '/nowhere' })
    }),
    { numRuns: 150 },
  )
})
