import { describe, expect, test } from 'vitest'
import { describeConfig } from '../../src/config/describe.ts'
import { unbuilt } from '../../src/config/effects.ts'
import { loaded } from './given.ts'

const backend = (extra: object) => ({ routing: { backends: { main: { url: 'http://h', ...extra } } } })
const keysWithoutEffect = (document: object) =>
  unbuilt(loaded({ file: JSON.stringify(document) })).map((line) => line.split(' ')[0])

describe('a key whose feature is not built yet is named when it is set', () => {
  test.each<[document: object, keys: string[]]>([
    [{}, []],
    [{ rate_limit: { default_rate: 5 } }, []],
    [{ rate_limit: { users: { ann: { rate: 5, max_priority: 'low', weight: 2, allow_remote: true } } } }, []],
    [{ rate_limit: { enabled: false } }, []],
    [{ queue: { max_size: 5 }, fallback: { on_context_overflow: true } }, []],
    [{ cache: { enabled: true } }, ['cache']],
    [{ server: { port: 5, tls: { cert: 'a', key: 'b' } } }, []],
    [{ server: { tls: null }, cache: { enabled: false }, engines: {}, telemetry: { otlp: null } }, []],
    [backend({ timeout: 5, headers: { a: 'b' }, ca: 'x' }), []],
    [backend({ weight: 2, daily_tokens: 5, remote: true, requests_per_minute: 5, max_in_flight: 4 }), []],
    [backend({ proxy: null }), []],
    [backend({ proxy: 'http://p:1' }), ['routing.backends.main.proxy']],
    [{ routing: { aliases: { code: 'a', chat: [{ model: 'b' }] }, auto: { enabled: true } } }, ['routing.auto']],
    [{ engines: { a: { model: 'm' } }, cache: { enabled: true } }, ['cache']],
  ])('%j', (document, keys) => {
    expect(keysWithoutEffect(document)).toEqual(keys)
  })

  test('and is marked where settings are listed', () => {
    const document = { ...backend({}), engines: { a: { model: 'm' } } }
    const entries = describeConfig(loaded({ file: JSON.stringify(document) }))
    const marked = entries.filter(({ unbuilt }) => unbuilt).map(({ path }) => path)
    expect(marked).toContain('routing.backends.main.proxy')
    expect(new Set(marked.map((path) => path.split('.').slice(0, 2).join('.')))).toEqual(
      new Set(['routing.backends', 'routing.auto', ...marked.filter((path) => /^(cache|telemetry)\./.test(path))]),
    )
    expect(marked.filter((path) => path.startsWith('routing.backends.'))).toEqual(['routing.backends.main.proxy'])
    expect(
      marked.some((path) => path.startsWith('cache.')) && marked.some((path) => path.startsWith('telemetry')),
    ).toBe(true)
  })

  test('and is among the notes of the start', () => {
    expect(loaded({ env: { LEXORA_CACHE__ENABLED: 'true' } }).notes).toEqual([
      'cache has no effect yet: this release does not have that feature',
    ])
  })
})
