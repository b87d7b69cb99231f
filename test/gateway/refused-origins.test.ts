import { describe, expect, test } from 'vitest'
import { RefusedOrigins } from '../../src/gateway/refused-origins.ts'
import { origin as listable } from '../../src/protocol/config.ts'

const AT = Date.parse('2026-11-22T03:00:00Z')

describe('origins that were turned away', () => {
  test('are counted, each with its first and its last time, the latest first', () => {
    const refused = new RefusedOrigins()
    for (const [origin, seconds] of [
      ['https://a.example', 0],
      ['http://localhost:5173', 1],
      ['https://a.example', 2],
    ] as const)
      refused.note(origin, AT + seconds * 1000)
    expect(refused.list()).toEqual([
      {
        origin: 'https://a.example',
        firstAt: '2026-11-22T03:00:00.000Z',
        lastAt: '2026-11-22T03:00:02.000Z',
        times: 2,
      },
      {
        origin: 'http://localhost:5173',
        firstAt: '2026-11-22T03:00:01.000Z',
        lastAt: '2026-11-22T03:00:01.000Z',
        times: 1,
      },
    ])
  })

  test('are twenty at most; who has been silent longest gives way', () => {
    const refused = new RefusedOrigins()
    refused.note('https://keeps-calling.example', AT)
    for (let i = 0; i < 1000; i++) {
      refused.note(`https://flood-${i}.example`, AT + i)
      if (i % 10 === 0) refused.note('https://keeps-calling.example', AT + i)
    }
    const names = refused.list().map(({ origin }) => origin)
    expect(names).toHaveLength(20)
    expect(names[0]).toBe('https://flood-999.example')
    expect(names).toContain('https://keeps-calling.example')
    expect(names).not.toContain('https://flood-979.example')
  })

  test.each([
    'null',
    '*',
    '',
    'https://',
    'HTTPS://A.EXAMPLE',
    'https://a.example/',
    'https://a.example/path',
    'https://user@a.example',
    'https://a.example:port',
    'https://a.example:443000',
    'https://a b.example',
    'https://*.example',
    'https://[not-an-address]',
    'https://\u001b[31m.example',
    'https://exämple.example',
    `https://${'a'.repeat(300)}.example`,
  ])('%j is not kept', (origin) => {
    const refused = new RefusedOrigins()
    refused.note(origin, AT)
    expect(refused.list()).toEqual([])
  })

  test.each([
    'https://a.example',
    'http://192.168.1.20:8080',
    'http://[::1]:3000',
    'chrome-extension://abcdefghijklmnop',
    'tauri://localhost',
  ])('%s is kept, and may be listed in server.cors_origins', (origin) => {
    const refused = new RefusedOrigins()
    refused.note(origin, AT)
    expect(refused.list()).toMatchObject([{ origin }])
    expect(listable.safeParse(origin).success).toBe(true)
  })

  test('are forgotten once, and wait again when they come again', () => {
    const refused = new RefusedOrigins()
    refused.note('https://a.example', AT)
    expect([refused.forget('https://a.example'), refused.forget('https://a.example')]).toEqual([true, false])
    expect(refused.list()).toEqual([])
    refused.note('https://a.example', AT + 1000)
    expect(refused.list()).toMatchObject([{ times: 1 }])
  })
})
