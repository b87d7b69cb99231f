import { expect, test } from 'vitest'
import { adaptersOf } from '../../src/config/adapters.ts'

test.each<[given: unknown, adapters: [string, string][], wrong: string[]]>([
  [undefined, [], []],
  ['sql=/adapters/sql', [['sql', '/adapters/sql']], []],
  [
    ['a=/x', 'b=/y=z'],
    [
      ['a', '/x'],
      ['b', '/y=z'],
    ],
    [],
  ],
  [['{"name": "a", "path": "/x", "base_model_name": "m"}'], [['a', '/x']], []],
  [
    ['a=/x', 'a=/y', 'nothing', '=/x', 'b=', '{"name": 1}', '{'],
    [['a', '/x']],
    ['a=/y', 'nothing', '=/x', 'b=', '{"name": 1}', '{'],
  ],
])('%j', (given, adapters, wrong) => {
  const found = adaptersOf({ 'lora-modules': given })
  expect([[...found.adapters], found.wrong]).toEqual([adapters, wrong])
  expect(adaptersOf({ lora_modules: given })).toEqual(found)
})
