import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { brokenRules, importsOf, type Source } from './rules.ts'

const SRC = join(import.meta.dirname, '..', '..', 'src')

function sourcesOf(folder: string): Source[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /\.tsx?$/.test(path))
  return files.map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(folder, path), 'utf8') }))
}

describe('src', () => {
  const sources = sourcesOf(SRC)

  test('keeps its ranks', () => {
    expect(brokenRules(sources)).toEqual([])
  })

  test('is read whole, imports and all', () => {
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.flatMap(importsOf).length).toBeGreaterThan(2 * sources.length)
  })
})

/** A file that imports these, as its text would say it. */
const aFile = (path: string, ...specifiers: string[]): Source => ({
  path,
  text: specifiers.map((specifier, i) => `import { a${i} } from '${specifier}'`).join('\n'),
})

describe('the rules', () => {
  test.each<[what: string, source: Source, broken: string[]]>([
    ['a lower rank', aFile('gateway/a.ts', '../backends/b.ts', '../users/c.ts', '../protocol/d.ts'), []],
    ['its own folder', aFile('gateway/routes/a.ts', '../b.ts', './c.ts'), []],
    ['telemetry its neighbours', aFile('telemetry/a.ts', '../wire/b.ts', '../policy/c.ts'), []],
    ['the version', aFile('bin.ts', './headless.ts', '../package.json'), []],
    ['electron in the shell', aFile('shell/main.ts', 'electron', '../app/app.ts'), []],
    ['zod in the protocol', aFile('protocol/a.ts', 'zod'), []],
    ['node modules in wire', aFile('wire/a.ts', 'node:buffer'), []],
    [
      'a higher rank',
      aFile('policy/a.ts', '../gateway/b.ts'),
      ["src/policy/a.ts imports '../gateway/b.ts': gateway (rank 4) is not below policy (rank 1)"],
    ],
    [
      'an equal rank',
      aFile('backends/a.ts', '../engine/b.ts'),
      ["src/backends/a.ts imports '../engine/b.ts': engine (rank 3) is not below backends (rank 3)"],
    ],
    [
      'the headless entry in the cli',
      aFile('cli/a.ts', '../headless.ts', '../app/b.ts', '../protocol/c.ts'),
      ["src/cli/a.ts imports '../headless.ts': headless (rank 6) is not below cli (rank 6)"],
    ],
    [
      'telemetry in wire',
      aFile('wire/a.ts', '../telemetry/b.ts'),
      ["src/wire/a.ts imports '../telemetry/b.ts': telemetry (rank 1) is not below wire (rank 1)"],
    ],
    [
      'config in the gateway',
      aFile('gateway/a.ts', '../config/b.ts'),
      ["src/gateway/a.ts imports '../config/b.ts': gateway is handed values of config"],
    ],
    [
      'the engine in the gateway',
      aFile('gateway/routes/a.ts', '../../engine/b.ts'),
      ["src/gateway/routes/a.ts imports '../../engine/b.ts': gateway is handed values of engine"],
    ],
    [
      'anything in the demo',
      aFile('demo/a.ts', '../protocol/b.ts'),
      ["src/demo/a.ts imports '../protocol/b.ts': demo imports nothing outside src/demo"],
    ],
    [
      'a package in policy',
      aFile('policy/a.ts', 'node:os'),
      ["src/policy/a.ts imports 'node:os': policy imports no package and no node module"],
    ],
    [
      'a package in the protocol',
      aFile('protocol/a.ts', 'undici'),
      ["src/protocol/a.ts imports 'undici': protocol imports only zod"],
    ],
    [
      'electron elsewhere',
      aFile('app/a.ts', 'electron'),
      ["src/app/a.ts imports 'electron': electron belongs to src/shell"],
    ],
    [
      'something outside src',
      aFile('app/a.ts', '../../test/b.ts'),
      ["src/app/a.ts imports '../../test/b.ts': outside src"],
    ],
    [
      'a folder without a rank',
      aFile('attic/a.ts'),
      ['src/attic has no rank: give it one in test/architecture/rules.ts and draw it in src/README.md'],
    ],
  ])('on %s', (_, source, broken) => {
    expect(brokenRules([source])).toEqual(broken)
  })

  test.each([
    'Date.now()',
    'new Date()',
    'Math.random()',
    'performance.now()',
    'process.env',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'crypto.randomUUID()',
    'globalThis.x',
  ])('policy may not say %s', (code) => {
    expect(brokenRules([{ path: 'policy/a.ts', text: `const a = ${code}` }])).toHaveLength(1)
    expect(brokenRules([{ path: 'wire/a.ts', text: `const a = ${code}` }])).toEqual([])
  })

  test('policy may speak of a process in its comments', () => {
    const text = '/** Until the process ends, setTimeout or not. */\nconst a = new Date(at) // performance\n'
    expect(brokenRules([{ path: 'policy/a.ts', text }])).toEqual([])
  })

  test('a cycle is told once, from its first file', () => {
    const ring = [
      aFile('wire/c.ts', './a.ts'),
      aFile('wire/a.ts', './b.ts', './d.ts'),
      aFile('wire/b.ts', './c.ts'),
      aFile('wire/d.ts'),
    ]
    expect(brokenRules(ring)).toEqual(['a cycle: src/wire/a.ts → src/wire/b.ts → src/wire/c.ts → src/wire/a.ts'])
  })
})

test('every form of import is seen', () => {
  const text = [
    "import a from './1.ts'",
    "import type { B } from './2.ts'",
    "import {\n  c,\n  d,\n} from './3.ts'",
    "import './4.ts'",
    "export * from './5.ts'",
    "export { e } from './6.ts'",
    "const { f } = await import('./7.ts')",
    "const g = require('./8.ts')",
    "import * as h from '../x/9.ts'",
  ].join('\n')
  const targets = importsOf({ path: 'y/a.ts', text }).map(({ target }) => target)
  expect(targets.toSorted()).toEqual(['x/9.ts', ...Array.from({ length: 8 }, (_, i) => `y/${i + 1}.ts`)])
})
