import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Redactor } from '../../src/telemetry/redact.ts'

function redactorOf(...secrets: string[]): Redactor {
  const redactor = new Redactor()
  for (const secret of secrets) redactor.add(secret)
  return redactor
}

describe('secrets that were named', () => {
  /** All that the configuration takes for a secret, but for masks and characters of one kind, which prove nothing. */
  const secrets = fc
    .stringMatching(/^[\x21-\x7e]{6,40}$/)
    .filter((secret) => !secret.includes('*') && new Set(secret).size > 3)

  test('never survive, wherever they stand', () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.constantFrom(' ', '"', '{"key":"', '\n', '://')), { maxLength: 6 })
    fc.assert(
      fc.property(fc.array(secrets, { minLength: 1, maxLength: 4 }), texts, texts, (known, before, after) => {
        const redactor = redactorOf(...known)
        for (const secret of known) {
          expect(redactor.redact([...before, secret, ...after].join(''))).not.toContain(secret)
        }
        const shown = redactor.redact(known.join(' '))
        for (const secret of known) expect(shown).not.toContain(secret)
      }),
    )
  })

  test('do not leave a tail when a shorter one is their beginning', () => {
    expect(redactorOf('abcdef', 'abcdefghij').redact('x abcdefghij y abcdef z')).toBe('x *** y *** z')
  })

  test('of less than six characters are left: they would mask plain words', () => {
    expect(redactorOf('model').redact('model')).toBe('model')
  })
})

describe('what looks like a secret is masked unnamed', () => {
  test.each([
    ['Authorization: Bearer abcdef0123', 'Authorization: *** ***'],
    ['bearer abc.def-ghi_jkl=', 'bearer ***'],
    ['Basic dXNlcjpwYXNz', 'Basic ***'],
    ['key sk-proj-abcdefgh1234 is wrong', 'key *** is wrong'],
    ['lx-0123456789abcdef', '***'],
    ['hf_abcdefghijklmnop', '***'],
    ['api_key=abcd1234', 'api_key=***'],
    ['?api-key=abcd1234&x=1', '?api-key=***&x=1'],
    ['{"apiKey":"abcd1234","x":1}', '{"apiKey":"***","x":1}'],
    ["password: 'hunter22'", "password: '***'"],
  ])('%j becomes %j', (text, shown) => {
    expect(new Redactor().redact(text)).toBe(shown)
  })

  test.each(['tokens: 12', 'a bearer of news', 'task-lx', 'the secret: no', 'max_tokens=4096', 'skill-building'])(
    '%j stays',
    (text) => {
      expect(new Redactor().redact(text)).toBe(text)
    },
  )
})
