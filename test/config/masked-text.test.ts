/** The file as it may be shown, and back: no secret leaves, none gets lost, none turns up where it would be seen. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { maskText, revisionOf, unmaskText } from '../../src/config/masked-text.ts'

const FILE = `# once it was sk-abcdefghijkl; token=abcdef
server: {port: 8001}   # the desk
auth:
  api_keys:
    - plain-word            # Ann
    - {key: "two words", user: bob}
    # - commented-out
  admin_key: &admin 'it''s'
routing:
  backends:
    main:
      url: http://10.0.0.7
      api_key: *admin
      headers: {X-Team: "1, 2", X-Other: b-secret}
    # old:
    #   url: http://10.0.0.8
    #   api_key: forgotten
    #   proxy: http://u:p@proxy
engines:
  big:
    model: org/model
    env:
      PEM: |
        first line
          second line
      COUNT: 55555
    args: {api-key: zzzz, max-model-len: 4096}
`

const SECRETS = [
  'sk-abcdefghijkl',
  'abcdef',
  'plain-word',
  'two words',
  'commented-out',
  "it''s",
  '1, 2',
  'b-secret',
  'forgotten',
  'u:p@proxy',
  'first line',
  'second line',
  '55555',
  'zzzz',
]

const unmask = (typed: string, original = FILE) => unmaskText(typed, original)
const edited = (from: string | RegExp, to: string) => unmask(maskText(FILE).replace(from, to))

describe('the text that is shown', () => {
  test('holds none of the secrets, wherever they stand, and all else as it was', () => {
    const masked = maskText(FILE)
    expect(SECRETS.filter((secret) => masked.includes(secret))).toEqual([])
    for (const line of ['server: {port: 8001}   # the desk', 'model: org/model', 'max-model-len: 4096}', '# Ann'])
      expect(masked).toContain(line)
    expect(masked.split('\n')).toHaveLength(FILE.split('\n').length - 1)
    expect(masked.match(/<secret-\d+>/g)).toEqual(SECRETS.slice(1).map((_, index) => `<secret-${index + 1}>`))
  })

  test('of a file that is not valid YAML hides what follows a name of a secret, line by line', () => {
    const masked = maskText(`${FILE}broken: [\n`)
    expect(SECRETS.filter((secret) => masked.includes(secret))).toEqual([])
    expect(masked).toContain('model: org/model')
  })

  test('hides secrets of older spellings, and those that an anchor lends to a secret place', () => {
    const text = 'backends: {a: {url: "http://x", api_key: old-one}}\ndefault_model: &m lent\nauth: {admin_key: *m}\n'
    expect(maskText(text)).not.toMatch(/old-one|lent/)
  })

  test('hides all of a text that unfolds to too much', () => {
    const bomb = `a: &a [${'1,'.repeat(100)}]\nb: &b [${'*a,'.repeat(100)}]\nc: [${'*b,'.repeat(100)}]\nauth: {admin_key: hidden}\n`
    expect(maskText(bomb)).not.toContain('hidden')
  })

  test('uses a word that is not in the file', () => {
    const text = 'default_model: "<secret-1>"\nauth: {admin_key: mine}\n'
    expect(maskText(text)).toContain('<secrets-1>')
    expect(unmask(maskText(text), text)).toMatchObject({ ok: true, text })
  })
})

describe('the text that comes back', () => {
  test.each([FILE, `${FILE}broken: [\n`, FILE.replaceAll('\n', '\r\n'), '', '# nothing\n'])(
    'unchanged is the file again, byte for byte (%#)',
    (text) => {
      expect(unmaskText(maskText(text), text)).toMatchObject({ ok: true, text })
    },
  )

  test('with a new value in the place of a secret has that value', () => {
    const back = edited('admin_key: &admin <secret-6>', 'admin_key: &admin new')
    expect(back).toMatchObject({ ok: true, text: FILE.replace("'it''s'", 'new') })
  })

  test('keeps secrets of a list in any order, and of a backend that got another name', () => {
    const back = edited(/( {4}- <secret-3>.*\n)(.*\n)/, '$2$1')
    if (!back.ok) throw new Error(back.faults[0]!.message)
    expect(parse(back.text).auth.api_keys).toEqual([{ key: 'two words', user: 'bob' }, 'plain-word'])
    expect(edited('    main:', '    spare:')).toMatchObject({ ok: true, text: FILE.replace('    main:', '    spare:') })
  })

  test('writes a secret in quotes where it would read as something else', () => {
    const text = 'auth:\n  api_keys:\n    - a, b\n    - c\n'
    const masked = maskText(text).replace(/\n {4}- <secret-1>\n {4}- <secret-2>/, ' [<secret-1>, <secret-2>]')
    const back = unmask(masked, text)
    if (!back.ok) throw new Error(back.faults[0]!.message)
    expect(parse(back.text).auth.api_keys).toEqual(['a, b', 'c'])
  })

  test('may comment a secret out, and it is hidden there', () => {
    const back = edited('      COUNT: <secret-12>', '      # COUNT: <secret-12>')
    if (!back.ok) throw new Error(back.faults[0]!.message)
    expect(back.text).toContain('      # COUNT: 55555\n')
    expect(maskText(back.text)).toBe(maskText(FILE).replace('COUNT:', '# COUNT:'))
    const key = unmask('# admin_key: <secret-1>\n', 'auth: {admin_key: hush}\n')
    expect(key).toMatchObject({ ok: true, text: '# admin_key: hush\n' })
  })

  test.each<[name: string, from: string | RegExp, to: string, message: RegExp, line: number]>([
    ['a value that is shown', 'org/model', '<secret-6>', /<secret-6> stands where no secret belongs/, 21],
    ['a name', 'max-model-len', '<secret-6>', /<secret-6> stands where no secret belongs/, 26],
    ['a comment', '# the desk', '# <secret-6>', /would be shown/, 2],
    ['another owner', /&admin <secret-6>/, '<secret-13>', /<secret-13> belongs to engines/, 8],
    ['the inside of a text', 'key: <secret-4>', 'key: my <secret-4>', /<secret-4> stands inside another text/, 6],
    ['out of a comment', 'COUNT: <secret-12>', 'COUNT: <secret-9>', /<secret-9> belongs to a comment/, 25],
    ['a number that is none', '<secret-13>', '<secret-99>', /<secret-99> is no secret of the file/, 26],
  ])('with a secret moved to %s is refused by name and line', (_, from, to, message, line) => {
    const back = edited(from, to)
    expect(back).toMatchObject({ ok: false, faults: [{ message: expect.stringMatching(message), line }] })
  })

  test('of a broken file may be mended, and is refused where that would show a secret', () => {
    const broken = 'auth:\n  admin_key: hush\n  mode: [\n'
    const masked = maskText(broken)
    expect(unmask(masked.replace('[', 'auto'), broken)).toMatchObject({
      ok: true,
      text: 'auth:\n  admin_key: hush\n  mode: auto\n',
    })
    for (const typed of ['default_model: <secret-1>\n', '# note <secret-1>\n', '<secret-1>: 1\n', '<secret-2>\n'])
      expect(unmask(typed, broken)).toMatchObject({ ok: false })
  })

  test('tells where in it something stands that was found in the whole', () => {
    const back = edited('{api-key: <secret-13>, max-model-len', '{api-key: <secret-13>, bad')
    if (!back.ok) throw new Error(back.faults[0]!.message)
    const typed = maskText(FILE).split('\n')
    const whole = back.text.split('\n')
    const line = whole.findIndex((one) => one.includes('bad'))
    const typedLine = typed.findIndex((one) => one.includes('<secret-13>'))
    expect(back.typedPlace(line + 1, whole[line]!.indexOf('bad') + 1)).toEqual({
      line: typedLine + 1,
      column: '    args: {api-key: <secret-13>, '.length + 1,
    })
    expect(back.typedPlace(1, 1)).toEqual({ line: 1, column: 1 })
  })
})

/** Texts with everything to which YAML gives a meaning, of such a length that they cannot be part of anything else. */
const aSecret = fc
  .string({ unit: fc.constantFrom(...'\n \t#:-"\'|>%&*!?{}[],~aZ0\\é'), maxLength: 12 })
  .map((middle) => `S3${middle}cret`)

/** The library writes some texts so that it cannot read them. */
function readsAs(text: string, config: unknown): boolean {
  try {
    return JSON.stringify(parse(text)) === JSON.stringify(config)
  } catch {
    return false
  }
}

test('no secret is ever shown, and every one comes back, however it is written', () => {
  fc.assert(
    fc.property(
      fc.array(aSecret, { minLength: 1, maxLength: 4 }),
      fc.array(aSecret, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('BLOCK_LITERAL', 'BLOCK_FOLDED', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'PLAIN'),
      fc.boolean(),
      (keys, env, defaultStringType, collection) => {
        const config = {
          auth: { api_keys: keys, admin_key: keys[0] },
          engines: { big: { model: 'a/b', env: Object.fromEntries(env.map((value, index) => [`V${index}`, value])) } },
        }
        const text = stringify(config, {
          defaultStringType,
          defaultKeyType: 'PLAIN',
          collectionStyle: collection ? 'flow' : 'any',
        })
        fc.pre(readsAs(text, config))
        const masked = maskText(text)
        expect(masked).not.toMatch(/S3|cret(?!-\d+>)/)
        expect(unmaskText(masked, text)).toMatchObject({ ok: true, text })
      },
    ),
    { numRuns: 200 },
  )
})

test('a revision tells one content from another', () => {
  expect(revisionOf(FILE)).toBe(revisionOf(`${FILE}`))
  expect(revisionOf(FILE)).not.toBe(revisionOf(`${FILE} `))
})
