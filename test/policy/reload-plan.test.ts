import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Change, planReload } from '../../src/policy/reload-plan.ts'
import { configSchema } from '../../src/protocol/config.ts'

const config = (document: object) => configSchema.parse(document)

test.each<[what: string, before: object, after: object, changes: Change[]]>([
  ['nothing', {}, {}, []],
  ['a limit', {}, { rate_limit: { default_rate: 1 } }, [{ path: 'rate_limit.default_rate', effect: 'now' }]],
  ['a list', {}, { server: { allowed_hosts: ['a'] } }, [{ path: 'server.allowed_hosts', effect: 'now' }]],
  [
    'a user that comes',
    {},
    { rate_limit: { users: { ann: { rate: 1 } } } },
    [{ path: 'rate_limit.users.ann', effect: 'now' }],
  ],
  [
    'a backend that goes',
    { routing: { backends: { a: { url: 'http://a' } } } },
    {},
    [{ path: 'routing.backends.a', effect: 'now' }],
  ],
  ['the form of the log', {}, { logging: { format: 'json' } }, [{ path: 'logging.format', effect: 'restart' }]],
  ['how much is logged', {}, { logging: { level: 'DEBUG' } }, [{ path: 'logging.level', effect: 'now' }]],
  [
    'a certificate in another place',
    { server: { tls: { cert: 'c', key: 'k' } } },
    { server: { tls: { cert: 'd', key: 'k' } } },
    [{ path: 'server.tls.cert', effect: 'now' }],
  ],
  ['an engine that comes', {}, { engines: { a: {} } }, [{ path: 'engines.a', effect: 'now' }]],
  [
    'an option of an engine',
    { engines: { a: {} } },
    { engines: { a: { args: { 'max-num-seqs': 2 } } } },
    [{ path: 'engines.a.args.max-num-seqs', effect: 'engine-restart' }],
  ],
  [
    'when an engine rests',
    { engines: { a: {} } },
    { engines: { a: { idle_unload_minutes: 5 } } },
    [{ path: 'engines.a.idle_unload_minutes', effect: 'now' }],
  ],
])('%s', (_, before, after, changes) => {
  expect(planReload(config(before), config(after))).toEqual(changes)
})

test('the way back changes the same settings', () => {
  const document = fc.record({
    queue: fc.record({ max_size: fc.integer({ min: 1, max: 9 }) }),
    engines: fc.dictionary(fc.constantFrom('a', 'b'), fc.record({ port: fc.integer({ min: 1, max: 3 }) })),
    logging: fc.record({ format: fc.constantFrom('console', 'json') }),
  })
  fc.assert(
    fc.property(document, document, (a, b) => {
      const paths = (changes: Change[]) => changes.map(({ path }) => path).sort()
      expect(paths(planReload(config(a), config(b)))).toEqual(paths(planReload(config(b), config(a))))
      expect(planReload(config(a), config(a))).toEqual([])
    }),
  )
})
