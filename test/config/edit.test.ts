/** Edits of the file: what is not changed stays as it was written, and nothing is ever half there. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { editYaml, meantBy } from '../../src/config/edit.ts'
import { tryWriting, writeWhole } from '../../src/config/write.ts'

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function edit(text: string, path: string, value: unknown, inForce: unknown = {}): string {
  const edited = editYaml(text, [{ path, value }], inForce)
  if (!edited.ok) throw new Error(edited.message)
  return edited.text
}

const FILE = `# The machine under the desk.
server:
  port: 8001        # told to everybody
  allowed_hosts: [gpu.lan, 'gpu']
queue: {max_size: 100, default_timeout: 60}

# ask Ann before you change these
rate_limit:
  default_rate: "10"
  users:
    ann: {rate: 5}
routing:
  aliases:
    qwen2.5: qwen-coder
`

describe('one plain value for another', () => {
  test.each<[path: string, value: unknown, before: string, after: string]>([
    ['server.port', 9000, 'port: 8001 ', 'port: 9000 '],
    ['queue.max_size', 5, 'max_size: 100,', 'max_size: 5,'],
    ['rate_limit.default_rate', 2.5, 'default_rate: "10"', 'default_rate: 2.5'],
    ['rate_limit.users.ann.rate', 1, '{rate: 5}', '{rate: 1}'],
    ['routing.aliases.qwen2.5', 'a: b', 'qwen2.5: qwen-coder', 'qwen2.5: "a: b"'],
  ])('%s: nothing else moves by a byte', (path, value, before, after) => {
    expect(edit(FILE, path, value)).toBe(FILE.replace(before, after))
  })
})

describe('a setting that is new, or a list', () => {
  test('keeps every comment and the order', () => {
    const text = edit(edit(FILE, 'server.host', ['127.0.0.1', '172.17.0.1']), 'timeouts.idle', 30)
    const comments = (all: string) => all.split('\n').filter((line) => line.includes('#'))
    expect(comments(text).map((line) => line.trim().replace(/ +#/, ' #'))).toEqual(
      comments(FILE).map((line) => line.trim().replace(/ +#/, ' #')),
    )
    expect(Object.keys(parse(text))).toEqual(['server', 'queue', 'rate_limit', 'routing', 'timeouts'])
    expect(parse(text)).toMatchObject({
      server: { host: ['127.0.0.1', '172.17.0.1'], port: 8001 },
      timeouts: { idle: 30 },
    })
  })

  test('that only grows keeps what is written about its items, in a block and in one line', () => {
    const block = 'server:\n  cors_origins:\n    # Ann asked for it\n    - https://a.example # hers\n'
    expect(edit(block, 'server.cors_origins', ['https://a.example', 'https://b.example'])).toBe(
      `${block}    - https://b.example\n`,
    )
    const line = 'server:\n  allowed_hosts: [gpu.lan, "gpu"] # both\n  port: 1\n'
    expect(edit(line, 'server.allowed_hosts', ['gpu.lan', 'gpu', 'third'])).toBe(
      line.replace('"gpu"]', '"gpu", third]'),
    )
    expect(edit('server: {cors_origins: []}\n', 'server.cors_origins', ['https://b.example'])).toBe(
      'server: {cors_origins: [https://b.example]}\n',
    )
    expect(parse(edit(line, 'server.allowed_hosts', ['other', 'gpu', 'third']))).toMatchObject({
      server: { allowed_hosts: ['other', 'gpu', 'third'] },
    })
  })

  test('comes into an empty file, and into a section whose lines are all comments', () => {
    expect(parse(edit('', 'server.port', 1))).toEqual({ server: { port: 1 } })
    const text = edit('# mine\nserver:\n  # port: 5\nqueue:\n', 'server.port', 1)
    expect(parse(text)).toEqual({ server: { port: 1 }, queue: null })
    expect(text).toContain('# port: 5')
  })

  test('goes when it is set to nothing', () => {
    const text = edit(FILE, 'rate_limit.users', null)
    expect(parse(text).rate_limit).toEqual({ default_rate: '10' })
    expect(edit(FILE, 'timeouts.idle', null)).toBe(FILE)
  })
})

describe('what cannot be edited is refused with its reason', () => {
  test.each<[text: string, path: string, message: string]>([
    [FILE, 'server.prot', 'no such setting'],
    [FILE, 'server.__proto__', 'no such setting'],
    ['a: &x {rate: 1}\nrate_limit: {users: {ann: *x}}\n', 'rate_limit.users.ann.rate', 'anchor'],
    ['server: [', 'server.port', 'not valid YAML'],
  ])('%j %s', (text, path, message) => {
    expect(editYaml(text, [{ path, value: 1 }], {})).toMatchObject({
      ok: false,
      path,
      message: expect.stringContaining(message),
    })
  })
})

test('a name with dots that is there goes before a shorter one', () => {
  const inForce = { routing: { aliases: { 'a.b': 'x' } } }
  expect(parse(edit('', 'routing.aliases.a.b', 'y', inForce))).toEqual({ routing: { aliases: { 'a.b': 'y' } } })
})

/** What YAML gives a meaning to, above all line breaks and spaces, is what breaks an edit; random letters hardly ever do. */
const trouble = fc.string({ unit: fc.constantFrom(...'\n\n \t\r#:-"\'|>%&*!?{}[],~a0\\\u0085\u2028') })

test('whatever text is set comes back as it was', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), trouble), fc.oneof(fc.string({ unit: 'binary' }), trouble), (name, value) => {
      fc.pre(name !== '' && name !== '__proto__' && name !== '<<' && !value.includes('\uFEFF') && value !== '')
      const path = `routing.aliases.${name}`
      fc.pre(!name.includes('.'))
      const once = editYaml(FILE, [{ path, value: 'before' }], {})
      const twice = once.ok ? editYaml(once.text, [{ path, value }], {}) : once
      if (!twice.ok) throw new Error(twice.message)
      expect(parse(twice.text, { stringKeys: true }).routing.aliases[name]).toBe(
        value.isWellFormed() ? value : expect.any(String),
      )
      expect(twice.text).toContain('# ask Ann before you change these')
    }),
    {
      numRuns: 300,
      examples: [
        [' ', '\n'],
        ['a', '\n\n'],
        ['a', '\t\n'],
        ['a', ' \n '],
      ],
    },
  )
})

test.each([
  ['8', 8],
  ['true', true],
  ['[a, b]', ['a', 'b']],
  ['{a: 1}', { a: 1 }],
  ['text', 'text'],
  ['"8"', '8'],
  ['[broken', '[broken'],
])('the word %s means %j', (word, value) => {
  expect(meantBy(word)).toEqual(value)
})

describe('writing', () => {
  test('keeps the mode, follows a link, and makes what is new for its owner alone', () => {
    const folder = aFolder()
    const [file, link] = [join(folder, 'real.yaml'), join(folder, 'link.yaml')]
    writeFileSync(file, 'a')
    chmodSync(file, 0o640)
    symlinkSync(file, link)
    writeWhole(link, 'b')
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['b', 0o640])
    writeWhole(join(folder, 'new.yaml'), 'c')
    expect(statSync(join(folder, 'new.yaml')).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder).sort()).toEqual(['link.yaml', 'new.yaml', 'real.yaml'])
  })

  test('that fails leaves the old file and nothing beside it', () => {
    const folder = aFolder()
    const file = join(folder, 'a.yaml')
    writeFileSync(file, 'old')
    expect(() => writeWhole(join(file, 'below.yaml'), 'x')).toThrow()
    expect([readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual(['old', ['a.yaml']])
  })

  test('can be tried: it fails alike, and leaves all as it was', () => {
    const folder = aFolder()
    const file = join(folder, 'a.yaml')
    writeFileSync(file, 'old')
    expect(() => tryWriting(join(file, 'below.yaml'))).toThrow()
    tryWriting(file)
    tryWriting(join(folder, 'new.yaml'))
    expect([readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual(['old', ['a.yaml']])
  })
})

test('a writer that is killed at any moment leaves the old or the new, forty times', { timeout: 180_000 }, async () => {
  const { killWriters } = await import('../chaos/kill-config-writers.ts')
  expect(await killWriters(40, aFolder())).toEqual({ kills: 40, unreadable: 0 })
})
